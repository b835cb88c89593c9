/**
 * Rows in memory, out of the sight of the garbage collector: their bytes stand one behind the other in large pieces of
 * memory, slabs, in the very form in which they are handed to the thread that writes them (lmdb-row.ts). What is written
 * last for a key is what counts; what was written for it before stays where it is until all of it goes.
 *
 * A place is never used again, so that a value that was read stays as it is for as long as somebody holds it, and keeps
 * its slab in memory for that time.
 */
import { present } from '../base/assert.js'
import type { RecordHead, TableRecord } from '../kv/table.js'
import {
  headInSlab,
  recordInSlab,
  type SlabMemory,
  slabMemory,
  slabRowBytesMax,
  writeSlabRow,
} from './lmdb-row.js'

/** Bytes of a slab; a row that needs more has one of its own. */
const slabBytes = 2 ** 20

interface Slab {
  readonly memory: SlabMemory
  /** Where the next row goes. */
  end: number
}

/** See the head of this file. A place is a number that stands for a row. */
export class RowSlabs {
  readonly #slabs: Slab[] = []
  #last: Slab = { memory: slabMemory(0), end: 0 }
  #bytes = 0

  /** Bytes of all rows that were added. */
  get bytes(): number {
    return this.#bytes
  }

  /** Adds what was written for a key, `record` undefined for a removal; returns its place. */
  add(key: string, record: TableRecord | undefined): number {
    const most = slabRowBytesMax(key, record)
    // In a slab that is larger than others, no row may begin behind where the next slab's places begin.
    if (this.#last.end + most > this.#last.memory.bytes.length || this.#last.end >= slabBytes)
      this.#begin(most)
    const { memory, end } = this.#last
    this.#last.end = writeSlabRow(memory, end, key, record)
    this.#bytes += this.#last.end - end
    return (this.#slabs.length - 1) * slabBytes + end
  }

  /** What was added at a place, if it was no removal. */
  record(place: number): TableRecord {
    return recordInSlab(this.#memoryAt(place), place % slabBytes)
  }

  /** The same without the value. */
  head(place: number): RecordHead {
    return headInSlab(this.#memoryAt(place), place % slabBytes)
  }

  /** Copies of the slabs in the order of writing, made as they are asked for, for whoever takes their memory away. */
  *copies(): Generator<ArrayBuffer, undefined> {
    for (const { memory, end } of this.#slabs) {
      const { buffer, byteOffset } = memory.bytes
      yield buffer.slice(byteOffset, byteOffset + end)
    }
    return undefined
  }

  #memoryAt(place: number): SlabMemory {
    return present(this.#slabs[Math.floor(place / slabBytes)], 'the slab of a place').memory
  }

  #begin(bytes: number): void {
    this.#last = { memory: slabMemory(Math.max(bytes, slabBytes)), end: 0 }
    this.#slabs.push(this.#last)
  }
}
