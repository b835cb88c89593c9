/**
 * The records that a node holds, as rows: reading and writing them, and what is counted of them on the way (how
 * many there are, and a digest of each range for merkle.ts).
 *
 * A row is the record itself, and what only this node needs to know of it: the actor that it writes as here, and
 * for which owners it keeps the record. That actor is made anew wherever this start of the node finds none of
 * its own; so its dots never meet those that it gave out before it lost the record, and follow each other.
 *
 * Counters and digests cover the ranges that have been read since the start; {@link Records.countOn} goes on.
 */
import type { NodeId } from '../base/ids.js'
import { pathOf, rangeCount, rangeOf, rangePath } from '../base/placement.js'
import { digestOf, readRecord, textOfRecord } from './record-code.js'
import type { RingRows, RingSaved } from './types.js'
import { type Dot, hasValue, isDeleted, type KeyRecord } from './versions.js'

/** What a node holds under one key. */
export interface Row {
  readonly record: KeyRecord
  /** Of the record, as other nodes have it; '' for an empty one. */
  readonly digest: string
  /** The actor this node writes as, and its last dot here. */
  readonly own: Dot | undefined
  /** Owners that are to have it from here. */
  readonly owed: readonly NodeId[]
}

/** What is held under a key of which nothing is known. */
export const noRow: Row = { record: [], digest: '', own: undefined, owed: [] }

/** Rows that are read for counting at one time, about. */
const countSlice = 500
const wholeRange = 1_000_000

export class Records {
  readonly #rows: RingRows
  readonly #save: (saved: RingSaved) => void
  /** Two words for each range: all digests in it, exclusive-or. */
  readonly #digests = new Uint32Array(2 * rangeCount)
  readonly #perRange = new Uint32Array(rangeCount)
  readonly #owed = new Map<NodeId, number>()
  readonly #owedPerRange = new Uint32Array(rangeCount)
  #counted = 0
  #values = 0
  #deleted = 0

  constructor(rows: RingRows, save: (saved: RingSaved) => void) {
    this.#rows = rows
    this.#save = save
  }

  /** Whether all ranges are counted. */
  get isCounted(): boolean {
    return this.#counted === rangeCount
  }

  /** Records with a value. */
  get values(): number {
    return this.#values
  }

  /** Records that say that their key is deleted. */
  get deleted(): number {
    return this.#deleted
  }

  /** Whether there are no rows at all. */
  get isEmpty(): boolean {
    return this.#rows.keys('k', '', 1).length === 0
  }

  /** Rows in a range, as far as it is counted. */
  inRange(range: number): number {
    return this.#perRange[range] ?? 0
  }

