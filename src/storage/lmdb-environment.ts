/**
 * One LMDB environment (a directory with one database in it) for reading, and how it is opened.
 *
 * LMDB maps its file into memory. A read error of the device there is a signal that ends the process; nothing
 * in the process can turn it into an error.
 *
 * Every environment is opened with `overlappingSync` off: a transaction that has been committed has then been
 * synced (data first, then the page that makes it the current state), and not merely queued to be.
 */
import fs from 'node:fs'
import path from 'node:path'
import { open, type RootDatabase } from 'lmdb'
import { assert } from '../base/assert.js'
import type { RecordHead, TableRecord, TableView } from '../kv/table.js'
import {
  copyRow,
  decodeHead,
  decodeMeta,
  decodeRow,
  expiriesEnd,
  expiryCountKey,
  expiryRowKey,
  keyOfRow,
  metaRowKey,
  rowKey,
  rowsEnd,
  writeRowKey,
} from './lmdb-row.js'

/**
 * The rows of an open environment: keys and values are bytes as described in lmdb-row.ts, in the order of the
 * keys' bytes. A string stands for the key of the row in which the table keeps that key.
 */
export type Rows = RootDatabase<Uint8Array, Uint8Array | string>
type ReadTransaction = ReturnType<Rows['useReadTransaction']>

/** Address space set aside for an environment, and so the largest it can become. Nothing is allocated by it. */
const mapBytes = 2 ** 40
/**
 * Bytes of a page; an environment keeps the size that it was made with. Measured with 1,000,000 keys of 256 bytes and
 * transactions that change 95,000 of them at random: once LMDB uses pages again, a change costs it 19 to 27 us of CPU
 * with pages of 4 KiB, which it keeps in one sorted list, 7 to 9 with 8 KiB, and 3 to 4 with 16. With 100,000 keys it is
 * 1.2 us with any.
 */
const pageBytes = 16 * 1024
/** Room for some hundreds of readers. */
const lockFileBytes = 32 * 1024
const rowsStart = Buffer.of(1)

/** Opens the environment in `directory`, making it if need be. The same in every thread. */
export function openRows(directory: string): Rows {
  reserveLockFile(directory)
  return open<Uint8Array, Uint8Array | string>(directory, {
    encoding: 'binary',
    keyEncoder: { writeKey, readKey },
    overlappingSync: false,
    mapSize: mapBytes,
    maxDbs: 1,
    noSubdir: false,
    pageSize: pageBytes,
  })
}

/** Writes a key where the library wants it; returns its end. Throws a RangeError where there is no room. */
function writeKey(key: Uint8Array | string, target: Uint8Array, start: number): number {
  if (typeof key === 'string') return writeRowKey(key, target, start)
  target.set(key, start)
  return start + key.length
}

/** A key as the library shows it, copied: what a buffer calls a slice is none. */
function readKey(source: Uint8Array, start: number, end: number): Uint8Array {
  return Uint8Array.prototype.slice.call(source, start, end)
}

/**
 * Makes the file in which LMDB keeps its readers, with room on the disk. LMDB would make it without, and then
 * write to it through memory: on a full disk that ends the process with a signal instead of an error.
 */
function reserveLockFile(directory: string): void {
  const file = path.join(directory, 'lock.mdb')
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (fs.existsSync(file)) return
  try {
    fs.writeFileSync(file, Buffer.alloc(lockFileBytes), { mode: 0o600 })
  } catch (error) {
    fs.rmSync(file, { force: true })
    throw error
  }
}

/** How many keys of the table there are. */
function countRows(rows: Rows): number {
  // The library's types say only that it is an object.
  const { entryCount } = rows.getStats() as { entryCount: number }
  const others = [metaRowKey, expiryCountKey].filter(key => rows.doesExist(key)).length
  return entryCount - others - countExpiries(rows)
}

/** How many of the rows tell when a key expires. */
export function countExpiries(rows: Rows): number {
  const bytes = rows.get(expiryCountKey)
  return bytes === undefined ? 0 : Buffer.from(bytes).readDoubleLE(0)
}

/** An environment as the table's thread sees it: it reads, another thread writes. */
export class Environment {
  readonly directory: string
  /** As it is named in messages to people. */
  readonly file: string
  readonly #rows: Rows
  readonly #views = new Set<EnvironmentView>()
  #onUnused: (() => void) | undefined

  constructor(directory: string) {
    this.directory = directory
    this.file = path.join(path.basename(directory), 'data.mdb')
    this.#rows = openRows(directory)
  }

