/**
 * One simulated run of a ring of whole nodes, from its seed to its verdict. First customers come while faults happen.
 * Then the faults end, and within a stated time everything must have come to rest. Last, what the customers did and
 * heard is judged against what is there.
 */
import { type ClusterId, clusterId, type Member, nodeId } from '../../src/base/ids.js'
import { errors } from '../../src/protocol/errors.js'
import type { Request, Response } from '../../src/protocol/request.js'
import { type CustomerRequest, Customers, type Reply, wares } from '../ring/customers.js'
import { DotWatch } from '../ring/judge.js'
import { unrestOf } from '../ring/rest.js'
import { EventLog } from './event-log.js'
import { SimulatedNetwork } from './network.js'
import type { RunReport } from './report.js'
import { RingNemesis } from './ring-nemesis.js'
import { SimulatedRingNode } from './ring-node.js'
import { describeRingSwarm, drawRingMachine, drawRingSwarm, type RingSwarm } from './ring-swarm.js'
import { World } from './world.js'

/** What came of a run. */
export interface RingRunResult extends RunReport {
  /** Writes that were tried, and those that were acknowledged. */
  readonly writes: { readonly tried: number; readonly acknowledged: number }
}

/** How often it is looked whether everything has come to rest. */
const lookEveryMs = 100

export interface RingRunOptions {
  /** Is handed every line of the event log. */
  readonly print?: ((line: string) => void) | undefined
  /** Changes what was drawn: for runs that look for one thing. */
  readonly adjust?: ((swarm: RingSwarm) => RingSwarm) | undefined
}

/** Runs one seed. */
export function simulateRing(seed: string, options: RingRunOptions = {}): RingRunResult {
  return new RingSimulation(seed, options).run()
}

class RingSimulation {
  readonly #seed: string
  readonly #world: World
  readonly #swarm: RingSwarm
  readonly #network: SimulatedNetwork
  readonly #cluster: ClusterId
  readonly #nodes: SimulatedRingNode[] = []
  readonly #dots = new DotWatch()
  readonly #customers: Customers<SimulatedRingNode>
  #sparesMade = 0
  #failure: string | undefined

