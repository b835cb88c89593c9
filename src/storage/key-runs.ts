/**
 * The keys of rows in memory, in order. Every few thousand new keys are sorted into a run, as they are written, so that
 * whoever asks has no more than that to sort. Asking puts a few short runs together, too: those who never ask pay for one
 * sort of each key (0.3 us), those who do find fewer and fewer runs, and nobody waits for all of it at once. Reading begins
 * with a search in each run; a key becomes a string when it is read. Keys are never removed.
 */
import { assert, present } from '../base/assert.js'
import { keyAtHand, takeKey } from './key-bytes.js'
import { mergedOrder } from './merged-order.js'
import { sortByKey } from './row-order.js'
import type { RowSlabs } from './row-slabs.js'

/** So many new keys are sorted when they are written. */
const runKeys = 4096
/** A run that is put together of others has no more keys, and all that one question puts together have no more either. */
const longRunKeys = 32_768

/** See the head of this file. */
export class KeyRuns {
  readonly #rows: RowSlabs
  /** Places of the first row of each key. */
  readonly #runs: Int32Array[] = []
  /** The last place that was looked at. */
  #seen = 0
  /** New keys behind that. */
  #unsorted = 0

  constructor(rows: RowSlabs) {
    this.#rows = rows
  }

  /** A row was written, the first one of its key. */
  noteNewKey(): void {
    this.#unsorted++
    if (this.#unsorted >= runKeys) this.#sortNew()
  }

  /** The keys from `start` on, in order. It is to be read before another row is written. */
  *from(start: string): Generator<string, undefined> {
    this.#sortNew()
    this.#joinSome()
    takeKey(start)
    const { bytes, length } = keyAtHand
    const startBytes = bytes.slice(0, length)
    for (const { word } of mergedOrder(this.#runs.map(run => this.#keysFrom(run, startBytes)))) yield word
    return undefined
  }

  #sortNew(): void {
    if (this.#unsorted === 0) return
    const run = new Int32Array(this.#unsorted)
    let count = 0
    for (const place of this.#rows.placesBehind(this.#seen)) {
      this.#seen = place
      if (this.#rows.isOfNewKey(place)) run[count++] = place
    }
    assert(count === run.length, 'every new key was told')
    this.#unsorted = 0
    sortByKey(run, this.#rows)
    this.#runs.push(run)
  }

  /** Puts neighbours of about one length together, the latest first. */
  #joinSome(): void {
    let keysLeft = longRunKeys
    for (let at = this.#runs.length - 2; at >= 0; at--) {
      const one = present(this.#runs[at], 'a run')
      const other = present(this.#runs[at + 1], 'the run behind it')
      const keys = one.length + other.length
      if (keys > longRunKeys || one.length > 2 * other.length) continue
      if (keys > keysLeft) return
      keysLeft -= keys
      const both = new Int32Array(keys)
      both.set(one)
      both.set(other, one.length)
      sortByKey(both, this.#rows)
      this.#runs.splice(at, 2, both)
    }
  }

  *#keysFrom(run: Int32Array, start: Uint8Array): Generator<string, undefined> {
    let low = 0
    let high = run.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#isBefore(run[middle] ?? 0, start)) low = middle + 1
      else high = middle
    }
    for (let position = low; position < run.length; position++) yield this.#rows.key(run[position] ?? 0)
    return undefined
  }

  #isBefore(place: number, start: Uint8Array): boolean {
    const length = this.#rows.keyLength(place)
    for (let position = 0; position < length && position < start.length; position++) {
      const difference = this.#rows.keyByte(place, position) - (start[position] ?? 0)
      if (difference !== 0) return difference < 0
    }
    return length < start.length
  }
}
