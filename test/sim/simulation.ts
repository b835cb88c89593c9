/**
 * One simulated run, from its seed to its verdict. First clients work while faults happen, and nothing wrong
 * may come of it (safety). Then the faults end, and within a stated time everybody must agree and take writes
 * (progress). Last, what the clients heard is judged.
 */
import { type ClusterId, clusterId, logIndex, type Member, nodeId } from '../../src/base/ids.js'
import type { Response } from '../../src/protocol/request.js'
import { firstConfiguration } from '../../src/raft/configuration.js'
import type { Configuration } from '../../src/raft/types.js'
import { Invariants, type Observation } from './checkers.js'
import { SimulatedClient, toOutcome, toRequest } from './clients.js'
import { drillSuccession } from './drill.js'
import { couldBeElected } from './electable.js'
import { EventLog } from './event-log.js'
import { ExpiringKeys } from './expiring.js'
import { type Action, HistoryRecorder, isUnknown } from './history.js'
import { judge } from './linearizability.js'
import { Nemesis } from './nemesis.js'
import { SimulatedNetwork } from './network.js'
import { SimulatedNode } from './node.js'
import type { RunReport } from './report.js'
import { describeSwarm, drawMachine, drawSwarm, redisSeeds, type Swarm, withRedis } from './swarm.js'
import { findVersionConflict } from './versions.js'
import { World } from './world.js'

/** What came of a run. */
export interface RunResult extends RunReport {
  readonly operations: number
  readonly unknown: number
  /** Writes that were acknowledged. */
  readonly writes: number
  /** The kinds of faults that happened, and other features that were on. */
  readonly features: readonly string[]
}

export interface RunOptions {
  /** Is handed every line of the event log. */
  readonly print?: ((line: string) => void) | undefined
  /** Changes what was drawn: for runs that look for one thing. */
  readonly adjust?: ((swarm: Swarm) => Swarm) | undefined
}

/** Runs one seed. */
export function simulate(seed: string, options: RunOptions = {}): RunResult {
  return new Simulation(seed, options).run()
}

/** Clients only read once this many writes have no known outcome. */
const unclearWritesMax = 60

class Simulation {
  readonly #seed: string
  readonly #world: World
  readonly #swarm: Swarm
  readonly #network: SimulatedNetwork
  readonly #recorder: HistoryRecorder
  readonly #invariants: Invariants
  readonly #cluster: ClusterId
  readonly #nodes: SimulatedNode[] = []
  readonly #names = new Map<string, string>()
  readonly #voterNames = new WeakMap<Configuration, readonly string[]>()
  #sparesMade = 0
  #asked = 0
  #clientsMayAsk = true
  #failure: string | undefined
  /** What did not come about in time. */
  #shortcoming: string | undefined
  #nemesis: Nemesis | undefined
  #expiring: ExpiringKeys | undefined

  constructor(seed: string, { print, adjust = swarm => swarm }: RunOptions) {
    this.#seed = seed
    this.#world = new World(seed, new EventLog(print))
    const drawn = drawSwarm(this.#world.random.fork('swarm'))
    this.#swarm = adjust(seed.startsWith(redisSeeds) ? withRedis(drawn, this.#world.random) : drawn)
    this.#network = new SimulatedNetwork(this.#world, this.#swarm.link)
    this.#recorder = new HistoryRecorder()
    this.#cluster = clusterId(this.#uuid())
    this.#invariants = new Invariants(
      (name, index, term) => this.#node(name)?.ledger.holds(index, term) === true,
      (index, term) => this.#findUsurper(index, term),
      what => this.#violated(what),
    )
  }

