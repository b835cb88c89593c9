/**
 * Rows of the environment that are also in memory, so that reading them again costs a tenth of a microsecond or two in
 * the place of three: what was written lately, and what was read lately.
 *
 * There are two generations. A row that is read is put into the younger one; when that is full, it becomes the older
 * one, and what the older one has that was not read meanwhile is forgotten. What a checkpoint has written becomes the
 * younger generation as it is, without a copy.
 *
 * A row of the environment is kept when it is read the second time within a while. Where many more rows are read than
 * there is room for, hardly one of them is read again before it is forgotten, and keeping all of them costs more than it
 * saves.
 *
 * It must never contradict the environment: a younger generation has what is newer.
 */
import type { RecordHead, TableRecord } from '../kv/table.js'
import { keyAtHand, takeKey } from './key-bytes.js'
import { deleted, type Layered, RowMap } from './row-map.js'

/** A generation is full when it has this many bytes, or rows: a checkpoint may bring more. */
const generationBytes = 32 * 1024 * 1024
const generationRows = 2 ** 17
/** Longer values are not kept: looking them up is a small part of what they cost. */
const valueBytesMax = 8 * 1024

/** Among so many reads that found nothing here, about, the second one of a key is noticed; a power of two. */
const missesNoted = 2 ** 16

/** See the head of this file. */
export class RowCache {
  #younger = new RowMap()
  #older = new RowMap()
  /** Hashes of keys that were not found here lately. */
  readonly #missed = new Int32Array(missesNoted)

  /** Undefined where nothing is known of the key. */
  get(key: string): Layered | undefined {
    const found = this.#younger.get(key)
    if (found !== undefined) return found
    const old = this.#older.get(key)
    if (old !== undefined) this.#keep(key, old)
    return old
  }

  /** The same without the value; it does not count as read. */
  head(key: string): RecordHead | typeof deleted | undefined {
    return this.#younger.head(key) ?? this.#older.head(key)
  }

  /** Whether the key is there; undefined where nothing is known of it. */
  has(key: string): boolean | undefined {
    return this.#younger.has(key) ?? this.#older.has(key)
  }

  /** What the environment was found to hold; undefined for nothing. */
  note(key: string, record: TableRecord | undefined): void {
    takeKey(key)
    const { hash } = keyAtHand
    const slot = hash & (missesNoted - 1)
    if (this.#missed[slot] === hash) this.#keep(key, record ?? deleted)
    this.#missed[slot] = hash
  }

  /** What was written to the environment just now. The rows belong to the cache from now on. */
  take(rows: RowMap): void {
    this.#older.release()
    this.#older = this.#younger
    this.#younger = rows
  }

  /** Forgets everything. */
  clear(): void {
    this.take(new RowMap())
    this.take(new RowMap())
  }

  #keep(key: string, row: Layered): void {
    if (row !== deleted && row.value.length > valueBytesMax) return
    const { bytes, size } = this.#younger
    if (bytes >= generationBytes || size >= generationRows) this.take(new RowMap())
    this.#younger.set(key, row)
  }
}
