#!/usr/bin/env node
/**
 * `quorate-bench`: load over real sockets, with percentiles of the latency, and then a look whether what was
 * acknowledged is there. Writes keys of its own names (`key000000000` and so on) into the database it is pointed
 * at. Ends with 0 when all is well, 1 when something acknowledged is missing or nothing could be done, 2 when it
 * was called with settings that cannot be.
 *
 * All of it runs on one core. Where that is the bottleneck, the table says so.
 */
import { randomBytes } from 'node:crypto'
import { askStatus } from '../src/node/ask-status.js'
import { flags, helpText } from '../src/node/flags.js'
import { readSettings, SettingError, type SettingTable, wantsHelp } from '../src/node/settings.js'
import { addresses, choice, count, counts, onOff } from '../src/node/values.js'
import { programVersion } from '../src/node/version.js'
import { fullAddress, parseAddress } from '../src/protocol/address.js'
import { type DialectName, dialects } from './bench/dialects.js'
import { Ledger, valueBytesMin } from './bench/ledger.js'
import { type Choice, Load } from './bench/load.js'
import { readBack } from './bench/read-back.js'
import { liveLine, readBackText, stageTable } from './bench/report.js'
import { runStage, type StageReport } from './bench/stage.js'

const clientsMax = 4096

const benchFlags = {
  target: {
    is: addresses,
    value: '<host>:<port>[,...]',
    default: '127.0.0.1:5000',
    reason: 'What npm start gives.',
    summary: 'The nodes; connections go to them in turn',
  },
  aim: {
    is: choice(['all', 'leader']),
    value: 'all|leader',
    default: 'all',
    reason: 'Most clients do not know who leads.',
    summary: 'Whether connections go to all targets or only to the leader among them',
  },
  dialect: {
    is: choice(['text', 'json', 'resp']),
    value: 'text|json|resp',
    default: 'text',
    reason: 'It is what people type.',
    summary: 'What is spoken',
  },
  clients: {
    is: counts(1, clientsMax),
    value: '<n>[,...]',
    default: '1,16,64,256',
    reason: 'From the time that one request takes to what the servers can bear.',
    summary: 'Connections, each in a closed loop; for each number a stage is run',
  },
  pipeline: {
    is: counts(1, 1024),
    value: '<n>[,...]',
    default: '1',
    reason: 'Most clients wait for an answer.',
    summary: 'Requests that a connection has on their way; for each number stages are run',
  },
  reads: {
    is: count(0, 100),
    value: '<n>',
    default: '0',
    reason: 'Writes are what costs.',
    summary: 'Reads in a hundred requests; the rest are writes',
  },
  'value-bytes': {
    is: count(valueBytesMin, 1_000_000),
    value: '<n>',
    default: '100',
    reason: 'A small record.',
    summary: 'Length of a value',
  },
  keys: {
    is: count(1, 10_000_000),
    value: '<n>',
    default: '100000',
    reason: 'More than fits into any cache by chance.',
    summary: 'How many keys there are; with --reads all of them are written first',
  },
  seconds: {
    is: count(1, 86_400),
    value: '<n>',
    default: '10',
    reason: 'Long enough for a garbage collection or two.',
    summary: 'How long each stage runs',
  },
  sample: {
    is: count(0, 10_000_000),
    value: '<n>',
    default: '10000',
    reason: 'It takes about a second.',
    summary: 'How many keys are read back at the end, at most',
  },
  json: {
    is: onOff,
    isSwitch: true,
    reason: 'People read tables.',
    summary: 'Prints one JSON object instead of the table',
  },
  help: flags.help,
  version: flags.version,
} as const satisfies SettingTable

/** All is well; something is missing or nothing could be done; called with settings that cannot be. */
const exitCodes = { ok: 0, failed: 1, usage: 2 } as const

/** How many connections and requests at a time write the keys that are to be read. */
const fillClientsMax = 16
const fillPipeline = 32
const fillShownEvery = 10_000
const statusDeadlineMs = 5000

process.exitCode = await main()

async function main(): Promise<number> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    complain(error.message)
    return error instanceof SettingError ? exitCodes.usage : exitCodes.failed
  }
}

