/**
 * The table in memory, for tests and for the simulator. It keeps the promises of the port, with a memory of its
 * own in the place of a disk: what is durable is a copy of the table, and {@link MemoryTable.crash} goes back
 * to it.
 */
import { assert, present } from '../base/assert.js'
import type { RecordHead, TableRecord, TableStore, TableView, WalkStep } from '../kv/table.js'
import { expiryWord, keyOfExpiryWord, timeOfExpiryWord } from './expiry-order.js'
import { compareKeys, firstKeys } from './key-order.js'
import { SortedKeys } from './sorted-keys.js'

/** One moment, held: never changed once it is made. */
export interface HeldTable {
  readonly meta: Uint8Array
  readonly rows: ReadonlyMap<string, TableRecord>
}

export interface MemoryTableOptions {
  /**
   * Called for each checkpoint and each snapshot that is to become durable; it is durable once `finish` is
   * called, now or later. Not calling it means that it never was. By default it is called at once. `held` is
   * what is to become durable, for those who keep it elsewhere.
   */
  readonly complete?: (finish: () => void, held: HeldTable) => void
}

export class MemoryTable implements TableStore {
  readonly #complete: (finish: () => void, held: HeldTable) => void
  #rows = new Map<string, TableRecord>()
  #expiries = new SortedKeys()
  #durable: HeldTable | undefined
  #building: Map<string, TableRecord> | undefined
  #pendingBytes = 0
  #isCompleting = false
  /** A snapshot that waits for the end of a checkpoint. */
  #afterCompletion: (() => void) | undefined
  /** Counts crashes, so that what was under way before one never completes after it. */
  #epoch = 0

  constructor(options: MemoryTableOptions = {}) {
    this.#complete = options.complete ?? (finish => finish())
  }

  /** The process died: the table is again what was last durable. */
  crash(): void {
    this.#epoch++
    this.#isCompleting = false
    this.#afterCompletion = undefined
    this.#building = undefined
    this.#pendingBytes = 0
    this.#replaceRows(this.#durable?.rows)
  }

  get(key: string): TableRecord | undefined {
    return this.#rows.get(key)
  }

  head(key: string): RecordHead | undefined {
    return this.#rows.get(key)
  }

  set(key: string, record: TableRecord): void {
    this.#forgetExpiry(key)
    if (record.expiresAt !== undefined) this.#expiries.add(expiryWord(record.expiresAt, key))
    this.#rows.set(key, record)
    this.#pendingBytes += Buffer.byteLength(key) + record.value.length
  }

  delete(key: string): void {
    this.#forgetExpiry(key)
    if (this.#rows.delete(key)) this.#pendingBytes += Buffer.byteLength(key)
  }

  keys(prefix: string, after: string, limit: number): string[] {
    return firstKeys(this.#rows.keys(), prefix, after, limit)
  }

  walk(after: string, visitsMax: number): WalkStep {
    const keys = this.keys('', after, visitsMax)
    return { keys, next: keys.length < visitsMax ? undefined : keys.at(-1) }
  }

  expired(nowMs: number, limit: number): string[] {
    const found: string[] = []
    for (const word of this.#expiries.from('')) {
      if (found.length === limit || timeOfExpiryWord(word) > nowMs) break
      found.push(keyOfExpiryWord(word))
    }
    return found
  }

  count(): number {
    return this.#rows.size
  }

  expiring(): number {
    return this.#expiries.size
  }

  clear(): void {
    this.#replaceRows(undefined)
  }

  meta(): Uint8Array | undefined {
    return this.#durable?.meta
  }

  view(): TableView | undefined {
    return this.#durable === undefined ? undefined : new MemoryView(this.#durable)
  }

  pendingBytes(): number {
    return this.#pendingBytes
  }

  checkpoint(meta: Uint8Array, done: (error: Error | undefined) => void): void {
    this.#pendingBytes = 0
    this.#becomeDurable({ meta, rows: new Map(this.#rows) }, done)
  }

  beginSnapshot(): void {
    this.#building = new Map()
  }

  addSnapshotRows(rows: readonly (readonly [key: string, record: TableRecord])[]): void {
    const building = present(this.#building, 'a snapshot was begun')
    for (const [key, record] of rows) building.set(key, record)
  }

  finishSnapshot(meta: Uint8Array, done: (error: Error | undefined) => void): void {
    const rows = present(this.#building, 'a snapshot was begun')
    assert(this.#afterCompletion === undefined, 'one snapshot at a time')
    this.#building = undefined
    const finish = (): void =>
      this.#becomeDurable({ meta, rows }, () => {
        this.#replaceRows(rows)
        this.#pendingBytes = 0
        done(undefined)
      })
    if (this.#isCompleting) this.#afterCompletion = finish
    else finish()
  }

  close(): void {
    this.crash()
  }

  #replaceRows(rows: ReadonlyMap<string, TableRecord> | undefined): void {
    this.#rows = new Map(rows)
    this.#expiries = new SortedKeys()
    for (const [key, { expiresAt }] of this.#rows) {
      if (expiresAt !== undefined) this.#expiries.add(expiryWord(expiresAt, key))
    }
  }

  #forgetExpiry(key: string): void {
    const expiresAt = this.#rows.get(key)?.expiresAt
    if (expiresAt !== undefined) this.#expiries.remove(expiryWord(expiresAt, key))
  }

  #becomeDurable(held: HeldTable, done: (error: Error | undefined) => void): void {
    assert(!this.#isCompleting, 'one checkpoint or snapshot at a time')
    this.#isCompleting = true
    const epoch = this.#epoch
    this.#complete(() => {
      if (epoch !== this.#epoch) return
      this.#isCompleting = false
      this.#durable = held
      done(undefined)
      const next = this.#afterCompletion
      this.#afterCompletion = undefined
      next?.()
    }, held)
  }
}

class MemoryView implements TableView {
  readonly meta: Uint8Array
  readonly #rows: ReadonlyMap<string, TableRecord>
  readonly #keys: readonly string[]

  constructor({ meta, rows }: HeldTable) {
    this.meta = meta
    this.#rows = rows
    this.#keys = [...rows.keys()].sort(compareKeys)
  }

  rows(after: string | undefined, bytesMax: number): [key: string, record: TableRecord][] {
    const found: [string, TableRecord][] = []
    let bytes = 0
    for (let position = this.#positionBehind(after); position < this.#keys.length; position++) {
      const key = present(this.#keys[position], 'a key within bounds')
      const record = present(this.#rows.get(key), 'the record of a key')
      bytes += Buffer.byteLength(key) + record.value.length
      if (found.length > 0 && bytes > bytesMax) break
      found.push([key, record])
    }
    return found
  }

  close(): void {}

  /** The position of the first key behind `after`, by halving. */
  #positionBehind(after: string | undefined): number {
    let low = 0
    let high = after === undefined ? 0 : this.#keys.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (compareKeys(this.#keys[middle] ?? '', after ?? '') <= 0) low = middle + 1
      else high = middle
    }
    return low
  }
}
