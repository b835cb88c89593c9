/** How a failed run of a ring is told. */
import type { RingRunResult } from './ring-simulation.js'

/** Lines of the event log shown with a failure. */
const shownLines = 60

/** A failure, the last moments before it, and the command that shows it again. */
export function reportRingFailure({ seed, failure, tail, checksum }: RingRunResult): string {
  return [
    '',
    ...tail.slice(-shownLines),
    '',
    `FAILED: seed ${seed} (log ${checksum})`,
    failure ?? '',
    `Replay it with: npm run sim:ring-nodes -- --seed ${seed} --trace`,
    '',
  ].join('\n')
}
