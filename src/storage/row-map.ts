/**
 * Rows by their keys, of which nothing is on the JavaScript heap: rows are in slabs (row-slabs.ts), and where the latest
 * one of each key is says an index (row-index.ts). It knows of removals as well.
 */
import type { RecordHead, TableRecord } from '../kv/table.js'
import { takeKey } from './key-bytes.js'
import { RowIndex } from './row-index.js'
import { RowSlabs } from './row-slabs.js'

/** In the place of a record: the key was removed. */
export const deleted = Symbol('deleted')
/** What is known of a key. */
export type Layered = TableRecord | typeof deleted

/** Rows as another thread reads them: memory that both see. Nobody changes it while it is read. */
export interface SharedRows {
  readonly slabs: readonly SharedArrayBuffer[]
  /** For row-index.ts. */
  readonly index: SharedArrayBuffer
  /** As in {@link RowMap.bytes}. */
  readonly bytes: number
}

/** See the head of this file. */
export class RowMap {
  readonly #slabs = new RowSlabs()
  readonly #index = new RowIndex(this.#slabs)

  /** Bytes of what was written. */
  get bytes(): number {
    return this.#slabs.bytes
  }

  /** How many keys it knows. */
  get size(): number {
    return this.#index.size
  }

  /** All rows that were ever written, the latest and others. */
  get slabs(): RowSlabs {
    return this.#slabs
  }

  get(key: string): Layered | undefined {
    const place = this.#find(key)
    if (place === 0) return undefined
    return this.#slabs.isRemoval(place) ? deleted : this.#slabs.record(place)
  }

  /** Whether the key is there; undefined where nothing is known of it. */
  has(key: string): boolean | undefined {
    const place = this.#find(key)
    return place === 0 ? undefined : !this.#slabs.isRemoval(place)
  }

  /** The same as {@link get}, without the value. */
  head(key: string): RecordHead | typeof deleted | undefined {
    const place = this.#find(key)
    if (place === 0) return undefined
    return this.#slabs.isRemoval(place) ? deleted : this.#slabs.head(place)
  }

  /** Returns whether nothing was known of the key before. */
  set(key: string, row: Layered): boolean {
    takeKey(key)
    const isNewKey = this.#index.find() === 0
    this.#index.put(this.#slabs.add(row === deleted ? undefined : row, isNewKey))
    return isNewKey
  }

  /** What is known, in the order of writing. */
  *rows(): Generator<readonly [key: string, row: Layered], undefined> {
    for (const place of this.#slabs.placesBehind(0)) {
      const key = this.#slabs.key(place)
      if (this.#find(key) !== place) continue
      yield [key, this.#slabs.isRemoval(place) ? deleted : this.#slabs.record(place)]
    }
    return undefined
  }

  /** For the thread that writes it. Nothing may be written here until that is done. */
  shared(): SharedRows {
    return { slabs: this.#slabs.memories, index: this.#index.memory, bytes: this.bytes }
  }

  /** It is not used any more; see {@link RowSlabs.release}. Values that were read stay as they are. */
  release(): void {
    this.#slabs.release()
  }

  #find(key: string): number {
    if (this.#index.size === 0) return 0
    takeKey(key)
    return this.#index.find()
  }
}
