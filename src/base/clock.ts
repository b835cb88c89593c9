/** Time and waiting, as the driver sees them: the real ones in a process, simulated ones in the simulator. */
export interface Clock {
  /** Milliseconds that never go back, from an arbitrary start. Used for every decision of safety. */
  monotonicMs(): number
  /** Milliseconds since 1970, which may jump. Only ever enters the log, for expiry. */
  wallMs(): number
  /** Calls `task` once, after at least `delayMs`; the returned function cancels it. */
  after(delayMs: number, task: () => void): () => void
  /** Calls `task` once in a later turn of the loop, after the input that already waits has been read. */
  soon(task: () => void): void
}
