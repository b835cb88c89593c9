/** How long nobody was told that a write was done: over all, and after each fault. */

/** A fault that was tried. All times are of one clock, in milliseconds. */
export interface Fault {
  readonly name: string
  readonly startedAtMs: number
}

/** What the faults of one name did: the longest silence after each of them. */
export interface PauseRow {
  readonly name: string
  readonly silencesMs: readonly number[]
}

/**
 * The longest silence within a span: from its start to the first acknowledgement, from each one to the next, and
 * from the last one to its end. `acknowledgedAtMs` must be sorted.
 */
export function longestSilenceMs(
  acknowledgedAtMs: readonly number[],
  startMs: number,
  endMs: number,
): number {
  const within = acknowledgedAtMs.filter(atMs => atMs > startMs && atMs < endMs)
  let longestMs = 0
  let sinceMs = startMs
  for (const atMs of [...within, endMs]) {
    longestMs = Math.max(longestMs, atMs - sinceMs)
    sinceMs = atMs
  }
  return longestMs
}

/**
 * One row for each name, in the order of their first faults. A fault is answerable until the next one strikes,
 * which happens only once all nodes know a leader again.
 */
export function pausesByFault(
  acknowledgedAtMs: readonly number[],
  faults: readonly Fault[],
  endMs: number,
): PauseRow[] {
  const rows = new Map<string, number[]>()
  for (const [at, { name, startedAtMs }] of faults.entries()) {
    const untilMs = faults[at + 1]?.startedAtMs ?? endMs
    const silences = rows.get(name) ?? []
    silences.push(longestSilenceMs(acknowledgedAtMs, startedAtMs, untilMs))
    rows.set(name, silences)
  }
  return [...rows].map(([name, silencesMs]) => ({ name, silencesMs }))
}