  constructor(seed: string, { print, adjust = swarm => swarm }: RingRunOptions) {
    this.#seed = seed
    this.#world = new World(seed, new EventLog(print))
    const world = this.#world
    this.#swarm = adjust(drawRingSwarm(world.random.fork('swarm')))
    this.#network = new SimulatedNetwork(world, this.#swarm.link)
    this.#cluster = clusterId(`ring ${seed}`)
    this.#customers = new Customers({
      random: world.random.fork('customers'),
      habits: this.#swarm.habits,
      isOpen: () => world.nowMs() < this.#swarm.faultsMs,
      places: () => this.#members(),
      after: (delayMs, task) => world.after(delayMs, task),
      ask: (at, request, done) => this.#ask(at, request, done),
    })
  }

  run(): RingRunResult {
    const world = this.#world
    world.note('', describeRingSwarm(this.#swarm))
    try {
      const failure = this.#play()
      if (failure !== undefined) this.#violated(failure)
    } catch (error) {
      this.#violated(`the simulator failed: ${error instanceof Error ? error.stack : error}`)
    }
    return {
      seed: this.#seed,
      failure: this.#failure,
      tail: world.events.tail(),
      checksum: world.events.checksum(),
      writes: this.#customers.writes,
      simulatedMs: world.nowMs(),
    }
  }

  #play(): string | undefined {
    const world = this.#world
    const { nodes, copies, customers, faultsMs } = this.#swarm
    for (let number = 0; number < nodes; number++) this.#addNode()
    const members = this.#nodes.map(({ member }) => member)
    for (const node of this.#nodes) {
      node.found(members, copies)
      node.start()
    }
    for (let number = 0; number < customers; number++) this.#customers.welcome()
    const victims = {
      world,
      network: this.#network,
      swarm: this.#swarm,
      nodes: () => this.#nodes,
      makeSpare: () => this.#makeSpare(),
    }
    const nemesis = new RingNemesis(victims, faultsMs)
    nemesis.start()
    world.runUntil(faultsMs)
    if (this.#failure !== undefined) return undefined
    nemesis.heal()
    return this.#rest() ?? this.#verdict() ?? this.#forgotten()
  }

  /** Without faults, everybody must soon have what belongs to it, and nobody come or go any more. */
  #rest(): string | undefined {
    const { settleMs, node } = this.#swarm
    // What is under way must be over: a write that is still tried could come in later.
    this.#world.runUntil(this.#world.nowMs() + 2 * node.replica.requestTicks * node.replica.tickMs)
    const isQuiet = (): boolean => this.#unrest() === undefined
    if (this.#waitFor(isQuiet, settleMs)) return undefined
    return `no rest within ${settleMs} ms after the last fault: ${this.#unrest()}`
  }

  /** Every member gives the same, and it is what the customers may expect. */
  #verdict(): string | undefined {
    const final = new Map<string, readonly string[]>()
    for (const key of wares) {
      const members = this.#members()
      const replies: Reply[] = []
      for (const node of members) {
        this.#ask(node, { op: 'read', key, quorum: undefined }, reply => replies.push(reply))
      }
      if (!this.#waitFor(() => replies.length === members.length, 10_000))
        return `${key}: not everybody answers`
      const [first] = replies
      const texts = new Set(replies.map(reply => JSON.stringify(reply)))
      if (first?.kind !== 'seen' || texts.size > 1) return `${key}: answers differ: ${[...texts].join(' ')}`
      final.set(key, first.values)
    }
    return this.#customers.verdict(final, this.#dots)
  }

  /** With everybody there, no tombstone stays for ever, and nothing comes back when it goes. */
  #forgotten(): string | undefined {
    const isEmpty = (): boolean => this.#members().every(({ ring }) => ring?.status().tombstones === 0)
    if (!this.#waitFor(isEmpty, this.#swarm.settleMs)) return 'tombstones are kept for ever'
    return this.#unrest() ?? this.#verdict()
  }

  #unrest(): string | undefined {
    const running = this.#nodes.flatMap(({ member, ring }) =>
      ring === undefined ? [] : [[member.id, ring] as const],
    )
    const moving = running.find(([, { standing }]) => standing === 'joining' || standing === 'leaving')
    return moving === undefined ? unrestOf(running) : `${moving[0]} comes or goes`
  }

  #waitFor(holds: () => boolean, withinMs: number): boolean {
    const endMs = this.#world.nowMs() + withinMs
    while (!holds()) {
      if (this.#failure !== undefined || this.#world.nowMs() >= endMs) return false
      this.#world.runUntil(this.#world.nowMs() + lookEveryMs)
    }
    return this.#failure === undefined
  }

  #ask(at: SimulatedRingNode, request: CustomerRequest, done: (reply: Reply) => void): boolean {
    if (!at.isRunning) return false
    at.deliver(() =>
      at.submit(toRequest(request), response => {
        const reply = toReply(response)
        const what = request.op === 'read' ? 'read' : Buffer.from(request.value ?? '(nothing)').toString()
        const values = reply.kind === 'seen' ? ` ${reply.values}` : ''
        this.#world.note(at.name, `answers ${request.key} ${what}: ${reply.kind}${values}`)
        done(reply)
      }),
    )
    return true
  }

  #members(): SimulatedRingNode[] {
    return this.#nodes.filter(({ ring }) => ring?.standing === 'member' || ring?.standing === 'leaving')
  }

  #makeSpare(): SimulatedRingNode | undefined {
    if (this.#sparesMade >= this.#swarm.spares) return undefined
    this.#sparesMade++
    const node = this.#addNode()
    node.start()
    return node
  }

  #addNode(): SimulatedRingNode {
    const number = this.#nodes.length
    const name = `n${number}`
    const random = this.#world.random.fork(`machine of ${name}`)
    const member: Member = {
      id: nodeId(`${name}-${random.uint32()}`),
      address: `10.0.0.${number + 1}:5000`,
      peerAddress: `10.0.0.${number + 1}:6000`,
    }
    const place = { name, member, cluster: this.#cluster, machine: drawRingMachine(random, this.#swarm) }
    const node = new SimulatedRingNode(this.#world, this.#network, place, this.#swarm.node, {
      onRow: (rowKey, value) => this.#dots.see(rowKey, value),
      onViolation: what => this.#violated(what),
    })
    this.#nodes.push(node)
    return node
  }

  /** Notes what was broken first, and ends the run. */
  #violated(what: string): void {
    if (this.#failure !== undefined) return
    this.#failure = what
    this.#world.note('', `VIOLATION: ${what}`)
    this.#world.halt()
  }
}

/** What a customer wants, as a client would ask it. */
function toRequest(request: CustomerRequest): Request {
  const { key, quorum } = request
  if (request.op === 'read') return { op: 'read-versions', key, quorum }
  const { value, context, identity } = request
  const verb = value === undefined ? 'delete' : 'put'
  return { op: 'write-version', verb, key, value, quorum, context, identity }
}

function toReply(response: Response): Reply {
  if (response.kind === 'versions') {
    const values = response.versions.map(({ value }) => Buffer.from(value).toString())
    return { kind: 'seen', context: response.context, values }
  }
  if (response.kind !== 'error') throw new Error(`no answer to a customer: ${response.kind}`)
  return { kind: errors[response.code].definite ? 'nothing' : 'open' }
}
