/**
 * Runs seeds in the weather of one mutant, within whatever copy of the program this file belongs to:
 * `mutant-run <name of the mutant> <first seed> <count>`. Prints one line of JSON ({@link MutantRun}), and stops
 * at the first violation.
 */
import { present } from '../../src/base/assert.js'
import { type CheckerName, checkerOf } from './mutant-checkers.js'
import { mutants } from './mutant-table.js'
import { withWeather } from './mutant-weather.js'
import { simulate } from './simulation.js'

/** What came of some seeds. */
export interface MutantRun {
  readonly tried: number
  readonly found:
    | { readonly seed: string; readonly checker: CheckerName; readonly failure: string }
    | undefined
  /** Runs that ended in something else than a verdict (a judge that gave up, say), in words. */
  readonly undecided: readonly string[]
}

const [name, first, count] = process.argv.slice(2)
const mutant = present(
  mutants.find(candidate => candidate.name === name),
  'a mutant of this name',
)
console.log(JSON.stringify(hunt(Number(first), Number(count))))

function hunt(firstSeed: number, seedCount: number): MutantRun {
  const undecided: string[] = []
  for (let tried = 1; tried <= seedCount; tried++) {
    const seed = String(firstSeed + tried - 1)
    const print = process.env['TRACE'] === undefined ? undefined : (line: string) => console.error(line)
    const result = simulate(seed, { adjust: swarm => withWeather(swarm, mutant.weather), print })
    if (result.failure === undefined) continue
    const checker = checkerOf(result.failure)
    const failure = result.failure.split('\n').slice(0, 12).join('\n')
    if (checker !== undefined) return { tried, found: { seed, checker, failure }, undecided }
    undecided.push(`seed ${seed}: ${failure}`)
  }
  return { tried: seedCount, found: undefined, undecided }
}
