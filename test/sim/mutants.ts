/**
 * Hunts mutants with fresh seeds: `node dist/test/sim/mutants.js [--only <part of a name>] [--seeds <count>]
 * [--first <seed>]`. For each, it says how many runs it took until the simulator found the mistake. Exits with 1
 * if one of them survived.
 */
import { randomInt } from 'node:crypto'
import minimist from 'minimist'
import { MutantProgram } from './mutant-program.js'
import type { MutantRun } from './mutant-run.js'
import { type Mutant, mutants } from './mutant-table.js'

/** So many are hunted at the same time. */
const huntersMax = 2

const usage = 'Usage: mutants [--only <part of a name>] [--seeds <count>] [--first <seed>] [--sound]'

const flags = minimist(process.argv.slice(2), {
  string: ['only', 'seeds', 'first'],
  boolean: ['sound'],
  unknown: flag => {
    console.error(`Unknown: ${flag}. ${usage}`)
    process.exit(2)
  },
})
const waiting = mutants.filter(({ name }) => name.includes(String(flags['only'] ?? '')))
let survivors = 0
await Promise.all(Array.from({ length: huntersMax }, work))
process.exitCode = survivors === 0 ? 0 : 1

async function work(): Promise<void> {
  for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
    const startedAt = performance.now()
    const run = await hunt(mutant)
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    console.log(`${mutant.name}: ${describe(run)} (${seconds} s)`)
    if (run.found === undefined) survivors++
  }
}

/** With `--sound`, nothing is planted: then nothing must be found. */
async function hunt(mutant: Mutant): Promise<MutantRun> {
  const program = new MutantProgram(flags['sound'] === true ? [] : mutant.edits)
  try {
    const first = Number(flags['first'] ?? randomInt(1, 2 ** 40))
    return await program.run(mutant, first, Number(flags['seeds'] ?? mutant.seeds))
  } finally {
    program.remove()
  }
}

function describe({ tried, found, undecided }: MutantRun): string {
  const doubts = undecided.map(what => `\n    undecided: ${what}`).join('')
  if (found === undefined) return `NOT FOUND in ${tried} runs${doubts}`
  return `found in run ${tried} (seed ${found.seed}) by '${found.checker}': ${found.failure.split('\n')[0]}${doubts}`
}
