/** Questions that tests ask a running cluster: who leads, who is in sync, what a node's copy holds. */
import type { TestNode } from '../support/processes.js'
import { waitFor } from '../support/wait-for.js'

/** Far more than anything here takes; whoever runs into it waits for something that does not come. */
export const patienceMs = 20_000

/** The nodes of a cluster by what they do at the moment. */
export interface Roles {
  readonly leader: TestNode
  readonly followers: readonly TestNode[]
}

/** Waits until the running nodes agree on a leader among themselves. */
export async function rolesOf(nodes: readonly TestNode[]): Promise<Roles> {
  const running = nodes.filter(node => node.process.isRunning)
  const leader = await waitFor(
    async () => {
      const shown = await Promise.all(running.map(leaderShownBy))
      const [first] = shown
      return shown.every(other => other === first) && running.find(node => node.address === first)
    },
    patienceMs,
    'the nodes to agree on a leader',
  )
  return { leader, followers: running.filter(node => node !== leader) }
}

/** The leader as the node shows it; undefined while it knows none. */
export async function leaderShownBy(node: TestNode): Promise<string | undefined> {
  const said = await node.status()
  return said.kind === 'status' ? said.leader : undefined
}

/** The last line of `status`, as the node answers it. */
export async function syncStatusOf(node: TestNode): Promise<string> {
  const said = await node.status()
  return said.kind === 'status' ? (said.text.split('\n')[3] ?? '') : said.kind
}

/** Waits until the node says that everybody is in sync. */
export async function waitForSync(node: TestNode): Promise<void> {
  await waitFor(
    async () => (await syncStatusOf(node)) === 'Sync Status: All nodes in sync.',
    patienceMs,
    () => `${node.address} to say that all nodes are in sync; it said:\n${node.process.output}`,
  )
}

let marks = 0

/**
 * Waits until each node's own copy holds everything that was acknowledged before the call: a mark that is
 * written through `writer` now is there.
 */
export async function waitForCopies(writer: TestNode, nodes: readonly TestNode[]): Promise<void> {
  marks++
  const key = `mark:${marks}`
  const client = await writer.connect()
  await waitFor(async () => (await client.ask(`set ${key} here`)).startsWith('SUCCESS'), patienceMs, key)
  client.close()
  for (const node of nodes) {
    const reader = await waitFor(() => node.connect(), patienceMs, `${node.address} to listen`)
    await waitFor(
      async () => (await reader.ask(`get --local ${key}`)) === `${key} -> here`,
      patienceMs,
      () => `the copy of ${node.address} to catch up; it said:\n${node.process.output}`,
    )
    reader.close()
  }
}

/** Whether the node's log has an event of this kind, among its last lines. */
export function hasLogged(node: TestNode, event: string): boolean {
  return node.process.output.includes(`"event":"${event}"`)
}

/** Every key, as the node answers `keys`, page by page. */
export async function allKeys(node: TestNode, prefix = ''): Promise<string[]> {
  const client = await node.connect()
  const keys: string[] = []
  for (let isMore = true; isMore; ) {
    const last = keys.at(-1)
    const page = last === undefined ? `keys ${prefix}` : `keys --after ${last} ${prefix}`
    const head = await client.ask(page.trim())
    const count = /^(\d+) keys?(, more follow)?/.exec(head)
    if (count === null) throw new Error(`'${page}' was answered '${head}'`)
    keys.push(...(await client.lines(Number(count[1]))))
    isMore = count[2] !== undefined
  }
  client.close()
  return keys
}

/** The middle one and the last of some durations, for people to read. */
export function medianAndWorst(durationsMs: readonly number[]): string {
  const sorted = [...durationsMs].sort((left, right) => left - right)
  const median = sorted[Math.floor(sorted.length / 2)]
  return `median ${median?.toFixed(0)} ms, worst ${sorted.at(-1)?.toFixed(0)} ms of ${sorted.length}`
}
