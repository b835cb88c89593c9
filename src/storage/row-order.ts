/**
 * Puts rows in the order of their keys' bytes, without making strings or views of the keys. Behind what all keys of a
 * part have in common, the next eight bytes of each are sorted as numbers, digit by digit (a radix sort); rows that have
 * these in common, too, are a part in which the same is done with what follows. 66,000 rows take a fifth of what a sort
 * that compares takes.
 */
import type { RowSlabs } from './row-slabs.js'

/** So few rows are sorted by comparing. */
const fewRows = 24
const chunkBytes = 8
const digits = 256

/** Sorts places of rows in place; among rows of one key the order remains. */
export function sortByKey(places: Int32Array, rows: RowSlabs): void {
  sortFrom(places, rows, 0)
}

/** Compares the keys of two rows as their bytes compare, from a position on up to which they are the same. */
export function compareRowKeys(rows: RowSlabs, one: number, other: number, from: number): number {
  const oneLength = rows.keyLength(one)
  const otherLength = rows.keyLength(other)
  const length = Math.min(oneLength, otherLength)
  for (let position = from; position < length; position++) {
    const difference = rows.keyByte(one, position) - rows.keyByte(other, position)
    if (difference !== 0) return difference
  }
  return oneLength - otherLength
}

/** Sorts rows whose keys are the same in their first `from` bytes, where those that end before go on with zeros. */
function sortFrom(places: Int32Array, rows: RowSlabs, from: number): void {
  if (places.length <= fewRows) {
    insertionSort(places, rows, from)
    return
  }
  const start = commonEnd(places, rows, from)
  if (start === undefined) {
    // They differ in their lengths, if at all.
    places.set([...places].sort((one, other) => rows.keyLength(one) - rows.keyLength(other)))
    return
  }
  const chunks = sortByChunk(places, rows, start)
  for (let first = 0; first < places.length; ) {
    let end = first + 1
    while (
      end < places.length &&
      chunks[2 * end] === chunks[2 * first] &&
      chunks[2 * end + 1] === chunks[2 * first + 1]
    )
      end++
    if (end > first + 1) sortFrom(places.subarray(first, end), rows, start + chunkBytes)
    first = end
  }
}

/** Up to where all keys are the same; undefined if all of them end there or before. */
function commonEnd(places: Int32Array, rows: RowSlabs, from: number): number | undefined {
  const first = places[0] ?? 0
  let common = rows.keyLength(first)
  let longest = 0
  for (const place of places) {
    const length = rows.keyLength(place)
    if (length > longest) longest = length
    if (length < common) common = length
    let position = from
    while (position < common && rows.keyByte(place, position) === rows.keyByte(first, position)) position++
    if (position < common) common = position
  }
  if (longest <= from) return undefined
  return Math.max(from, common)
}

/** Sorts by the eight bytes at `start`; returns these in the new order, as two numbers each. */
function sortByChunk(places: Int32Array, rows: RowSlabs, start: number): Uint32Array {
  const count = places.length
  const chunks = new Uint32Array(2 * count)
  for (let row = 0; row < count; row++) {
    const place = places[row] ?? 0
    chunks[2 * row] = rows.keyWord(place, start)
    chunks[2 * row + 1] = rows.keyWord(place, start + 4)
  }
  let order = new Int32Array(count)
  for (let row = 0; row < count; row++) order[row] = row
  let next = new Int32Array(count)
  const starts = new Int32Array(digits + 1)
  for (let digit = chunkBytes - 1; digit >= 0; digit--) {
    const half = digit >> 2
    const shift = 8 * (3 - (digit & 3))
    starts.fill(0)
    for (let row = 0; row < count; row++) {
      const at = (((chunks[2 * row + half] ?? 0) >>> shift) & 0xff) + 1
      starts[at] = (starts[at] ?? 0) + 1
    }
    // Where all have the same digit there is nothing to do.
    if ((starts[(((chunks[half] ?? 0) >>> shift) & 0xff) + 1] ?? 0) === count) continue
    for (let at = 1; at < digits; at++) starts[at] = (starts[at] ?? 0) + (starts[at - 1] ?? 0)
    for (let position = 0; position < count; position++) {
      const row = order[position] ?? 0
      const at = ((chunks[2 * row + half] ?? 0) >>> shift) & 0xff
      const to = starts[at] ?? 0
      starts[at] = to + 1
      next[to] = row
    }
    const sorted = next
    next = order
    order = sorted
  }
  const before = places.slice()
  const inOrder = new Uint32Array(2 * count)
  for (let position = 0; position < count; position++) {
    const row = order[position] ?? 0
    places[position] = before[row] ?? 0
    inOrder[2 * position] = chunks[2 * row] ?? 0
    inOrder[2 * position + 1] = chunks[2 * row + 1] ?? 0
  }
  return inOrder
}

function insertionSort(places: Int32Array, rows: RowSlabs, from: number): void {
  for (let end = 1; end < places.length; end++) {
    const place = places[end] ?? 0
    let at = end
    for (; at > 0 && compareRowKeys(rows, places[at - 1] ?? 0, place, from) > 0; at--)
      places[at] = places[at - 1] ?? 0
    places[at] = place
  }
}
