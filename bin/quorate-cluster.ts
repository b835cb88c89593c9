#!/usr/bin/env node
/**
 * `quorate-cluster`: a cluster on this machine, to try things out. Starts the nodes, says how to talk to them,
 * reports each exit, and stops all of them on Ctrl-C. How they are run is in src/node/local-cluster.ts.
 *
 * The terminal stays quiet: a node's warnings and errors appear on it, everything else is in its log file.
 */
import { relative } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { unreachable } from '../src/base/assert.js'
import type { StatusAnswer } from '../src/node/ask-status.js'
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
import { fullAddress } from '../src/protocol/address.js'

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
  const problem = await portProblem(nodes)
  if (problem !== undefined) {
    complain(problem)
    return exitCodes.failed
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
  let isReady = false
  const cluster = new LocalCluster({
    nodes,
    program,
    flags: extra,
    onLine: (node, line) => {
      // Between the start and the first leader, and while nodes stop, warnings only tell what is expected.
      const shown = forTerminal(line, isReady && !cluster.isStopping)
      if (shown !== undefined) print(`[${node.port}] ${shown}`)
    },
    onExit: (node, exit) => {
      if (!cluster.isStopping) print(exitReport(node, exit, cluster.running.length))
    },
  })
  onStop(
    () => {
      print(`\nStopping ${cluster.running.length} nodes. Another Ctrl-C kills them.`)
      cluster.stop()
    },
    () => cluster.kill(),
  )
  const serving = await waitUntilServing(cluster)
  if (serving !== undefined) {
    isReady = true
    print(greeting(cluster, nodes, serving.leader))
  }
  await cluster.allExited
  if (cluster.isStopping) {
    print('Stopped.')
    return exitCodes.ok
  }
  complain('all nodes have ended.')
  return exitCodes.failed
}

/** A cluster that serves, and its leader where it has one. */
interface Serving {
  readonly leader: string | undefined
}

/**
 * Waits until every node that runs serves, or one does and the others have had time to. Undefined when the nodes
 * end or are stopped before.
 */
async function waitUntilServing(cluster: LocalCluster): Promise<Serving | undefined> {
  const startedAtMs = performance.now()
  let servingSinceMs: number | undefined
  let told = ''
  while (!cluster.isStopping && cluster.running.length > 0) {
    const waiting: string[] = []
    let serving: Serving | undefined
    for (const [node, said] of await cluster.statuses()) {
      if (said.kind === 'status' && said.serves) serving ??= { leader: said.leader }
      else waiting.push(`${node.address} (${whyWaiting(said)})`)
    }
    const nowMs = performance.now()
    if (serving !== undefined) servingSinceMs ??= nowMs
    const isEnough = servingSinceMs !== undefined && nowMs - servingSinceMs > graceMs
    if (serving !== undefined && (waiting.length === 0 || isEnough)) return serving
    const text = `Waiting for ${waiting.join(', ')}.`
    if (nowMs - startedAtMs > patienceMs && waiting.length > 0 && text !== told) {
      print(text)
      told = text
    }
    await setTimeout(askIntervalMs)
  }
  return undefined
}

function whyWaiting(said: StatusAnswer): string {
  switch (said.kind) {
    case 'status':
      return said.text.includes('(leaderless)') ? 'waits for its ring' : 'knows no leader yet'
    case 'error':
      return said.text
    case 'silent':
      return said.why
    default:
      return unreachable(said)
  }
}

