#!/usr/bin/env node
/**
 * `quorate-cluster`: a cluster on this machine, to try things out. Flags in, exit code out; how the nodes are run is in
 * src/node/run-local-cluster.ts.
 */
import { fileURLToPath } from 'node:url'
import { readConfig } from '../src/node/config.js'
import { flags, helpText } from '../src/node/flags.js'
import { nodeFlags, planNodes } from '../src/node/local-cluster.js'
import { portProblem } from '../src/node/local-ports.js'
import { runLocalCluster } from '../src/node/run-local-cluster.js'
import { readSettings, SettingError, type SettingTable, wantsHelp } from '../src/node/settings.js'
import { count } from '../src/node/values.js'
import { programVersion } from '../src/node/version.js'

/** Settings that every node is given as they are. */
const passedOn = {
  engine: flags.engine,
  'replication-factor': flags['replication-factor'],
  'election-timeout': flags['election-timeout'],
  'heartbeat-interval': flags['heartbeat-interval'],
  'request-timeout': flags['request-timeout'],
  'node-timeout': flags['node-timeout'],
  evict: flags.evict,
  reads: flags.reads,
  'max-line': flags['max-line'],
  'max-connections': flags['max-connections'],
  'log-level': flags['log-level'],
  banner: flags.banner,
} as const satisfies SettingTable

/** The settings of this program. */
const clusterFlags = {
  nodes: {
    is: count(1, 99),
    value: '<n>',
    default: '3',
    reason: 'The smallest number that survives the loss of one.',
    summary: 'How many nodes',
  },
  port: { ...flags.port, summary: 'Client port of the first node; the others count up from it' },
  'data-dir': {
    ...flags['data-dir'],
    default: './data',
    defaultShown: './data',
    reason: 'Started again in the same folder, the cluster has its data.',
    summary: 'Keeps each data directory and log here, under the client port of its node',
  },
  ...passedOn,
  help: flags.help,
  version: flags.version,
} as const satisfies SettingTable

/** Ended as asked; failed; called with settings that cannot be. The same as those of a node. */
const exitCodes = { ok: 0, failed: 1, usage: 2 } as const

const program = fileURLToPath(new URL('./quorate.js', import.meta.url))
const isNpmStart = process.env['npm_lifecycle_event'] === 'start'
const thisCommand = isNpmStart ? 'npm start --' : 'quorate-cluster'

process.exitCode = await main()

async function main(): Promise<number> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof SettingError) {
      complain(error.message)
      return exitCodes.usage
    }
    if (!isSystemError(error)) throw error
    complain(`cannot start: ${error.message}`)
    return exitCodes.failed
  }
}

async function run(): Promise<number> {
  if (wantsHelp(process.argv.slice(2))) {
    print(helpText('A cluster on this machine, to try things out.', 'quorate-cluster [flags]', clusterFlags))
    return exitCodes.ok
  }
  const settings = readSettings(clusterFlags, { argv: process.argv.slice(2), env: process.env })
  if (settings.version === true) {
    print(programVersion())
    return exitCodes.ok
  }
  const nodes = planNodes(settings.nodes, settings.port, settings['data-dir'])
  const extra = passedOnFlags(settings)
  // What the nodes would refuse is refused here, once and before anything is started.
  for (const node of nodes) readConfig({ argv: nodeFlags(node, nodes, extra), env: {} })
  const problem = await portProblem(nodes, thisCommand)
  if (problem !== undefined) {
    complain(problem)
    return exitCodes.failed
  }
  const { wasStopped } = await runLocalCluster({ nodes, program, flags: extra, print })
  if (wasStopped) {
    print('Stopped.')
    return exitCodes.ok
  }
  complain('all nodes have ended.')
  return exitCodes.failed
}

/** The settings that are passed on, as flags. */
function passedOnFlags(settings: Readonly<Record<string, unknown>>): string[] {
  const rows: SettingTable = passedOn
  return Object.entries(rows).flatMap(([name, row]) => {
    const value = settings[name]
    if (value === undefined) return []
    return [`--${name}=${String(value)}${row.unit === 'ms' || row.unit === 's' ? 'ms' : ''}`]
  })
}

function isSystemError(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function complain(line: string): void {
  process.stderr.write(`quorate-cluster: ${line}\n`)
}
