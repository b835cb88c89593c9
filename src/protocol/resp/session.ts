/**
 * One connection's side of the Redis protocol: finds the command of a request in the table, and says what it comes
 * to. It knows nothing of sockets; whoever uses it asks the database and writes the replies.
 *
 * What must always hold:
 * - what a request changes in the state of its connection holds for the next one, whether its reply is written or not;
 * - a command that is refused between MULTI and EXEC breaks the transaction.
 */
import type { DataRequest } from '../command.js'
import { NameTable } from '../names.js'
import { failure, type Response } from '../request.js'
import { askIfLeading } from './cluster-commands.js'
import type { DataCommandRow } from './command-row.js'
import { newSessionState, textOf } from './connection-commands.js'
import type {
  AnyCommandRow,
  CommandContext,
  ConnectionCommandRow,
  Outcome,
  Question,
  RespHost,
  SessionState,
} from './conversation.js'
import { dataRequest, isFailure, replyOf } from './data-request.js'
import { failureReply } from './failures.js'
import { errorReply, type RespReply, type RespVersion } from './reply.js'
import { askRing } from './ring-data.js'
import { slotOf } from './slot.js'
import { commandTable } from './table.js'
import { mayBeStale } from './transaction-commands.js'

/** How a reply is to be written: in which version, or not at all. */
export interface RespForm {
  readonly dialect: 'resp'
  readonly version: RespVersion
  readonly isSilent: boolean
}

/** What a request comes to, and how its reply is to be written. */
export interface RespStep {
  readonly kind: 'resp'
  readonly form: RespForm
  readonly outcome: Outcome
  /** The connection ends after the reply. */
  readonly isLast: boolean
}

/** See the head of this file. */
export class RespSession {
  readonly state: SessionState
  readonly #context: CommandContext

  /** `id` tells this connection from all others of its node. */
  constructor(id: number, host: RespHost) {
    this.state = newSessionState(id)
    this.#context = { state: this.state, host, table: commandTable }
  }

  /** Takes the words of one request, of which there is at least one. */
  take(words: readonly Buffer[]): RespStep {
    const { state } = this
    const repliesBefore = state.replies
    const outcome = this.#outcome(words)
    const step = this.#step(outcome)
    // The one command whose reply was to be skipped was this.
    if (repliesBefore === 'skip' && state.replies === 'skip') state.replies = 'on'
    return step
  }

  /** The same for a request that was larger than the limit. */
  takeLarge(): RespStep {
    this.state.transaction?.break()
    return this.#step(failureReply(failure('LINE_TOO_LONG', { limit: this.#context.host.wordBytesMax })))
  }

  /** The last words of a connection whose bytes are no Redis protocol. */
  takeBroken(text: string): RespStep {
    this.state.isClosing = true
    return this.#step(errorReply(text))
  }