  run(): RunResult {
    try {
      this.#world.note('', describeSwarm(this.#swarm))
      this.#play()
      // What clients were told wrongly weighs more than what did not happen, and may well be the cause of it.
      if (this.#failure === undefined) this.#judge()
      if (this.#shortcoming !== undefined) this.#violated(this.#shortcoming)
    } catch (error) {
      this.#violated(`the simulator failed: ${stackOf(error)}`)
    }
    const operations = this.#recorder.operations()
    return {
      seed: this.#seed,
      failure: this.#failure,
      tail: this.#world.events.tail(),
      checksum: this.#world.events.checksum(),
      operations: operations.length,
      unknown: operations.filter(isUnknown).length,
      writes: operations.filter(({ outcome }) => outcome.kind === 'written').length,
      simulatedMs: this.#world.nowMs(),
      features: [...this.#swarm.faultEveryMs.keys(), this.#swarm.reads, `${this.#swarm.nodes} nodes`],
    }
  }

  #play(): void {
    const world = this.#world
    const swarm = this.#swarm
    for (let number = 0; number < swarm.nodes; number++) this.#addNode()
    const members = this.#nodes.map(node => node.member)
    this.#nodes[0]?.found(firstConfiguration(members, swarm.reads))
    for (const node of this.#nodes) node.start()
    this.#startClients()
    if (this.#swarm.expiringKeys > 0) this.#expiring = this.#startExpiring()

    const victims = {
      world,
      network: this.#network,
      swarm,
      nodes: () => this.#nodes,
      members: () => this.#members(),
      makeSpare: () => this.#makeSpare(),
    }
    const nemesis = new Nemesis(victims, swarm.faultsMs)
    this.#nemesis = nemesis
    nemesis.start()
    world.runUntil(swarm.faultsMs)
    if (this.#failure !== undefined) return
    nemesis.heal()
    this.#requireProgress()
    if (this.#isGood()) this.#requireExpiry()
    if (this.#isGood()) this.#requireAgreement()
    if (this.#isGood()) this.#requireSuccession()
  }

  #isGood(): boolean {
    return this.#failure === undefined && this.#shortcoming === undefined
  }

  #startClients(): void {
    const { clients, node } = this.#swarm
    const { requestTicks, tickMs } = node.replica
    const shared = {
      world: this.#world,
      recorder: this.#recorder,
      nodes: () => this.#nodes,
      onAcknowledged: (client: string, version: number) => this.#invariants.acknowledged(version, client),
      mayBeUnclear: () => this.#recorder.unclearWrites < unclearWritesMax,
      patienceMs: 1.5 * requestTicks * tickMs,
    }
    const mayAsk = (): boolean => this.#clientsMayAsk && this.#asked++ < clients.operationsMax
    for (let number = 0; number < clients.clients; number++) {
      const own = number < clients.readers ? { ...clients, reads: 1 } : clients
      new SimulatedClient(`c${number}`, shared, own, mayAsk).start()
    }
  }

  #startExpiring(): ExpiringKeys {
    const { requestTicks, tickMs } = this.#swarm.node.replica
    const keys = new ExpiringKeys(this.#swarm.expiringKeys, {
      world: this.#world,
      nodes: () => this.#nodes,
      patienceMs: 1.5 * requestTicks * tickMs,
      onViolation: what => this.#violated(what),
    })
    keys.start()
    return keys
  }

  /** Without faults, what was to expire must soon be gone from every member, whoever leads with which clock. */
  #requireExpiry(): void {
    if (this.#expiring === undefined) return
    this.#expiring.stop()
    const { settleMs } = this.#swarm
    const areGone = (): boolean => this.#members().every(node => node.countExpiring() === 0)
    if (this.#world.runUntil(this.#world.nowMs() + settleMs, areGone)) return
    const left = this.#members().map(node => `${node.name} ${node.countExpiring()}`)
    this.#violated(`keys that expire are still there ${settleMs} ms later: ${left.join(', ')}`)
  }

  /** Without faults, every member must soon take a write and give it back. */
  #requireProgress(): void {
    const { settleMs } = this.#swarm
    const deadlineMs = this.#world.nowMs() + settleMs
    const pending = new Map<SimulatedNode, boolean>()
    for (const node of this.#members()) {
      pending.set(node, false)
      this.#probe(node, deadlineMs, () => pending.delete(node))
    }
    const isDone = (): boolean => {
      // Who turns out not to be a member (any more) owes nothing.
      const members = this.#members()
      return [...pending.keys()].every(node => !members.includes(node))
    }
    if (!this.#world.runUntil(deadlineMs, isDone)) {
      const stuck = [...pending.keys()].map(node => node.name)
      this.#fellShort(
        `no progress: ${stuck} took no write or read within ${settleMs} ms after the last fault`,
      )
    }
  }

  /** Writes to a node and then reads from it, each until it succeeds. */
  #probe(node: SimulatedNode, untilMs: number, onDone: () => void): void {
    const key = `probe-${node.name}`
    const actions: readonly Action[] = [
      { op: 'set', key, value: `at ${this.#world.nowMs()}` },
      { op: 'get', key },
    ]
    const attempt = (number: number): void => {
      const action = actions[number]
      if (action === undefined) {
        onDone()
        return
      }
      if (this.#world.nowMs() > untilMs || !node.isRunning) return
      const id = this.#recorder.called('probe', action)
      const onAnswer = (response: Response): void => {
        const outcome = toOutcome(response, action)
        this.#world.note('', `probe of ${node.name}: ${action.op} -> ${outcome.kind}`)
        this.#recorder.returned(id, outcome)
        const isGood = outcome.kind === 'written' || outcome.kind === 'value' || outcome.kind === 'not-found'
        this.#world.after(20, () => attempt(isGood ? number + 1 : number))
      }
      node.deliver(() => node.submit(toRequest(action), onAnswer))
    }
    attempt(0)
  }

  /** Without faults and clients, all members must soon have applied the same, and hold the same. */
  #requireAgreement(): void {
    const { settleMs } = this.#swarm
    this.#clientsMayAsk = false
    if (!this.#world.runUntil(this.#world.nowMs() + settleMs, () => this.#agree())) {
      const states = this.#members().map(node => {
        const view = node.replica?.raft.view
        return `${node.name} ${view === undefined ? 'down' : `applied ${view.appliedIndex} of ${view.log.lastIndex}`}`
      })
      this.#fellShort(`no agreement within ${settleMs} ms without faults: ${states.join(', ')}`)
    }
  }

