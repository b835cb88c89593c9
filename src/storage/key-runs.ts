/**
 * The keys of rows in memory, in order. Nothing is done for it when a row is written: whoever asks has the rows sorted
 * that were written since somebody asked last, as a run of their own. Runs of about one length are put together, so that
 * there are few of them, and a key is sorted again a few times only. Reading begins with a search in each run; a key
 * becomes a string when it is read. Keys are never removed.
 */

import { keyAtHand, takeKey } from './key-bytes.js'
import { mergedOrder } from './merged-order.js'
import { sortByKey } from './row-order.js'
import type { RowSlabs } from './row-slabs.js'

/** See the head of this file. */
export class KeyRuns {
  readonly #rows: RowSlabs
  /** Places of the first row of each key, the longest run first. */
  readonly #runs: Int32Array[] = []
  /** The last place that was looked at. */
  #seen = 0

  constructor(rows: RowSlabs) {
    this.#rows = rows
  }

  /** The keys from `start` on, in order. It is to be read before another row is written. */
  *from(start: string): Generator<string, undefined> {
    this.#catchUp()
    takeKey(start)
    const { bytes, length } = keyAtHand
    const startBytes = bytes.slice(0, length)
    for (const { word } of mergedOrder(this.#runs.map(run => this.#keysFrom(run, startBytes)))) yield word
    return undefined
  }

  #catchUp(): void {
    const added: number[] = []
    for (const place of this.#rows.placesBehind(this.#seen)) {
      this.#seen = place
      if (this.#rows.isOfNewKey(place)) added.push(place)
    }
    if (added.length === 0) return
    let run = Int32Array.from(added)
    for (
      let last = this.#runs.at(-1);
      last !== undefined && last.length < 2 * run.length;
      last = this.#runs.at(-1)
    ) {
      this.#runs.pop()
      const both = new Int32Array(last.length + run.length)
      both.set(last)
      both.set(run, last.length)
      run = both
    }
    sortByKey(run, this.#rows)
    this.#runs.push(run)
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
