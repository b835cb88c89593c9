/**
 * Rows in memory, out of the sight of the garbage collector: their bytes stand one behind the other in large pieces of
 * memory, slabs, which the thread that writes them reads where they are (lmdb-writer.ts). What is written last for a key
 * is what counts; what was written for it before stays where it is until all of it goes.
 *
 * A row begins at a multiple of 8 bytes: the length of its key (4 bytes), the length of its value with what stands before
 * it (4 bytes, all ones for a removal), the key, and then, as in LMDB but for the checksum (lmdb-row.ts), the version,
 * when it expires, and the value. The highest bit of the first length says that the key was new when the row was written.
 *
 * A place is a number that stands for a row: how many times 8 bytes lie before it, if every slab had the same size. No
 * place is 0. A place is never used again while somebody may hold a value that was read of it: a slab of which a value was
 * read is left to the collector when its rows are forgotten, so that the value stays as it is. Others are used again,
 * because new memory is dear: the system clears it page by page.
 */
import { assert, present } from '../base/assert.js'
import type { RecordHead, TableRecord } from '../kv/table.js'
import { keyAtHand } from './key-bytes.js'
import { expiryAt, rowHeadBytes, versionAt, writeRowHead } from './lmdb-row.js'

/** Bytes of a slab; a row that needs more has one of its own. */
const slabBytes = 2 ** 20
const placesShift = 17
/** How far the places of one slab are from those of the next. */
export const placesPerSlab = 2 ** placesShift
const offsetMask = placesPerSlab - 1
/** So that a place is a number of 31 bits: 16 GiB. */
const slabsMax = 2 ** 14
const headerBytes = 8
const newKeyFlag = 2 ** 31
const removal = -1

/** One slab, seen in three ways. */
interface Slab {
  readonly bytes: Buffer<SharedArrayBuffer>
  readonly words: Int32Array
  readonly numbers: DataView
  /** Where the next row goes. */
  end: number
  /** Whether a value was read of it, as a view of its memory. */
  isLent: boolean
}

/** Slabs to be used again; about as many as the rows of a checkpoint need. */
const spares: Slab[] = []
const sparesMax = 40

/** See the head of this file. */
export class RowSlabs {
  #last: Slab = slabOf(new SharedArrayBuffer(0))
  /** The first one is empty, so that no place is 0. */
  readonly #slabs: Slab[] = [this.#last]
  #bytes = 0

  /** The same rows, in another thread. Nothing may be added to them there, nor here any more. */
  static from(memories: readonly SharedArrayBuffer[]): RowSlabs {
    const slabs = new RowSlabs()
    for (const memory of memories) slabs.#slabs.push(slabOf(memory))
    return slabs
  }

  /** What {@link from} needs. */
  get memories(): SharedArrayBuffer[] {
    return this.#slabs.slice(1).map(({ bytes }) => bytes.buffer)
  }

  /** Bytes of all rows that were added. */
  get bytes(): number {
    return this.#bytes
  }

