import { expect } from 'chai'
import { type LogIndex, logIndex, type NodeId } from '../../src/base/ids.js'
import { type Random, seededRandom } from '../../src/base/random.js'
import { findMember, voters, withLearner, without, withVoter } from '../../src/raft/configuration.js'
import type { Configuration, ReadMode } from '../../src/raft/types.js'
import { Cluster, describe as describeMember, named } from './cluster.js'

/**
 * A cluster to which anything happens by chance: messages are lost, repeated and reordered, nodes crash, flushes
 * take their time, members come and go. The cluster checks after every step what must always hold.
 */
export class Adversity {
  readonly #random: Random
  readonly #cluster: Cluster
  readonly #all = ['1', '2', '3', '4', '5'].map(named)
  readonly #reads: ReadMode
  #writes = 0
  #asked = 0
  #history: string[] = []

  constructor(seed: string) {
    this.#random = seededRandom(seed)
    this.#cluster = new Cluster(seed)
    this.#reads = this.#random.chance(0.3) ? 'lease' : 'linearizable'
    const founders = this.#all.slice(0, this.#random.pick([1, 3, 3, 4]))
    this.#cluster.found(founders, this.#reads)
    for (const id of this.#all) if (!founders.includes(id)) this.#cluster.startWaiting(id)
  }

  get history(): string {
    return this.#history.slice(-60).join('\n')
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step++) {
      this.#happen()
      this.#history.push(...this.#cluster.takeLines())
    }
  }

  /** The troubles end: everybody must agree, and a write must reach all members. */
  recover(): void {
    const cluster = this.#cluster
    cluster.partition([])
    for (const id of this.#all) {
      if (!cluster.nodes.has(id)) cluster.restart(id)
      cluster.do(id, ({ raft }) => raft.setDiskFull(false))
    }
    cluster.setAutoSave(this.#all, true)
    for (let tick = 0; tick < 200; tick++) this.#passTick()
    const leader = this.#leader()
    if (leader === undefined) throw new Error('nobody leads')
    cluster.do(leader, ({ raft }) => expect(raft.propose(Buffer.from('last'))).to.not.equal(undefined))
    for (let tick = 0; tick < 20; tick++) this.#passTick()
    const { configuration } = cluster.node(leader).raft.view
    for (const { id } of configuration.members) {
      expect(cluster.node(id).rows, `the writes of ${id}`).to.deep.equal(cluster.node(leader).rows)
    }
    expect(cluster.node(leader).rows.at(-1)).to.equal('last')
  }

  #passTick(): void {
    const cluster = this.#cluster
    for (const id of cluster.nodes.keys()) cluster.do(id, ({ raft }) => raft.tick(1))
    for (let letter = cluster.letters.shift(); letter !== undefined; letter = cluster.letters.shift()) {
      cluster.deliver(letter)
    }
    this.#history.push(...cluster.takeLines())
  }

  #leader(): NodeId | undefined {
    const leaders = [...this.#cluster.nodes.values()].filter(({ raft }) => raft.serving !== undefined)
    leaders.sort((left, right) => right.raft.view.term - left.raft.view.term)
    return leaders[0]?.id
  }

