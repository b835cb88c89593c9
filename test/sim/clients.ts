/**
 * Simulated clients: each has a connection to one node at a time, asks one thing after the other or several at
 * once, and records what it asked and heard. A connection's requests take effect in the order sent, by the same
 * rules (ordering.ts) as on a real client port.
 */
import type { Reply, WriteOperation } from '../../src/base/operation.js'
import type { Random } from '../../src/base/random.js'
import { errors } from '../../src/protocol/errors.js'
import { Ordering, Ticket } from '../../src/protocol/ordering.js'
import type { Request, Response } from '../../src/protocol/request.js'
import type { Action, HistoryRecorder, Outcome } from './history.js'
import { describeAction, describeOutcome } from './linearizability.js'
import type { SimulatedNode } from './node.js'
import type { World } from './world.js'

export interface ClientOptions {
  readonly clients: number
  readonly keys: number
  /** Requests that one connection has under way at most. */
  readonly window: number
  /** Mean pause of a client between two requests. */
  readonly thinkMs: number
  /** Requests of all clients together. */
  readonly operationsMax: number
  /** How much longer values are than they need to be. */
  readonly valueBytes: number
  /** Whether clients ask again what they got no clear answer to, word for word. */
  readonly repeats: boolean
  /** How likely a client goes to another node before a request. */
  readonly moves: number
  /** The share of reads. */
  readonly reads: number
  /** How many of the clients only read: they go on at a node that takes no writes any more. */
  readonly readers: number
  /** The share of what is asked that is asked as Redis commands would; none if it is left out. */
  readonly redis?: number
}

/** What clients share in one run. */
export interface ClientWorld {
  readonly world: World
  readonly recorder: HistoryRecorder
  /** The nodes that a client may try. */
  nodes(): readonly SimulatedNode[]
  /** A client was told that a write happened, at this place of the log. */
  onAcknowledged(client: string, version: number): void
  /** Whether there may be one more write of unknown outcome. */
  mayBeUnclear(): boolean
  /** A client gives a connection up that has been silent for this long. */
  readonly patienceMs: number
}

/** How long a request or an answer is on its way between a client and its node. */
const wayMs = 0.1
/** A client that could not connect waits this long before it tries the next node. */
const reconnectMs = 20

class Asked extends Ticket {
  readonly id: number
  readonly action: Action
  /** Asked as a Redis command would. */
  readonly isRedis: boolean

  constructor(id: number, action: Action, isRedis: boolean) {
    super(action.op === 'get' ? 'read' : 'write')
    this.id = id
    this.action = action
    this.isRedis = isRedis
  }
}

/** A client's connection to one life of a node. */
interface ClientConnection {
  readonly name: string
  readonly node: SimulatedNode
  readonly life: number
  readonly ordering: Ordering<Asked>
  readonly unanswered: Map<number, Asked>
  /** Ways to tell the node that nobody waits any more, by request. */
  readonly abandon: Map<number, () => void>
  /** Answers that wait for their turn to leave, by request. */
  readonly answers: Map<number, Response>
  isClosed: boolean
  heardAtMs: number
}

export class SimulatedClient {
  readonly #name: string
  readonly #shared: ClientWorld
  readonly #options: ClientOptions
  readonly #random: Random
  readonly #mayAsk: () => boolean
  /** The last version heard of each key, for compare-and-set. */
  readonly #versions = new Map<string, number>()
  readonly #toRepeat: Action[] = []
  #connection: ClientConnection | undefined
  #connections = 0
  #values = 0
  #restUntilMs = 0

  /** `mayAsk` is asked before each request, and counts it if it says yes. */
  constructor(name: string, shared: ClientWorld, options: ClientOptions, mayAsk: () => boolean) {
    this.#name = name
    this.#shared = shared
    this.#options = options
    this.#random = shared.world.random.fork(`client ${name}`)
    this.#mayAsk = mayAsk
  }

  /** Begins to ask, until `mayAsk` says no. */
  start(): void {
    this.#askLater()
    this.#watchSilence()
  }

