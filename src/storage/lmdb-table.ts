/**
 * The table on LMDB: recent writes in memory, everything else in an environment off the JavaScript heap.
 *
 * A read looks at three layers, the newest first: *recent* (written since the last checkpoint began), *frozen*
 * (being written to LMDB by a checkpoint that is under way) and the environment. A checkpoint turns recent
 * into frozen, hands it to a thread of its own in slabs, one a turn of the loop, and drops it when the thread
 * has committed and synced it in one transaction together with `meta`. Memory is bounded by whoever decides
 * when to checkpoint: about three times {@link LmdbTable.pendingBytes} while one is under way.
 *
 * A snapshot is built in an environment of its own, which then takes the place of the table's
 * (lmdb-directories.ts).
 *
 * An open view keeps LMDB from using again what was replaced since: the file grows for as long as it is open,
 * and never shrinks.
 *
 * Values carry checksums. LMDB's own pages do not: damage to them is noticed only where it hits a value or
 * makes the tree unreadable.
 */
import { assert } from '../base/assert.js'
import type { TableRecord, TableStore, TableView } from '../kv/table.js'
import { compareKeys, firstKeys } from './key-order.js'
import { TableDirectories } from './lmdb-directories.js'
import { Environment } from './lmdb-environment.js'
import { deleted, Layer } from './lmdb-layer.js'
import { type Change, changeBytes, encodeSlab } from './lmdb-row.js'
import { WriterThread } from './lmdb-thread.js'

export { TableDamaged } from './lmdb-row.js'

type Done = (error: Error | undefined) => void

/** Rows are handed to the writer in slabs of about this size and at most this many rows, one a turn. */
const slabBytes = 1024 * 1024
const slabRows = 1000

/**
 * Opens the table in `dataDirectory`, making it if there is none; it holds exactly its last checkpoint or
 * finished snapshot. Throws {@link TableDamaged}, `StoredFileDamaged` or an error of the system.
 */
export function openLmdbTable(dataDirectory: string): LmdbTable {
  return new LmdbTable(new TableDirectories(dataDirectory))
}

export class LmdbTable implements TableStore {
  readonly #directories: TableDirectories
  readonly #writer: WriterThread
  #environment: Environment
  #meta: Uint8Array | undefined
  #count: number
  #recent = new Layer()
  #recentBytes = 0
  #frozen = new Layer()
  #frozenBytes = 0
  /** The directory of the snapshot that is being built. */
  #building: string | undefined
  #isCheckpointing = false
  #isFinishing = false
  /** A finish that waits for the end of a checkpoint. */
  #afterCheckpoint: (() => void) | undefined
  #isClosed = false

  /** Use {@link openLmdbTable}. */
  constructor(directories: TableDirectories) {
    this.#directories = directories
    this.#environment = new Environment(directories.current())
    this.#writer = new WriterThread(this.#environment.directory)
    this.#meta = this.#environment.meta()
    this.#count = this.#environment.count()
  }

  get(key: string): TableRecord | undefined {
    const found = this.#recent.get(key) ?? this.#frozen.get(key)
    if (found === deleted) return undefined
    return found ?? this.#environment.get(key)
  }

