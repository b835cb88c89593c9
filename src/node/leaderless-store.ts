/**
 * What a leaderless replica saves, on a journal and a table: rows go to the table as they are written, where the
 * replica reads them, and to the journal, which makes them durable.
 */
import type { Clock } from '../base/clock.js'
import { type LogIndex, logIndex } from '../base/ids.js'
import type { TableStore } from '../kv/table.js'
import { RecoveryError } from '../replica/saved.js'
import { decodeRowsMeta, readRowRecord, rowRecord, type SavedRow } from '../replica/saved-rows.js'
import type { RingRows } from '../ring/types.js'
import type { Disk } from '../storage/disk.js'
import { type Journal, openJournal } from '../storage/journal.js'
import type { SaveMode } from './driver.js'
import type { ClosableStore } from './engine.js'

/** What the store is opened with. */
export interface LeaderlessStoreOptions {
  readonly clock: Clock
  /** Size of a journal segment; the journal's default if it is left out. */
  readonly segmentBytes?: number
  /** Up to how long a flush may hold the loop; the journal's default if it is left out. */
  readonly inlineFlushMsMax?: number
  onDiskState(state: 'full' | 'ok'): void
  onFailure(error: Error): void
}

/** What the disk held. */
export interface OpenedRows {
  readonly store: LeaderlessStore
  /** The table, as the ring uses it, with everything that was saved. */
  readonly rows: RingRows
  /** The number of the last row that was saved. */
  readonly saved: LogIndex
  /** Bytes of rows that the last checkpoint does not hold. */
  readonly uncheckpointedBytes: number
}

/**
 * Opens the journal beside an open table, and writes to the table what the journal holds beyond its checkpoint.
 * @throws RecoveryError, JournalDamaged, or what the disk throws.
 */
export function openLeaderlessStore(
  disk: Disk,
  table: TableStore,
  options: LeaderlessStoreOptions,
): OpenedRows {
  const bytes = table.meta()
  const meta = bytes && decodeRowsMeta(bytes)
  if (bytes !== undefined && meta === undefined) {
    throw new RecoveryError(
      'What stands beside the table cannot be read: another version may have written it.',
    )
  }
  const checkpointed = meta?.index ?? 0
  const rows = rowsOf(table)
  let saved = checkpointed
  const journal = openJournal(
    disk,
    {
      ...options,
      head: () => [],
      onDiskState: state => options.onDiskState(state),
      onFailure: error => options.onFailure(error),
    },
    (kind, index, body) => {
      const row = readRowRecord(kind, body)
      if (row === undefined) {
        throw new RecoveryError(`The journal holds a record of kind ${kind} that this version does not know.`)
      }
      // Older ones may be in front of it in a segment; the table has a later state of those.
      if (index <= checkpointed) return
      if (row.value === undefined) rows.delete(row.rowKey)
      else rows.set(row.rowKey, row.value)
      saved = Math.max(saved, index)
    },
  )
  const store = new LeaderlessStore(journal, table)
  return { store, rows, saved: logIndex(saved), uncheckpointedBytes: table.pendingBytes() }
}

/** A table as the ring uses it: rows of bytes. */
function rowsOf(table: TableStore): RingRows {
  return {
    get: rowKey => table.get(rowKey)?.value,
    set: (rowKey, value) => table.set(rowKey, { value, version: 0, expiresAt: undefined }),
    delete: rowKey => table.delete(rowKey),
    keys: (prefix, after, limit) => table.keys(prefix, after, limit),
  }
}

/** See the head of this file. */
export class LeaderlessStore implements ClosableStore<SavedRow> {
  readonly #journal: Journal
  readonly #table: TableStore

  constructor(journal: Journal, table: TableStore) {
    this.#journal = journal
    this.#table = table
  }

  save(rows: readonly SavedRow[], mode: SaveMode, done: (error: Error | undefined) => void): void {
    this.#journal.save(rows.map(rowRecord), mode, done)
  }

  checkpoint(meta: Uint8Array, done: (error: Error | undefined) => void): void {
    this.#table.checkpoint(meta, done)
  }

  compact(index: number): void {
    this.#journal.compact(index)
  }

  close(): void {
    this.#journal.close()
    this.#table.close()
  }
}