async function run(): Promise<number> {
  if (wantsHelp(process.argv.slice(2))) {
    print(helpText('Load for a database, with latency percentiles.', 'quorate-bench [flags]', benchFlags))
    return exitCodes.ok
  }
  const settings = readSettings(benchFlags, { argv: process.argv.slice(2), env: process.env })
  if (settings.version === true) {
    print(programVersion())
    return exitCodes.ok
  }
  const { keys, reads, seconds } = settings
  if (Math.max(...settings.clients) > keys) {
    const why = 'each client writes keys of its own, so there must be as many keys as clients.'
    throw new SettingError('conflict', '--keys', `--keys: ${why}`)
  }
  const dialect = dialects[settings.dialect]
  const ledger = new Ledger(keys, settings['value-bytes'], randomBytes(4).toString('hex'))
  const targets = settings.aim === 'leader' ? [await leaderOf(settings.target)] : settings.target
  if (reads > 0) await fill(targets, settings.dialect, ledger)

  const stages: StageReport[] = []
  for (const pipeline of settings.pipeline) {
    for (const clients of settings.clients) {
      const choose = chooser(keys, clients, reads)
      const plan = { targets, clients, pipeline, dialect, ledger, seconds, reads, choose }
      stages.push(
        await runStage(plan, (load, elapsed) => showLive(liveLine(clients, load, elapsed, seconds))),
      )
    }
  }
  showLive('reading back what was acknowledged')
  const found = await readBack(ledger, dialect, targets, settings.sample)
  showLive('')
  if (settings.json === true) {
    const { target, dialect, keys } = settings
    const valueBytes = settings['value-bytes']
    print(JSON.stringify({ target, dialect, keys, valueBytes, seconds, stages, readBack: found }))
  } else {
    print(stageTable(stages))
    print(readBackText(found))
  }
  if (found.missing.length > 0 || found.unread > 0) {
    complain('what was acknowledged is not there.')
    return exitCodes.failed
  }
  if (stages.some(({ operations }) => operations === 0)) {
    complain('nothing was done.')
    return exitCodes.failed
  }
  return exitCodes.ok
}

/** Reads anywhere; writes only to keys that no other client of the stage writes, so that it is known what they hold. */
function chooser(keys: number, clients: number, reads: number): (client: number) => Choice {
  return client => {
    if (Math.random() * 100 < reads) return { key: Math.floor(Math.random() * keys), isRead: true }
    const own = Math.ceil((keys - client) / clients)
    return { key: client + clients * Math.floor(Math.random() * own), isRead: false }
  }
}

/** Writes every key once. */
async function fill(targets: readonly string[], dialect: DialectName, ledger: Ledger): Promise<void> {
  let next = 0
  const load = new Load({
    targets,
    clients: Math.min(fillClientsMax, ledger.keys),
    pipeline: fillPipeline,
    dialect: dialects[dialect],
    ledger,
    choose: () => {
      if (next % fillShownEvery === 0) showLive(`writing the keys: ${next} of ${ledger.keys}`)
      return next < ledger.keys ? { key: next++, isRead: false } : undefined
    },
  })
  try {
    await load.connect()
    await load.run()
  } finally {
    load.close()
  }
  if (load.done < ledger.keys) {
    const [[text] = ['']] = load.errors
    throw new Error(`only ${load.done} of ${ledger.keys} keys could be written: ${text}`)
  }
}

/** Which of the targets leads, by what they say of each other. */
async function leaderOf(targets: readonly string[]): Promise<string> {
  let answer = 'there are no targets'
  for (const target of targets) {
    const address = parseAddress(target)
    if (address === undefined) continue
    const said = await askStatus(address.host, address.port, statusDeadlineMs)
    if (said.kind !== 'status') {
      answer = said.kind === 'silent' ? said.why : said.text
      continue
    }
    const leader = said.leader === undefined ? undefined : fullAddress(said.leader)
    const known = targets.find(one => one === leader)
    if (known !== undefined) return known
    answer = leader === undefined ? 'there is no leader' : `the leader, ${leader}, is not among them`
  }
  throw new Error(`none of the targets is known to lead: ${answer}.`)
}

/** Shows a line in place of the last one; only on a terminal, where lines can be replaced. */
function showLive(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function complain(line: string): void {
  process.stderr.write(`quorate-bench: ${line}\n`)
}
