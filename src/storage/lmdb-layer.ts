/**
 * A layer of the table in memory: what was written since some moment, over everything older. It knows its keys
 * in order, and in the order in which they expire.
 */
import type { TableRecord } from '../kv/table.js'
import { expiryWord, timeOfExpiryWord } from './expiry-order.js'
import { KeyRuns } from './key-runs.js'
import { changeBytes } from './lmdb-row.js'
import { SortedKeys } from './sorted-keys.js'

/** In a layer in the place of a record: the key was deleted. */
export const deleted = Symbol('deleted')
/** What a layer says of a key. */
export type Layered = TableRecord | typeof deleted

/** See the head of this file. */
export class Layer {
  /** True: everything was removed when the layer began, so that nothing older shows through. */
  readonly hidesOlder: boolean
  readonly #rows = new Map<string, Layered>()
  readonly #order = new KeyRuns()
  readonly #expiries = new SortedKeys()
  #bytes = 0

  constructor(hidesOlder = false) {
    this.hidesOlder = hidesOlder
  }

  /** Bytes of what it holds. */
  get bytes(): number {
    return this.#bytes
  }

  get rows(): ReadonlyMap<string, Layered> {
    return this.#rows
  }

  get(key: string): Layered | undefined {
    return this.#rows.get(key)
  }

  set(key: string, row: Layered): void {
    const before = this.#rows.get(key)
    if (before === undefined) this.#order.add(key)
    else {
      this.#bytes -= changeBytes(key, before === deleted ? undefined : before)
      if (before !== deleted) this.#forget(key, before)
    }
    this.#rows.set(key, row)
    if (row !== deleted && row.expiresAt !== undefined) this.#expiries.add(expiryWord(row.expiresAt, key))
    this.#bytes += changeBytes(key, row === deleted ? undefined : row)
  }

  /** A newer layer has the key: it expires here no more. */
  hide(key: string): void {
    const row = this.#rows.get(key)
    if (row !== undefined && row !== deleted) this.#forget(key, row)
  }

  /** The keys from `start` on, in order, also those that were deleted. */
  keysFrom(start: string): Generator<string, undefined> {
    return this.#order.from(start)
  }

  /** When the first of its keys expires that no newer layer has; infinite if none does. */
  get expiresFromMs(): number {
    const word = this.#expiries.first()
    return word === undefined ? Number.POSITIVE_INFINITY : timeOfExpiryWord(word)
  }

  /** Words of expiry-order.ts, in order, of keys that no newer layer has. */
  expiries(): Generator<string, undefined> {
    return this.#expiries.from('')
  }

  #forget(key: string, { expiresAt }: TableRecord): void {
    if (expiresAt !== undefined) this.#expiries.remove(expiryWord(expiresAt, key))
  }
}
