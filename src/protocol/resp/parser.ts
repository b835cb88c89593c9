/**
 * Reads requests of the Redis protocol: an array of bulk strings, `*2\r\n$3\r\nGET\r\n$4\r\nkey1\r\n`.
 *
 * What must always hold:
 * - a word that lies within one chunk is a view of that chunk; only one that spans chunks is gathered, in a buffer
 *   that grows by doubling, so that a length that was announced and never sent takes no memory;
 * - what is kept of an unfinished request never exceeds a small multiple of the limits; of a request that is over
 *   them nothing is kept, its bytes are read and dropped;
 * - between requests nothing is held.
 *
 * It is pulled, not pushed from, as the lines of the other dialects are.
 */
import type { Chunks } from '../chunks.js'

/** How large a request may be. */
export interface RequestLimits {
  /** The longest word, in bytes. */
  readonly wordBytesMax: number
  /** All words of a request together, in bytes. */
  readonly requestBytesMax: number
}

/** The most words of a request: each takes memory beside its bytes. */
export const wordsMax = 64 * 1024
/** Redis itself takes no longer word: such a length is a mistake, and nobody waits for all those bytes. */
const announcedBytesMax = 512 * 1024 * 1024
/** A request of more words, or with longer numbers, is not looked at as a whole. */
const wholeWordsMax = 64
const wholeDigitsMax = 8
/** More digits than any length has. */
const digitsMax = 16

/** The words of one request, the name of the command first. */
export class RespRequest {
  readonly words: readonly Buffer[]
  /** Bytes of the words. */
  readonly bytes: number

  constructor(words: readonly Buffer[], bytes: number) {
    this.words = words
    this.bytes = bytes
  }
}

/** Stands for a request that was larger than the limits, and is gone. */
export class LargeRequest {
  readonly kind = 'large'
}

/** The stream is no Redis protocol from here on: the text, in Redis's own words, is the last thing to be said. */
export class BrokenProtocol {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** What {@link RespParser.next} gives. */
export type ParsedRequest = RespRequest | LargeRequest | BrokenProtocol

/** See the head of this file. One for each stream. */
export class RespParser {
  readonly #chunks: Chunks
  readonly #limits: RequestLimits
  /** What comes next. */
  #expects: 'nothing' | 'count' | 'dollar' | 'length' | 'word' | 'ending' = 'nothing'
  /** The number that is being read: its digits so far, and how many characters of it were seen. */
  #number = 0
  #characters = 0
  #isNegative = false
  #isReturnSeen = false
  /** The words that are complete, and how many are still to come. */
  #words: Buffer[] = []
  #wordsToCome = 0
  #bytes = 0
  /** Length of the word that is being read, how much of it was read, and that part where it spans chunks. */
  #wordBytes = 0
  #wordBytesRead = 0
  #gathered: Buffer | undefined
  #isLarge = false
  /** How far a request was looked at that may be read as a whole. */
  #ahead = 0

  constructor(chunks: Chunks, limits: RequestLimits) {
    this.#chunks = chunks
    this.#limits = limits
  }

  /** Whether a request was begun whose end is not here yet. */
  get isWithinRequest(): boolean {
    return this.#expects !== 'nothing'
  }

