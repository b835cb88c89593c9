/** One run of a ring with clients, faults and comings and goings, all drawn from a seed, and what is wrong with it. */
import { unreachable } from '../../src/base/assert.js'
import type { NodeId } from '../../src/base/ids.js'
import type { Random } from '../../src/base/random.js'
import type { RingAnswer, RingRequest } from '../../src/ring/types.js'
import { Customers, type Habits, type Reply, wares } from './customers.js'
import { comeToRest, forgetDeletions, partByChance, planFaults } from './faults.js'
import { DotWatch } from './judge.js'
import { World } from './world.js'

/** What a run is like. */
export interface Climate extends Habits {
  nodes: number
  durationMs: number
  clients: number
  thinkMs: number
  /** Milliseconds between faults, about; 0 for none. */
  faultMs: number
  /** How often it is each of these. */
  faults: { crash: number; part: number; heal: number; join: number; leave: number }
  loss: number
  duplication: number
  lateness: number
  flushMs: number
  blind: number
  deletions: number
  quorums: readonly (number | undefined)[]
}

/** Draws what a run is like. */
export function drawClimate(random: Random): Climate {
  return {
    nodes: random.between(3, 6),
    durationMs: random.between(800, 2500),
    clients: random.between(2, 5),
    thinkMs: random.pick([20, 60, 150]),
    faultMs: random.pick([0, 150, 400, 1000]),
    faults: {
      crash: random.below(4),
      part: 1 + random.below(3),
      heal: 1 + random.below(2),
      join: random.below(2),
      leave: random.below(2),
    },
    loss: random.pick([0, 0, 0.01, 0.1]),
    duplication: random.pick([0, 0.05, 0.3]),
    lateness: random.pick([0, 0.02, 0.2]),
    flushMs: random.pick([1, 5, 40]),
    blind: random.pick([1, 3, 6]),
    deletions: random.pick([0, 1, 4]),
    quorums: random.pick([[undefined], [1], [1, 2, 3], [2]]),
  }
}

/** Runs a seed; returns what is wrong, or undefined. */
export function runSwarm(seed: string, adjust: (climate: Climate) => void = () => {}): string | undefined {
  return new Swarm(seed, adjust).run()
}

class Swarm {
  readonly #random: Random
  readonly #climate: Climate
  readonly #world: World
  readonly #dots = new DotWatch()
  readonly #customers: Customers<NodeId>
  #endMs = 0

  constructor(seed: string, adjust: (climate: Climate) => void) {
    this.#world = new World(seed)
    this.#random = this.#world.random.fork('swarm')
    this.#climate = drawClimate(this.#random)
    adjust(this.#climate)
    this.#world.onSet = (rowKey, value) => this.#dots.see(rowKey, value)
    this.#customers = new Customers({
      random: this.#random,
      habits: this.#climate,
      isOpen: () => this.#world.nowMs < this.#endMs,
      places: () => this.#members(),
      after: (delayMs, task) => this.#world.after(delayMs, task),
      ask: (at, request, done) => this.#ask(at, request, done),
    })
  }

  run(): string | undefined {
    const world = this.#world
    const { nodes, durationMs, clients, loss, duplication, lateness, flushMs, faultMs } = this.#climate
    world.found(nodes)
    Object.assign(world.weather, { loss, duplication, lateness, flushMs, delayMs: 5, lateMs: 1500 })
    this.#endMs = world.nowMs + durationMs
    for (let client = 0; client < clients; client++) this.#customers.welcome()
    if (faultMs > 0) planFaults(world, this.#random, this.#climate, this.#endMs, kind => this.#strike(kind))
    world.run(durationMs)
    return this.#rest() ?? this.#verdict() ?? this.#forgotten()
  }

  /** The faults end, and everything must come to rest. */
  #rest(): string | undefined {
    const world = this.#world
    return comeToRest(world, () =>
      [...world.nodes.values()].some(({ ring }) => ['joining', 'leaving'].includes(ring?.standing ?? '')),
    )
  }

  #verdict(): string | undefined {
    const final = new Map<string, readonly string[]>()
    for (const key of wares) {
      const answers = this.#members().map(id =>
        this.#world.answer(id, { op: 'read', key, quorum: undefined }),
      )
      const texts = new Set(answers.map(answer => JSON.stringify(answer)))
      const [answer] = answers
      if (texts.size !== 1 || answer?.kind !== 'versions')
        return `${key}: answers differ: ${[...texts].join(' ')}`
      final.set(key, valuesOf(answer))
    }
    return this.#customers.verdict(final, this.#dots)
  }

  /** With everybody there, no tombstone stays for ever. */
  #forgotten(): string | undefined {
    return forgetDeletions(this.#world, () => this.#members()) ?? this.#verdict()
  }

  #members(): NodeId[] {
    return [...this.#world.nodes.values()]
      .filter(({ ring }) => ring?.standing === 'member' || ring?.standing === 'leaving')
      .map(({ id }) => id)
  }

  #ask(at: NodeId, request: RingRequest, done: (reply: Reply) => void): boolean {
    if (this.#world.node(at).ring === undefined) return false
    this.#world.ask(at, request, answer => done(replyOf(answer)))
    return true
  }

  #strike(kind: keyof Climate['faults']): void {
    const world = this.#world
    const random = this.#random
    const nodes = [...world.nodes.keys()]
    switch (kind) {
      case 'crash': {
        const id = random.pick(nodes)
        world.crash(id)
        world.after(random.float() * 1500, () => {
          if (world.node(id).ring === undefined) world.start(id)
        })
        break
      }
      case 'part':
        partByChance(world, random, 3)
        break
      case 'heal':
        world.heal()
        break
      case 'join': {
        const via = this.#members()
        if (via.length === 0 || nodes.length >= 8) break
        const id = world.addWaiting()
        world.ring(random.pick(via)).addMember(world.node(id).member)
        break
      }
      case 'leave': {
        const members = this.#members()
        if (members.length > 3) world.ring(random.pick(members)).leave()
        break
      }
      default:
        unreachable(kind)
    }
  }
}

function valuesOf({ versions }: Extract<RingAnswer, { kind: 'versions' | 'written' }>): string[] {
  return versions.map(({ value }) => Buffer.from(value).toString())
}

function replyOf(answer: RingAnswer): Reply {
  if (answer.kind === 'written' || answer.kind === 'versions') {
    return { kind: 'seen', context: answer.context, values: valuesOf(answer) }
  }
  const isNothing = answer.kind === 'refused' || (answer.kind === 'quorum-not-met' && !answer.maybe)
  return { kind: isNothing ? 'nothing' : 'open' }
}
