/**
 * The office of a leader: what it has from when its term is open until it leads no longer. It takes in the writes that
 * nodes forward to it, its own among them, puts the time into the log, and knows how much it has proposed that is not
 * applied yet. Nothing of it outlives the office.
 */
import type { LogIndex, NodeId, Term } from '../base/ids.js'
import { encodeTime } from '../kv/command.js'
import type { StateMachine } from '../kv/state-machine.js'
import { Intake, type TakenIn } from './intake.js'
import { LogTime } from './log-time.js'
import type { Forward } from './messages.js'

export interface OfficeOptions {
  /** How long one tick is. */
  readonly tickMs: number
  /** Entries proposed and not applied yet at most, in bytes; beyond, nothing more is proposed. */
  readonly proposedBytesMax: number
}

/** What an office is opened with. */
export interface OfficeStart {
  readonly term: Term
  /** The present tick. */
  readonly tick: number
  /** What everything of earlier terms is applied to. */
  readonly state: StateMachine
  readonly options: OfficeOptions
  /** Appends an entry to the log; undefined while that cannot be. */
  propose(data: Uint8Array): LogIndex | undefined
}

/** See the head of this file. */
export class LeaderOffice {
  /** Who waits for results, and what was proposed of whom. */
  readonly intake: Intake
  readonly #start: OfficeStart
  readonly #time: LogTime
  #proposedBytes = 0

  constructor(start: OfficeStart) {
    const { term, tick, state, options } = start
    this.#start = start
    this.intake = new Intake(term)
    this.#time = new LogTime(state.clockMs, tick, options.tickMs)
  }

  /** The time that goes into the log, in whole milliseconds since 1970; it never goes back. */
  nowMs(wallMs: number, tick: number): number {
    return Math.max(this.#time.now(wallMs, tick), this.#start.state.clockMs)
  }

  /** Proposes what is new in a forward; see {@link Intake.take}. */
  take(from: NodeId, forward: Forward, nowMs: number, isDiskFull: boolean): TakenIn | undefined {
    const { state } = this.#start
    return this.intake.take(
      from,
      forward,
      nowMs,
      state,
      isDiskFull,
      data => this.#propose(data) !== undefined,
    )
  }

  /** An entry with so many bytes was applied. */
  noteApplied(bytes: number): void {
    // Those of earlier terms were never counted.
    this.#proposedBytes = Math.max(0, this.#proposedBytes - bytes)
  }

  /** Lets log time go on to the present; returns where it will have, or undefined if it cannot be done now. */
  proposeTime(nowMs: number, isDiskFull: boolean): LogIndex | undefined {
    const known = this.#time.proposedFor(nowMs)
    if (known !== undefined || isDiskFull) return known
    const index = this.#propose(encodeTime(nowMs))
    if (index !== undefined) this.#time.noteProposed(index, nowMs)
    return index
  }

  /** Where nobody writes, nothing removes what has expired but this. */
  removeExpired(nowMs: number, applied: LogIndex, isDiskFull: boolean): void {
    if (this.#time.isUnderWay(applied) || !this.#start.state.hasExpired(nowMs)) return
    this.proposeTime(nowMs, isDiskFull)
  }

  #propose(data: Uint8Array): LogIndex | undefined {
    const { options, propose } = this.#start
    if (this.#proposedBytes > options.proposedBytesMax) return undefined
    const index = propose(data)
    if (index !== undefined) this.#proposedBytes += data.length
    return index
  }
}
