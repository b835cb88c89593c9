/**
 * A world for ring nodes: a clock, a network that delays, loses, repeats, overtakes and parts, disks that flush
 * in their own time and forget what they had not flushed when their node crashes. All of it comes from one seed.
 */
import { type Member, type NodeId, nodeId, requestId } from '../../src/base/ids.js'
import { type Random, seededRandom } from '../../src/base/random.js'
import { readMessage } from '../../src/ring/message-check.js'
import type { RingMessage } from '../../src/ring/messages.js'
import { Ring } from '../../src/ring/ring.js'
import type {
  RingAnswer,
  RingEvent,
  RingOptions,
  RingOutgoing,
  RingOutput,
  RingRequest,
} from '../../src/ring/types.js'
import { unrestOf } from './rest.js'
import { flushed, MemoryRows } from './rows.js'

/** Times in ticks of 10 ms. */
export const testOptions: RingOptions = {
  ordered: false,
  gossipTicks: 10,
  silentTicks: 50,
  deadTicks: 500,
  evict: false,
  copyTicks: 20,
  requestTicks: 200,
  repairTicks: 10,
  rangesPerRepair: 1024,
  rowsPerMessage: 20,
  bytesPerMessage: 100_000,
  hintsMax: 1000,
  requestsMax: 1000,
  versionsWarning: 25,
  versionsMax: 100,
  valueBytesMax: 100_000,
  recordBytesMax: 1_000_000,
  pastMax: 8,
}

const tickMs = 10

/** How the network and the disks behave. */
export interface Weather {
  /** The chance that a message is lost, or comes twice. */
  loss: number
  duplication: number
  /** Most messages take `delayMs` at most; some, with the chance of `lateness`, up to `lateMs`. */
  delayMs: number
  lateness: number
  lateMs: number
  flushMs: number
}

/** A network and disks that are quick and lose nothing. */
export const fairWeather: Weather = {
  loss: 0,
  duplication: 0,
  delayMs: 2,
  lateness: 0,
  lateMs: 0,
  flushMs: 1,
}

/** One node, running or not, with its disk. */
export class SimulatedNode {
  readonly member: Member
  ring: Ring | undefined
  durable = new Map<string, Uint8Array>()
  /** Work was left to the next turn. */
  hasMore = false
  /** Counts starts, so that what belongs to an earlier one is told. */
  life = 0

  constructor(member: Member) {
    this.member = member
  }

  get id(): NodeId {
    return this.member.id
  }

  /** The running node. */
  get running(): Ring {
    if (this.ring === undefined) throw new Error(`${this.id} does not run`)
    return this.ring
  }
}

interface Task {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

export class World {
  readonly random: Random
  readonly options: RingOptions
  readonly weather: Weather
  readonly nodes = new Map<NodeId, SimulatedNode>()
  nowMs = 0
  /** Called with every row that is written anywhere, durable or not. */
  onSet: (rowKey: string, value: Uint8Array) => void = () => {}
  onEvent: (node: SimulatedNode, event: RingEvent) => void = () => {}
  /** Called with each message that is sent; false drops it. */
  onSend: (from: NodeId, to: NodeId, message: RingMessage) => boolean = () => true
  #queue: Task[] = []
  #order = 0
  #sides = new Map<NodeId, number>()
  #nextRequest = 1
  readonly #waiting = new Map<number, (answer: RingAnswer) => void>()

  constructor(seed: string, weather: Partial<Weather> = {}, options: Partial<RingOptions> = {}) {
    this.random = seededRandom(seed)
    this.weather = { ...fairWeather, ...weather }
    this.options = { ...testOptions, ...options }
  }

  /** A cluster whose members all run and know each other. */
  found(count: number, copies = 3): NodeId[] {
    const ids = Array.from({ length: count }, (_each, place) =>
      nodeId(`n${place + 1}-${this.random.uint32()}`),
    )
    const members = ids.map(memberOf)
    for (const member of members) {
      this.nodes.set(member.id, new SimulatedNode(member))
      this.start(member.id, { members, copies })
    }
    this.run(300)
    return ids
  }

