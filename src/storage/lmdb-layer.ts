/**
 * A layer of the table in memory: what was written since some moment, over everything older. It knows its keys
 * in order, and in the order in which they expire.
 */
import { expiryWord, timeOfExpiryWord } from './expiry-order.js'
import { KeyRuns } from './key-runs.js'
import { deleted, type Layered, RowMap } from './row-map.js'
import { SortedKeys } from './sorted-keys.js'

/** See the head of this file. */
export class Layer {
  /** True: everything was removed when the layer began, so that nothing older shows through. */
  readonly hidesOlder: boolean
  readonly rows = new RowMap()
  readonly #order = new KeyRuns(this.rows.slabs)
  readonly #expiries = new SortedKeys()

  constructor(hidesOlder = false) {
    this.hidesOlder = hidesOlder
  }

  set(key: string, row: Layered): void {
    this.hide(key)
    if (this.rows.set(key, row)) this.#order.noteNewKey()
    if (row !== deleted && row.expiresAt !== undefined) this.#expiries.add(expiryWord(row.expiresAt, key))
  }

  /** A newer layer has the key: it expires here no more. */
  hide(key: string): void {
    if (this.#expiries.isEmpty) return
    const head = this.rows.head(key)
    if (head === undefined || head === deleted) return
    const { expiresAt } = head
    if (expiresAt !== undefined) this.#expiries.remove(expiryWord(expiresAt, key))
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
}
