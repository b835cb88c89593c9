/**
 * Whether a flush may be waited for on the spot. A short one costs less than a detour through another thread;
 * a long one would hold up everything else in the process. The clock must tell fractions of a millisecond.
 *
 * How long the disk needs is told by the quicker flushes of late. The others tell how busy the machine is: they waited
 * for the processor or behind the flushes of others, and would wait as long beside the loop, which costs both the
 * detour and the wait.
 */
import { present } from '../base/assert.js'
import type { Clock } from '../base/clock.js'

/** While flushes are too long, one is tried on the spot this often, to see whether they got short again. */
const probeIntervalMs = 1000
/** That many of the latest flushes are remembered. */
const remembered = 16
/** What the disk needs is what the quicker ones take of the remembered: one in this many. */
const quickOneIn = 4

export class FlushPace {
  readonly #clock: Clock
  readonly #limitMs: number
  /** How long the latest took, the oldest first. */
  #latestMs: number[] = []
  #neededMs = 0
  #nextProbeMs = 0

  /** Flushes are waited for on the spot while the disk needs up to `limitMs` for them; 0 means never. */
  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock
    this.#limitMs = limitMs
  }

  mayWait(): boolean {
    if (this.#limitMs === 0) return false
    return this.#neededMs <= this.#limitMs || this.#clock.monotonicMs() >= this.#nextProbeMs
  }

  /** Runs `flush`, which waits, and remembers how long it took. */
  measure(flush: () => void): void {
    const startMs = this.#clock.monotonicMs()
    flush()
    const endMs = this.#clock.monotonicMs()
    // A probe counts in full: what is remembered is from another time.
    if (this.#neededMs > this.#limitMs) this.#latestMs = []
    this.#latestMs.push(endMs - startMs)
    if (this.#latestMs.length > remembered) this.#latestMs.shift()
    const ascending = this.#latestMs.toSorted((one, other) => one - other)
    this.#neededMs = present(
      ascending[Math.floor((ascending.length - 1) / quickOneIn)],
      'a flush that was measured',
    )
    this.#nextProbeMs = endMs + probeIntervalMs
  }
}
