/**
 * Changes of a table that are in memory, by key. Once somebody has asked for keys by what they begin with, they are
 * indexed by that as well: the ring goes round its rows range by range, and must not walk over all of them each
 * time.
 */
import type { TableRecord } from '../kv/table.js'

/** In the place of a record: the key was deleted. */
export const deleted = Symbol('deleted')
/** What is now under a key. */
export type LayerChange = TableRecord | typeof deleted

/** So many characters of a key name its place in the index; a range of the ring has as many. */
const indexedLength = 4

/** See the head of this file. */
export class Layer {
  readonly #changes = new Map<string, LayerChange>()
  #index: Map<string, string[]> | undefined

  get(key: string): LayerChange | undefined {
    return this.#changes.get(key)
  }

  has(key: string): boolean {
    return this.#changes.has(key)
  }

  set(key: string, change: LayerChange): void {
    if (this.#index !== undefined && !this.#changes.has(key)) addTo(this.#index, key)
    this.#changes.set(key, change)
  }

  /** All changes, in the order in which their keys came. */
  [Symbol.iterator](): IterableIterator<[string, LayerChange]> {
    return this.#changes[Symbol.iterator]()
  }

  /** The keys that were changed and may begin with `prefix`: all that do, and perhaps others. */
  keysLike(prefix: string): Iterable<string> {
    if (prefix.length < indexedLength) return this.#changes.keys()
    if (this.#index === undefined) {
      this.#index = new Map()
      for (const key of this.#changes.keys()) addTo(this.#index, key)
    }
    return this.#index.get(prefix.slice(0, indexedLength)) ?? []
  }
}

function addTo(index: Map<string, string[]>, key: string): void {
  const beginning = key.slice(0, indexedLength)
  const others = index.get(beginning)
  if (others === undefined) index.set(beginning, [key])
  else others.push(key)
}