  #agree(): boolean {
    const members = this.#members()
    const [first] = members
    const applied = first?.replica?.appliedIndex
    if (first === undefined || applied === undefined || applied < this.#invariants.committedUpTo) return false
    for (const node of members) {
      const view = node.replica?.raft.view
      if (view === undefined || view.appliedIndex !== applied || view.log.lastIndex !== applied) return false
      if (node.digest() !== first.digest()) {
        this.#violated(`${node.name} and ${first.name} hold different tables at index ${applied}`)
      }
    }
    return true
  }

  /** A leader that falls silent must be replaced in time, and everybody agree once it is back. */
  #requireSuccession(): void {
    const members = this.#members()
    const failure = drillSuccession(this.#world, this.#network, this.#swarm, members)
    if (failure !== undefined) this.#fellShort(failure)
    if (this.#isGood()) this.#requireAgreement()
  }

  #judge(): void {
    const operations = this.#recorder.operations()
    const conflict = findVersionConflict(operations)
    if (conflict !== undefined) this.#violated(`versions contradict each other: ${conflict.join('\n')}`)
    const verdict = judge(operations)
    if (verdict.kind === 'violation') {
      this.#violated(`the history of ${verdict.key} is not linearizable:\n${verdict.explanation.join('\n')}`)
    }
    if (verdict.kind === 'undecided' && this.#shortcoming === undefined) {
      this.#violated(`the judge gave up on the history of ${verdict.key} after ${verdict.steps} steps`)
    }
  }

  /** The nodes of the newest configuration that anybody has committed; lost ones left out. */
  #members(): readonly SimulatedNode[] {
    let newest: { readonly index: number; readonly configuration: Configuration } | undefined
    for (const { replica } of this.#nodes) {
      if (replica === undefined) continue
      const { log, commitIndex } = replica.raft.view
      if (commitIndex < log.base.index) continue
      const isNewer = newest === undefined || commitIndex > newest.index
      if (isNewer) newest = { index: commitIndex, configuration: log.configurationAt(commitIndex) }
    }
    const ids = newest?.configuration.members.map(member => member.id)
    const living = this.#nodes.filter(node => node.ending === undefined)
    if (ids === undefined || ids.length === 0) return living.slice(0, this.#swarm.nodes)
    return living.filter(node => ids.includes(node.member.id))
  }

