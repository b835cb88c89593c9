/**
 * Cuts what a connection brings into messages, each in the dialect that its first byte says: a `*` begins a request
 * of the Redis protocol, anything else a line. The bytes may come in any pieces.
 */
import { Chunks } from './chunks.js'
import { LineSplitter, type LongLine } from './lines.js'
import { type ParsedRequest, RespParser } from './resp/parser.js'

/** One message: a line without its ending, or a request of the Redis protocol. */
export type Message = Buffer | LongLine | ParsedRequest

const asterisk = 0x2a

/** How much more than its longest word a request of the Redis protocol may take. */
const furtherBytesMax = 64 * 1024

/** One for each connection. Like its parts, it holds nothing between messages. */
export class MessageReader {
  readonly #chunks = new Chunks()
  readonly #lines: LineSplitter
  readonly #requests: RespParser

  /** No line, and no word of a request, is longer than this. */
  constructor(lineBytesMax: number) {
    this.#lines = new LineSplitter(lineBytesMax, this.#chunks)
    this.#requests = new RespParser(this.#chunks, {
      wordBytesMax: lineBytesMax,
      requestBytesMax: lineBytesMax + furtherBytesMax,
    })
  }

  /** Takes the next bytes of the connection. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
  }

  /** Whether bytes were pushed that {@link next} has not looked at yet. */
  get hasUnread(): boolean {
    return this.#chunks.first !== undefined
  }

  /** The next whole message, or undefined if more bytes are needed. Its bytes may be views of what was pushed. */
  next(): Message | undefined {
    const isRequest = this.#requests.isWithinRequest || (!this.#lines.isWithinLine && this.#isAtAsterisk())
    return isRequest ? this.#requests.next() : this.#lines.next()
  }

  /** At the end of the input: the last line, if it had no ending. What there is of a request is no request. */
  end(): Buffer | LongLine | undefined {
    return this.#requests.isWithinRequest ? undefined : this.#lines.end()
  }

  #isAtAsterisk(): boolean {
    return this.#chunks.first?.[this.#chunks.position] === asterisk
  }
}
