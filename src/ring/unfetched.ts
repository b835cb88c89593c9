/**
 * The ranges of its own that a node has yet to fetch from others, and from whom it has got what they hold of them. Which
 * those are outlives a start, from whom does not: until the last of them has come, reads here are not whole.
 */
import type { NodeId } from '../base/ids.js'

/** Makes the ranges that are left durable; undefined for none. */
export type SaveRanges = (ranges: readonly number[] | undefined) => void

/** See the head of this file. */
export class Unfetched implements Iterable<number> {
  readonly #save: SaveRanges
  readonly #ranges: Set<number>
  #of: number
  readonly #sources = new Map<number, Set<NodeId>>()

  /** `ranges` are those that an earlier start left. */
  constructor(ranges: Iterable<number>, save: SaveRanges) {
    this.#ranges = new Set(ranges)
    this.#of = this.#ranges.size
    this.#save = save
  }

  get size(): number {
    return this.#ranges.size
  }

  /** How many ranges there were to fetch when this began. */
  get of(): number {
    return this.#of
  }

  has(range: number): boolean {
    return this.#ranges.has(range)
  }

  [Symbol.iterator](): Iterator<number> {
    return this.#ranges.values()
  }

  /** These ranges have become this node's, and of the others only those are left that still are. */
  change(gained: readonly number[], isMine: (range: number) => boolean): void {
    const before = this.size
    for (const range of this.#ranges) if (!isMine(range)) this.#ranges.delete(range)
    for (const range of gained) {
      this.#ranges.add(range)
      this.#sources.delete(range)
    }
    if (this.size === before && gained.length === 0) return
    this.#of = this.size
    this.#write()
  }

  /** All that a node holds of a range was got. */
  noteGot(range: number, source: NodeId): void {
    const sources = this.#sources.get(range)
    if (sources === undefined) this.#sources.set(range, new Set([source]))
    else sources.add(source)
  }

  /** Whether all that a node holds of a range was got. */
  isGot(range: number, source: NodeId): boolean {
    return this.#sources.get(range)?.has(source) === true
  }

  /** Leaves out the ranges that are there. */
  settle(isThere: (range: number) => boolean): void {
    const before = this.size
    for (const range of this.#ranges) {
      if (!isThere(range)) continue
      this.#ranges.delete(range)
      this.#sources.delete(range)
    }
    if (this.size !== before) this.#write()
  }

  #write(): void {
    this.#save(this.size === 0 ? undefined : [...this.#ranges])
  }
}
