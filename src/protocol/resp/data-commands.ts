/** The table of the Redis commands that read or change data. */
import type { DataCommandRow } from './command-row.js'
import { keyCommands } from './key-commands.js'
import { stringCommands } from './string-commands.js'

/** By name, in lower case. */
export const dataCommands: Readonly<Record<string, DataCommandRow>> = { ...stringCommands, ...keyCommands }
