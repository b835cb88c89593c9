/**
 * Whether a flush may be waited for on the spot. A short one costs less than a detour through another thread;
 * a long one would hold up everything else in the process. The clock must tell fractions of a millisecond.
 */
import type { Clock } from '../base/clock.js'

/** While flushes are too long, one is tried on the spot this often, to see whether they got short again. */
const probeIntervalMs = 1000
/** The weight of the latest flush in the moving average. */
const latestWeight = 1 / 8

export class FlushPace {
  readonly #clock: Clock
  readonly #limitMs: number
  #averageMs = 0
  #nextProbeMs = 0

  /** Flushes of up to `limitMs` on average are waited for; 0 means never. */
  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock
    this.#limitMs = limitMs
  }

  mayWait(): boolean {
    if (this.#limitMs === 0) return false
    return this.#averageMs <= this.#limitMs || this.#clock.monotonicMs() >= this.#nextProbeMs
  }

  /** Runs `flush`, which waits, and remembers how long it took. */
  measure(flush: () => void): void {
    const startMs = this.#clock.monotonicMs()
    flush()
    const endMs = this.#clock.monotonicMs()
    const tookMs = endMs - startMs
    // A probe that found a short flush counts in full: what the average remembers is from another time.
    const wasProbe = this.#averageMs > this.#limitMs
    this.#averageMs = wasProbe ? tookMs : this.#averageMs + (tookMs - this.#averageMs) * latestWeight
    this.#nextProbeMs = endMs + probeIntervalMs
  }
}
