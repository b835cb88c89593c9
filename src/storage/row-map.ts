/**
 * Rows by their keys, of which only the key and a number are on the JavaScript heap: the rest is in slabs (row-slabs.ts).
 * It knows of removals as well.
 */
import type { RecordHead, TableRecord } from '../kv/table.js'
import { RowSlabs } from './row-slabs.js'

/** In the place of a record: the key was removed. */
export const deleted = Symbol('deleted')
/** What is known of a key. */
export type Layered = TableRecord | typeof deleted

/** In the place of a place: the key was removed. */
const nowhere = -1

/** See the head of this file. */
export class RowMap {
  readonly #places = new Map<string, number>()
  readonly #slabs = new RowSlabs()

  /** Bytes of what was written. */
  get bytes(): number {
    return this.#slabs.bytes
  }

  /** How many keys it knows. */
  get size(): number {
    return this.#places.size
  }

  get(key: string): Layered | undefined {
    const place = this.#places.get(key)
    if (place === undefined) return undefined
    return place === nowhere ? deleted : this.#slabs.record(place)
  }

  /** Whether the key is there; undefined where nothing is known of it. */
  has(key: string): boolean | undefined {
    const place = this.#places.get(key)
    return place === undefined ? undefined : place !== nowhere
  }

  /** The same as {@link get}, without the value. */
  head(key: string): RecordHead | typeof deleted | undefined {
    const place = this.#places.get(key)
    if (place === undefined) return undefined
    return place === nowhere ? deleted : this.#slabs.head(place)
  }

  /** Returns whether nothing was known of the key before. */
  set(key: string, row: Layered): boolean {
    const record = row === deleted ? undefined : row
    const place = this.#slabs.add(key, record)
    const known = this.#places.size
    this.#places.set(key, record === undefined ? nowhere : place)
    return this.#places.size > known
  }

  /** What is known, in no order. */
  *rows(): Generator<readonly [key: string, row: Layered], undefined> {
    for (const [key, place] of this.#places) {
      yield [key, place === nowhere ? deleted : this.#slabs.record(place)]
    }
    return undefined
  }

  /** All that was written, in slabs for the thread that writes: what is later counts. One is made as it is asked for. */
  slabs(): Generator<ArrayBuffer, undefined> {
    return this.#slabs.copies()
  }
}
