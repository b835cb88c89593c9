/** What people see of simulated runs: the seeds that are tried, and how a failure is told. */
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** What is told of a run. */
export interface RunReport {
  readonly seed: string
  /** What was broken, in words; undefined if all went well. */
  readonly failure: string | undefined
  /** The last lines of the event log. */
  readonly tail: readonly string[]
  /** Stands for the whole event log: the same for the same seed. */
  readonly checksum: string
  readonly simulatedMs: number
}

/** Lines of the event log shown with a failure. */
const shownLines = 120

/** Seeds that nobody has tried. */
export function freshSeeds(count: number): readonly string[] {
  return Array.from({ length: count }, () => String(randomInt(1, 2 ** 47)))
}

/**
 * Seeds that found something once: one a line, what they found behind it. The list lies in the source tree,
 * two folders above the compiled tests.
 */
export function knownSeeds(): readonly string[] {
  const list = readFileSync(new URL('../../../test/sim/seeds.txt', import.meta.url), 'utf8')
  const lines = list.split('\n').map(line => line.replace(/#.*/, '').trim())
  return lines.filter(line => line !== '')
}

/** A failure, the last moments before it, and the command that shows it again, which runs this script of npm. */
export function reportFailure({ seed, failure, tail, checksum }: RunReport, script = 'sim'): string {
  return [
    '',
    ...tail.slice(-shownLines),
    '',
    `FAILED: seed ${seed} (log ${checksum})`,
    failure ?? '',
    `Replay it with: npm run ${script} -- --seed ${seed} --trace`,
    '',
  ].join('\n')
}
