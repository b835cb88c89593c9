/**
 * What a connection has brought and nobody has read yet, as the chunks it came in. The readers of the dialects take
 * turns at it: each takes what belongs to its message, and leaves the rest where it is.
 */

/** A queue of chunks, read from its front. */
export class Chunks {
  readonly #waiting: Buffer[] = []
  #first: Buffer | undefined
  #position = 0

  /** The chunk that is being read; undefined when all was read. */
  get first(): Buffer | undefined {
    return this.#first
  }

  /** Where reading goes on in {@link first}; always within it. */
  get position(): number {
    return this.#position
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    if (this.#first === undefined) this.#first = chunk
    else this.#waiting.push(chunk)
  }

  /** Everything before this position of the first chunk was read; at its end, the next chunk is the first. */
  readTo(position: number): void {
    if (this.#first !== undefined && position >= this.#first.length) {
      this.#first = this.#waiting.shift()
      this.#position = 0
    } else this.#position = position
  }
}
