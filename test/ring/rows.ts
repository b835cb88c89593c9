/** Rows in memory for simulated nodes, with what of them is durable. */
import type { RingRows, RingSaved } from '../../src/ring/types.js'

export class MemoryRows implements RingRows {
  readonly #onSet: (rowKey: string, value: Uint8Array) => void
  readonly #rows: Map<string, Uint8Array>
  /** In order; row keys here are ASCII, so that strings compare as their bytes do. */
  readonly #keys: string[]

  /** `onSet` is told of every row that is written, also of one that is replaced before it is flushed. */
  constructor(
    durable: ReadonlyMap<string, Uint8Array>,
    onSet: (rowKey: string, value: Uint8Array) => void = () => {},
  ) {
    this.#onSet = onSet
    this.#rows = new Map(durable)
    this.#keys = [...durable.keys()].sort()
  }

  get(rowKey: string): Uint8Array | undefined {
    return this.#rows.get(rowKey)
  }

  set(rowKey: string, value: Uint8Array): void {
    if (!this.#rows.has(rowKey)) this.#keys.splice(this.#placeOf(rowKey), 0, rowKey)
    this.#rows.set(rowKey, value)
    this.#onSet(rowKey, value)
  }

  delete(rowKey: string): void {
    if (this.#rows.delete(rowKey)) this.#keys.splice(this.#placeOf(rowKey), 1)
  }

  keys(prefix: string, after: string, limit: number): string[] {
    const found: string[] = []
    const from = after >= prefix ? after : prefix
    for (let place = this.#placeOf(from); place < this.#keys.length && found.length < limit; place++) {
      const key = this.#keys[place] ?? ''
      if (!key.startsWith(prefix)) break
      if (key > after) found.push(key)
    }
    return found
  }

  #placeOf(key: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#keys[middle] ?? '') < key) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** What a flush makes of the rows that were durable before. */
export function flushed(durable: Map<string, Uint8Array>, save: readonly RingSaved[]): void {
  for (const { rowKey, value } of save) {
    if (value === undefined) durable.delete(rowKey)
    else durable.set(rowKey, value)
  }
}