  /**
   * The next whole request, or undefined if more bytes are needed. To be called where a request begins, that is at a
   * `*`, or within one. An empty request (`*0`, which Redis passes over) comes with no words.
   */
  next(): ParsedRequest | undefined {
    for (;;) {
      const chunk = this.#chunks.first
      if (chunk === undefined) return undefined
      switch (this.#expects) {
        case 'nothing': {
          const whole = this.#readWhole(chunk)
          if (whole !== undefined) return whole
          this.#chunks.readTo(this.#chunks.position + 1)
          this.#beginNumber('count')
          break
        }
        case 'count': {
          const count = this.#readNumber(chunk)
          if (count === undefined) break
          if (count > wordsMax || Number.isNaN(count)) return broken('invalid multibulk length')
          if (count <= 0) return this.#finish()
          this.#wordsToCome = count
          this.#expects = 'dollar'
          break
        }
        case 'dollar': {
          const byte = chunk[this.#chunks.position] ?? 0
          if (byte !== dollar) return broken(`expected '$', got '${shown(byte)}'`)
          this.#chunks.readTo(this.#chunks.position + 1)
          this.#beginNumber('length')
          break
        }
        case 'length': {
          const length = this.#readNumber(chunk)
          if (length === undefined) break
          if (!(length >= 0 && length <= announcedBytesMax)) return broken('invalid bulk length')
          this.#beginWord(length)
          break
        }
        case 'word':
          this.#readWord(chunk)
          break
        case 'ending': {
          const isEnding = this.#readEnding(chunk)
          if (isEnding === undefined) break
          if (!isEnding) return broken('invalid bulk length')
          if (--this.#wordsToCome === 0) return this.#finish()
          this.#expects = 'dollar'
          break
        }
      }
    }
  }

  /**
   * The request that begins here, if it is like most: all of it lies in this chunk, and nothing is wrong with it or
   * unusual. Without account of every byte, that takes half the time. Undefined, and nothing is read, if it is not.
   */
  #readWhole(chunk: Buffer): RespRequest | undefined {
    this.#ahead = this.#chunks.position + 1
    const count = this.#numberAhead(chunk)
    if (!(count > 0 && count <= wholeWordsMax)) return undefined
    const { wordBytesMax, requestBytesMax } = this.#limits
    const words: Buffer[] = []
    let bytes = 0
    for (let word = 0; word < count; word++) {
      if (chunk[this.#ahead++] !== dollar) return undefined
      const length = this.#numberAhead(chunk)
      const start = this.#ahead
      const end = start + length
      bytes += length
      // What is not there is undefined, and so is no line ending.
      const isWhole = length >= 0 && chunk[end] === carriageReturn && chunk[end + 1] === newline
      if (!isWhole || length > wordBytesMax || bytes > requestBytesMax) return undefined
      words.push(chunk.subarray(start, end))
      this.#ahead = end + 2
    }
    this.#chunks.readTo(this.#ahead)
    return new RespRequest(words, bytes)
  }

  /** The few digits ahead, with their line ending, which are then passed; -1 if anything else is there. */
  #numberAhead(chunk: Buffer): number {
    let position = this.#ahead
    let number = 0
    for (const last = position + wholeDigitsMax; position <= last; position++) {
      const digit = (chunk[position] ?? 0) - zero
      if (digit < 0 || digit > 9) break
      number = number * 10 + digit
    }
    const isNumber = position > this.#ahead && chunk[position] === carriageReturn
    if (!isNumber || chunk[position + 1] !== newline) return -1
    this.#ahead = position + 2
    return number
  }

  #beginNumber(what: 'count' | 'length'): void {
    this.#expects = what
    this.#number = 0
    this.#characters = 0
    this.#isNegative = false
    this.#isReturnSeen = false
  }

  /** Reads on in a number and its line ending: undefined while it is not all here, NaN where it is none. */
  #readNumber(chunk: Buffer): number | undefined {
    let { position } = this.#chunks
    for (; position < chunk.length; position++) {
      const byte = chunk[position] ?? 0
      if (this.#isReturnSeen) {
        this.#chunks.readTo(position + 1)
        if (byte !== newline || this.#characters === (this.#isNegative ? 1 : 0)) return Number.NaN
        return this.#isNegative ? -this.#number : this.#number
      }
      if (byte === carriageReturn) this.#isReturnSeen = true
      else if (byte === minus && this.#characters === 0) {
        this.#isNegative = true
        this.#characters = 1
      } else {
        const digit = byte - zero
        if (digit < 0 || digit > 9 || ++this.#characters > digitsMax) return Number.NaN
        this.#number = this.#number * 10 + digit
      }
    }
    this.#chunks.readTo(position)
    return undefined
  }

  #beginWord(length: number): void {
    this.#expects = 'word'
    this.#wordBytes = length
    this.#wordBytesRead = 0
    this.#bytes += length
    const { wordBytesMax, requestBytesMax } = this.#limits
    if (length <= wordBytesMax && this.#bytes <= requestBytesMax) return
    this.#isLarge = true
    this.#words = []
  }

  /** Reads on in a word: takes it as it lies there, or gathers it, or drops it. */
  #readWord(chunk: Buffer): void {
    const start = this.#chunks.position
    const end = Math.min(chunk.length, start + this.#wordBytes - this.#wordBytesRead)
    const isWhole = end - start === this.#wordBytes
    if (this.#isLarge) this.#gathered = undefined
    else if (isWhole) this.#words.push(chunk.subarray(start, end))
    else this.#gather(chunk, start, end)
    this.#wordBytesRead += end - start
    this.#chunks.readTo(end)
    if (this.#wordBytesRead < this.#wordBytes) return
    this.#expects = 'ending'
    this.#isReturnSeen = false
    if (this.#gathered !== undefined) this.#words.push(this.#gathered.subarray(0, this.#wordBytes))
    this.#gathered = undefined
  }

  #gather(chunk: Buffer, start: number, end: number): void {
    const total = this.#wordBytesRead + end - start
    if (this.#gathered === undefined || this.#gathered.length < total) {
      // Not from the shared pool, of which a single unfinished word would keep a whole slab alive.
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#wordBytes, Math.max(64, total * 2)))
      this.#gathered?.copy(larger, 0, 0, this.#wordBytesRead)
      this.#gathered = larger
    }
    chunk.copy(this.#gathered, this.#wordBytesRead, start, end)
  }

  /** Reads on in the line ending behind a word: undefined while it is not all here. */
  #readEnding(chunk: Buffer): boolean | undefined {
    const { position } = this.#chunks
    const byte = chunk[position]
    this.#chunks.readTo(position + 1)
    if (this.#isReturnSeen) return byte === newline
    if (byte !== carriageReturn) return false
    this.#isReturnSeen = true
    return undefined
  }

  #finish(): ParsedRequest {
    const request = this.#isLarge ? new LargeRequest() : new RespRequest(this.#words, this.#bytes)
    this.#expects = 'nothing'
    this.#words = []
    this.#bytes = 0
    this.#isLarge = false
    return request
  }
}

const dollar = 0x24
const minus = 0x2d
const zero = 0x30
const newline = 0x0a
const carriageReturn = 0x0d

function broken(what: string): BrokenProtocol {
  return new BrokenProtocol(`ERR Protocol error: ${what}`)
}

/** A byte as it is shown in an error. */
function shown(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '?'
}
