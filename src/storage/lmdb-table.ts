/**
 * The table on LMDB: recent writes in memory, everything else in an environment off the JavaScript heap.
 *
 * A read looks at three layers, the newest first: *recent* (written since the last checkpoint began), *frozen*
 * (being written to LMDB by a checkpoint that is under way) and the environment. A checkpoint turns recent
 * into frozen, lets a thread of its own read it where it is, and when the thread has committed and synced it in one
 * transaction together with `meta`, its rows become part of the cache that stands before the environment
 * (row-cache.ts). Memory is bounded by that cache and by whoever decides when to checkpoint: about twice
 * {@link LmdbTable.pendingBytes} while one is under way.
 *
 * To remove everything is to begin a layer through which nothing older shows; the next checkpoint empties the
 * environment before it writes.
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
import type { RecordHead, TableRecord, TableStore, TableView, WalkStep } from '../kv/table.js'
import { keyOfExpiryWord, timeOfExpiryWord } from './expiry-order.js'
import { compareKeys } from './key-order.js'
import { TableDirectories } from './lmdb-directories.js'
import { Environment } from './lmdb-environment.js'
import { Layer } from './lmdb-layer.js'
import { WriterThread } from './lmdb-thread.js'
import { mergedOrder } from './merged-order.js'
import { RowCache } from './row-cache.js'
import { deleted, type Layered, RowMap } from './row-map.js'

export { TableDamaged } from './lmdb-row.js'

type Done = (error: Error | undefined) => void

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
  /** How many keys expire. */
  #expiring: number
  #recent = new Layer()
  #frozen = new Layer()
  /** Of the environment. */
  readonly #cache = new RowCache()
  /** Of the environment: all that expires before this word is hidden by the layers. */
  #expiriesFrom = ''
  /** Of the environment: nothing that is not hidden expires before this. */
  #expiresFromMs = 0
  /** The directory of the snapshot that is being built. */
  #building: string | undefined
  #isCheckpointing = false
  #isFinishing = false
  /** A finish that waits for the end of a checkpoint. */
  #afterCheckpoint: (() => void) | undefined
  #isClosed = false
  /** The key that was looked up last; undefined when something was written since. */
  #lookedUp: string | undefined
  /** Whether it was there, and was to expire. */
  #wasFound = false
  #wasExpiring = false

  /** Use {@link openLmdbTable}. */
  constructor(directories: TableDirectories) {
    this.#directories = directories
    this.#environment = new Environment(directories.current())
    this.#writer = new WriterThread(this.#environment.directory)
    this.#meta = this.#environment.meta()
    this.#count = this.#environment.count()
    this.#expiring = this.#environment.expiring()
  }

  get(key: string): TableRecord | undefined {
    const layered = this.#layered(key)
    const found = layered === deleted ? undefined : (layered ?? this.#stored(key))
    this.#lookedUp = key
    this.#noteFound(found)
    return found
  }

  head(key: string): RecordHead | undefined {
    const found = this.#head(key)
    this.#lookedUp = key
    this.#noteFound(found)
    return found
  }

  set(key: string, record: TableRecord): void {
    this.#lookUp(key)
    if (!this.#wasFound) this.#count++
    if (this.#wasExpiring) this.#expiring--
    if (record.expiresAt !== undefined) this.#expiring++
    this.#write(key, record)
  }

  delete(key: string): void {
    this.#lookUp(key)
    if (!this.#wasFound) return
    this.#count--
    if (this.#wasExpiring) this.#expiring--
    this.#write(key, deleted)
  }

  keys(prefix: string, after: string, limit: number): string[] {
    const found: string[] = []
    for (const key of this.#places(prefix, after)) {
      if (found.length === limit) break
      if (this.#isThere(key)) found.push(key)
    }
    return found
  }

  walk(after: string, visitsMax: number): WalkStep {
    const keys: string[] = []
    let visits = 0
    for (const key of this.#places('', after)) {
      if (this.#isThere(key)) keys.push(key)
      if (++visits === visitsMax) return { keys, next: key }
    }
    return { keys, next: undefined }
  }

  expired(nowMs: number, limit: number): string[] {
    const found: string[] = []
    // Asked before every write that is applied, and nearly always this is all there is to it.
    const first = Math.min(this.#expiresFromMs, ...this.#layers().map(layer => layer.expiresFromMs))
    if (nowMs < first) return found
    for (const { word } of mergedOrder(this.#expiries(nowMs))) {
      if (found.length === limit || timeOfExpiryWord(word) > nowMs) break
      found.push(keyOfExpiryWord(word))
    }
    return found
  }

  count(): number {
    return this.#count
  }

  expiring(): number {
    return this.#expiring
  }

  clear(): void {
    this.#recent = new Layer(true)
    this.#count = 0
    this.#expiring = 0
    this.#lookedUp = undefined
  }

  meta(): Uint8Array | undefined {
    return this.#meta
  }

  view(): TableView | undefined {
    return this.#environment.view()
  }

  pendingBytes(): number {
    return this.#recent.rows.bytes
  }

  checkpoint(meta: Uint8Array, done: Done): void {
    assert(!this.#isCheckpointing && !this.#isFinishing, 'one checkpoint or snapshot at a time')
    assert(!this.#isClosed, 'the table is open')
    this.#isCheckpointing = true
    this.#frozen = this.#recent
    this.#recent = new Layer()
    if (this.#frozen.hidesOlder) this.#writer.tell({ kind: 'clear' })
    this.#writer.tell({ kind: 'rows', into: 'table', rows: this.#frozen.rows.shared() })
    this.#writer.ask({ kind: 'commit', meta }, error => this.#checkpointed(meta, error, done))
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
    const together = new RowMap()
    for (const [key, record] of rows) together.set(key, record)
    this.#writer.tell({ kind: 'rows', into: 'snapshot', rows: together.shared() })
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

  /** What there is under a key, for a write over it; most keys were looked up just before. */
  #lookUp(key: string): void {
    if (key === this.#lookedUp) return
    this.#lookedUp = key
    if (this.#expiring > 0) {
      this.#noteFound(this.#head(key))
      return
    }
    this.#wasFound = this.#hasInLayers(key) ?? this.#cache.has(key) ?? this.#environment.has(key)
    this.#wasExpiring = false
  }

  #noteFound(found: RecordHead | undefined): void {
    this.#wasFound = found !== undefined
    this.#wasExpiring = found?.expiresAt !== undefined
  }

  #head(key: string): RecordHead | undefined {
    const known = this.#headInLayers(key) ?? this.#cache.head(key)
    return known === deleted ? undefined : (known ?? this.#environment.head(key))
  }

  /** What the environment holds. */
  #stored(key: string): TableRecord | undefined {
    const cached = this.#cache.get(key)
    if (cached !== undefined) return cached === deleted ? undefined : cached
    const record = this.#environment.get(key)
    this.#cache.note(key, record)
    return record
  }

  /** What the layers say of a key; undefined where the environment is to be asked. */
  #layered(key: string): Layered | undefined {
    const found = this.#recent.rows.get(key)
    if (found !== undefined) return found
    if (this.#recent.hidesOlder) return deleted
    return this.#frozen.rows.get(key) ?? (this.#frozen.hidesOlder ? deleted : undefined)
  }

  /** The same without the value. */
  #headInLayers(key: string): RecordHead | typeof deleted | undefined {
    const found = this.#recent.rows.head(key)
    if (found !== undefined) return found
    if (this.#recent.hidesOlder) return deleted
    return this.#frozen.rows.head(key) ?? (this.#frozen.hidesOlder ? deleted : undefined)
  }

  /** The same, but only whether the key is there. */
  #hasInLayers(key: string): boolean | undefined {
    const found = this.#recent.rows.has(key)
    if (found !== undefined) return found
    if (this.#recent.hidesOlder) return false
    return this.#frozen.rows.has(key) ?? (this.#frozen.hidesOlder ? false : undefined)
  }

  #write(key: string, row: Layered): void {
    this.#lookedUp = undefined
    this.#recent.set(key, row)
    this.#frozen.hide(key)
  }

  /** The layers that show, the newest first. */
  #layers(): readonly Layer[] {
    return this.#recent.hidesOlder ? [this.#recent] : [this.#recent, this.#frozen]
  }

  #isEnvironmentHidden(): boolean {
    return this.#recent.hidesOlder || this.#frozen.hidesOlder
  }

  /** All keys that begin with `prefix` and follow `after`, in order, and those that were deleted in a layer. */
  *#places(prefix: string, after: string): Generator<string, undefined> {
    const start = compareKeys(after, prefix) > 0 ? after : prefix
    const lists: Iterable<string>[] = this.#layers().map(layer => layer.keysFrom(start))
    if (!this.#isEnvironmentHidden()) lists.push(this.#environment.keys(prefix, after))
    for (const { word: key } of mergedOrder(lists)) {
      if (!key.startsWith(prefix)) return undefined
      if (key !== after) yield key
    }
    return undefined
  }

  /** For a place: whether there is a key, too. What no layer knows came from the environment. */
  #isThere(key: string): boolean {
    return this.#hasInLayers(key) !== false
  }

  /** What expires, in order: words of expiry-order.ts. Those of the environment are left out if none is due. */
  #expiries(nowMs: number): readonly Iterable<string>[] {
    const lists: Iterable<string>[] = this.#layers().map(layer => layer.expiries())
    if (nowMs >= this.#expiresFromMs && !this.#isEnvironmentHidden()) lists.push(this.#environmentExpiries())
    return lists
  }

  *#environmentExpiries(): Generator<string, undefined> {
    // Nothing that is hidden shows again before the next checkpoint, so it is passed once.
    let isFirst = true
    for (const word of this.#environment.expiries(this.#expiriesFrom)) {
      const isHidden = this.#hasInLayers(keyOfExpiryWord(word)) !== undefined
      if (isFirst) {
        this.#expiriesFrom = word
        this.#expiresFromMs = timeOfExpiryWord(word)
      }
      if (isHidden) continue
      isFirst = false
      yield word
    }
    if (isFirst) this.#expiresFromMs = Number.POSITIVE_INFINITY
    return undefined
  }

  /** The environment has changed, or what hides it. */
  #lookAtExpiriesAgain(): void {
    this.#expiriesFrom = ''
    this.#expiresFromMs = 0
  }

  #checkpointed(meta: Uint8Array, error: Error | undefined, done: Done): void {
    if (this.#isClosed) return
    this.#isCheckpointing = false
    if (error === undefined) {
      this.#environment.refresh()
      this.#meta = meta
      if (this.#frozen.hidesOlder) this.#cache.clear()
      this.#cache.take(this.#frozen.rows)
      this.#frozen = new Layer()
    } else {
      this.#thaw()
    }
    this.#lookAtExpiriesAgain()
    done(error)
    this.#afterCheckpoint?.()
    this.#afterCheckpoint = undefined
  }

  /** Puts back what could not be written, under what was written since. */
  #thaw(): void {
    const frozen = this.#frozen
    this.#frozen = new Layer()
    if (this.#recent.hidesOlder) return
    const merged = new Layer(frozen.hidesOlder)
    for (const layer of [frozen, this.#recent])
      for (const [key, row] of layer.rows.rows()) merged.set(key, row)
    this.#recent = merged
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
    this.#expiring = next.expiring()
    this.#recent = new Layer()
    this.#cache.clear()
    this.#lookedUp = undefined
    this.#lookAtExpiriesAgain()
    // Views of the replaced table may still be streamed to somebody.
    previous.retire(() => this.#directories.remove(previous.directory))
  }
}
