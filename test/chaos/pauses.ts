/** How long nobody was told that a write was done: over all, and after each fault. */

/** A fault that was tried. All times are of one clock, in milliseconds. */
export interface Fault {
  readonly name: string
  readonly startedAtMs: number
}

/** What the faults of one name did. */
export interface PauseRow {
  readonly name: string
  readonly count: number
  readonly longestMs: number
}

/**
 * The longest silence that begins within a span: from its start to the first acknowledgement, and from each one
 * within it to the next, which may come after the end. `acknowledgedAtMs` must be sorted. A silence that never
 * ended counts up to the end of the span.
 */
export function longestSilenceMs(
  acknowledgedAtMs: readonly number[],
  startMs: number,
  endMs: number,
): number {
  let sinceMs = startMs
  let longestMs = 0
  for (const atMs of acknowledgedAtMs) {
    if (atMs < startMs) continue
    longestMs = Math.max(longestMs, atMs - sinceMs)
    sinceMs = atMs
    if (atMs >= endMs) break
  }
  return Math.max(longestMs, endMs - sinceMs)
}

/** One row for each name, in the order of their first faults; a fault is answerable until the next one starts. */
export function pausesByFault(
  acknowledgedAtMs: readonly number[],
  faults: readonly Fault[],
  endMs: number,
): PauseRow[] {
  const rows = new Map<string, PauseRow>()
  for (const [at, { name, startedAtMs }] of faults.entries()) {
    const untilMs = faults[at + 1]?.startedAtMs ?? endMs
    const silenceMs = longestSilenceMs(acknowledgedAtMs, startedAtMs, untilMs)
    const row = rows.get(name) ?? { name, count: 0, longestMs: 0 }
    rows.set(name, { name, count: row.count + 1, longestMs: Math.max(row.longestMs, silenceMs) })
  }
  return [...rows.values()]
}
