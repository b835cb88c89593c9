#!/usr/bin/env node
/**
 * `quorate-cluster`: a cluster on this machine, to try things out. Starts the nodes, says how to talk to them,
 * reports each exit, and stops all of them on Ctrl-C. How they are run is in src/node/local-cluster.ts.
 *
 * The terminal stays quiet: a node's warnings and errors appear on it, everything else is in its log file.
 */
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readConfig } from '../src/node/config.js'
import { flags, helpText } from '../src/node/flags.js'
import {
  LocalCluster,
  type LocalNode,
  localHost,
  type NodeExit,
  nodeFlags,
  planNodes,
} from '../src/node/local-cluster.js'
import { portsTaken } from '../src/node/ports.js'
import { readSettings, SettingError, type SettingTable, wantsHelp } from '../src/node/settings.js'
import { onStop } from '../src/node/signals.js'
import { count } from '../src/node/values.js'
import { programVersion } from '../src/node/version.js'

/** Settings that every node is given as they are. */
const passedOn = {
  engine: flags.engine,
  'election-timeout': flags['election-timeout'],
  'heartbeat-interval': flags['heartbeat-interval'],
  'request-timeout': flags['request-timeout'],
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

/** How often nodes are asked whether they serve while they start. */
const askIntervalMs = 50
/** A start that takes longer than this says what it waits for. */
const patienceMs = 2000
/** How long the rest may take to find a leader that one node knows. */
const graceMs = 1000

const program = fileURLToPath(new URL('./quorate.js', import.meta.url))
const isNpmStart = process.env['npm_lifecycle_event'] === 'start'
const thisCommand = isNpmStart ? 'npm start --' : 'quorate-cluster'

process.exitCode = await main()

async function main(): Promise<number> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof SettingError) complain(error.message)
    else if (isSystemError(error)) complain(`cannot start: ${error.message}`)
    else throw error
    return 1
  }
}

async function run(): Promise<number> {
  if (wantsHelp(process.argv.slice(2))) {
    print(helpText('A cluster on this machine, to try things out.', 'quorate-cluster [flags]', clusterFlags))
    return 0
  }
  const settings = readSettings(clusterFlags, { argv: process.argv.slice(2), env: process.env })
  if (settings.version === true) {
    print(programVersion())
    return 0
  }
  const nodes = planNodes(settings.nodes, settings.port, settings['data-dir'])
  const extra = passedOnFlags(settings)
  // What the nodes would refuse is refused here, once and before anything is started.
  for (const node of nodes) readConfig({ argv: nodeFlags(node, nodes, extra), env: {} })
  const problem = await portProblem(nodes)
  if (problem !== undefined) {
    complain(problem)
    return 1
  }
  return runCluster(nodes, extra)
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

async function runCluster(nodes: readonly LocalNode[], extra: readonly string[]): Promise<number> {
  // Between the start and the first leader, and while nodes stop, warnings only tell what is expected.
  let isReady = false
  let stopsAsked = 0
  const cluster = new LocalCluster({
    nodes,
    program,
    flags: extra,
    onLine: (node, line) => {
      const shown = forTerminal(line, isReady && stopsAsked === 0)
      if (shown !== undefined) print(`[${node.port}] ${shown}`)
    },
    onExit: (node, exit) => {
      if (stopsAsked === 0) reportExit(node, exit, cluster)
    },
  })
  process.on('SIGINT', () => {
    // The first one is the business of onStop; whoever presses again does not want to wait.
    stopsAsked++
    if (stopsAsked > 1) cluster.kill()
  })
  onStop(
    () => {
      stopsAsked = Math.max(1, stopsAsked)
      print(`Stopping ${cluster.running.length} nodes (Ctrl-C again kills them).`)
      cluster.stop()
    },
    () => cluster.kill(),
  )
  const leader = await waitUntilServing(cluster)
  if (leader !== undefined) {
    isReady = true
    greet(nodes, leader)
  }
  await cluster.allExited
  if (stopsAsked === 0) {
    complain('all nodes have ended.')
    return 1
  }
  print('Stopped.')
  return 0
}
