/** The table of the Redis commands that read or change data. */
import type { DataCommandRow } from './command-row.js'

/** By name, in lower case. */
export const dataCommands: Readonly<Record<string, DataCommandRow>> = {}
