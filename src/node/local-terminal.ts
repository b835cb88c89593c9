/**
 * What people see of a cluster on this machine. The terminal stays quiet: a node's warnings and errors appear on it,
 * everything else is in its log file.
 */
import { relative } from 'node:path'
import { fullAddress } from '../protocol/address.js'
import { type LocalCluster, type LocalNode, localHost, type NodeExit } from './local-cluster.js'

/** That a cluster is ready, how to talk to it, and where its nodes are; `leader` is undefined where none is needed. */
export function greeting(
  cluster: LocalCluster,
  nodes: readonly LocalNode[],
  leader: string | undefined,
): string {
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

/** That a node ended, and how to start it again with `program`, if other nodes run on. */
export function exitReport(
  node: LocalNode,
  { code, signal }: NodeExit,
  running: number,
  program: string,
): string {
  const how = signal === null ? `ended with exit code ${code ?? 'unknown'}` : `was killed by ${signal}`
  const rest = running === 1 ? '1 node goes on' : `${running} nodes go on`
  const again = `node ${shownPath(program)} --port ${node.port} --data-dir ${shownPath(node.dataDirectory)}`
  const report = `Node ${node.address} ${how} (log in ${shownPath(node.logPath)}).`
  return running === 0 ? report : `${report} ${rest}. To start it again: ${again}`
}

/** What the terminal shows of a line that a node wrote: undefined for what only the log file needs. */
export function forTerminal(line: string, withWarnings: boolean): string | undefined {
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
