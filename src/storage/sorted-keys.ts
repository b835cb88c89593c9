/**
 * A set of keys that is always in order: buckets of a few hundred keys, each in order, split when they are full. Adding
 * and removing take a search by halving and the move of a part of one bucket, well below a microsecond for a
 * hundred thousand keys, so that the order need not be made at the moment somebody asks for it.
 */
import { compareKeys } from './key-order.js'

/** A full bucket is split in two. */
const bucketKeysMax = 256

/** See the head of this file. */
export class SortedKeys {
  /** None is empty, save the only one. */
  #buckets: string[][] = [[]]
  /**
   * Without surrogates the order of the language is that of the bytes, and comparing takes a tenth of the time. Once there
   * was one, it is compared with care.
   */
  #compare = plainly

  get isEmpty(): boolean {
    return this.first() === undefined
  }

  get size(): number {
    return this.#buckets.reduce((size, bucket) => size + bucket.length, 0)
  }

  /** Adds a key; one that is there already is there once. */
  add(key: string): void {
    if (surrogate.test(key)) this.#compare = compareKeys
    const bucketAt = this.#bucketFor(key)
    const bucket = this.#buckets[bucketAt] ?? []
    const position = this.#firstFrom(bucket, key)
    if (bucket[position] === key) return
    bucket.splice(position, 0, key)
    if (bucket.length > bucketKeysMax) this.#buckets.splice(bucketAt + 1, 0, bucket.splice(bucketKeysMax / 2))
  }

  /** Removes a key, if it is there. */
  remove(key: string): void {
    const bucketAt = this.#bucketFor(key)
    const bucket = this.#buckets[bucketAt] ?? []
    const position = this.#firstFrom(bucket, key)
    if (bucket[position] !== key) return
    bucket.splice(position, 1)
    if (bucket.length === 0 && this.#buckets.length > 1) this.#buckets.splice(bucketAt, 1)
  }

  /** The keys from `start` on, in order. It is to be read before the set is changed again. */
  *from(start: string): Generator<string, undefined> {
    if (surrogate.test(start)) this.#compare = compareKeys
    let bucketAt = this.#bucketFor(start)
    let position = this.#firstFrom(this.#buckets[bucketAt] ?? [], start)
    for (;;) {
      const bucket = this.#buckets[bucketAt]
      if (bucket === undefined) return undefined
      const key = bucket[position++]
      if (key !== undefined) yield key
      else {
        bucketAt++
        position = 0
      }
    }
  }

  /** The first key of all. */
  first(): string | undefined {
    return this.#buckets[0]?.[0]
  }

  /** The last bucket that begins with `key` or before it, which is where it belongs. */
  #bucketFor(key: string): number {
    let low = 0
    let high = this.#buckets.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#compare(this.#buckets[middle]?.[0] ?? '', key) <= 0) low = middle
      else high = middle - 1
    }
    return low
  }

  /** The position of the first key that is not before `key`. */
  #firstFrom(keys: readonly string[], key: string): number {
    let low = 0
    let high = keys.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#compare(keys[middle] ?? '', key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

const surrogate = /[\ud800-\udfff]/

function plainly(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
