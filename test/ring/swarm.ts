/** One run of a ring with clients, faults and comings and goings, all drawn from a seed, and what is wrong with it. */
import type { NodeId } from '../../src/base/ids.js'
import type { Random } from '../../src/base/random.js'
import type { RingAnswer, RingRequest } from '../../src/ring/types.js'
import { type Attempt, type CartAttempt, DotWatch, judge, judgeCarts } from './judge.js'
import { World } from './world.js'

/** What a run is like. */
export interface Climate {
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
  /** Of ten writes of plain keys, so many are blind, and so many delete. */
  blind: number
  deletions: number
  quorums: readonly (number | undefined)[]
}

const keys = ['apple', 'pear', 'plum']
const carts = ['cart-1', 'xcart-1']

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
  readonly #attempts: Attempt[] = []
  readonly #cartAttempts: CartAttempt[] = []
  /** Contexts that clients were given, with what came along. */
  readonly #contexts = new Map<string, { readonly context: string; readonly values: readonly string[] }[]>()
  #values = 0
  #endMs = 0

  constructor(seed: string, adjust: (climate: Climate) => void) {
    this.#world = new World(seed)
    this.#random = this.#world.random.fork('swarm')
    this.#climate = drawClimate(this.#random)
    adjust(this.#climate)
    this.#world.onSet = (rowKey, value) => this.#dots.see(rowKey, value)
  }

  run(): string | undefined {
    const world = this.#world
    const { nodes, durationMs, clients, loss, duplication, lateness, flushMs, faultMs } = this.#climate
    world.found(nodes)
    Object.assign(world.weather, { loss, duplication, lateness, flushMs, delayMs: 5, lateMs: 1500 })
    this.#endMs = world.nowMs + durationMs
    for (let client = 0; client < clients; client++) this.#act()
    if (faultMs > 0) this.#fault()
    world.run(durationMs)
    return this.#rest() ?? this.#verdict() ?? this.#forgotten()
  }

  /** The faults end, and everything must come to rest. */
  #rest(): string | undefined {
    const world = this.#world
    world.heal()
    Object.assign(world.weather, { loss: 0, duplication: 0, lateness: 0, flushMs: 1 })
    for (const node of world.nodes.values()) if (node.ring === undefined) world.start(node.id)
    for (let wait = 0; wait < 300; wait++) {
      world.run(100)
      const moving = [...world.nodes.values()].some(({ ring }) =>
        ['joining', 'leaving'].includes(ring?.standing ?? ''),
      )
      if (wait > 16 && !moving && world.unrest() === undefined) return undefined
    }
    return `no rest: ${world.unrest() ?? 'somebody comes or goes for ever'}`
  }

  #verdict(): string | undefined {
    const final = new Map<string, readonly string[]>()
    for (const key of [...keys, ...carts]) {
      const answers = this.#members().map(id =>
        this.#world.answer(id, { op: 'read', key, quorum: undefined }),
      )
      const texts = new Set(answers.map(answer => JSON.stringify(answer)))
      const [answer] = answers
      if (texts.size !== 1 || answer?.kind !== 'versions')
        return `${key}: answers differ: ${[...texts].join(' ')}`
      final.set(key, valuesOf(answer))
    }
    return (
      judge(this.#attempts, final, this.#dots) ??
      judgeCarts(this.#cartAttempts, final, this.#dots) ??
      undefined
    )
  }

  /** With everybody there, no tombstone stays for ever. */
  #forgotten(): string | undefined {
    const world = this.#world
    const left = (): number => Math.max(...this.#members().map(id => world.ring(id).status().tombstones))
    for (let wait = 0; wait < 300 && left() > 0; wait++) world.run(100)
    if (left() > 0) return 'tombstones are kept for ever'
    return world.unrest() ?? this.#verdict()
  }

  #members(): NodeId[] {
    return [...this.#world.nodes.values()]
      .filter(({ ring }) => ring?.standing === 'member' || ring?.standing === 'leaving')
      .map(({ id }) => id)
  }

  /** A client does one thing after the other. */
  #act(): void {
    const world = this.#world
    const random = this.#random
    world.after(random.float() * 2 * this.#climate.thinkMs, () => {
      if (world.nowMs >= this.#endMs) return
      this.#act()
      const [...members] = this.#members()
      if (members.length === 0) return
      const at = random.pick(members)
      if (random.chance(0.25)) this.#fillCart(at, random.pick(carts))
      else this.#change(at, random.pick(keys))
    })
  }

  #change(at: NodeId, key: string): void {
    const random = this.#random
    const draw = random.below(10)
    const { blind, deletions } = this.#climate
    const old = this.#contexts.get(key) ?? []
    if (draw < blind) this.#write(at, key, `v${++this.#values}`, undefined)
    else if (old.length > 0 && random.chance(0.2)) {
      this.#write(at, key, `v${++this.#values}`, random.pick(old))
    } else {
      this.#ask(at, { op: 'read', key, quorum: this.#quorum() }, answer => {
        if (answer.kind !== 'versions') return
        const seen = { context: answer.context, values: valuesOf(answer) }
        this.#contexts.set(key, [...old.slice(-5), seen])
        const isDeletion = random.below(10) < deletions && seen.values.length > 0
        if (random.chance(0.8)) this.#write(at, key, isDeletion ? undefined : `v${++this.#values}`, seen)
      })
    }
  }

  #write(
    at: NodeId,
    key: string,
    value: string | undefined,
    seen: { readonly context: string; readonly values: readonly string[] } | undefined,
  ): void {
    const attempt: Attempt = { key, value, seen: new Set(seen?.values), outcome: 'open' }
    this.#attempts.push(attempt)
    const bytes = value === undefined ? undefined : Buffer.from(value)
    const context = seen?.context
    const identity = this.#random.chance(0.1) ? `named-${this.#attempts.length}` : undefined
    const request: RingRequest = { op: 'write', key, value: bytes, context, quorum: this.#quorum(), identity }
    const isAsked = this.#ask(at, request, answer => {
      attempt.outcome = outcomeOf(answer)
      if (answer.kind === 'written') {
        const known = this.#contexts.get(key) ?? []
        this.#contexts.set(key, [...known.slice(-5), { context: answer.context, values: valuesOf(answer) }])
      }
    })
    if (!isAsked) attempt.outcome = 'nothing'
  }

  #fillCart(at: NodeId, key: string): void {
    const random = this.#random
    const added = `i${++this.#values}`
    const put = (value: string, removed: readonly string[], context: string | undefined): void => {
      const attempt: CartAttempt = { key, added, removed, outcome: 'open' }
      this.#cartAttempts.push(attempt)
      const bytes = Buffer.from(value)
      const quorum = this.#quorum()
      const request: RingRequest = { op: 'write', key, value: bytes, context, quorum, identity: undefined }
      const isAsked = this.#ask(at, request, answer => {
        attempt.outcome = outcomeOf(answer)
      })
      if (!isAsked) attempt.outcome = 'nothing'
    }
    if (random.chance(0.3)) {
      put(added, [], undefined)
      return
    }
    this.#ask(at, { op: 'read', key, quorum: this.#quorum() }, answer => {
      if (answer.kind !== 'versions') return
      const items = valuesOf(answer).flatMap(value => value.split(','))
      const removed = random.chance(0.3) && items.length > 0 ? [random.pick(items)] : []
      put([...items.filter(item => !removed.includes(item)), added].join(','), removed, answer.context)
    })
  }

  #ask(at: NodeId, request: RingRequest, done: (answer: RingAnswer) => void): boolean {
    if (this.#world.node(at).ring === undefined) return false
    this.#world.ask(at, request, done)
    return true
  }

  #quorum(): number | undefined {
    return this.#random.pick(this.#climate.quorums)
  }

  #fault(): void {
    const world = this.#world
    const random = this.#random
    world.after(random.float() * 2 * this.#climate.faultMs, () => {
      if (world.nowMs >= this.#endMs) return
      this.#fault()
      const { faults } = this.#climate
      const kinds = Object.entries(faults).flatMap(([kind, weight]) =>
        Array.from({ length: weight }, () => kind),
      )
      const nodes = [...world.nodes.keys()]
      switch (random.pick(kinds)) {
        case 'crash': {
          const id = random.pick(nodes)
          world.crash(id)
          world.after(random.float() * 1500, () => {
            if (world.node(id).ring === undefined) world.start(id)
          })
          break
        }
        case 'part': {
          const sides: NodeId[][] = [[], [], []]
          for (const id of nodes) sides[random.below(3)]?.push(id)
          world.part(...sides)
          break
        }
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
      }
    })
  }
}

function valuesOf({ versions }: Extract<RingAnswer, { kind: 'versions' | 'written' }>): string[] {
  return versions.map(({ value }) => Buffer.from(value).toString())
}

function outcomeOf(answer: RingAnswer): Attempt['outcome'] {
  if (answer.kind === 'written') return 'acknowledged'
  const isNothing = answer.kind === 'refused' || (answer.kind === 'quorum-not-met' && !answer.maybe)
  return isNothing ? 'nothing' : 'open'
}