  /** A node that runs and waits to be let in. */
  addWaiting(): NodeId {
    const id = nodeId(`n${this.nodes.size + 1}-${this.random.uint32()}`)
    this.nodes.set(id, new SimulatedNode(memberOf(id)))
    this.start(id)
    return id
  }

  node(id: NodeId): SimulatedNode {
    const node = this.nodes.get(id)
    if (node === undefined) throw new Error(`no node ${id}`)
    return node
  }

  ring(id: NodeId): Ring {
    return this.node(id).running
  }

  start(id: NodeId, founding?: { readonly members: readonly Member[]; readonly copies: number }): void {
    const node = this.node(id)
    node.life++
    const random = seededRandom(`${id} ${node.life} ${this.random.uint32()}`)
    const rows = new MemoryRows(node.durable, (rowKey, value) => this.onSet(rowKey, value))
    const surroundings = { random, options: this.options, rows }
    node.ring = new Ring({ self: node.member, founding }, surroundings)
    this.#saving.delete(id)
    const { life } = node
    const tick = (): void => {
      if (node.life !== life || node.ring === undefined) return
      this.after(tickMs, tick)
      const isQuiet = node.ring.quietTicks > 1 && !node.hasMore
      // Time is looked at only where there is a leader, and a little wrong on each node.
      node.ring.tick(1, this.options.ordered ? this.nowMs + clockErrorOf(id) : 0)
      this.#pump(node, isQuiet)
    }
    this.after(this.random.float() * tickMs, tick)
  }

  /** Kills a node: what it had not flushed is lost, and nobody is told. */
  crash(id: NodeId): void {
    const node = this.node(id)
    node.ring = undefined
    node.life++
  }

  /** Takes a node's disk away. */
  wipe(id: NodeId): void {
    this.crash(id)
    this.node(id).durable = new Map()
  }

  restart(id: NodeId): void {
    this.crash(id)
    this.start(id)
  }

  /** From now on only those of one side hear each other; whoever is on no side is on one with the rest. */
  part(...sides: readonly (readonly NodeId[])[]): void {
    this.#sides = new Map(sides.flatMap((side, number) => side.map(id => [id, number + 1] as const)))
  }

  heal(): void {
    this.#sides.clear()
  }

