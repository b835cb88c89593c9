/**
 * The rows that a leaderless replica saves: each has the next number, and a checkpoint says up to which number the
 * table has them.
 *
 * What must always hold: rows are numbered in the order in which they were written, and a checkpoint holds all up to
 * its number.
 */
import { type LogIndex, logIndex } from '../base/ids.js'
import { CheckpointDebt } from './checkpoint-debt.js'
import type { DueCheckpoint } from './contract.js'
import { encodeRowsMeta, type SavedRow } from './saved-rows.js'

/** Times in ticks, sizes in bytes. */
export interface NumberedRowsLimits {
  /** A checkpoint is begun when this much was written since the last one. */
  readonly checkpointBytes: number
  /** How long the next checkpoint waits when there was no room for one. */
  readonly silentTicks: number
}

export class NumberedRows {
  readonly #limits: NumberedRowsLimits
  readonly #debt: CheckpointDebt
  /** The number of the last row. */
  #last: LogIndex

  /** Goes on behind the last row that was saved, with so many bytes of rows that no checkpoint holds. */
  constructor(limits: NumberedRowsLimits, last: LogIndex, uncheckpointedBytes: number) {
    this.#limits = limits
    this.#last = last
    this.#debt = new CheckpointDebt(uncheckpointedBytes)
  }

  /** Gives the next row its number. */
  number(row: Omit<SavedRow, 'index'>): SavedRow {
    this.#last = logIndex(this.#last + 1)
    this.#debt.add(row.rowKey.length + (row.value?.length ?? 0))
    return { ...row, index: this.#last }
  }

  /** Whether a checkpoint is due, be it that it cannot be begun yet. */
  get isOwing(): boolean {
    return this.#debt.bytes >= this.#limits.checkpointBytes
  }

  /** The checkpoint that is to be begun now, if one is due. */
  beginCheckpoint(tick: number): DueCheckpoint | undefined {
    if (!this.isOwing || !this.#debt.mayBegin(tick)) return undefined
    this.#debt.begin()
    // Rows that were written since, and are not numbered yet, are in the table as well: replaying them later
    // over it changes nothing.
    return { index: this.#last, meta: encodeRowsMeta(this.#last) }
  }

  /** There was no room for the checkpoint that was begun. */
  failCheckpoint(tick: number): void {
    this.#debt.fail(tick + this.#limits.silentTicks)
  }

  /** The checkpoint that was begun is durable. */
  finishCheckpoint(): void {
    this.#debt.finish()
  }
}
