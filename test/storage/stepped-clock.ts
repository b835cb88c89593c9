/** A clock that stands still until a test moves it. */
import type { Clock } from '../../src/base/clock.js'

interface Timer {
  readonly dueMs: number
  readonly task: () => void
}

export class SteppedClock implements Clock {
  #nowMs = 0
  #timers: Timer[] = []

  monotonicMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, task }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter(other => other !== timer)
    }
  }

  soon(task: () => void): void {
    this.after(0, task)
  }

  /** Lets `ms` pass, and runs what falls due, in order. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms
    for (;;) {
      const due = this.#timers.filter(timer => timer.dueMs <= endMs)
      const [first] = due.sort((one, other) => one.dueMs - other.dueMs)
      if (first === undefined) break
      this.#timers = this.#timers.filter(timer => timer !== first)
      this.#nowMs = Math.max(this.#nowMs, first.dueMs)
      first.task()
    }
    this.#nowMs = endMs
  }
}
