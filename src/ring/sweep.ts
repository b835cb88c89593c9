/** Going round all rows in the background, some at a time. */
import { pathOf, rangeOf, rangePath } from '../base/placement.js'
import type { Records } from './records.js'

/** Where one such round stands. */
export class Sweep {
  #range = 0
  #after = ''

  /** Up to `limit` keys that follow those it gave last, of ranges that are wanted; none at the end of a round. */
  next(records: Records, limit: number, isWanted: (range: number) => boolean): string[] {
    const found: string[] = []
    while (found.length < limit) {
      const range = records.nextOccupied(this.#range)
      if (range !== this.#range) this.#after = ''
      this.#range = range ?? 0
      if (range === undefined) break
      const keys = isWanted(range) ? records.keys(rangePath(range), this.#after, limit - found.length) : []
      found.push(...keys)
      if (found.length < limit) this.#range++
      this.#after = found.length < limit ? '' : (keys.at(-1) ?? '')
    }
    return found
  }

  /** Goes on behind a key of those it gave last. */
  goOnBehind(key: string): void {
    this.#range = rangeOf(pathOf(key))
    this.#after = key
  }
}