  #happen(): void {
    const cluster = this.#cluster
    const random = this.#random
    const living = [...cluster.nodes.keys()]
    const draw = random.below(1000)
    if (draw < 480) this.#deliverOne()
    else if (draw < 700) this.#tick(living)
    else if (draw < 780) this.#propose()
    else if (draw < 850) this.#finishFlush()
    else if (draw < 880) this.#read()
    else if (draw < 890) {
      const [groups, ids] = [[[], []] as [NodeId[], NodeId[]], this.#all]
      for (const id of ids) groups[random.below(2) === 0 ? 0 : 1].push(id)
      cluster.partition(groups)
    } else if (draw < 910) cluster.partition([])
    else if (draw < 920) this.#crash(living)
    else if (draw < 945) this.#restart()
    else if (draw < 955) cluster.setAutoSave([random.pick(this.#all)], random.chance(0.6))
    else if (draw < 965) this.#compact(living)
    else if (draw < 975) this.#disconnect(living)
    else if (draw < 985) this.#change()
    else if (draw < 990) this.#transfer()
    else if (living.length > 0)
      cluster.do(random.pick(living), ({ raft }) => raft.setDiskFull(random.chance(0.3)))
  }

  #tick(living: readonly NodeId[]): void {
    if (living.length === 0) return
    const count = this.#random.pick([1, 1, 1, 2, 4, 12])
    // A lease depends on clocks that run equally fast; nothing else does.
    const ids = this.#reads === 'lease' ? living : [this.#random.pick(living)]
    for (const id of ids) this.#cluster.do(id, ({ raft }) => raft.tick(count))
  }

  #deliverOne(): void {
    const { letters } = this.#cluster
    if (letters.length === 0) return
    const isOrdered = this.#random.chance(0.7)
    const at = isOrdered ? 0 : this.#random.below(letters.length)
    const [letter] = this.#random.chance(0.05) ? letters.slice(at, at + 1) : letters.splice(at, 1)
    if (letter !== undefined && !this.#random.chance(0.03)) this.#cluster.deliver(letter)
    while (letters.length > 200) letters.shift()
  }

  #propose(): void {
    const leader = this.#leader()
    if (leader === undefined) return
    this.#cluster.do(leader, ({ raft }) => {
      raft.propose(Buffer.from(`w${++this.#writes}`))
    })
  }

  #read(): void {
    const leaders = [...this.#cluster.nodes.values()].filter(({ raft }) => raft.serving !== undefined)
    if (leaders.length > 0) this.#cluster.read(this.#random.pick(leaders).id, ++this.#asked)
  }

  #finishFlush(): void {
    const flushing = [...this.#cluster.nodes.values()].filter(node => node.flushing !== undefined)
    if (flushing.length > 0) this.#cluster.finishFlush(this.#random.pick(flushing).id)
  }

  #crash(living: readonly NodeId[]): void {
    if (living.length > 0) this.#cluster.crash(this.#random.pick(living))
  }

  #restart(): void {
    const dead = this.#all.filter(id => !this.#cluster.nodes.has(id))
    if (dead.length > 0) this.#cluster.restart(this.#random.pick(dead))
  }

  #compact(living: readonly NodeId[]): void {
    if (living.length === 0) return
    const id = this.#random.pick(living)
    const { log, appliedIndex, installing } = this.#cluster.node(id).raft.view
    if (installing !== undefined || appliedIndex <= log.base.index) return
    const index: LogIndex = logIndex(this.#random.between(log.base.index, appliedIndex))
    this.#cluster.compact(id, index)
  }

  #disconnect(living: readonly NodeId[]): void {
    if (living.length === 0) return
    const other = this.#random.pick(this.#all)
    this.#cluster.do(this.#random.pick(living), ({ raft }) => raft.disconnected(other))
  }

  #change(): void {
    const leader = this.#leader()
    if (leader === undefined) return
    this.#cluster.do(leader, ({ raft }) => {
      if (!raft.canChangeConfiguration) return
      const next = this.#nextConfiguration(raft.view.configuration)
      if (next !== undefined) raft.proposeConfiguration(next)
    })
  }

  #nextConfiguration(configuration: Configuration): Configuration | undefined {
    const id = this.#random.pick(this.#all)
    const member = findMember(configuration, id)
    if (member === undefined) {
      // A removed identity never comes back.
      return configuration.removed.includes(id) ? undefined : withLearner(configuration, describeMember(id))
    }
    if (!member.voter) return withVoter(configuration, id)
    return voters(configuration).length > 1 ? without(configuration, id) : undefined
  }

  #transfer(): void {
    const leader = this.#leader()
    if (leader === undefined) return
    this.#cluster.do(leader, ({ raft }) => {
      const successor = raft.successor({ withRoom: false })
      if (successor !== undefined) raft.transferTo(successor)
    })
  }
}
