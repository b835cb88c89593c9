/**
 * The comparison: `npm run bench -- --cases writes,reads --rounds 3 --seconds 5 --clients 64`. Quorate beside etcd and
 * Redis on this machine, in one run. Prints tables in Markdown, and keeps them, with all single results as JSON, in
 * the data folder. Ends with 1 if a system has lost what it acknowledged or the run could not be finished; what was
 * measured until then is reported all the same.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { flags, helpText } from '../../src/node/flags.js'
import { readSettings, SettingError, type SettingTable, wantsHelp } from '../../src/node/settings.js'
import { count, counts, type Kind, onOff, path } from '../../src/node/values.js'
import { Bench, type BenchSettings } from './bench.js'
import {
  compareWithRedis,
  type Grid,
  gridsOf,
  measureFailover,
  measureMemory,
  measureRestart,
  runGrids,
} from './cases.js'
import { buildGenerator } from './generator.js'
import { describeMachine, isInMemory } from './machine.js'
import { markdownReport } from './report.js'

/** In the order in which they run: those that need the same systems stand together. */
const caseNames = [
  ...['writes', 'reads', 'lease', 'mixed', 'pipelined', 'ceiling'],
  ...['overload', 'failover', 'redis', 'keys', 'restart', 'memory'],
] as const
type CaseName = string

const cases: Kind<readonly CaseName[]> = {
  expects: `a list of ${caseNames.join(', ')}`,
  choices: caseNames,
  parse: given => {
    const names = given.split(',').map(name => name.trim())
    return names.every(name => caseNames.some(known => known === name)) ? names : undefined
  },
}

const benchFlags = {
  cases: {
    is: cases,
    value: '<name>[,...]',
    default: caseNames.join(','),
    reason: 'All of it is the report.',
    summary: 'What to measure',
  },
  rounds: {
    is: count(1, 100),
    value: '<n>',
    default: '3',
    reason: 'The least of which there is a median.',
    summary: 'How often each system has its turn',
  },
  seconds: {
    is: count(1, 3600),
    value: '<n>',
    default: '5',
    reason: 'Shorter than what else happens on a machine changes in.',
    summary: 'How long each measurement takes, after a second to warm up',
  },
  clients: {
    is: counts(1, 4096),
    value: '<n>[,...]',
    default: '1,16,64,256',
    reason: 'From the time that one request takes to what the servers can bear.',
    summary: 'Clients in a closed loop',
  },
  'value-bytes': {
    is: count(24, 1_000_000),
    value: '<n>',
    default: '256',
    reason: 'A small record.',
    summary: 'Length of a value',
  },
  keys: {
    is: count(4096, 10_000_000),
    value: '<n>',
    default: '100000',
    reason: 'More than fits into any cache by chance.',
    summary: 'How many keys there are',
  },
  'many-keys': {
    is: count(4096, 100_000_000),
    value: '<n>',
    default: '1000000',
    reason: 'A size that databases of this kind have.',
    summary: 'How many keys many are, in the cases keys and restart',
  },
  'few-keys': {
    is: count(4096, 10_000_000),
    value: '<n>',
    default: '10000',
    reason: 'A hundredth of many.',
    summary: 'How many keys few are, in the case keys',
  },
  kills: {
    is: count(1, 1000),
    value: '<n>',
    default: '20',
    reason: 'The worst of them is a figure too.',
    summary: 'How often the leader is killed, in the case failover',
  },
  'memory-seconds': {
    is: count(1, 86_400),
    value: '<n>',
    default: '300',
    reason: 'What grows shows within minutes at full load.',
    summary: 'How long the case memory takes',
  },
  'data-dir': {
    is: path,
    value: '<path>',
    default: './data/bench',
    reason: 'It must be on a real disk, and temporary folders often are not.',
    summary: 'Keeps data while it runs, and the report, here',
  },
  keep: {
    is: onOff,
    isSwitch: true,
    reason: 'It is large.',
    summary: 'Leaves data and logs of the servers there',
  },
  json: {
    is: onOff,
    isSwitch: true,
    reason: 'People read tables.',
    summary: 'Prints JSON instead of Markdown',
  },
  help: flags.help,
} as const satisfies SettingTable

/** Cases that compare other systems than the rest, or one alone. */
const ownSystems: readonly CaseName[] = ['overload', 'keys']

process.exitCode = await main()

async function main(): Promise<number> {
  try {
    if (wantsHelp(process.argv.slice(2))) {
      console.log(helpText('Quorate beside etcd and Redis.', 'npm run bench -- [flags]', benchFlags))
      return 0
    }
    return await run(readSettings(benchFlags, { argv: process.argv.slice(2), env: {} }))
  } catch (error) {
    console.error(error instanceof SettingError ? error.message : error)
    return error instanceof SettingError ? 2 : 1
  }
}

async function run(given: ReturnType<typeof readSettings<typeof benchFlags>>): Promise<number> {
  const folder = resolve(given['data-dir'])
  mkdirSync(folder, { recursive: true })
  if (isInMemory(folder))
    throw new SettingError('bad-value', '--data-dir', `${folder} is in memory, not on a disk.`)
  const settings: BenchSettings = {
    ...given,
    warmUpSeconds: 1,
    manyKeys: given['many-keys'],
    fewKeys: given['few-keys'],
    memorySeconds: given['memory-seconds'],
  }
  const directory = mkdtempSync(join(folder, 'run-'))
  // Signals end the process the ordinary way, so that the servers end with it.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  process.once('exit', () => {
    if (given.keep !== true) rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  })
  tell('building the load generator, looking at the machine')
  const generator = buildGenerator(folder)
  const machine = describeMachine(folder)
  const bench = new Bench(settings, { directory, generator, valueBytes: given['value-bytes'] }, tell)
  let failure: unknown
  try {
    await runCases(bench, given.cases)
  } catch (error) {
    failure = error
    bench.note(`The run broke off: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    await bench.close()
  }
  const command = [
    'npm run bench',
    ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : []),
  ].join(' ')
  const markdown = markdownReport(bench.findings, machine, command, settings)
  const json = JSON.stringify({ command, machine, settings, ...bench.findings })
  writeFileSync(join(folder, 'report.md'), markdown)
  writeFileSync(join(folder, 'report.json'), json)
  console.log(given.json === true ? json : markdown)
  return failure === undefined ? 0 : 1
}

async function runCases(bench: Bench, names: readonly CaseName[]): Promise<void> {
  const others: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
    failover: measureFailover,
    redis: compareWithRedis,
    restart: measureRestart,
    memory: measureMemory,
  }
  // Cases that compare the same systems share their rounds: so a noisy minute does not fall on one case alone.
  const shared = caseNames.filter(name => names.includes(name) && !ownSystems.includes(name))
  await runGridsIfAny(bench, shared)
  for (const name of caseNames.filter(name => names.includes(name))) {
    if (ownSystems.includes(name)) await runGridsIfAny(bench, [name])
    await others[name]?.(bench)
  }
}

async function runGridsIfAny(bench: Bench, names: readonly CaseName[]): Promise<void> {
  const grids: Grid[] = names.flatMap(name => gridsOf(name, bench.settings))
  if (grids.length > 0) await runGrids(bench, grids)
}

/** Progress goes to standard error, so that the report can be sent to a file. */
function tell(line: string): void {
  console.error(`${new Date().toISOString().slice(11, 19)} ${line}`)
}
