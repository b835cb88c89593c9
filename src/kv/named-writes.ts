/**
 * Writes that clients named themselves, so that they can repeat them without harm over any node and any
 * connection. Remembered for a stated number and time, both decided from the log alone.
 */
import type { Result } from './sessions.js'

/** How many named writes are remembered; the oldest are forgotten. */
export const namedWritesMax = 100_000
/** How long one is remembered, in milliseconds of log time. */
export const namedWriteExpiryMs = 600_000

export class NamedWrites {
  /** By name; in the order in which they were applied, so that the oldest come first. */
  readonly #writes = new Map<string, { readonly atMs: number; readonly result: Result }>()

  /** The answer to a write of this name, if it was applied and is remembered. */
  result(name: string, nowMs: number): Result | undefined {
    const write = this.#writes.get(name)
    return write === undefined || nowMs - write.atMs > namedWriteExpiryMs ? undefined : write.result
  }

  record(name: string, nowMs: number, result: Result): void {
    // One that was forgotten goes to the end of the order.
    this.#writes.delete(name)
    this.#writes.set(name, { atMs: nowMs, result })
    for (const [oldest, { atMs }] of this.#writes) {
      if (this.#writes.size <= namedWritesMax && nowMs - atMs <= namedWriteExpiryMs) break
      this.#writes.delete(oldest)
    }
  }

  /** A plain value that {@link NamedWrites.load} reads; the same for the same log. */
  save(): unknown {
    return [...this.#writes].map(([name, { atMs, result }]) => [name, atMs, result])
  }

  /** Replaces everything by what {@link save} gave. */
  load(saved: unknown): void {
    this.#writes.clear()
    for (const [name, atMs, result] of saved as [string, number, Result][])
      this.#writes.set(name, { atMs, result })
  }
}
