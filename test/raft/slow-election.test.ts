import { expect } from 'chai'
import { Cluster, type Letter, named } from './cluster.js'
import { options } from './simulated-node.js'

/** Nodes that all tick together, over a network on which every message takes a number of ticks. */
class SlowCluster {
  readonly #cluster: Cluster
  readonly #delayTicks: number
  #tick = 0
  #travelling: { readonly letter: Letter; readonly dueTick: number }[] = []

  constructor(seed: string, nodes: number, delayTicks: number) {
    this.#cluster = new Cluster(seed)
    this.#delayTicks = delayTicks
    const ids = Array.from({ length: nodes }, (_, position) => named(`${position + 1}`))
    this.#cluster.found(ids, 'linearizable')
  }

  /** How many ticks it takes until somebody leads; fails after `ticksMax`. */
  ticksToLeader(ticksMax: number): number {
    for (let tick = 0; tick < ticksMax; tick++) {
      if ([...this.#cluster.nodes.values()].some(({ raft }) => raft.serving !== undefined)) return tick
      this.#passTick()
    }
    throw new Error(`nobody leads after ${ticksMax} ticks`)
  }

  crashLeader(): void {
    const leader = [...this.#cluster.nodes.values()].find(({ raft }) => raft.serving !== undefined)
    if (leader === undefined) throw new Error('nobody leads')
    this.#cluster.crash(leader.id)
    for (const id of this.#cluster.nodes.keys())
      this.#cluster.do(id, ({ raft }) => raft.disconnected(leader.id))
  }

  #passTick(): void {
    this.#tick++
    for (const id of this.#cluster.nodes.keys()) this.#cluster.do(id, ({ raft }) => raft.tick(1))
    this.#post()
    const due = this.#travelling.filter(({ dueTick }) => dueTick <= this.#tick)
    this.#travelling = this.#travelling.filter(({ dueTick }) => dueTick > this.#tick)
    for (const { letter } of due) this.#cluster.deliver(letter)
    this.#post()
    this.#cluster.takeLines()
  }

  #post(): void {
    const dueTick = this.#tick + this.#delayTicks
    for (const letter of this.#cluster.letters.splice(0)) this.#travelling.push({ letter, dueTick })
  }
}

describe('an election on a slow network', () => {
  for (const nodes of [2, 3, 4, 5]) {
    it(`is won by one of ${nodes} nodes, though their answers take longer than they wait at first`, () => {
      for (let seed = 0; seed < 20; seed++) {
        const cluster = new SlowCluster(`${seed}`, nodes, 4)
        expect(cluster.ticksToLeader(50 * options.electionTicks)).to.be.above(0)
        if (nodes < 3) continue
        cluster.crashLeader()
        expect(cluster.ticksToLeader(50 * options.electionTicks)).to.be.above(0)
      }
    })
  }
})
