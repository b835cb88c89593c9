/**
 * The time that a leader puts into the log. It is the wall time of its machine, but never falls behind log time as
 * it was when this leader began, nor behind what its clock has shown since: under a clock that is slow, or is set
 * back, time goes on at the pace of ticks, and does not stand still until the clock has caught up.
 */
import type { LogIndex } from '../base/ids.js'

export class LogTime {
  readonly #tickMs: number
  #fromMs: number
  #fromTick: number
  /** The last entry that tells the time alone. */
  #proposed: { readonly index: LogIndex; readonly atMs: number } | undefined

  /** Begins at log time `clockMs`, at the present tick. */
  constructor(clockMs: number, tick: number, tickMs: number) {
    this.#fromMs = clockMs
    this.#fromTick = tick
    this.#tickMs = tickMs
  }

  /** In whole milliseconds since 1970. */
  now(wallMs: number, tick: number): number {
    const goneOnMs = this.#fromMs + (tick - this.#fromTick) * this.#tickMs
    if (wallMs <= goneOnMs) return Math.floor(goneOnMs)
    // Should the clock be set back, time goes on from here.
    this.#fromMs = wallMs
    this.#fromTick = tick
    return Math.floor(wallMs)
  }

  /** The entry that tells this time, if it was proposed: one of them serves all that wait for it. */
  proposedFor(nowMs: number): LogIndex | undefined {
    return this.#proposed?.atMs === nowMs ? this.#proposed.index : undefined
  }

  /** Whether an entry that tells the time is under way. */
  isUnderWay(applied: LogIndex): boolean {
    return this.#proposed !== undefined && this.#proposed.index > applied
  }

  noteProposed(index: LogIndex, atMs: number): void {
    this.#proposed = { index, atMs }
  }
}
