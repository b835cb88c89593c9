/**
 * Cuts a stream of bytes into lines, whatever the sizes of the chunks it comes in.
 *
 * What must always hold:
 * - every byte is looked at once, and copied a bounded number of times: a line that lies within one chunk is a
 *   view of that chunk, and only one that spans chunks is gathered, in a buffer that grows by doubling;
 * - what is kept of an unfinished line never exceeds a small multiple of the limit, and nothing but a few
 *   bytes is kept of a line that is longer;
 * - between lines nothing is held, so that an idle connection costs nothing here.
 *
 * It is pulled, not pushed from: whoever reads may stop between any two lines and go on later.
 */

import { Chunks } from './chunks.js'

/** The longest line that is taken unless told otherwise, in bytes, not counting its line ending. */
export const lineBytesMaxDefault = 1024 * 1024

/** How much of an over-long line's beginning and end is kept, enough to see what it was. */
const headBytes = 64
const tailBytes = 16

const newline = 0x0a
const carriageReturn = 0x0d
const nothing = Buffer.alloc(0)

/** Stands for a line that was longer than the limit; all but its first and last bytes are gone. */
export class LongLine {
  readonly head: Buffer
  readonly tail: Buffer

  constructor(head: Buffer, tail: Buffer) {
    this.head = head
    this.tail = tail
  }
}

/** See the head of this file. One for each stream. */
export class LineSplitter {
  readonly #limit: number
  readonly #chunks: Chunks
  /** The beginning of a line whose end is not here yet, in the first `#gatheredBytes` bytes. */
  #gathered: Buffer | undefined
  #gatheredBytes = 0
  /** Set while the line that is being read is already known to be too long. */
  #long: LongLine | undefined

  /** Lines are cut from `chunks`, at which others may read between two lines. */
  constructor(limit: number = lineBytesMaxDefault, chunks: Chunks = new Chunks()) {
    this.#limit = limit
    this.#chunks = chunks
  }

  /** Takes the next bytes of the stream. They are kept as they are until the lines in them have been read. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
  }

  /** Whether bytes were pushed that {@link next} has not looked at yet. */
  get hasUnread(): boolean {
    return this.#chunks.first !== undefined
  }

  /** Whether a line was begun whose end is not here yet. */
  get isWithinLine(): boolean {
    return this.#gatheredBytes > 0 || this.#long !== undefined
  }

  /** Bytes held for the unfinished line. */
  get gatheredBytes(): number {
    return this.#gatheredBytes
  }

  /** Whether the unfinished line is already longer than the limit. */
  get isTooLong(): boolean {
    return this.#long !== undefined
  }

  /**
   * The next whole line without its `\n` or `\r\n`, or undefined if more bytes are needed. A line over the
   * limit comes as one {@link LongLine}, in its place, once its end has been seen. The bytes may be a view of
   * the pushed chunk: whoever keeps a part for long should copy it.
   */
  next(): Buffer | LongLine | undefined {
    for (;;) {
      const chunk = this.#chunks.first
      if (chunk === undefined) return undefined
      const start = this.#chunks.position
      const end = chunk.indexOf(newline, start)
      if (end === -1) {
        this.#gather(chunk, start, chunk.length)
        this.#chunks.readTo(chunk.length)
        continue
      }
      this.#chunks.readTo(end + 1)
      const isWhole = this.#gathered === undefined && this.#long === undefined
      if (isWhole && end - start <= this.#limit) {
        return start === end ? nothing : withoutCarriageReturn(chunk.subarray(start, end))
      }
      this.#gather(chunk, start, end)
      return this.#finish()
    }
  }

  /** At the end of the input: what stands after the last newline, or undefined if nothing does. */
  end(): Buffer | LongLine | undefined {
    return this.#gathered === undefined && this.#long === undefined ? undefined : this.#finish()
  }

  /** Adds bytes to the line that is being read, or drops them if it is too long. */
  #gather(chunk: Buffer, start: number, end: number): void {
    if (this.#long !== undefined) {
      this.#long = new LongLine(this.#long.head, lastBytes(this.#long.tail, chunk.subarray(start, end)))
      return
    }
    const total = this.#gatheredBytes + end - start
    // One byte over the limit may still prove to be the `\r` of the line's ending.
    if (total > this.#limit + 1) {
      const gathered = this.#gathered?.subarray(0, this.#gatheredBytes) ?? nothing
      const piece = chunk.subarray(start, end)
      this.#long = new LongLine(firstBytes(gathered, piece), lastBytes(gathered, piece))
      this.#gathered = undefined
      this.#gatheredBytes = 0
      return
    }
    if (this.#gathered === undefined || this.#gathered.length < total) {
      // Not from the shared pool, of which a single unfinished line would keep a whole slab alive.
      const larger = Buffer.allocUnsafeSlow(Math.max(64, Math.min(total * 2, this.#limit + 1)))
      this.#gathered?.copy(larger, 0, 0, this.#gatheredBytes)
      this.#gathered = larger
    }
    chunk.copy(this.#gathered, this.#gatheredBytes, start, end)
    this.#gatheredBytes = total
  }

  #finish(): Buffer | LongLine {
    const long = this.#long
    if (long !== undefined) {
      this.#long = undefined
      return new LongLine(long.head, withoutCarriageReturn(long.tail))
    }
    const line = withoutCarriageReturn((this.#gathered ?? nothing).subarray(0, this.#gatheredBytes))
    this.#gathered = undefined
    this.#gatheredBytes = 0
    return line.length <= this.#limit
      ? line
      : new LongLine(firstBytes(line, nothing), lastBytes(line, nothing))
  }
}

function withoutCarriageReturn(line: Buffer): Buffer {
  const last = line.length - 1
  return last >= 0 && line[last] === carriageReturn ? line.subarray(0, last) : line
}

/** A small copy of the first bytes of `before` and `after` together. */
function firstBytes(before: Buffer, after: Buffer): Buffer {
  return Buffer.concat([before.subarray(0, headBytes), after.subarray(0, headBytes)]).subarray(0, headBytes)
}

/** A small copy of the last bytes of `before` and `after` together. */
function lastBytes(before: Buffer, after: Buffer): Buffer {
  // One more than is promised, since a `\r` at the end may yet be taken off.
  const kept = tailBytes + 1
  return Buffer.concat([before.subarray(-kept), after.subarray(-kept)]).subarray(-kept)
}