  #askLater(): void {
    const { thinkMs } = this.#options
    this.#shared.world.after(2 * thinkMs * this.#random.float(), () => this.#ask())
  }

  #ask(): void {
    const connection = this.#shared.world.nowMs() < this.#restUntilMs ? undefined : this.#usableConnection()
    if (connection === undefined) {
      this.#shared.world.after(reconnectMs, () => this.#ask())
      return
    }
    if (connection.unanswered.size >= this.#options.window) {
      this.#askLater()
      return
    }
    if (!this.#mayAsk()) return
    // A window is filled in one go, as `printf ... | nc` does.
    const count = this.#random.between(1, this.#options.window - connection.unanswered.size)
    for (let asked = 0; asked < count; asked++) this.#send(connection, this.#nextAction())
    this.#askLater()
  }

  #usableConnection(): ClientConnection | undefined {
    const { moves } = this.#options
    const current = this.#connection
    if (current !== undefined) {
      const isLost = current.isClosed || !current.node.isRunning || current.node.lives !== current.life
      const isLeft = current.unanswered.size === 0 && this.#random.chance(moves)
      if (!isLost && !isLeft) return current
      this.#close(current)
    }
    const nodes = this.#shared.nodes().filter(node => node.isRunning)
    if (nodes.length === 0) return undefined
    const node = this.#random.pick(nodes)
    this.#connection = {
      name: `${this.#name}.${++this.#connections}`,
      node,
      life: node.lives,
      ordering: new Ordering(),
      unanswered: new Map(),
      abandon: new Map(),
      answers: new Map(),
      isClosed: false,
      heardAtMs: this.#shared.world.nowMs(),
    }
    return this.#connection
  }

  #send(connection: ClientConnection, action: Action): void {
    const { world, recorder } = this.#shared
    const id = recorder.called(this.#name, action, connection.name)
    const { redis = 0 } = this.#options
    const asked = new Asked(id, action, redis > 0 && this.#random.chance(redis))
    if (connection.unanswered.size === 0) connection.heardAtMs = world.nowMs()
    connection.unanswered.set(id, asked)
    world.note(this.#name, `asks ${connection.node.name} #${id}: ${describeAction(action)}`)
    world.after(wayMs, () => {
      this.#onNode(connection, () => {
        connection.ordering.push(asked)
        this.#pump(connection)
      })
    })
  }

  /** Runs something within the life of the node that the connection leads to; never, if that is over. */
  #onNode(connection: ClientConnection, task: () => void): void {
    const { node, life } = connection
    if (connection.isClosed || node.lives !== life) return
    node.deliver(() => {
      if (!connection.isClosed) task()
    })
  }

  /** The node's side of the connection: starts what may start, and lets answers leave in order. */
  #pump(connection: ClientConnection): void {
    const { ordering, node } = connection
    // Answers may still leave in the turn in which the process ended itself.
    if (!node.isRunning) return
    for (let ticket = ordering.start(); ticket !== undefined; ticket = ordering.start()) {
      const started = ticket
      const { id, action, isRedis } = started
      const request = (isRedis ? toRedisRequest(action) : undefined) ?? toRequest(action)
      const abandon = node.submit(request, response => {
        connection.abandon.delete(id)
        connection.answers.set(id, response)
        ordering.answered(started)
        this.#release(connection)
        this.#pump(connection)
      })
      // The answer comes in a later turn of the node, if it comes.
      connection.abandon.set(id, abandon)
    }
  }

  #release(connection: ClientConnection): void {
    const { ordering } = connection
    for (let ticket = ordering.leave(); ticket !== undefined; ticket = ordering.leave()) {
      const asked = ticket
      const response = connection.answers.get(asked.id)
      connection.answers.delete(asked.id)
      if (response === undefined) continue
      this.#shared.world.after(wayMs, () => {
        if (!connection.isClosed) this.#onAnswer(connection, asked, response)
      })
    }
  }

  #onAnswer(connection: ClientConnection, asked: Asked, response: Response): void {
    const { world, recorder } = this.#shared
    const { id, action } = asked
    connection.heardAtMs = world.nowMs()
    connection.unanswered.delete(id)
    const outcome = toOutcome(response, action)
    recorder.returned(id, outcome)
    world.note(this.#name, `hears #${id}: ${describeResponse(response, outcome)}`)
    if (outcome.kind === 'written' && outcome.version !== undefined && outcome.version > 0) {
      this.#shared.onAcknowledged(this.#name, outcome.version)
    }
    if (outcome.kind === 'written' || outcome.kind === 'value') {
      if (outcome.version !== undefined) this.#versions.set(action.key, outcome.version)
    } else if (outcome.kind === 'mismatch' && outcome.current !== undefined) {
      this.#versions.set(action.key, outcome.current)
    } else if (outcome.kind === 'unknown' || outcome.kind === 'refused') {
      this.#repeat(action)
      // This node has nothing to offer for now; perhaps another one has.
      if (connection.unanswered.size === 0) this.#close(connection)
    }
  }

  #repeat(action: Action): void {
    if (this.#options.repeats && this.#toRepeat.length < 20 && action.op !== 'get')
      this.#toRepeat.push(action)
  }

  #watchSilence(): void {
    const { world, patienceMs } = this.#shared
    const connection = this.#connection
    if (connection !== undefined && connection.unanswered.size > 0) {
      const isDead = !connection.node.isRunning || connection.node.lives !== connection.life
      if (isDead || world.nowMs() - connection.heardAtMs > patienceMs) this.#close(connection)
    }
    world.after(patienceMs / 10, () => this.#watchSilence())
  }

  /** Hangs up: what is unanswered may or may not happen, and the node hears that nobody waits. */
  #close(connection: ClientConnection): void {
    if (connection.isClosed) return
    const { world, recorder } = this.#shared
    // A client that lost patience takes a rest before it goes on.
    if (connection.unanswered.size > 0) this.#restUntilMs = world.nowMs() + this.#shared.patienceMs / 2
    for (const { id, action } of connection.unanswered.values()) {
      recorder.returned(id, { kind: 'unknown' })
      world.note(this.#name, `gives up #${id}`)
      this.#repeat(action)
    }
    connection.unanswered.clear()
    connection.isClosed = true
    const { node, life, abandon } = connection
    if (node.lives === life) {
      node.deliver(() => {
        for (const giveUp of abandon.values()) giveUp()
      })
    }
    if (this.#connection === connection) this.#connection = undefined
  }

  #nextAction(): Action {
    const random = this.#random
    const mayRepeat = random.chance(0.5) && this.#shared.mayBeUnclear()
    const repeated = mayRepeat ? this.#toRepeat.shift() : undefined
    if (repeated !== undefined) return repeated
    const key = `k${random.below(this.#options.keys)}`
    // Too many open questions would make the history impossible to judge; reads leave none.
    if (random.chance(this.#options.reads) || !this.#shared.mayBeUnclear()) return { op: 'get', key }
    const value = `${this.#name}-${++this.#values}`.padEnd(this.#options.valueBytes, '.')
    switch (random.below(6)) {
      case 0:
        return { op: 'delete', key }
      case 1:
        return { op: 'put', key, value }
      case 2:
        return { op: 'update', key, value }
      case 3:
        return { op: 'cas', key, version: random.chance(0.1) ? 0 : (this.#versions.get(key) ?? 0), value }
      default:
        return { op: 'set', key, value }
    }
  }
}

/** What a node is asked for an action. */
export function toRequest(action: Action): Request {
  switch (action.op) {
    case 'get':
      return { op: 'get', key: action.key, local: false }
    case 'delete':
      return action
    case 'cas':
      return { ...action, value: Buffer.from(action.value) }
    default:
      return { ...action, value: Buffer.from(action.value) }
  }
}

/** The same as a Redis command asks it; undefined where there is none for it. */
function toRedisRequest(action: Action): Request | undefined {
  const { key } = action
  const write = (operation: WriteOperation): Request => ({
    op: 'redis-write',
    operations: [operation],
    watched: [],
  })
  switch (action.op) {
    case 'get':
      return { op: 'redis-read', operations: [{ op: 'mget', keys: [key] }], local: false }
    case 'delete':
      return write({ op: 'delete', keys: [key] })
    case 'cas':
      return undefined
    default: {
      const value = Buffer.from(action.value)
      const condition = action.op === 'put' ? 'absent' : action.op === 'update' ? 'present' : undefined
      return write({ op: 'set', key, value, condition, expiry: undefined, previous: false })
    }
  }
}

/** What the reply to a Redis command says about an action. */
function outcomeOfReply(action: Action, reply: Reply | undefined): Outcome {
  switch (reply?.kind) {
    case 'list': {
      const [item] = reply.items
      const isThere = item?.kind === 'bytes'
      return isThere ? { kind: 'value', value: Buffer.from(item.value).toString() } : { kind: 'not-found' }
    }
    case 'status':
      return { kind: 'written' }
    case 'integer':
      return { kind: reply.value === 1 ? 'written' : 'not-found' }
    case 'nil':
      return { kind: action.op === 'put' ? 'exists' : 'not-found' }
    default:
      throw new Error(`no reply to a client's action: ${reply?.kind}`)
  }
}

/** What a node's answer says about an action. */
export function toOutcome(response: Response, action: Action): Outcome {
  switch (response.kind) {
    case 'redis':
      return outcomeOfReply(action, response.replies[0])
    case 'value':
      return { kind: 'value', value: Buffer.from(response.value).toString(), version: response.version }
    case 'written':
      return { kind: 'written', version: response.version }
    case 'error':
      break
    default:
      throw new Error(`no answer to a client's action: ${response.kind}`)
  }
  const { code, details } = response
  switch (code) {
    case 'KEY_EXISTS':
      return { kind: 'exists' }
    case 'KEY_NOT_FOUND':
      return { kind: 'not-found' }
    case 'VERSION_MISMATCH':
      return { kind: 'mismatch', current: Number(details?.['current']) }
    default:
      return errors[code].definite ? { kind: 'refused' } : { kind: 'unknown' }
  }
}

function describeResponse(response: Response, outcome: Outcome): string {
  return response.kind === 'error' ? response.code : describeOutcome(outcome)
}
