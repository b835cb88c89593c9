/**
 * What a consensus replica saves, on a journal and a table: entries, term and vote go to the journal, the
 * pieces of a snapshot to the table.
 */
import { present } from '../base/assert.js'
import type { Clock } from '../base/clock.js'
import { type LogIndex, logIndex, term } from '../base/ids.js'
import { decodeRows } from '../kv/rows.js'
import type { TableStore } from '../kv/table.js'
import type { Log } from '../raft/log.js'
import type { HardState, RaftSaved } from '../raft/types.js'
import { decodeMeta } from '../replica/checkpoint.js'
import {
  entryRecords,
  Recovery,
  RecoveryError,
  resetRecord,
  type SavedRecord,
  stateRecord,
} from '../replica/saved.js'
import type { Disk } from '../storage/disk.js'
import { type Journal, openJournal } from '../storage/journal.js'
import type { SaveMode, Store } from './driver.js'

/** What the store is opened with. */
export interface ConsensusStoreOptions {
  readonly clock: Clock
  /** Size of a journal segment; the journal's default if it is left out. */
  readonly segmentBytes?: number
  onDiskState(state: 'full' | 'ok'): void
  onFailure(error: Error): void
}

/** What the disk held. */
export interface OpenedStore {
  readonly store: ConsensusStore
  readonly state: HardState
  readonly log: Log
  /** The last entry that the table holds. */
  readonly applied: LogIndex
}

/**
 * Opens the journal beside an open table and puts the log together.
 * @throws RecoveryError, JournalDamaged, or what the disk throws.
 */
export function openConsensusStore(
  disk: Disk,
  table: TableStore,
  options: ConsensusStoreOptions,
): OpenedStore {
  const recovery = new Recovery()
  const heads = { state: undefined as HardState | undefined }
  const journal = openJournal(
    disk,
    {
      ...options,
      head: () => (heads.state === undefined ? [] : [stateRecord(heads.state)]),
      onDiskState: state => options.onDiskState(state),
      onFailure: error => options.onFailure(error),
    },
    (kind, index, body) => recovery.replay(kind, index, body),
  )
  heads.state = recovery.state
  const bytes = table.meta()
  const meta = bytes && decodeMeta(bytes)
  if (bytes !== undefined && meta === undefined) {
    throw new RecoveryError(
      'What stands beside the table cannot be read: another version may have written it.',
    )
  }
  const base = meta?.position ?? { index: logIndex(0), term: term(0) }
  const log = recovery.log(base, meta?.configuration)
  const store = new ConsensusStore(journal, table, state => {
    heads.state = state
  })
  return { store, state: recovery.state, log, applied: base.index }
}

export class ConsensusStore implements Store<RaftSaved> {
  readonly #journal: Journal
  readonly #table: TableStore
  readonly #noteState: (state: HardState) => void

  constructor(journal: Journal, table: TableStore, noteState: (state: HardState) => void) {
    this.#journal = journal
    this.#table = table
    this.#noteState = noteState
  }

  get journal(): Journal {
    return this.#journal
  }

  save(records: readonly RaftSaved[], mode: SaveMode, done: (error: Error | undefined) => void): void {
    const saved: SavedRecord[] = []
    let end: Extract<RaftSaved, { kind: 'snapshot-end' }> | undefined
    for (const record of records) {
      switch (record.kind) {
        case 'state':
          this.#noteState(record.state)
          saved.push(stateRecord(record.state))
          break
        case 'entries':
          saved.push(...entryRecords(record.entries))
          break
        case 'reset':
          saved.push(resetRecord(record))
          break
        case 'snapshot-begin':
          this.#table.beginSnapshot()
          break
        case 'snapshot-rows':
          this.#table.addSnapshotRows(present(decodeRows(record.data), 'rows that were checked on arrival'))
          break
        case 'snapshot-end':
          end = record
          break
      }
    }
    const saveRecords = (): void => {
      if (saved.length === 0) done(undefined)
      else this.#journal.save(saved, mode, done)
    }
    if (end === undefined) saveRecords()
    else this.#table.finishSnapshot(end.meta, error => (error === undefined ? saveRecords() : done(error)))
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
