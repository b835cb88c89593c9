/**
 * Hunts mutants with fresh seeds: `npm run mutants -- [--only <part of a name>] [--seeds <count>]
 * [--first <seed>] [--all] [--sound]`. For each, it says how many runs it took until the simulator saw its promise
 * broken; with `--all` it goes on, and says in how many of the runs that happened, as rows of a table. With
 * `--sound` nothing is planted: then nothing must be found. Exits with 1 if a mutant survived, or a sound program
 * did not.
 */
import { randomInt } from 'node:crypto'
import minimist from 'minimist'
import { MutantProgram } from './mutant-program.js'
import type { Finding, MutantRun } from './mutant-run.js'
import { type Mutant, mutants } from './mutant-table.js'

/** So many are hunted at the same time. */
const huntersMax = 2

const usage =
  'Usage: npm run mutants -- [--only <part of a name>] [--seeds <count>] [--first <seed>] [--all] [--sound]'

const flags = minimist(process.argv.slice(2), {
  string: ['only', 'seeds', 'first'],
  boolean: ['all', 'sound'],
  unknown: flag => {
    console.error(`Unknown: ${flag}. ${usage}`)
    process.exit(2)
  },
})
// Leaving in the ordinary way takes the copies of the program away.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
const isSound = flags['sound'] === true
const wantsAll = flags['all'] === true
const hunted = mutants.filter(({ name }) => name.includes(String(flags['only'] ?? '')))
const waiting = [...hunted]
const runs = new Map<Mutant, MutantRun>()
await Promise.all(Array.from({ length: huntersMax }, work))
if (wantsAll) console.log(`\n${describeTable()}`)
process.exitCode = hunted.every(isGood) ? 0 : 1

async function work(): Promise<void> {
  for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
    const startedAt = performance.now()
    const run = await hunt(mutant)
    runs.set(mutant, run)
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    console.log(`${mutant.name}: ${describe(run)} (${seconds} s)`)
  }
}

async function hunt(mutant: Mutant): Promise<MutantRun> {
  const program = new MutantProgram(isSound ? [] : mutant.edits)
  try {
    const first = Number(flags['first'] ?? randomInt(1, 2 ** 40))
    return await program.run(mutant, first, Number(flags['seeds'] ?? mutant.seeds), wantsAll || isSound)
  } finally {
    program.remove()
  }
}

function isGood(mutant: Mutant): boolean {
  const findings = runs.get(mutant)?.findings ?? []
  return isSound ? findings.length === 0 : findings.some(({ isExpected }) => isExpected)
}

function describe({ tried, findings }: MutantRun): string {
  const expected = findings.filter(({ isExpected }) => isExpected)
  const others = findings.filter(({ isExpected }) => !isExpected)
  const doubts = others.map(finding => `\n    also: ${describeFinding(finding)}`).join('')
  const [first] = expected
  if (first === undefined) return `nothing found in ${tried} runs${doubts}`
  const share = wantsAll ? `found in ${expected.length} of ${tried} runs, first in ` : 'found in '
  return `${share}${describeFinding(first)}${doubts}`
}

function describeFinding({ run, seed, checker, failure }: Finding): string {
  return `run ${run} (seed ${seed}) by '${checker ?? 'nobody'}': ${failure.split('\n')[0]}`
}

/** The figures as a table in Markdown. */
function describeTable(): string {
  const rows = hunted.map(mutant => {
    const { tried, findings } = runs.get(mutant) ?? { tried: 0, findings: [] }
    const at = findings.filter(({ isExpected }) => isExpected).map(({ run }) => run)
    // What the longest hunt took that began at any of the runs.
    const longest = Math.max(...[...at, tried].map((run, place) => run - (at[place - 1] ?? 0)))
    return `| ${mutant.name} | ${mutant.breaks} | ${at.length} of ${tried} | ${longest} | ${mutant.seeds} |`
  })
  return ['| mistake | promise | found in | longest hunt | allowed |', '|---|---|---|---|---|', ...rows].join(
    '\n',
  )
}