  isParted(one: NodeId, other: NodeId): boolean {
    return (this.#sides.get(one) ?? 0) !== (this.#sides.get(other) ?? 0)
  }

  after(delayMs: number, run: () => void): void {
    const task = { atMs: this.nowMs + delayMs, order: this.#order++, run }
    this.#queue.push(task)
    siftUp(this.#queue)
  }

  /** Lets time pass. */
  run(durationMs: number): void {
    const endMs = this.nowMs + durationMs
    this.runWhile(() => false, endMs)
    this.nowMs = endMs
  }

  /** Lets time pass until something holds; false if it does not within `limitMs`. */
  runUntil(holds: () => boolean, limitMs = 60_000): boolean {
    return this.runWhile(holds, this.nowMs + limitMs)
  }

  /** Asks a node; `done` is never called if the node crashes first. */
  ask(id: NodeId, request: RingRequest, done: (answer: RingAnswer) => void): void {
    const number = this.#nextRequest++
    this.#waiting.set(number, done)
    const node = this.node(id)
    node.running.request(requestId(number), request)
    this.#pump(node)
  }

  /** Asks a node and waits for the answer. */
  answer(id: NodeId, request: RingRequest): RingAnswer {
    let found: RingAnswer | undefined
    this.ask(id, request, answer => {
      found = answer
    })
    this.runUntil(() => found !== undefined, 10_000)
    if (found === undefined) throw new Error('no answer')
    return found
  }

  /** What is not at rest yet: owners of a key that differ, or records with others than its owners. */
  unrest(): string | undefined {
    return unrestOf(
      [...this.nodes.values()].flatMap(({ id, ring }) => (ring === undefined ? [] : [[id, ring]])),
    )
  }

  runWhile(holds: () => boolean, endMs: number): boolean {
    while (!holds()) {
      const next = this.#queue[0]
      if (next === undefined || next.atMs > endMs) return false
      takeFirst(this.#queue)
      this.nowMs = next.atMs
      next.run()
    }
    return true
  }

  readonly #saving = new Set<NodeId>()

  /** Does what a node wants done; `isQuiet` if it said that it would have nothing to do. */
  #pump(node: SimulatedNode, isQuiet = false): void {
    const { ring, life } = node
    if (ring === undefined) return
    const output = ring.takeOutput()
    node.hasMore = output.more
    if (isQuiet && isAnything(output))
      throw new Error(`${node.id} said that it is quiet, and was not: ${JSON.stringify(output)}`)
    for (const event of output.events) this.onEvent(node, event)
    this.#sendAll(node, output.sendNow)
    for (const { id, answer } of output.answers) {
      const done = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (done !== undefined) this.after(0, () => done(answer))
    }
    if (output.save.length === 0) {
      this.#sendAll(node, output.send)
    } else {
      if (this.#saving.has(node.id)) throw new Error('one batch at a time')
      this.#saving.add(node.id)
      this.after(this.random.float() * this.weather.flushMs, () => {
        if (node.life !== life) return
        this.#saving.delete(node.id)
        flushed(node.durable, output.save)
        this.#sendAll(node, output.send)
        ring.saved()
        this.#pump(node)
      })
    }
    if (output.more) {
      this.after(0.1, () => {
        if (node.life !== life) return
        ring.tick(0, this.options.ordered ? this.nowMs + clockErrorOf(node.id) : 0)
        this.#pump(node)
      })
    }
  }

  #sendAll(node: SimulatedNode, outgoing: readonly RingOutgoing[]): void {
    for (const { to, message } of outgoing) this.#send(node.id, to, JSON.stringify(message), message)
  }

  #send(from: NodeId, to: NodeId, line: string, message: RingMessage): void {
    const { random, weather } = this
    if (!this.onSend(from, to, message)) return
    const times = random.chance(weather.duplication) ? 2 : 1
    for (let time = 0; time < times; time++) {
      if (random.chance(weather.loss)) continue
      const isLate = random.chance(weather.lateness)
      this.after(random.float() * (isLate ? weather.lateMs : weather.delayMs), () =>
        this.#deliver(from, to, line),
      )
    }
  }

  #deliver(from: NodeId, to: NodeId, line: string): void {
    const node = this.nodes.get(to)
    if (node?.ring === undefined || this.isParted(from, to)) return
    const message = readMessage(JSON.parse(line))
    if (message === undefined) throw new Error(`refused as malformed: ${line}`)
    node.ring.receive(from, message)
    this.#pump(node)
  }
}

/** Whether an output asks for anything. */
function isAnything({ sendNow, save, send, answers, events, more }: RingOutput): boolean {
  return more || [sendNow, save, send, answers, events].some(({ length }) => length > 0)
}

/** So many milliseconds is the clock of a node ahead. */
function clockErrorOf(id: NodeId): number {
  return [...id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 100
}

function memberOf(id: NodeId): Member {
  return { id, address: `${id}:5000`, peerAddress: `${id}:6000` }
}

function isBefore(left: Task, right: Task): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order)
}

/** The last task of the heap goes to its place. */
function siftUp(heap: Task[]): void {
  let place = heap.length - 1
  while (place > 0) {
    const parent = (place - 1) >> 1
    const [task, above] = [heap[place], heap[parent]]
    if (task === undefined || above === undefined || !isBefore(task, above)) return
    heap[place] = above
    heap[parent] = task
    place = parent
  }
}

function takeFirst(heap: Task[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  heap[0] = last
  let place = 0
  while (true) {
    let least = place
    for (const child of [2 * place + 1, 2 * place + 2]) {
      const [task, best] = [heap[child], heap[least]]
      if (task !== undefined && best !== undefined && isBefore(task, best)) least = child
    }
    if (least === place) return
    const [task, other] = [heap[place], heap[least]]
    if (task === undefined || other === undefined) return
    heap[place] = other
    heap[least] = task
    place = least
  }
}
