/** A client that types at a node and reads what it says, as netcat does. */
import { connect, type Socket } from 'node:net'
import { parseAddress } from '../../src/protocol/address.js'

/** How long a reply may take before the test fails. */
const replyDeadlineMs = 15_000

const openClients = new Set<TextClient>()

/** Connects to a client address (`host:port`). Fails if nobody listens there. */
export function textClient(address: string): Promise<TextClient> {
  const parsed = parseAddress(address)
  if (parsed === undefined) throw new Error(`${address} is no address`)
  return new Promise((resolve, reject) => {
    // Half-open, so that replies still come after `end`.
    const socket = connect({ ...parsed, allowHalfOpen: true, noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(new TextClient(socket, address))
    })
  })
}

/** Ends all clients that are still connected. */
export function closeTextClients(): void {
  for (const client of openClients) client.close()
}

interface Reader {
  take(line: string): void
  fail(error: Error): void
}

/** One connection. Lines that nobody has asked for yet are kept. */
export class TextClient {
  /** Settles once the connection is gone, whoever ended it. */
  readonly closed: Promise<void>
  readonly #socket: Socket
  readonly #address: string
  readonly #lines: string[] = []
  readonly #readers: Reader[] = []
  #unfinished = ''
  #isOver = false

  constructor(socket: Socket, address: string) {
    this.#socket = socket
    this.#address = address
    openClients.add(this)
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => this.#receive(chunk))
    // What went wrong is seen as the end of the connection, which is all that a client can tell.
    socket.on('error', () => {})
    socket.on('end', () => this.#finish())
    this.closed = new Promise(resolve => {
      socket.on('close', () => {
        openClients.delete(this)
        this.#finish()
        resolve()
      })
    })
  }

  /** Sends a line and waits for one line. Asks without waiting may overlap: replies come in order. */
  ask(line: string): Promise<string> {
    this.send(`${line}\n`)
    return this.line(`the reply to '${line}'`)
  }

  /** Sends text as it stands. */
  send(text: string | Uint8Array): void {
    this.#socket.write(text)
  }

  /** The next line, without its line ending. Fails if the connection ends or the deadline passes before. */
  line(what = 'a line'): Promise<string> {
    const line = this.#lines.shift()
    if (line !== undefined) return Promise.resolve(line)
    if (this.#isOver) return Promise.reject(this.#gone(what))
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => {
        this.#readers.splice(this.#readers.indexOf(reader), 1)
        reject(new Error(`waited ${replyDeadlineMs} ms for ${what} from ${this.#address}`))
      }, replyDeadlineMs)
      const reader: Reader = {
        take: taken => {
          clearTimeout(deadline)
          resolve(taken)
        },
        fail: () => {
          clearTimeout(deadline)
          reject(this.#gone(what))
        },
      }
      this.#readers.push(reader)
    })
  }

  /** The next `count` lines. */
  lines(count: number): Promise<string[]> {
    return Promise.all(Array.from({ length: count }, (_, at) => this.line(`line ${at + 1} of ${count}`)))
  }

  /** Everything until the other side ends the connection, as lines. */
  async rest(): Promise<string[]> {
    await this.closed
    return this.#lines.splice(0)
  }

  /** Says that nothing more will be sent; replies still come. */
  end(): void {
    this.#socket.end()
  }

  /** Ends the connection at once. */
  close(): void {
    this.#socket.destroy()
  }

  #receive(chunk: string): void {
    const parts = (this.#unfinished + chunk).split('\n')
    this.#unfinished = parts.pop() ?? ''
    for (const line of parts) this.#deliver(line)
  }

  #deliver(line: string): void {
    const reader = this.#readers.shift()
    if (reader === undefined) this.#lines.push(line)
    else reader.take(line)
  }

  /** Nothing more will come: a last line without an ending counts, and whoever waits is told. */
  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    if (this.#unfinished !== '') this.#deliver(this.#unfinished)
    for (const reader of this.#readers.splice(0)) reader.fail(this.#gone('a line'))
    this.#socket.end()
  }

  #gone(what: string): Error {
    return new Error(`${this.#address} ended the connection; waited for ${what}`)
  }
}
