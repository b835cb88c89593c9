/**
 * What is gathered between MULTI and EXEC. EXEC makes one request of all of it, which takes effect as a whole or not
 * at all.
 *
 * What must always hold:
 * - a command that cannot be queued breaks the transaction: EXEC then carries nothing out;
 * - one that can, and whose words make no sense, is answered with its error in its place, as in Redis.
 */
import { isRead, type Operation, type Reply } from '../../base/operation.js'
import type { Engine } from '../commands.js'
import { failure, type Response } from '../request.js'
import type { DataCommandRow } from './command-row.js'
import type { Outcome, Question, WatchedKeys } from './conversation.js'
import { dataRequest, repliesOf } from './data-request.js'
import { failureReply } from './failures.js'
import { arrayReply, errorReply, type RespReply } from './reply.js'

/** What stands for one queued command: an operation, or what gives its reply without the database. */
type Queued =
  | { readonly operation: Operation; readonly row: DataCommandRow }
  | { readonly reply: () => RespReply }

/** What the queued commands of one transaction may hold: their words, in bytes, and their number. */
export interface TransactionLimits {
  readonly bytesMax: number
  readonly commandsMax: number
}

const aborted = errorReply('EXECABORT Transaction discarded because of previous errors.')
/** What makes the overhead of a small command count. */
const bytesPerCommand = 64

/** See the head of this file. */
export class Transaction {
  readonly #limits: TransactionLimits
  readonly #queued: Queued[] = []
  #bytes = 0
  #isBroken = false

  constructor(limits: TransactionLimits) {
    this.#limits = limits
  }

  /** How many commands are queued. */
  get size(): number {
    return this.#queued.length
  }

  /** A command could not be queued. */
  break(): void {
    this.#isBroken = true
    this.#queued.length = 0
  }

  /** Queues a command whose words take so many bytes, and answers that it did. */
  queue(command: Queued, bytes: number): RespReply {
    this.#bytes += bytes + bytesPerCommand
    if (this.#bytes > this.#limits.bytesMax || this.#queued.length >= this.#limits.commandsMax) {
      this.break()
      return errorReply(`ERR Transaction too large (limit ${this.#limits.bytesMax} bytes)`)
    }
    if (!this.#isBroken) this.#queued.push(command)
    return { kind: 'status', text: 'QUEUED' }
  }

  /** What EXEC comes to, if the watched keys are as they were. */
  execute(local: boolean, watched: WatchedKeys, engine: Engine): Outcome {
    if (this.#isBroken) return aborted
    const operations = this.#queued.flatMap(command => ('operation' in command ? [command.operation] : []))
    const { isWatching } = watched
    if (operations.length === 0 && !isWatching) return this.#replies([])
    // Not at MULTI already: libraries send all of a transaction in one go, and would have its commands carried out
    // one by one behind the refusal.
    if (engine !== 'raft')
      return failureReply(failure('ENGINE_MISMATCH', { command: 'exec', engine: 'raft' }))
    const order = isWatching || !operations.every(isRead) ? 'write' : 'read'
    return { kind: 'ask', order, first: () => this.#ask(operations, local, watched) }
  }

  #ask(operations: readonly Operation[], local: boolean, watched: WatchedKeys): RespReply | Question {
    // Whoever sent WATCH, MULTI and EXEC in one go could not see that the first of them had failed.
    if (watched.hasFailed) return aborted
    const { request } = dataRequest(operations, local, [...watched.keys.values()])
    return {
      kind: 'question',
      request,
      next: (response: Response) => {
        const replies = repliesOf(request, response)
        if ('kind' in replies) {
          return replies.code === 'VERSION_MISMATCH' ? { kind: 'nil-array' } : failureReply(replies)
        }
        return this.#replies(replies)
      },
    }
  }

  /** The replies of all queued commands, of which these are those of the operations. */
  #replies(ofOperations: readonly Reply[]): RespReply {
    let position = 0
    const replies = this.#queued.map((command): RespReply => {
      if (!('operation' in command)) return command.reply()
      const reply = ofOperations[position++] ?? errorReply('ERR no reply')
      return command.row.shape?.(reply) ?? reply
    })
    return arrayReply(replies)
  }
}
