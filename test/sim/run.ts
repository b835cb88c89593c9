/**
 * Runs simulated seeds: `npm run sim -- --seeds 1000` draws fresh ones, `npm run sim -- --seed <seed> --trace`
 * replays one and prints everything that happens. Exits with 1 if a promise was broken.
 */
import minimist from 'minimist'
import { showProgress } from '../support/progress.js'
import { freshSeeds, reportFailure } from './report.js'
import { simulate } from './simulation.js'

const usage = 'Usage: npm run sim -- [--seeds <count>] [--seed <seed>] [--trace] [--keep-going]'

process.exitCode = main()

function main(): number {
  const flags = minimist(process.argv.slice(2), {
    string: ['seed', 'seeds'],
    boolean: ['trace', 'keep-going', 'help'],
    unknown: flag => {
      console.error(`Unknown: ${flag}. ${usage}`)
      process.exit(2)
    },
  })
  if (flags['help'] === true) {
    console.log(usage)
    return 0
  }
  const seed: unknown = flags['seed']
  if (typeof seed === 'string' && seed !== '') return replay(seed, flags['trace'] === true)
  return runMany(freshSeeds(Number(flags['seeds'] ?? 100)), flags['keep-going'] === true)
}

function replay(seed: string, trace: boolean): number {
  const result = simulate(seed, trace ? { print: line => console.log(line) } : {})
  if (result.failure === undefined) {
    const seconds = (result.simulatedMs / 1000).toFixed(1)
    console.log(`seed ${seed}: no violation in ${seconds} simulated seconds`)
    console.log(
      `${result.operations} operations, ${result.unknown} of unknown outcome; log ${result.checksum}`,
    )
    return 0
  }
  console.error(reportFailure(result))
  return 1
}

function runMany(seeds: readonly string[], keepGoing: boolean): number {
  const startedAt = performance.now()
  const progress = showProgress(seeds.length, 'seeds')
  let failures = 0
  let simulatedMs = 0
  let operations = 0
  for (const [done, seed] of seeds.entries()) {
    const result = simulate(seed)
    simulatedMs += result.simulatedMs
    operations += result.operations
    if (result.failure !== undefined) {
      failures++
      progress.clear()
      console.error(reportFailure(result))
      if (!keepGoing) break
    }
    progress.update(done + 1)
  }
  progress.clear()
  const seconds = (performance.now() - startedAt) / 1000
  const simulatedHours = (simulatedMs / 3_600_000).toFixed(2)
  console.log(
    `${seeds.length} seeds, ${failures} failed: ${simulatedHours} simulated hours and ${operations} operations ` +
      `in ${seconds.toFixed(1)} s (${(simulatedMs / 1000 / seconds).toFixed(0)} times as fast as real time)`,
  )
  return failures === 0 ? 0 : 1
}
