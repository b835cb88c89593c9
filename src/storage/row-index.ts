/**
 * Where the latest row of each key is: a table with open addressing, in memory that the garbage collector does not look
 * through and that another thread may read. Two numbers a slot: a place of row-slabs.ts, 0 for none, and the hash of its
 * key. Half of the slots at least are free, so that a search is short; nothing is ever taken out.
 */
import { keyAtHand } from './key-bytes.js'
import type { RowSlabs } from './row-slabs.js'

/** Slots of a table that was made just now. */
const slotsMin = 256

/** See the head of this file. */
export class RowIndex {
  readonly #rows: RowSlabs
  #slots = new Int32Array(new SharedArrayBuffer(8 * slotsMin))
  /** The number of slots less one; that is a power of two. */
  #mask = slotsMin - 1
  #size = 0

  constructor(rows: RowSlabs) {
    this.#rows = rows
  }

  /** How many keys there are. */
  get size(): number {
    return this.#size
  }

  /** What another thread needs for {@link placesIn}. It changes when a key is added. */
  get memory(): SharedArrayBuffer {
    return this.#slots.buffer
  }

  /** The place of the latest row of the key at hand; 0 for none. */
  find(): number {
    return this.#slots[this.#slotOfKeyAtHand()] ?? 0
  }

  /** Says that the latest row of the key at hand is there from now on. */
  put(place: number): void {
    const slot = this.#slotOfKeyAtHand()
    if (this.#slots[slot] === 0) {
      this.#size++
      this.#slots[slot + 1] = keyAtHand.hash
    }
    this.#slots[slot] = place
    if (2 * this.#size > this.#mask) this.#grow()
  }

  /** The slot of the key at hand, or the free one where it belongs. */
  #slotOfKeyAtHand(): number {
    const { hash } = keyAtHand
    const slots = this.#slots
    for (let number = hash & this.#mask; ; number = (number + 1) & this.#mask) {
      const slot = 2 * number
      const place = slots[slot] ?? 0
      if (place === 0) return slot
      if (slots[slot + 1] === hash && this.#rows.isOfKeyAtHand(place)) return slot
    }
  }

  #grow(): void {
    const before = this.#slots
    const mask = 2 * this.#mask + 1
    const slots = new Int32Array(new SharedArrayBuffer(8 * (mask + 1)))
    for (let old = 0; old < before.length; old += 2) {
      const place = before[old] ?? 0
      if (place === 0) continue
      const hash = before[old + 1] ?? 0
      let number = hash & mask
      while (slots[2 * number] !== 0) number = (number + 1) & mask
      slots[2 * number] = place
      slots[2 * number + 1] = hash
    }
    this.#slots = slots
    this.#mask = mask
  }
}

/** The places of an index whose memory was handed over, in no order. */
export function placesIn(memory: SharedArrayBuffer): Int32Array {
  const slots = new Int32Array(memory)
  const places = new Int32Array(slots.length >> 1)
  let count = 0
  for (let slot = 0; slot < slots.length; slot += 2) {
    const place = slots[slot] ?? 0
    if (place !== 0) places[count++] = place
  }
  return places.subarray(0, count)
}
