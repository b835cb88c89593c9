import { writeText } from '../base/ascii.js'

/**
 * Gathers text and bytes into one piece, so that the replies of a turn leave in one write. One writer serves
 * many connections, one after the other: its memory stays, unless somebody goes on reading from it.
 */
export class ByteWriter {
  #buffer = Buffer.allocUnsafeSlow(bytesKept)
  #length = 0

  /** Bytes gathered since the last {@link take}. */
  get length(): number {
    return this.#length
  }

  /** Adds text, as UTF-8. */
  text(text: string): this {
    // No UTF-16 unit takes more than three bytes.
    this.#makeRoom(text.length * 3)
    this.#length = writeText(this.#buffer, this.#length, text)
    return this
  }

  /** Adds bytes as they are. */
  bytes(bytes: Uint8Array): this {
    this.#makeRoom(bytes.length)
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
    return this
  }

  /** Everything gathered, as bytes of its own; the writer is empty again. */
  take(): Buffer {
    const taken = Buffer.from(this.view())
    this.clear()
    return taken
  }

  /** Everything gathered, where it stands: the bytes change as soon as the writer is used again. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  /** Empties the writer. If somebody keeps what {@link view} gave, `isKept`, the memory is left to them. */
  clear(isKept = false): void {
    this.#length = 0
    // After a burst of large replies the memory is given back.
    if (isKept || this.#buffer.length > bytesKeptMax) this.#buffer = Buffer.allocUnsafeSlow(bytesKept)
  }

  #makeRoom(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
  }
}

/** How much memory a writer begins with, and beyond which it does not stay. */
const bytesKept = 16 * 1024
const bytesKeptMax = 1024 * 1024