/** What is wrong with the ports, and what to do; undefined if all of them are free. */
async function portProblem(nodes: readonly LocalNode[]): Promise<string | undefined> {
  const taken = await portsTaken(localHost, portsOf(nodes))
  if (taken.size === 0) return undefined
  const inUse = [...taken].filter(([, code]) => code === 'EADDRINUSE').map(([port]) => port)
  const other = [...taken].find(([, code]) => code !== 'EADDRINUSE')
  const problem =
    other === undefined
      ? `${inUse.length === 1 ? 'port' : 'ports'} ${inUse.join(', ')} of ${localHost} ` +
        `${inUse.length === 1 ? 'is' : 'are'} in use, maybe by another cluster.`
      : `port ${other[0]} of ${localHost} cannot be used (${other[1]}).`
  const first = nodes[0]?.port ?? 0
  const free = await freeFirstPort(nodes.length, first)
  const advice = free === undefined ? '' : `, or choose other ports: ${thisCommand} --port ${free}`
  return `${problem}\nStop what uses it${advice}\n(data is kept by port, so that is another cluster).`
}

/** A first port whose whole block is free, not far above; undefined if there is none. */
async function freeFirstPort(count: number, above: number): Promise<number | undefined> {
  for (let first = above + 100; first <= above + 900; first += 100) {
    const ports = portsOf(planNodes(count, first, ''))
    if (Math.max(...ports) <= 65535 && (await portsTaken(localHost, ports)).size === 0) return first
  }
  return undefined
}

function portsOf(nodes: readonly LocalNode[]): number[] {
  return [...nodes.map(({ port }) => port), ...nodes.map(({ peerPort }) => peerPort)]
}

function greeting(cluster: LocalCluster, nodes: readonly LocalNode[], leader: string | undefined): string {
  const [first] = nodes
  const port = first?.port ?? 0
  // In full, as in the list below, although `status` leaves out a port 5000.
  const found = leader === undefined ? undefined : (fullAddress(leader) ?? leader)
  const ready =
    found === undefined
      ? `The ring of ${nodes.length} nodes is ready; it needs no leader.`
      : `The cluster of ${nodes.length} nodes is ready; its leader is ${found}.`
  return [
    '',
    `${ready} Talk to any of them, for example:`,
    '',
    `nc ${localHost} ${port}`,
    'put key1 value1',
    'get key1',
    'status',
    '',
    ...nodes.map(node => {
      const process = `process ${cluster.pidOf(node) ?? 'ended'}`
      return `${node.address}  ${process}, data in ${shownPath(node.dataDirectory)}, log in ${shownPath(node.logPath)}`
    }),
    '',
    'Kill one of them (kill -9) and go on. Ctrl-C stops all of it; the data stays.',
    '',
  ].join('\n')
}

function exitReport(node: LocalNode, { code, signal }: NodeExit, running: number): string {
  const how = signal === null ? `ended with exit code ${code ?? 'unknown'}` : `was killed by ${signal}`
  const rest = running === 1 ? '1 node goes on' : `${running} nodes go on`
  const again = `node ${shownPath(program)} --port ${node.port} --data-dir ${shownPath(node.dataDirectory)}`
  const report = `Node ${node.address} ${how} (log in ${shownPath(node.logPath)}).`
  return running === 0 ? report : `${report} ${rest}. To start it again: ${again}`
}

/** What the terminal shows of a line of a node's log: undefined for what only the log file needs. */
function forTerminal(line: string, withWarnings: boolean): string | undefined {
  const entry = readLogLine(line)
  // What is no log line is what a crash leaves behind.
  if (entry === undefined) return line
  const isGrave = entry.level === 'error' || entry.level === 'fatal'
  return isGrave || (withWarnings && entry.level === 'warn') ? `${entry.level}: ${entry.text}` : undefined
}

function readLogLine(line: string): { readonly level: string; readonly text: string } | undefined {
  try {
    const parsed: unknown = JSON.parse(line)
    if (typeof parsed !== 'object' || parsed === null) return undefined
    if (!('level' in parsed) || !('msg' in parsed)) return undefined
    return { level: String(parsed.level), text: String(parsed.msg) }
  } catch {
    return undefined
  }
}

function shownPath(path: string): string {
  const shown = relative(process.cwd(), path)
  return shown.startsWith('..') ? path : shown
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
