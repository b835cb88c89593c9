/**
 * Faults of the network between hosts in namespaces of one subnet.
 *
 * A direction is blocked by telling the sender a wrong hardware address for the receiver: the packets leave
 * and nobody takes them, which neither side can notice but by silence. It needs no packet filter, which small
 * kernels lack. Delay and loss come from `tc`: by netem where the kernel has it, else by a narrow link with a
 * short queue (tbf), on which a busy sender gets both.
 */
import { spawn } from 'node:child_process'
import type { PlannedHost } from './plan.js'

/** Nobody has it: it is of the range for private use, and the kernel draws 46 bits by chance. */
const nobodysHardwareAddress = '02:00:00:00:00:01'

const slowness = {
  netem: ['netem', 'delay', '40ms', '20ms', 'loss', '3%'],
  tbf: ['tbf', 'rate', '1mbit', 'burst', '3200', 'latency', '150ms'],
} as const

/** How links can be made slow here. */
export type Slowness = keyof typeof slowness

/** One direction: what `from` sends to `to`. */
export interface Way {
  readonly from: PlannedHost
  readonly to: PlannedHost
}

/** Blocks these directions until {@link unblock} is called for them. */
export function block(ways: readonly Way[]): Promise<void> {
  return onSenders(
    ways,
    ({ to }) => `neigh replace ${to.address} lladdr ${nobodysHardwareAddress} nud permanent dev eth0`,
  )
}

/** Lets these directions, which must be blocked, through again. */
export function unblock(ways: readonly Way[]): Promise<void> {
  return onSenders(ways, ({ to }) => `neigh del ${to.address} dev eth0`)
}

/** Both directions between each of one group and each of another. */
export function between(group: readonly PlannedHost[], others: readonly PlannedHost[]): Way[] {
  return group.flatMap(one =>
    others.flatMap(other => [
      { from: one, to: other },
      { from: other, to: one },
    ]),
  )
}

/** Which way of making links slow the kernel has: the better one, or undefined. */
export async function probeSlowness(host: PlannedHost): Promise<Slowness | undefined> {
  for (const kind of ['netem', 'tbf'] as const) {
    try {
      await slowDown([host], kind)
      await speedUp([host])
      return kind
    } catch {
      // Not in this kernel.
    }
  }
  return undefined
}

/** Makes what these hosts send slow and lossy. */
export async function slowDown(hosts: readonly PlannedHost[], kind: Slowness): Promise<void> {
  await Promise.all(
    hosts.map(({ namespace }) =>
      run('tc', ['-n', namespace, 'qdisc', 'replace', 'dev', 'eth0', 'root', ...slowness[kind]]),
    ),
  )
}

/** Undoes {@link slowDown}. */
export async function speedUp(hosts: readonly PlannedHost[]): Promise<void> {
  await Promise.all(
    hosts.map(({ namespace }) => run('tc', ['-n', namespace, 'qdisc', 'del', 'dev', 'eth0', 'root'])),
  )
}

/** Runs a command of `ip` for each way, all of one sender in one process, because a partition must be sudden. */
async function onSenders(ways: readonly Way[], command: (way: Way) => string): Promise<void> {
  const commands = new Map<string, string[]>()
  for (const way of ways) {
    const { namespace } = way.from
    commands.set(namespace, [...(commands.get(namespace) ?? []), command(way)])
  }
  await Promise.all(
    [...commands].map(([namespace, lines]) =>
      run('ip', ['-n', namespace, '-batch', '-'], lines.map(line => `${line}\n`).join('')),
    ),
  )
}

/** Not in one turn, as a synchronous child would be: the clients, who share our process, go on meanwhile. */
function run(command: string, words: readonly string[], input = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, { stdio: ['pipe', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk
    })
    child.once('error', reject)
    child.once('close', code => {
      if (code === 0) resolve()
      else reject(new Error(`${command} ${words.join(' ')}: ${said}`))
    })
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}
