/** A ring of real processes that can be divided, and what tests ask of it. */
import { freePortPair } from '../support/ports.js'
import { TestNode, type TestNodeOptions, waitFor } from '../support/processes.js'
import { patienceMs } from './cluster-state.js'
import { DivisibleNetwork, outerHost } from './divisible-network.js'

/** Patient with a busy machine: whoever does not answer a request is noticed by that, whatever these are. */
const times = ['--heartbeat-interval=50', '--election-timeout=2000', '--node-timeout=4']

/** A node and its name in the ring: the address at which others reach it. */
export interface RingNode {
  readonly address: string
  readonly node: TestNode
}

/** See the head of this file. */
export class RingLab {
  readonly network = new DivisibleNetwork()
  readonly nodes: RingNode[] = []

  /** Starts a ring of so many nodes and waits until each knows all. */
  async start(count: number, flags: readonly string[] = []): Promise<void> {
    const planned = await Promise.all(Array.from({ length: count }, () => freePortPair()))
    const list = planned.map(({ port }) => `${outerHost}:${port}`).join(',')
    await Promise.all(planned.map(pair => this.#launch(pair, [`--cluster=${list}`, ...flags])))
    this.nodes.sort((one, other) => one.node.port - other.node.port)
    await this.waitForQuiet()
  }

  /** Starts one more node, by itself, with further flags. */
  async startAnother(flags: readonly string[] = []): Promise<RingNode> {
    return this.#launch(await freePortPair(), flags)
  }

  /** The nodes of a key, owners first and in order, as the first node says. */
  async ownersOf(key: string): Promise<{ readonly owners: RingNode[]; readonly others: RingNode[] }> {
    const [first] = this.nodes
    const [reply = ''] = first === undefined ? [] : await type(first, `lookup ${key}`)
    const addresses = reply.slice(`${key}: `.length).split(', ')
    const owners = addresses.flatMap(address => this.nodes.filter(one => one.address === address))
    return { owners, others: this.nodes.filter(one => !owners.includes(one)) }
  }

  /** Divides the nodes into these groups. */
  divide(...groups: readonly (readonly RingNode[])[]): void {
    this.network.divide(...groups.map(group => group.map(({ address }) => address)))
  }

  /** Makes the network whole and waits until everybody hears everybody, and nothing waits for anybody. */
  async heal(): Promise<void> {
    this.network.heal()
    const addresses = this.nodes.map(({ address }) => address)
    await waitFor(() => this.network.isConnected(addresses), patienceMs, 'all nodes to be connected again')
    await this.waitForQuiet()
  }

  /** Waits until every node that runs says that all are in sync. */
  async waitForQuiet(nodes: readonly RingNode[] = this.nodes): Promise<void> {
    await this.waitForActive(nodes)
    for (const { node, address } of nodes) {
      await waitFor(
        async () => {
          const said = await node.status()
          return said.kind === 'status' && said.text.includes('All nodes in sync.')
        },
        patienceMs,
        () => `${address} to be in sync; it said:\n${node.process.output}`,
      )
    }
  }

  /** Waits until each of these nodes counts exactly these as active. */
  async waitForActive(nodes: readonly RingNode[]): Promise<void> {
    const expected = nodes
      .map(({ address }) => address)
      .sort()
      .join(', ')
    for (const { node, address } of nodes) {
      await waitFor(
        async () => {
          const said = await node.status()
          if (said.kind !== 'status') return false
          const [, active = ''] = /^Active Nodes: \[(.*)\]$/m.exec(said.text) ?? []
          return active.split(', ').sort().join(', ') === expected
        },
        patienceMs,
        () => `${address} to count as active ${expected}; it said:\n${node.process.output}`,
      )
    }
  }

  async #launch(
    { port, peerPort }: { readonly port: number; readonly peerPort: number },
    flags: readonly string[],
  ): Promise<RingNode> {
    await this.network.admit(port, peerPort)
    const own = ['--engine=ring', `--advertise=${outerHost}:${port}`, ...times]
    const options: TestNodeOptions = { flags: [...own, ...flags] }
    const node = new TestNode({ ...options, port, peerPort })
    const placed = { address: `${outerHost}:${port}`, node }
    this.nodes.push(placed)
    await node.start()
    return placed
  }
}

/** Types lines at a node, and gives everything it answers, as lines. */
export async function type({ node }: RingNode, ...lines: readonly string[]): Promise<string[]> {
  const client = await node.connect()
  client.send(lines.map(line => `${line}\n`).join(''))
  client.end()
  return client.rest()
}

/** What `get` finds: the values, sorted, and the context that covers them. */
export interface Found {
  readonly values: readonly string[]
  readonly context: string
}

/** Reads a key in the JSON dialect; undefined where it is not found. Fails on any other error. */
export async function read(at: RingNode, key: string, quorum?: number): Promise<Found | undefined> {
  const [line = '{}'] = await type(at, JSON.stringify({ op: 'get', key, quorum }))
  // It is what a node answers; what is missing fails the test.
  const reply = JSON.parse(line) as {
    ok: boolean
    code?: string
    message?: string
    context: string
    versions: { value: string; context: string }[]
  }
  if (reply.code === 'KEY_NOT_FOUND') return undefined
  if (!reply.ok) throw new Error(`${at.address}: get ${key}: ${reply.message}`)
  return { values: reply.versions.map(({ value }) => value).sort(), context: reply.context }
}

/** The context that a reply of the text dialect ends with. */
export function contextOf(reply: string | undefined): string {
  const context = /Context: (\S+)$/.exec(reply ?? '')?.[1]
  if (context === undefined) throw new Error(`'${reply}' has no context`)
  return context
}
