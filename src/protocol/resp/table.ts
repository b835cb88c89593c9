/** The one table of the commands of the Redis protocol. `COMMAND` and the reference page are made from it. */
import { clientCommand } from './client-commands.js'
import { clusterCommand } from './cluster-commands.js'
import { connectionCommands } from './connection-commands.js'
import type { AnyCommandRow, CommandTable } from './conversation.js'
import { dataCommands } from './data-commands.js'
import { serverCommands } from './server-commands.js'
import { transactionCommands } from './transaction-commands.js'

const rows: Readonly<Record<string, AnyCommandRow>> = {
  ...dataCommands,
  ...transactionCommands,
  ...connectionCommands,
  client: clientCommand,
  cluster: clusterCommand,
  ...serverCommands,
}

/** All commands, by name in lower case. */
export const commandTable: CommandTable = new Map(Object.entries(rows))
