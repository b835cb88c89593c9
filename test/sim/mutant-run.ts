/**
 * Runs seeds in the weather of one mutant, within whatever copy of the program this file belongs to:
 * `mutant-run <name of the mutant> <first seed> <count> [all]`. Prints one line of JSON ({@link MutantRun}). It
 * stops once the promise of this mutant was seen broken, unless all seeds are to be run.
 */
import { fileURLToPath } from 'node:url'
import { type CheckerName, checkerOf } from './mutant-checkers.js'
import { findMutant, type Mutant } from './mutant-table.js'
import { withWeather } from './mutant-weather.js'
import { simulate } from './simulation.js'

/** A run that ended in something else than peace. */
export interface Finding {
  /** Which of the runs it was, counted from 1. */
  readonly run: number
  readonly seed: string
  /** Which checker found it; undefined for what is no violation: a judge that gave up, say. */
  readonly checker: CheckerName | undefined
  /** Whether it is the promise that this mutant breaks. */
  readonly isExpected: boolean
  /** What was broken, in words. */
  readonly failure: string
}

/** What came of some seeds. */
export interface MutantRun {
  readonly tried: number
  readonly findings: readonly Finding[]
}

/** Lines of a failure that are kept. */
const linesMax = 20

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name, first, count, all] = process.argv.slice(2)
  console.log(JSON.stringify(runSeeds(findMutant(name), Number(first), Number(count), all === 'all')))
}

/** Runs up to `count` seeds from `first` on. */
export function runSeeds(mutant: Mutant, first: number, count: number, all = false): MutantRun {
  const findings: Finding[] = []
  const print = process.env['TRACE'] === undefined ? undefined : (line: string) => console.error(line)
  for (let run = 1; run <= count; run++) {
    const seed = String(first + run - 1)
    const { failure } = simulate(seed, { adjust: swarm => withWeather(swarm, mutant.weather), print })
    if (failure === undefined) continue
    const checker = checkerOf(failure)
    const isExpected = checker !== undefined && mutant.caughtBy.includes(checker)
    findings.push({ run, seed, checker, isExpected, failure: shorten(failure) })
    if (isExpected && !all) return { tried: run, findings }
  }
  return { tried: count, findings }
}

function shorten(failure: string): string {
  return failure.split('\n').slice(0, linesMax).join('\n')
}
