/** Whether the ports of a cluster on this machine are free, and what to do if they are not. */
import { type LocalNode, localHost, planNodes } from './local-cluster.js'
import { portsTaken } from './ports.js'

/**
 * What is wrong with the ports of these nodes, and what to do, where `command` is what people type to start a cluster;
 * undefined if all of them are free.
 */
export async function portProblem(nodes: readonly LocalNode[], command: string): Promise<string | undefined> {
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
  const advice = free === undefined ? '' : `, or choose other ports: ${command} --port ${free}`
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