  #step(outcome: Outcome): RespStep {
    const { version, replies, isClosing } = this.state
    const form = forms[version][replies === 'on' ? 'spoken' : 'silent']
    return { kind: 'resp', form, outcome, isLast: isClosing }
  }

  #outcome(words: readonly Buffer[]): Outcome {
    const [nameWord] = words
    const found = nameWord === undefined ? undefined : commandOfName.find(nameWord)
    if (found === undefined) return this.#refuse(unknownCommand(words))
    const { name, row } = found
    if (!('subcommands' in row)) return this.#run(row, name, words)
    const [, subname] = words
    if (subname === undefined) {
      return 'run' in row ? this.#run(row, name, words) : this.#refuse(wrongArity(name))
    }
    const lower = nameOf(subname)
    const subrow = Object.hasOwn(row.subcommands, lower) ? row.subcommands[lower] : undefined
    if (subrow === undefined) return this.#refuse(unknownSubcommand(name, subname))
    return this.#run(subrow, `${name}|${lower}`, words)
  }

  #run(row: AnyCommandRow, name: string, words: readonly Buffer[]): Outcome {
    const { arity } = row
    const fits = arity < 0 ? words.length >= -arity : words.length === arity
    if (!fits) return this.#refuse(wrongArity(name))
    this.state.lastCommand = name
    // What is queued stays for as long as its client likes: it must not keep whole chunks of the socket alive.
    const kept = this.state.transaction === undefined ? words : words.map(word => Buffer.from(word))
    if ('parse' in row) return this.#askData(row, name, kept)
    // Containers that cannot be run by their own name were told apart by their second word.
    if (!('run' in row)) return this.#refuse(wrongArity(name))
    return this.#runHere(row, kept)
  }

  #runHere(row: ConnectionCommandRow, words: readonly Buffer[]): Outcome {
    const { transaction } = this.state
    if (transaction === undefined || row.inTransaction === 'at-once') return row.run(words, this.#context)
    if (row.inTransaction === 'refused') return this.#refuse(notInTransaction)
    // What asks the database is refused above: the reply is there at once when the transaction is carried out.
    const reply = (): RespReply => {
      const outcome = row.run(words, this.#context)
      return outcome.kind === 'ask' ? notInTransaction : outcome
    }
    return transaction.queue({ reply }, bytesOf(words))
  }

  #askData(row: DataCommandRow, name: string, words: readonly Buffer[]): Outcome {
    const { transaction } = this.state
    if (transaction !== undefined && row.walks) {
      return this.#refuse(errorReply(`ERR '${name}' is not allowed in transactions`))
    }
    const operation = row.parse(words.slice(1))
    if ('kind' in operation) {
      return transaction === undefined ? operation : transaction.queue({ reply: () => operation }, 0)
    }
    if (transaction !== undefined) return transaction.queue({ operation, row }, bytesOf(words))
    if (this.#context.host.engine === 'ring') return askRing(operation, name)
    const { kind, request } = dataRequest([operation], mayBeStale(this.state))
    const question = new DataQuestion(request, row)
    const order = row.walks ? 'walk' : kind
    if (kind === 'read' || !this.state.isReadOnly) return { kind: 'ask', order, first: question }
    const key = words[row.keys[0]]
    const slot = key === undefined || row.keys[0] === 0 ? 0 : slotOf(key)
    return { kind: 'ask', order, first: askIfLeading(question, slot, this.#context.host.address) }
  }

  #refuse(reply: RespReply): RespReply {
    this.state.transaction?.break()
    return reply
  }
}

/** What a command on data asks, and how its reply is made of the answer. */
class DataQuestion implements Question {
  readonly kind = 'question'
  readonly request: DataRequest
  readonly #row: DataCommandRow

  constructor(request: DataRequest, row: DataCommandRow) {
    this.request = request
    this.#row = row
  }

  next(response: Response): RespReply {
    const reply = replyOf(this.request, response)
    if (isFailure(reply)) return failureReply(reply)
    return this.#row.shape?.(reply) ?? reply
  }
}

const commandOfName = new NameTable(commandTable)

const forms = {
  2: { spoken: formOf(2, false), silent: formOf(2, true) },
  3: { spoken: formOf(3, false), silent: formOf(3, true) },
}

const notInTransaction = errorReply('ERR Command not allowed inside a transaction')

function formOf(version: RespVersion, isSilent: boolean): RespForm {
  return { dialect: 'resp', version, isSilent }
}

/** Longer than the name of any command. */
const nameBytesMax = 32
const nameCharactersShown = 128

/** A name as it stands in the table; what is too long is none. */
function nameOf(word: Buffer | undefined): string {
  return word === undefined || word.length > nameBytesMax ? '' : textOf(word).toLowerCase()
}

function wrongArity(name: string): RespReply {
  return errorReply(`ERR wrong number of arguments for '${name}' command`)
}

/** Redis shows the beginning of the words, too. */
function unknownCommand([name, ...words]: readonly Buffer[]): RespReply {
  let shown = ''
  for (const word of words) {
    if (shown.length >= nameCharactersShown) break
    shown += `'${shownWord(word, nameCharactersShown - shown.length)}' `
  }
  return errorReply(`ERR unknown command '${shownWord(name)}', with args beginning with: ${shown}`)
}

function unknownSubcommand(name: string, subname: Buffer): RespReply {
  return errorReply(`ERR unknown subcommand '${shownWord(subname)}'. Try ${name.toUpperCase()} HELP.`)
}

function shownWord(word: Buffer | undefined, length = nameCharactersShown): string {
  return textOf(word?.subarray(0, length))
}

function bytesOf(words: readonly Buffer[]): number {
  return words.reduce((bytes, word) => bytes + word.length, 0)
}