  set(key: string, record: TableRecord): void {
    if (!this.#has(key)) this.#count++
    this.#recent.set(key, record)
    this.#recentBytes += changeBytes(key, record)
  }

  delete(key: string): void {
    if (!this.#has(key)) return
    this.#count--
    this.#recent.set(key, deleted)
    this.#recentBytes += changeBytes(key, undefined)
  }

  keys(prefix: string, after: string, limit: number): string[] {
    const found = firstKeys(this.#layeredKeys(prefix), prefix, after, limit)
    let taken = 0
    for (const key of this.#environment.keys(prefix, after)) {
      if (taken === limit) break
      if (this.#recent.has(key) || this.#frozen.has(key)) continue
      found.push(key)
      taken++
    }
    return found.sort(compareKeys).slice(0, limit)
  }

  count(): number {
    return this.#count
  }

  meta(): Uint8Array | undefined {
    return this.#meta
  }

  view(): TableView | undefined {
    return this.#environment.view()
  }

  pendingBytes(): number {
    return this.#recentBytes
  }

  checkpoint(meta: Uint8Array, done: Done): void {
    assert(!this.#isCheckpointing && !this.#isFinishing, 'one checkpoint or snapshot at a time')
    assert(!this.#isClosed, 'the table is open')
    this.#isCheckpointing = true
    this.#frozen = this.#recent
    this.#frozenBytes = this.#recentBytes
    this.#recent = new Layer()
    this.#recentBytes = 0
    const slabs = slabsOf(this.#frozen)
    const handOver = (): void => {
      if (this.#isClosed) return
      const next = slabs.next()
      if (next.done === true) {
        this.#writer.ask({ kind: 'commit', meta }, error => this.#checkpointed(meta, error, done))
        return
      }
      this.#writer.tell({ kind: 'rows', into: 'table', slab: next.value })
      setImmediate(handOver)
    }
    handOver()
  }

  beginSnapshot(): void {
    assert(!this.#isFinishing, 'no snapshot is being finished')
    const unfinished = this.#building
    this.#building = this.#directories.next()
    this.#writer.tell({ kind: 'begin', directory: this.#building })
    if (unfinished !== undefined) this.#directories.remove(unfinished)
  }

  addSnapshotRows(rows: readonly (readonly [key: string, record: TableRecord])[]): void {
    assert(this.#building !== undefined && !this.#isFinishing, 'a snapshot was begun')
    this.#writer.tell({ kind: 'rows', into: 'snapshot', slab: encodeSlab(rows) })
  }

  finishSnapshot(meta: Uint8Array, done: Done): void {
    const directory = this.#building
    assert(directory !== undefined && !this.#isFinishing, 'a snapshot was begun')
    this.#isFinishing = true
    const finish = (): void =>
      this.#writer.ask({ kind: 'finish', meta }, error => {
        if (!this.#isClosed) this.#snapshotWritten(directory, error, done)
      })
    if (this.#isCheckpointing) this.#afterCheckpoint = finish
    else finish()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#writer.stop()
    this.#environment.close()
  }

  #has(key: string): boolean {
    const found = this.#recent.get(key) ?? this.#frozen.get(key)
    return found === undefined ? this.#environment.has(key) : found !== deleted
  }

  /** The keys that are in memory and not deleted: all that begin with `prefix`, and perhaps others. */
  *#layeredKeys(prefix: string): Iterable<string> {
    for (const key of this.#recent.keysLike(prefix)) if (this.#recent.get(key) !== deleted) yield key
    for (const key of this.#frozen.keysLike(prefix)) {
      if (this.#frozen.get(key) !== deleted && !this.#recent.has(key)) yield key
    }
  }

  #checkpointed(meta: Uint8Array, error: Error | undefined, done: Done): void {
    if (this.#isClosed) return
    this.#isCheckpointing = false
    if (error === undefined) {
      this.#environment.refresh()
      this.#meta = meta
      this.#frozen = new Layer()
    } else {
      this.#thaw()
    }
    this.#frozenBytes = 0
    done(error)
    this.#afterCheckpoint?.()
    this.#afterCheckpoint = undefined
  }

  /** Puts back what could not be written, under what was written since. */
  #thaw(): void {
    for (const [key, record] of this.#recent) this.#frozen.set(key, record)
    this.#recent = this.#frozen
    this.#recentBytes += this.#frozenBytes
    this.#frozen = new Layer()
  }

  #snapshotWritten(directory: string, error: Error | undefined, done: Done): void {
    this.#isFinishing = false
    this.#building = undefined
    let failure = error
    if (failure === undefined) {
      try {
        this.#swap(directory)
      } catch (thrown) {
        if (!(thrown instanceof Error)) throw thrown
        failure = thrown
      }
    }
    if (failure !== undefined) this.#directories.remove(directory)
    done(failure)
  }

  #swap(directory: string): void {
    const next = new Environment(directory)
    try {
      this.#directories.switchTo(directory)
    } catch (error) {
      next.close()
      throw error
    }
    this.#writer.tell({ kind: 'adopt' })
    const previous = this.#environment
    this.#environment = next
    this.#meta = next.meta()
    this.#count = next.count()
    this.#recent = new Layer()
    this.#recentBytes = 0
    // Views of the replaced table may still be streamed to somebody.
    previous.retire(() => this.#directories.remove(previous.directory))
  }
}

/** The changes of a layer, in slabs. */
function* slabsOf(layer: Layer): Generator<ArrayBuffer, undefined> {
  let changes: Change[] = []
  let bytes = 0
  for (const [key, value] of layer) {
    const record = value === deleted ? undefined : value
    changes.push([key, record])
    bytes += changeBytes(key, record)
    if (changes.length < slabRows && bytes < slabBytes) continue
    yield encodeSlab(changes)
    changes = []
    bytes = 0
  }
  if (changes.length > 0) yield encodeSlab(changes)
  return undefined
}
