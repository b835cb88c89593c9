/**
 * One connection to one node, in the JSON dialect: objects go out, each with a number; answers come back in any
 * order and find their question by that number. It knows nothing of retries, leaders or deadlines.
 *
 * What must always hold:
 * - each question is answered once: by the node, or by the loss of the connection;
 * - nothing is answered after `onClosed` was told, and that is told once.
 */
import { connect, type Socket } from 'node:net'
import { formatAddress, parseAddress } from '../protocol/address.js'
import { LineSplitter, LongLine } from '../protocol/lines.js'
import { whyNotReached } from '../protocol/unreachable.js'

/** The fields of a JSON object that came from a node; nothing in them is checked yet. */
export type Fields = Readonly<Record<string, unknown>>

/** What became of a question. */
export type Outcome =
  | { readonly kind: 'answer'; readonly fields: Fields }
  /** The connection is gone; whether the node got the question is not known. */
  | { readonly kind: 'lost'; readonly reason: string }

/** What a connection tells whoever opened it. */
export interface ConnectionEvents {
  onOpen(): void
  /** It is gone, or could not be opened; `reason` fits behind a comma. Told once, after all questions were. */
  onClosed(reason: string): void
  /** There is room for more after {@link Connection.hasRoom} was false. */
  onRoom?(): void
  /** A line that answers no open question: what a watcher is told. */
  onNews?(fields: Fields): void
}

interface Question {
  readonly done: (outcome: Outcome) => void
  /** Length of its line. */
  readonly bytes: number
}

/** The longest line that is taken from a node: room for the largest value a node may be set to take. */
const lineBytesMax = 256 * 1024 * 1024
/** Bytes handed to the socket and not taken by the system, beyond which no more is sent. */
const unsentBytesMax = 256 * 1024
/** Silence after which the system asks the node's machine whether it still exists. */
const keepAliveMs = 10_000

/** See the head of this file. Connects as soon as it is made. */
export class Connection {
  /** In full `host:port` form. */
  readonly address: string
  readonly #events: ConnectionEvents
  readonly #socket: Socket
  readonly #lines = new LineSplitter(lineBytesMax)
  readonly #questions = new Map<number, Question>()
  readonly #connecting: NodeJS.Timeout
  #nextId = 1
  #state: 'connecting' | 'open' | 'closed' = 'connecting'
  /** A line that was no JSON: a node may greet those who connect, once. */
  #wasGreeted = false
  #heardAtMs = performance.now()

  constructor(address: string, connectTimeoutMs: number, events: ConnectionEvents) {
    this.#events = events
    const place = parseAddress(address)
    this.address = place === undefined ? address : formatAddress(place)
    this.#socket = connect({
      host: place?.host ?? address,
      port: place?.port ?? 0,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMs,
    })
    this.#connecting = setTimeout(
      () => this.close(`it could not be reached within ${connectTimeoutMs} ms`),
      connectTimeoutMs,
    )
    this.#socket.on('connect', () => this.#onConnect())
    this.#socket.on('data', chunk => this.#onData(chunk))
    this.#socket.on('drain', () => this.#events.onRoom?.())
    this.#socket.on('end', () => this.close('it closed the connection'))
    this.#socket.on('error', error => this.close(whyNotReached(error)))
    this.#socket.on('close', () => this.close('it closed the connection'))
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Questions that have no answer yet. */
  get open(): number {
    return this.#questions.size
  }

  /** When something last came, on the clock of `performance.now()`. */
  get heardAtMs(): number {
    return this.#heardAtMs
  }

  /** Whether the node takes what is sent to it; it reads slowly otherwise. */
  get hasRoom(): boolean {
    return this.#state === 'open' && this.#socket.writableLength < unsentBytesMax
  }

  /** Asks; `done` is called once, never before this returns. The connection must be open. */
  ask(fields: Fields, done: (outcome: Outcome) => void): void {
    const id = this.#nextId++
    const line = JSON.stringify({ id, ...fields })
    this.#questions.set(id, { done, bytes: Buffer.byteLength(line) })
    // What is asked in one turn of the loop leaves in one write.
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork()
      process.nextTick(() => this.#socket.uncork())
    }
    this.#socket.write(`${line}\n`)
  }

  /** Ends it at once. Open questions are answered with the loss. */
  close(reason: string): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    clearTimeout(this.#connecting)
    this.#socket.destroy()
    const questions = [...this.#questions.values()]
    this.#questions.clear()
    for (const { done } of questions) done({ kind: 'lost', reason })
    this.#events.onClosed(reason)
  }

  #onConnect(): void {
    clearTimeout(this.#connecting)
    if (this.#state !== 'connecting') return
    this.#state = 'open'
    this.#events.onOpen()
  }

  #onData(chunk: Buffer): void {
    this.#heardAtMs = performance.now()
    this.#lines.push(chunk)
    while (this.#state === 'open') {
      const line = this.#lines.next()
      if (line === undefined) break
      if (line instanceof LongLine) this.close('it sent a line without end')
      else this.#onLine(line)
    }
    if (this.#lines.isTooLong) this.close('it sent a line without end')
  }

  #onLine(line: Buffer): void {
    const fields = parsedObject(line)
    if (fields === undefined) {
      const said = line.toString('utf8', 0, 200)
      // A node that takes no connection says so in text, before it knows how it is spoken to.
      if (said.startsWith('ERROR: ')) this.close(`it answered '${said}'`)
      else if (this.#wasGreeted) this.close('it is not a Quorate node')
      this.#wasGreeted = true
      return
    }
    const id = fields['id'] === null ? this.#tooLong(fields) : fields['id']
    const question = typeof id === 'number' ? this.#questions.get(id) : undefined
    if (typeof id !== 'number' || question === undefined) {
      this.#events.onNews?.(fields)
      return
    }
    this.#questions.delete(id)
    question.done({ kind: 'answer', fields })
  }

  /** The node cannot read the number of a question that is too long for it; it is the first that is. */
  #tooLong({ code, details }: Fields): number | undefined {
    if (code !== 'LINE_TOO_LONG' || typeof details !== 'object' || details === null) return undefined
    const limit = 'limit' in details ? Number(details.limit) : Number.NaN
    return [...this.#questions].find(([, { bytes }]) => bytes > limit)?.[0]
  }
}

function parsedObject(line: Buffer): Fields | undefined {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'))
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    // An object of JSON has strings for keys, and its values are looked at before they are used.
    return value as Fields
  } catch {
    return undefined
  }
}
