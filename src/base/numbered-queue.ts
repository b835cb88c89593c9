/**
 * A queue of things with consecutive numbers, which leave it from the front nearly always. To find one by its
 * number is to count from the front, so it costs a tenth of what a map costs.
 *
 * What must always hold:
 * - numbers grow by one from one item to the next, in the order in which items were added;
 * - the first place of a queue that is not empty holds an item; behind it some may have left before their turn.
 */
import { assert } from './assert.js'

/** Places that were left are given up once there are that many, and as many as are in use. */
const leftPlacesMax = 256

export class NumberedQueue<Item> {
  /** Undefined where an item has left. */
  #places: (Item | undefined)[] = []
  /** How many places at the front were left. */
  #left = 0
  /** The number of the first place, left or not. */
  #base: number
  #size = 0

  /** Numbers begin at `next`. */
  constructor(next: number) {
    this.#base = next
  }

  /** How many items there are. */
  get size(): number {
    return this.#size
  }

  /** The number of the item that has waited longest, or the number that is given next. */
  get first(): number {
    return this.#base + this.#left
  }

  /** The number that is given next. */
  get next(): number {
    return this.#base + this.#places.length
  }

  /** Adds an item and returns its number. */
  push(item: Item): number {
    this.#size++
    return this.#base + this.#places.push(item) - 1
  }

  get(number: number): Item | undefined {
    return this.#places[number - this.#base]
  }

  /** Takes an item out; undefined if it is not there. */
  remove(number: number): Item | undefined {
    const place = number - this.#base
    const item = this.#places[place]
    if (item === undefined) return undefined
    this.#places[place] = undefined
    this.#size--
    this.#skipLeft()
    return item
  }

  /** Takes out all items whose number is lower. */
  dropBelow(number: number): void {
    while (this.#size > 0 && this.first < number) this.remove(this.first)
  }

  /** Takes out everything; numbers go on at `next`. */
  clear(next: number): void {
    assert(Number.isSafeInteger(next), 'a number to go on with')
    this.#places = []
    this.#left = 0
    this.#base = next
    this.#size = 0
  }

  /** The items with their numbers, in order; they may be removed meanwhile. */
  *entries(): Generator<[number: number, item: Item], undefined> {
    for (let number = this.first; number < this.next; number++) {
      const item = this.get(number)
      if (item !== undefined) yield [number, item]
    }
    return undefined
  }

  #skipLeft(): void {
    const places = this.#places
    if (this.#size === 0) this.#left = places.length
    while (this.#left < places.length && places[this.#left] === undefined) this.#left++
    if (this.#left < leftPlacesMax || this.#left * 2 < places.length) return
    this.#base += this.#left
    places.splice(0, this.#left)
    this.#left = 0
  }
}
