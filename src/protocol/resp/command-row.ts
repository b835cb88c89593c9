/** What a row of the tables of Redis commands says of a command. */
import type { Operation, Reply } from '../../base/operation.js'

/** One command, as `COMMAND` describes it. */
export interface RespCommandRow {
  /** How many words, the name included; negative: at least so many. */
  readonly arity: number
  readonly flags: readonly string[]
  /** Which words are keys: the first, the last (negative: counted from the end) and the step; 0, 0, 0: none. */
  readonly keys: readonly [first: number, last: number, step: number]
  readonly group: 'string' | 'generic' | 'server' | 'connection' | 'transactions' | 'cluster'
  readonly since: string
  readonly summary: string
}

/** A command that becomes an {@link Operation} on the data. */
export interface DataCommandRow extends RespCommandRow {
  /** Reads the words behind the name, of which there are as many as the arity says; else what to answer. */
  readonly parse: (words: readonly Buffer[]) => Operation | ErrorReply
  /** Makes the command's reply of the operation's, where they differ. */
  readonly shape?: (reply: Reply) => Reply
  /** Set where it walks over all keys, and so may not be part of a transaction. */
  readonly walks?: true
}

/** An error, as Redis words it. */
export type ErrorReply = Extract<Reply, { kind: 'status' | 'error' }> & { readonly kind: 'error' }