  #makeSpare(): SimulatedNode | undefined {
    const waiting = this.#nodes.find(
      node => node.replica?.raft.view.log.lastIndex === 0 && this.#nodes.indexOf(node) >= this.#swarm.nodes,
    )
    if (waiting !== undefined) return waiting
    if (this.#sparesMade >= this.#swarm.spares) return undefined
    this.#sparesMade++
    const node = this.#addNode()
    node.start()
    return node
  }

  #addNode(): SimulatedNode {
    const number = this.#nodes.length
    const name = `n${number}`
    const member: Member = {
      id: nodeId(this.#uuid()),
      address: `10.0.0.${number + 1}:5000`,
      peerAddress: `10.0.0.${number + 1}:6000`,
    }
    this.#names.set(member.id, name)
    const machine = drawMachine(this.#world.random.fork(`machine of ${name}`), this.#swarm, number)
    const place = { name, member, cluster: this.#cluster, machine }
    const node: SimulatedNode = new SimulatedNode(this.#world, this.#network, place, this.#swarm.node, {
      onTurn: turned => this.#invariants.observe(this.#observe(turned)),
      onCheckpoint: (of, index, meta) => this.#invariants.checkpointed(of.name, index, meta),
      onCarriedOut: (of, write) => this.#invariants.carriedOut(of.name, write),
      onViolation: what => this.#violated(what),
      onEvent: (of, event) => {
        // Whoever looks after the machine sees what it says and takes it out of service.
        if (event.kind === 'removed') this.#world.after(50, () => of.retire())
        if (event.kind === 'role' && event.role === 'leader') this.#nemesis?.elected(of)
      },
    })
    this.#nodes.push(node)
    return node
  }

  #observe(node: SimulatedNode): Observation {
    const { replica } = node
    if (replica === undefined) throw new Error(`${node.name} took a turn while it was not running`)
    const { view } = replica.raft
    const { log } = view
    return {
      node: node.name,
      life: node.lives,
      isLeader: view.role.kind === 'leader',
      term: view.term,
      votedFor: view.votedFor,
      commitIndex: view.commitIndex,
      appliedIndex: replica.appliedIndex,
      baseIndex: log.base.index,
      baseTerm: log.base.term,
      lastIndex: log.lastIndex,
      voters: this.#voters(view.configuration),
      entry: index => log.entry(logIndex(index)),
      digest: () => node.digest() ?? '',
    }
  }

  #findUsurper(index: number, term: number): string | undefined {
    const lacking = this.#nodes.filter(({ ledger }) => !ledger.holds(index, term))
    if (lacking.length === 0) return undefined
    const logs = new Map(this.#nodes.map(({ member, ledger }) => [member.id, ledger]))
    return lacking.find(({ member }) => couldBeElected(member.id, logs))?.name
  }

  #voters(configuration: Configuration): readonly string[] {
    const known = this.#voterNames.get(configuration)
    if (known !== undefined) return known
    const names = configuration.members
      .filter(member => member.voter)
      .map(member => this.#names.get(member.id) ?? member.id)
    this.#voterNames.set(configuration, names)
    return names
  }

  #node(name: string): SimulatedNode | undefined {
    return this.#nodes.find(node => node.name === name)
  }

  /** A UUID4, from the run's own chance. */
  #uuid(): string {
    const word = (): string => this.#world.random.uint32().toString(16).padStart(8, '0')
    const digits = word() + word() + word() + word()
    const [a, b, c, d] = [digits.slice(0, 8), digits.slice(8, 12), digits.slice(13, 16), digits.slice(17, 20)]
    return `${a}-${b}-4${c}-a${d}-${digits.slice(20)}`
  }

  /** Notes what did not come about: the run goes no further, but what was heard in it is still judged. */
  #fellShort(what: string): void {
    if (!this.#isGood()) return
    this.#shortcoming = what
    this.#world.note('', what)
  }

  /** Notes what was broken first, and ends the run. */
  #violated(what: string): void {
    if (this.#failure !== undefined) return
    this.#failure = what
    this.#world.note('', `VIOLATION: ${what}`)
    this.#world.halt()
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