  /** The first range from `range` on that has rows, as far as it is counted; undefined if there is none. */
  nextOccupied(range: number): number | undefined {
    for (let next = range; next < this.#counted; next++) if (this.#perRange[next] !== 0) return next
    return undefined
  }

  /** Rows kept for that owner. */
  owedTo(node: NodeId): number {
    return this.#owed.get(node) ?? 0
  }

  /** Those for whom rows are kept. */
  get creditors(): NodeId[] {
    return [...this.#owed.keys()]
  }

  /** Rows in a range that are kept for somebody by name, as far as it is counted. */
  owedInRange(range: number): number {
    return this.#owedPerRange[range] ?? 0
  }

  get(key: string): Row {
    const bytes = this.#rows.get(rowKeyOf(key))
    return bytes === undefined ? noRow : decodeRow(bytes)
  }

  /** The digest of what is held under a key, without reading the rest; '' for nothing. */
  digest(key: string): string {
    const bytes = this.#rows.get(rowKeyOf(key))
    // A row begins with its digest: ["0123456789abcdef",
    return bytes === undefined ? '' : Buffer.from(bytes.subarray(2, 18)).toString('latin1')
  }

  /** Writes what is held under a key, in the place of `former`; an empty record removes it. */
  write(key: string, row: Omit<Row, 'digest'>, former: Row): Row {
    const rowKey = rowKeyOf(key)
    const range = rangeOf(rowKey.slice(1))
    const next: Row = { ...row, digest: digestOf(key, row.record) }
    if (range < this.#counted) {
      this.#count(range, former, -1)
      this.#count(range, next, 1)
    }
    if (next.record.length === 0) {
      this.#rows.delete(rowKey)
      this.#save({ rowKey, value: undefined })
      return noRow
    }
    const value = encodeRow(next)
    this.#rows.set(rowKey, value)
    this.#save({ rowKey, value })
    return next
  }

  /** Up to `limit` keys whose path begins so, from behind `after` on, in an order that is the same everywhere. */
  keys(path: string, after: string, limit: number): string[] {
    const behind = after === '' ? '' : rowKeyOf(after)
    return this.#rows.keys(`k${path}`, behind, limit).map(keyOfRowKey)
  }

  /** A digest of all records in some ranges; undefined if one is not counted yet. Equal for equal records. */
  digestOfRanges(ranges: readonly number[]): string | undefined {
    let high = 0
    let low = 0
    for (const range of ranges) {
      if (range >= this.#counted) return undefined
      high ^= this.#digests[2 * range] ?? 0
      low ^= this.#digests[2 * range + 1] ?? 0
    }
    return digestOfWords(high, low)
  }

  /** Counts some of what is not counted yet, whole ranges at a time. */
  countOn(): void {
    const from = this.#counted
    const rowKeys = this.#rows.keys('k', `k${rangePath(from)}`, countSlice)
    const last = rowKeys.at(-1)
    const lastRange = last === undefined || rowKeys.length < countSlice ? rangeCount : rangeOf(last.slice(1))
    // The last range of a full page may go on behind it; if there is no other, it is read to its end.
    const isOneRange = lastRange === from
    const to = isOneRange ? from + 1 : lastRange
    const keys = isOneRange ? this.keys(rangePath(from), '', wholeRange) : rowKeys.map(keyOfRowKey)
    for (const key of keys) {
      const range = rangeOf(pathOf(key))
      if (range < to) this.#count(range, this.get(key), 1)
    }
    this.#counted = to
  }

  #count(range: number, row: Row, sign: 1 | -1): void {
    if (row.record.length === 0) return
    const [high, low] = wordsOf(row.digest)
    this.#digests[2 * range] = (this.#digests[2 * range] ?? 0) ^ high
    this.#digests[2 * range + 1] = (this.#digests[2 * range + 1] ?? 0) ^ low
    this.#perRange[range] = (this.#perRange[range] ?? 0) + sign
    if (hasValue(row.record)) this.#values += sign
    if (isDeleted(row.record)) this.#deleted += sign
    if (row.owed.length > 0) this.#owedPerRange[range] = this.owedInRange(range) + sign
    for (const node of row.owed) {
      const count = this.owedTo(node) + sign
      if (count > 0) this.#owed.set(node, count)
      else this.#owed.delete(node)
    }
  }
}

/** Digests of records, exclusive-or, in one. */
export function joinDigests(digests: Iterable<string>): string {
  let high = 0
  let low = 0
  for (const digest of digests) {
    const [one, other] = wordsOf(digest)
    high ^= one
    low ^= other
  }
  return digestOfWords(high, low)
}

function digestOfWords(high: number, low: number): string {
  return (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0')
}

function wordsOf(digest: string): [high: number, low: number] {
  return [Number.parseInt(digest.slice(0, 8), 16), Number.parseInt(digest.slice(8), 16)]
}

function rowKeyOf(key: string): string {
  return `k${pathOf(key)}:${key}`
}

function keyOfRowKey(rowKey: string): string {
  return rowKey.slice(rowKey.indexOf(':') + 1)
}

function encodeRow({ record, digest, own, owed }: Row): Uint8Array {
  const actor = own === undefined ? null : [own.actor, own.count]
  return Buffer.from(`["${digest}",${JSON.stringify(actor)},${JSON.stringify(owed)},${textOfRecord(record)}]`)
}

/** Our own rows come back as they were written: the table has checksums. */
function decodeRow(bytes: Uint8Array): Row {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
  const [digest, own, owed, plain] = JSON.parse(text) as [string, [string, number] | null, NodeId[], unknown]
  const record = readRecord(plain) ?? []
  return { record, digest, own: own === null ? undefined : { actor: own[0], count: own[1] }, owed }
}