  /** How many of the keys expire. */
  expiring(): number {
    return countExpiries(this.#rows)
  }

  get(key: string): TableRecord | undefined {
    // It is valid until the next call only, and perhaps longer than its length says.
    const row = this.#rows.getBinaryFast(key)
    return row && copyRow(key, row, row.length, this.file)
  }

  /** The same without the value, whose checksum is not looked at. */
  head(key: string): RecordHead | undefined {
    const row = this.#rows.getBinaryFast(key)
    return row && decodeHead(key, row, row.length, this.file)
  }

  has(key: string): boolean {
    return this.#rows.doesExist(key)
  }

  /** Keys that begin with `prefix` and follow `after`, in byte order, as they are asked for. */
  *keys(prefix: string, after: string): Iterable<string> {
    const prefixBytes = rowKey(prefix)
    const afterBytes = rowKey(after)
    const isBehindPrefix = Buffer.compare(afterBytes, prefixBytes) >= 0
    const start = isBehindPrefix ? afterBytes : prefixBytes
    for (const bytes of this.#keys(start, rowsEnd, isBehindPrefix)) {
      const key = keyOfRow(bytes)
      if (!key.startsWith(prefix)) return
      yield key
    }
  }

  /** Words of expiry-order.ts from `start` on, in order, as they are asked for. */
  *expiries(start: string): Iterable<string> {
    for (const bytes of this.#keys(expiryRowKey(start), expiriesEnd, false)) {
      yield keyOfRow(bytes)
    }
  }

  #keys(start: Uint8Array, end: Uint8Array, exclusiveStart: boolean): Iterable<Uint8Array> {
    // Keys are shown as bytes only.
    return this.#rows.getKeys({ start, end, exclusiveStart }) as Iterable<Uint8Array>
  }

  count(): number {
    return countRows(this.#rows)
  }

  meta(): Uint8Array | undefined {
    const row = this.#rows.get(metaRowKey)
    return row === undefined ? undefined : decodeMeta(row, this.file)
  }

  /** Lets the reads that follow see what another thread has committed. */
  refresh(): void {
    this.#rows.resetReadTxn()
  }

  view(): TableView | undefined {
    this.refresh()
    const transaction = this.#rows.useReadTransaction()
    // Read within the transaction: a checkpoint may have been committed that this thread was not told of yet.
    const row = this.#rows.get(metaRowKey, { transaction })
    if (row === undefined) {
      transaction.done()
      return undefined
    }
    const view = new EnvironmentView(this.#rows, transaction, decodeMeta(row, this.file), this.file, () => {
      this.#views.delete(view)
      if (this.#views.size === 0) this.#onUnused?.()
    })
    this.#views.add(view)
    return view
  }

  /** Closes the environment once its last view is closed, and then calls `done`. */
  retire(done: () => void): void {
    this.#onUnused = () => {
      this.close()
      done()
    }
    if (this.#views.size === 0) this.#onUnused()
  }

  /** Closes the environment at once, and the views that are open. */
  close(): void {
    this.#onUnused = undefined
    for (const view of this.#views) view.close()
    // Nothing is ever written through this handle, so there is nothing to wait for.
    void this.#rows.close()
  }
}

class EnvironmentView implements TableView {
  readonly meta: Uint8Array
  readonly #rows: Rows
  readonly #file: string
  readonly #transaction: ReadTransaction
  readonly #onClose: () => void
  #isClosed = false

  constructor(rows: Rows, transaction: ReadTransaction, meta: Uint8Array, file: string, onClose: () => void) {
    this.#rows = rows
    this.#transaction = transaction
    this.meta = meta
    this.#file = file
    this.#onClose = onClose
  }

  rows(after: string | undefined, bytesMax: number): [key: string, record: TableRecord][] {
    assert(!this.#isClosed, 'the view is open')
    const found: [string, TableRecord][] = []
    let bytes = 0
    const start = after === undefined ? rowsStart : rowKey(after)
    const range = this.#rows.getRange({
      start,
      end: rowsEnd,
      exclusiveStart: after !== undefined,
      transaction: this.#transaction,
    })
    // Keys are shown as bytes only.
    for (const { key, value } of range as Iterable<{ key: Uint8Array; value: Uint8Array }>) {
      bytes += key.length + value.length
      if (found.length > 0 && bytes > bytesMax) break
      found.push([keyOfRow(key), decodeRow(key, value, this.#file)])
    }
    return found
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#transaction.done()
    this.#onClose()
  }
}
