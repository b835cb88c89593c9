/**
 * The table of a simulated node: in memory, with checkpoints that take their time and that a crash may come
 * before. What LMDB itself does is held by the table's contract suite and by tests that kill real processes.
 */
import { crc32 } from 'node:zlib'
import { present } from '../../src/base/assert.js'
import type { Clock } from '../../src/base/clock.js'
import type { TableRecord, TableStore, TableView } from '../../src/kv/table.js'

/** A state of the table that is on the disk. It is never changed, only replaced. */
interface Checkpoint {
  readonly rows: ReadonlyMap<string, TableRecord>
  readonly meta: Uint8Array
}

/** The part of a table that outlives the process. */
export interface TableDisk {
  checkpoint: Checkpoint | undefined
}

export class SimulatedTable implements TableStore {
  readonly #disk: TableDisk
  readonly #clock: Clock
  readonly #delayMs: () => number
  #rows: Map<string, TableRecord>
  #pendingBytes = 0
  #digest: number
  #incoming: Map<string, TableRecord> | undefined

  /** Opens the table; `delayMs` says how long the next checkpoint takes. */
  constructor(disk: TableDisk, clock: Clock, delayMs: () => number) {
    this.#disk = disk
    this.#clock = clock
    this.#delayMs = delayMs
    this.#rows = new Map(disk.checkpoint?.rows)
    this.#digest = digestOf(this.#rows)
  }

  /** Equal for tables of equal contents, and hardly ever for others. */
  digest(): string {
    return `${this.#rows.size}/${this.#digest}`
  }

  get(key: string): TableRecord | undefined {
    return this.#rows.get(key)
  }

  set(key: string, record: TableRecord): void {
    const copy = { ...record, value: Uint8Array.from(record.value) }
    this.#forget(key)
    this.#rows.set(key, copy)
    this.#digest = (this.#digest + digestOfRow(key, copy)) >>> 0
    this.#pendingBytes += key.length + record.value.length
  }

  delete(key: string): void {
    this.#forget(key)
    this.#pendingBytes += key.length
  }

  keys(prefix: string, after: string, limit: number): string[] {
    const fitting = sortedKeys(this.#rows).filter(
      key => key.startsWith(prefix) && compareKeys(key, after) > 0,
    )
    return fitting.slice(0, limit)
  }

  count(): number {
    return this.#rows.size
  }

  meta(): Uint8Array | undefined {
    return this.#disk.checkpoint?.meta
  }

  view(): TableView | undefined {
    const { checkpoint } = this.#disk
    if (checkpoint === undefined) return undefined
    const keys = sortedKeys(checkpoint.rows)
    return {
      meta: checkpoint.meta,
      rows: (after, bytesMax) => {
        const rows: [string, TableRecord][] = []
        let bytes = 0
        for (const key of keys) {
          if (after !== undefined && compareKeys(key, after) <= 0) continue
          const record = present(checkpoint.rows.get(key), 'a row of the view')
          bytes += key.length + record.value.length
          if (rows.length > 0 && bytes > bytesMax) break
          rows.push([key, record])
        }
        return rows
      },
      close: () => {},
    }
  }

  pendingBytes(): number {
    return this.#pendingBytes
  }

  checkpoint(meta: Uint8Array, done: (error: Error | undefined) => void): void {
    this.#pendingBytes = 0
    this.#makeDurable({ rows: new Map(this.#rows), meta }, () => done(undefined))
  }

  beginSnapshot(): void {
    this.#incoming = new Map()
  }

  addSnapshotRows(rows: readonly (readonly [key: string, record: TableRecord])[]): void {
    const incoming = present(this.#incoming, 'a snapshot that was begun')
    for (const [key, record] of rows) incoming.set(key, { ...record, value: Uint8Array.from(record.value) })
  }

  finishSnapshot(meta: Uint8Array, done: (error: Error | undefined) => void): void {
    const rows = present(this.#incoming, 'a snapshot that was begun')
    this.#incoming = undefined
    this.#makeDurable({ rows, meta }, () => {
      this.#rows = new Map(rows)
      this.#digest = digestOf(rows)
      this.#pendingBytes = 0
      done(undefined)
    })
  }

  close(): void {
    this.#incoming = undefined
  }

  /** A crash may come before it is durable, and also between that and the news of it. */
  #makeDurable(checkpoint: Checkpoint, done: () => void): void {
    this.#clock.after(this.#delayMs(), () => {
      this.#disk.checkpoint = checkpoint
      this.#clock.after(this.#delayMs() / 10, done)
    })
  }

  #forget(key: string): void {
    const record = this.#rows.get(key)
    if (record === undefined) return
    this.#rows.delete(key)
    this.#digest = (this.#digest - digestOfRow(key, record)) >>> 0
  }
}

function digestOf(rows: ReadonlyMap<string, TableRecord>): number {
  let digest = 0
  for (const [key, record] of rows) digest = (digest + digestOfRow(key, record)) >>> 0
  return digest
}

function digestOfRow(key: string, record: TableRecord): number {
  const checksum = crc32(record.value, crc32(`${key} ${record.version} ${record.expiresAt} `))
  // A CRC is linear, so two values that changed places would cancel out in the sum: this is not.
  return Math.imul(checksum ^ (checksum >>> 15), 0x2c1b3c6d) >>> 0
}

function sortedKeys(rows: ReadonlyMap<string, TableRecord>): string[] {
  return [...rows.keys()].sort(compareKeys)
}

function compareKeys(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}