  /** Adds what was written for the key at hand, `record` undefined for a removal; returns its place. */
  add(record: TableRecord | undefined, isNewKey: boolean): number {
    const { bytes: key, length } = keyAtHand
    const valueBytes = record === undefined ? 0 : rowHeadBytes + record.value.length
    const rowBytes = (headerBytes + length + valueBytes + 7) & ~7
    if (this.#last.end + rowBytes > this.#last.bytes.length) this.#begin(rowBytes)
    const slab = this.#last
    const { bytes, words, numbers, end: start } = slab
    slab.end += rowBytes
    this.#bytes += rowBytes
    words[start >> 2] = isNewKey ? length | newKeyFlag : length
    words[(start >> 2) + 1] = record === undefined ? removal : valueBytes
    const keyStart = start + headerBytes
    for (let position = 0; position < length; position++) bytes[keyStart + position] = key[position] ?? 0
    if (record !== undefined) {
      const valueStart = keyStart + length
      writeRowHead(numbers, valueStart, record)
      bytes.set(record.value, valueStart + rowHeadBytes)
    }
    return (this.#slabs.length - 1) * placesPerSlab + (start >> 3)
  }

  /** Whether a row is of the key at hand. */
  isOfKeyAtHand(place: number): boolean {
    const { bytes: key, length } = keyAtHand
    const { bytes, words } = this.#at(place >> placesShift)
    const start = (place & offsetMask) << 3
    if (((words[start >> 2] ?? 0) & ~newKeyFlag) !== length) return false
    const keyStart = start + headerBytes
    for (let position = 0; position < length; position++)
      if (bytes[keyStart + position] !== key[position]) return false
    return true
  }

  /** Whether a row is the first one of its key. */
  isOfNewKey(place: number): boolean {
    return (this.#at(place >> placesShift).words[(place & offsetMask) << 1] ?? 0) < 0
  }

  /** Whether a row says that its key was removed. */
  isRemoval(place: number): boolean {
    return this.#at(place >> placesShift).words[((place & offsetMask) << 1) + 1] === removal
  }

  /** How many bytes the key of a row has. */
  keyLength(place: number): number {
    return (this.#at(place >> placesShift).words[(place & offsetMask) << 1] ?? 0) & ~newKeyFlag
  }

  /** The byte of a row's key at that position. */
  keyByte(place: number, position: number): number {
    return this.#at(place >> placesShift).bytes[((place & offsetMask) << 3) + headerBytes + position] ?? 0
  }

  /** Four bytes of a row's key from that position on as one number, the first the highest; zeros behind its end. */
  keyWord(place: number, position: number): number {
    const { bytes, words } = this.#at(place >> placesShift)
    const start = (place & offsetMask) << 3
    const left = ((words[start >> 2] ?? 0) & ~newKeyFlag) - position
    const from = start + headerBytes + position
    let word = 0
    if (left > 0) word = (bytes[from] ?? 0) << 24
    if (left > 1) word |= (bytes[from + 1] ?? 0) << 16
    if (left > 2) word |= (bytes[from + 2] ?? 0) << 8
    if (left > 3) word |= bytes[from + 3] ?? 0
    return word >>> 0
  }

  /** The key of a row. */
  key(place: number): string {
    const start = ((place & offsetMask) << 3) + headerBytes
    return this.#at(place >> placesShift).bytes.toString('utf8', start, start + this.keyLength(place))
  }

  /** Of a row that is no removal; its value is a view of the slab. */
  record(place: number): TableRecord {
    const slab = this.#at(place >> placesShift)
    slab.isLent = true
    const { bytes, words, numbers } = slab
    const start = (place & offsetMask) << 3
    const valueStart = start + headerBytes + ((words[start >> 2] ?? 0) & ~newKeyFlag)
    const valueEnd = valueStart + (words[(start >> 2) + 1] ?? 0)
    return {
      value: bytes.subarray(valueStart + rowHeadBytes, valueEnd),
      version: versionAt(numbers, valueStart),
      expiresAt: expiryAt(numbers, valueStart),
    }
  }

  /** The same without the value. */
  head(place: number): RecordHead {
    const { words, numbers } = this.#at(place >> placesShift)
    const start = (place & offsetMask) << 3
    const valueStart = start + headerBytes + ((words[start >> 2] ?? 0) & ~newKeyFlag)
    return { version: versionAt(numbers, valueStart), expiresAt: expiryAt(numbers, valueStart) }
  }

  /** The key of a row and, unless it is a removal, all that follows it, as one piece. */
  keyAndValue(place: number): Uint8Array {
    const { bytes, words } = this.#at(place >> placesShift)
    const start = (place & offsetMask) << 3
    const valueBytes = words[(start >> 2) + 1] ?? 0
    const length = this.keyLength(place) + (valueBytes === removal ? 0 : valueBytes)
    return new Uint8Array(bytes.buffer, start + headerBytes, length)
  }

  /** Places of the rows that were added behind `place`, in the order of adding; of all rows, for 0. */
  *placesBehind(place: number): Generator<number, undefined> {
    const first = place >> placesShift
    for (let slab = Math.max(1, first); slab < this.#slabs.length; slab++) {
      const { words, end } = this.#at(slab)
      for (let start = slab === first ? (place & offsetMask) << 3 : 0; start < end; ) {
        const keyBytes = (words[start >> 2] ?? 0) & ~newKeyFlag
        const valueBytes = words[(start >> 2) + 1] ?? 0
        const found = slab * placesPerSlab + (start >> 3)
        if (found !== place) yield found
        start += (headerBytes + keyBytes + (valueBytes === removal ? 0 : valueBytes) + 7) & ~7
      }
    }
    return undefined
  }

  /** Nobody asks for these rows any more, here or in another thread: their memory may be used again. */
  release(): void {
    for (const slab of this.#slabs.splice(1)) {
      if (slab.isLent || slab.bytes.length !== slabBytes || spares.length >= sparesMax) continue
      slab.end = 0
      spares.push(slab)
    }
  }

  #at(slab: number): Slab {
    return this.#slabs[slab] ?? missing()
  }

  #begin(bytes: number): void {
    assert(this.#slabs.length < slabsMax, 'a table keeps less in memory than there are places for')
    const spare = bytes <= slabBytes ? spares.pop() : undefined
    this.#last = spare ?? slabOf(new SharedArrayBuffer(Math.max(bytes, slabBytes)))
    this.#slabs.push(this.#last)
  }
}

function missing(): never {
  return present<never>(undefined, 'the slab of a place')
}

function slabOf(memory: SharedArrayBuffer): Slab {
  return {
    bytes: Buffer.from(memory),
    words: new Int32Array(memory),
    numbers: new DataView(memory),
    end: 0,
    isLent: false,
  }
}
