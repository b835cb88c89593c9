/**
 * Runs simulated rings of whole nodes: `npm run sim:ring-nodes -- --seeds 1000` draws fresh seeds, `--first 1` counts
 * from there instead, and `--seed <seed> --trace` replays one and prints everything that happens. Exits with 1 if a
 * promise was broken.
 */
import minimist from 'minimist'
import { freshSeeds, reportFailure } from './report.js'
import { simulateRing } from './ring-simulation.js'

const usage = 'Usage: npm run sim:ring-nodes -- [--seeds <count>] [--first <seed>] [--seed <seed>] [--trace]'

process.exitCode = main()

function main(): number {
  const flags = minimist(process.argv.slice(2), {
    string: ['seed', 'seeds', 'first'],
    boolean: ['trace', 'help'],
    unknown: flag => {
      console.error(`Unknown: ${flag}. ${usage}`)
      process.exit(2)
    },
  })
  if (flags['help'] === true) {
    console.log(usage)
    return 0
  }
  const { seed, first, seeds } = flags
  const count = Number(seeds ?? 100)
  if (typeof seed === 'string' && seed !== '') return runAll([seed], flags['trace'] === true)
  if (first === undefined) return runAll(freshSeeds(count), false)
  return runAll(
    Array.from({ length: count }, (_each, place) => String(Number(first) + place)),
    false,
  )
}

function runAll(seeds: readonly string[], trace: boolean): number {
  const startedAt = process.cpuUsage()
  let failures = 0
  let simulatedMs = 0
  let acknowledged = 0
  for (const seed of seeds) {
    const result = simulateRing(seed, trace ? { print: line => console.log(line) } : {})
    simulatedMs += result.simulatedMs
    acknowledged += result.writes.acknowledged
    if (result.failure === undefined) continue
    failures++
    console.error(reportFailure(result, 'sim:ring-nodes'))
  }
  const seconds = (process.cpuUsage(startedAt).user / 1e6).toFixed(1)
  const hours = (simulatedMs / 3_600_000).toFixed(2)
  console.log(
    `${seeds.length} seeds, ${failures} failed: ${hours} simulated hours, ${acknowledged} writes acknowledged, ` +
      `in ${seconds} s of CPU`,
  )
  return failures === 0 ? 0 : 1
}
