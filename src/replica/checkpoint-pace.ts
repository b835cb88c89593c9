/**
 * When checkpoints are begun, and what the log may forget after one.
 *
 * What must always hold: only what a durable checkpoint covers is forgotten.
 */
import { type LogIndex, logIndex } from '../base/ids.js'
import type { Raft } from '../raft/raft.js'
import { CheckpointDebt } from './checkpoint-debt.js'

/** Times in ticks, sizes in bytes. */
export interface CheckpointLimits {
  /** A checkpoint is begun when this much was applied since the last one. */
  readonly checkpointBytes: number
  /** Log kept behind the last checkpoint, for followers that are a little slow. */
  readonly logKeepBytes: number
  readonly electionTicks: number
}

/** While nothing is applied, a checkpoint is begun for that part of what it otherwise takes. */
const idleShare = 64
/** While a snapshot is sent, that many times as much of the log is kept as otherwise. */
const snapshotKeepFactor = 4

export class CheckpointPace {
  readonly #limits: CheckpointLimits
  /** Of bytes applied. */
  readonly #debt = new CheckpointDebt(0)
  /** When an entry was applied last. */
  #appliedAtTick = 0
  /** What the last durable one covers. */
  #covered: LogIndex

  constructor(limits: CheckpointLimits, covered: LogIndex) {
    this.#limits = limits
    this.#covered = covered
  }

  noteApplied(bytes: number, tick: number): void {
    this.#debt.add(bytes)
    this.#appliedAtTick = tick
  }

  /** A snapshot took the place of the table. */
  noteInstalled(index: LogIndex): void {
    this.#debt.clear()
    this.#covered = index
  }

  /** Whether one should be begun now, with `pendingBytes` in the table that its last one does not hold. */
  isDue(pendingBytes: number, tick: number): boolean {
    const bytes = Math.max(this.#debt.bytes, pendingBytes)
    // Where nobody writes, what is left costs nobody a moment now, and would cost a restart the time to apply it.
    const isIdle = tick - this.#appliedAtTick >= this.#limits.electionTicks
    const leastBytes = this.#limits.checkpointBytes / (isIdle ? idleShare : 1)
    return bytes >= leastBytes && this.#debt.mayBegin(tick)
  }

  begin(): void {
    this.#debt.begin()
  }

  /** There was no room for it. */
  fail(tick: number): void {
    this.#debt.fail(tick + this.#limits.electionTicks)
  }

  /** The one that covers `index` is durable; returns up to where the log may be forgotten now. */
  finish(index: LogIndex, { log, role }: Raft['view']): LogIndex {
    this.#debt.finish()
    if (index > this.#covered) this.#covered = index
    const { logKeepBytes } = this.#limits
    let floor = log.firstIndexWithin(logKeepBytes) - 1
    if (role.kind === 'leader' && log.bytes < snapshotKeepFactor * logKeepBytes) {
      // Whoever receives a snapshot needs the log that follows it.
      for (const { sending } of role.progress.values()) {
        if (sending.kind === 'snapshotting') floor = Math.min(floor, sending.snapshot.index)
      }
    }
    return logIndex(Math.min(this.#covered, Math.max(floor, 0)))
  }
}
