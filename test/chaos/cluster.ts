/** The nodes of a round: processes on hosts of their own, whose every end that was not ours is noticed. */
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { leaderShownBy } from '../e2e/cluster-state.js'
import { TestNode, type TestProcess, waitFor } from '../support/processes.js'
import { type PlannedHost, type RoundPlan, through } from './plan.js'

/** Once everything is healed a leader must be there within this time, even on a busy machine. */
const leaderDeadlineMs = 20_000
const clientPort = 5000

/** A node and where it is. */
export interface Member {
  readonly host: PlannedHost
  readonly node: TestNode
}

/** See the head of this file. */
export class ChaosCluster {
  readonly members: readonly Member[]
  readonly #directory: string
  readonly #expectedToEnd = new Set<TestProcess>()

  constructor({ hosts, directory }: RoundPlan) {
    this.#directory = directory
    const list = hosts.map(({ address }) => address).join(',')
    this.members = hosts.map(host => {
      const options = {
        host: host.address,
        port: clientPort,
        peerPort: clientPort + 1000,
        dataDirectory: join(directory, 'data', host.name),
        flags: [`--cluster=${list}`],
        through: through(host),
      }
      return { host, node: new TestNode(options) }
    })
  }

  /** Starts all and waits for the first leader. */
  async start(): Promise<void> {
    await Promise.all(this.members.map(({ node }) => node.start()))
    await this.roles()
  }

  /** Kills a node (SIGKILL) and waits until it is gone. */
  async kill(member: Member): Promise<void> {
    this.#expectedToEnd.add(member.node.process)
    await member.node.kill()
    this.#keepOutput(member)
  }

  /** Starts a killed one again, without waiting for it. */
  restart({ node }: Member): void {
    node.launch()
  }

  /** Waits until all nodes agree on a leader. Fails if they do not in time: they must, once all is healed. */
  async roles(): Promise<{ readonly leader: Member; readonly followers: readonly Member[] }> {
    const leader = await waitFor(
      async () => {
        this.failOnUnexpectedEnd()
        const shown = await Promise.all(this.members.map(({ node }) => leaderShownBy(node)))
        const [first] = shown
        // A node is shown as its host, where it has the default port.
        const found = this.members.find(({ host, node }) =>
          [host.address, node.address].includes(first ?? ''),
        )
        return shown.every(other => other === first) && found
      },
      leaderDeadlineMs,
      'all nodes to agree on a leader, with every fault healed',
    )
    return { leader, followers: this.members.filter(member => member !== leader) }
  }

  /** Throws if a node ended that nobody killed. */
  failOnUnexpectedEnd(): void {
    for (const { host, node } of this.members) {
      const { exit } = node.process
      if (exit !== undefined && !this.#expectedToEnd.has(node.process)) {
        throw new Error(`${host.name} ended by itself (${exit.code ?? exit.signal}): ${node.process.output}`)
      }
    }
  }

  /** Ends all of them. */
  async end(): Promise<void> {
    await Promise.all(
      this.members.filter(({ node }) => node.process.isRunning).map(member => this.kill(member)),
    )
  }

  #keepOutput({ host, node }: Member): void {
    appendFileSync(join(this.#directory, `${host.name}.log`), node.process.output)
  }
}
