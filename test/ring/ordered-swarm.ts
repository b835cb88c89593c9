/**
 * One run of a ring with a leader, with clients, faults and newcomers, all drawn from a seed, and what is wrong with
 * it.
 *
 * Runs are of three kinds. With `kills`, nodes crash and come back, but one that knows the others always lives, and
 * messages come: then everything must hold at once. With `blackouts` all may be away at a time: then an old epoch may
 * be taken again by somebody who never heard of it, so that in the end either of two writes is there. With
 * `partitions`, and messages that are lost, two leaders may do as they like for a while, and only the end counts.
 */
import { unreachable } from '../../src/base/assert.js'
import type { NodeId } from '../../src/base/ids.js'
import type { Random } from '../../src/base/random.js'
import type { RingAnswer } from '../../src/ring/types.js'
import { comeToRest, forgetDeletions, partByChance, planFaults } from './faults.js'
import { absent, type Change, OrderedJudge } from './ordered-judge.js'
import { textOf } from './ordered-story.js'
import { World } from './world.js'

/** What a run is like. */
export interface OrderedClimate {
  kind: 'kills' | 'blackouts' | 'partitions'
  nodes: number
  copies: number
  durationMs: number
  writers: number
  keysPerWriter: number
  thinkMs: number
  /** Milliseconds between faults, about. */
  faultMs: number
  /** For how long a node is away, at most. */
  awayMs: number
  /** How often a fault is a partition, its end, or a newcomer, beside a crash. */
  faults: { crash: number; part: number; heal: number; join: number }
  deadTicks: number
  deletions: number
  loss: number
  duplication: number
  lateness: number
  flushMs: number
  /** Of ten crashes, so many are told to the others at once by the connections that close. */
  told: number
}

/** Draws what a run is like. */
export function drawOrderedClimate(random: Random): OrderedClimate {
  const kind = random.pick(['kills', 'kills', 'blackouts', 'partitions'] as const)
  const isParted = kind === 'partitions'
  return {
    kind,
    nodes: random.between(2, 5),
    copies: random.between(1, 3),
    durationMs: random.between(3000, 9000),
    writers: random.between(1, 3),
    keysPerWriter: random.pick([1, 4, 30]),
    thinkMs: random.pick([20, 60, 200]),
    faultMs: random.pick([200, 600, 1500]),
    awayMs: random.pick([500, 3000]),
    faults: {
      crash: 1 + random.below(4),
      part: isParted ? 1 + random.below(3) : 0,
      heal: isParted ? 1 + random.below(2) : 0,
      join: random.below(2),
    },
    deadTicks: random.pick([100, 200, 1000]),
    deletions: random.pick([0, 1, 4]),
    loss: isParted ? random.pick([0, 0.01, 0.05]) : 0,
    duplication: random.pick([0, 0.05, 0.3]),
    lateness: random.pick([0, 0.02, 0.2]),
    flushMs: random.pick([1, 5, 40]),
    told: random.pick([0, 7, 10]),
  }
}

/** Runs a seed; returns what is wrong, or undefined. */
export function runOrderedSwarm(
  seed: string,
  adjust: (climate: OrderedClimate) => void = () => {},
): string | undefined {
  return new OrderedSwarm(seed, adjust).run()
}

/** For so long a node has been heard and has heard, when it is counted on. */
const settledMs = 2500

class OrderedSwarm {
  readonly #random: Random
  readonly #climate: OrderedClimate
  readonly #world: World
  readonly #judge = new OrderedJudge()
  readonly #startedMs = new Map<NodeId, number>()
  #values = 0
  #endMs = 0
  #failure: string | undefined

  constructor(seed: string, adjust: (climate: OrderedClimate) => void) {
    const options = { ordered: true, evict: true, deadTicks: 1000 }
    this.#world = new World(`ordered ${seed}`, {}, options)
    this.#random = this.#world.random.fork('swarm')
    this.#climate = drawOrderedClimate(this.#random)
    adjust(this.#climate)
    Object.assign(this.#world.options, { deadTicks: this.#climate.deadTicks })
  }

  run(): string | undefined {
    const world = this.#world
    const { nodes, copies, durationMs, writers, loss, duplication, lateness, flushMs } = this.#climate
    world.found(nodes, copies)
    world.run(1000)
    const lateMs = this.#climate.kind === 'partitions' ? 1500 : 60
    Object.assign(world.weather, { loss, duplication, lateness, flushMs, delayMs: 5, lateMs })
    this.#endMs = world.nowMs + durationMs
    for (let writer = 1; writer <= writers; writer++) {
      this.#write(writer)
      this.#read()
    }
    planFaults(world, this.#random, this.#climate, this.#endMs, kind => this.#strike(kind))
    world.run(durationMs)
    return this.#failure ?? this.#rest() ?? this.#verdict() ?? this.#forgotten()
  }

  /** The faults end, and everything must come to rest. */
  #rest(): string | undefined {
    return comeToRest(this.#world, () => {
      this.#admitAgain()
      return [...this.#world.nodes.values()].some(({ ring }) => ring?.standing !== 'member')
    })
  }

  /** Who let a newcomer in may have crashed before anybody heard of it: it asks another one. */
  #admitAgain(): void {
    const [member] = this.#running().filter(id => this.#world.ring(id).standing === 'member')
    if (member === undefined) return
    for (const { member: newcomer, ring } of this.#world.nodes.values()) {
      if (ring !== undefined && ring.standing === undefined) this.#world.ring(member).addMember(newcomer)
    }
  }

  #verdict(): string | undefined {
    const nodes = this.#running()
    for (const key of this.#judge.keys) {
      const contents = new Set(nodes.map(id => textOf(this.#world.answer(id, { op: 'get', key }))))
      const [content = ''] = contents
      if (contents.size > 1) return `${key} is ${[...contents].join(' here and there ')}`
      if (content === absent && !this.#judge.mayBeAbsent(key)) return `${key} is lost`
      const isStrict = this.#climate.kind !== 'partitions'
      const possible = isStrict ? this.#judge.since(key) : this.#judge.everIn(key)
      if (!possible.includes(content)) return `${key} is ${content} in the end, not ${possible.join(' or ')}`
      const holders = nodes.filter(id => this.#world.ring(id).view.records.get(key).record.length > 0)
      const wanted = Math.min(this.#climate.copies, nodes.length)
      if (content !== absent && holders.length !== wanted) {
        return `${key} is on ${holders.length} nodes, not ${wanted}`
      }
    }
    return undefined
  }

  /** With everybody there, no tombstone stays for ever, and nothing comes back for it. */
  #forgotten(): string | undefined {
    return forgetDeletions(this.#world, () => this.#running()) ?? this.#verdict()
  }

  #running(): NodeId[] {
    return [...this.#world.nodes.values()].filter(({ ring }) => ring !== undefined).map(({ id }) => id)
  }

  /** A writer changes one of its keys, and goes on when it has an answer. */
  #write(writer: number): void {
    const world = this.#world
    const random = this.#random
    world.after(random.float() * 2 * this.#climate.thinkMs, () => {
      if (world.nowMs >= this.#endMs) return
      const key = `of-${writer}-${random.below(this.#climate.keysPerWriter)}`
      const isDeletion = random.below(10) < this.#climate.deletions
      const change = this.#judge.begin(key, isDeletion ? undefined : `v${++this.#values}`)
      this.#try(change, `name-${this.#values}-${world.nowMs}`, () => this.#write(writer))
    })
  }

  /** Asks some node, and another one when it dies or does not know. */
  #try(change: Change, identity: string, then: () => void): void {
    const world = this.#world
    if (world.nowMs >= this.#endMs) return
    const again = (delayMs: number): void => world.after(delayMs, () => this.#try(change, identity, then))
    const [...nodes] = this.#running()
    if (nodes.length === 0) {
      again(100)
      return
    }
    const at = this.#random.pick(nodes)
    const { life } = world.node(at)
    const { key } = change
    const value = change.value === undefined ? undefined : Buffer.from(change.value)
    let isOver = false
    change.tries++
    const verb = value === undefined ? 'delete' : 'set'
    world.ask(at, { op: 'change', verb, key, value, identity }, answer => {
      if (isOver) return
      isOver = true
      if (this.#settle(change, answer)) then()
      else again(50)
    })
    const watch = (): void => {
      if (isOver) return
      if (world.node(at).life === life) {
        world.after(20, watch)
        return
      }
      isOver = true
      again(10)
    }
    world.after(20, watch)
  }

  /** Whether the answer says what became of the change. */
  #settle(change: Change, answer: RingAnswer): boolean {
    const { key } = change
    switch (answer.kind) {
      case 'changed':
        change.outcome = 'done'
        return true
      case 'absent':
        // Where an earlier try deleted it, and everybody confirmed that, it is forgotten together with its name.
        if (change.tries === 1 && !this.#mayBe(key, absent, change))
          this.#blame(`a deletion of ${key} was told that it is absent`)
        change.outcome = 'done'
        return true
      case 'unavailable':
        // An earlier try may have done it all the same, somewhere.
        return true
      default:
        return false
    }
  }

  #read(): void {
    const world = this.#world
    const random = this.#random
    world.after(random.float() * 2 * this.#climate.thinkMs, () => {
      if (world.nowMs >= this.#endMs) return
      this.#read()
      const [...nodes] = this.#running()
      const keys = this.#judge.keys
      if (nodes.length === 0 || keys.length === 0) return
      const key = random.pick(keys)
      const place = this.#judge.place(key)
      const living = this.#steady()
      world.ask(random.pick(nodes), { op: 'get', key }, answer => {
        if (answer.kind !== 'entry' && answer.kind !== 'absent') return
        this.#see(key, textOf(answer), place, living)
      })
    })
  }

  /** A reader saw that, who asked when the change at that place was done. */
  #see(key: string, seen: string, place: number, living: ReadonlyMap<NodeId, number>): void {
    const possible = this.#judge.since(key, place)
    if (this.#climate.kind === 'partitions' || possible.includes(seen)) return
    if (seen === absent) {
      this.#blame(`${key} was said to be absent, and is ${possible.join(' or ')}`)
    } else if (this.#climate.kind === 'kills' && this.#lives(key, possible[0], living)) {
      this.#blame(`${key} was read as ${seen}, when it was ${possible[0]} already`)
    }
  }

  /** Whether a node that has lived all the time has this. */
  #lives(key: string, content: string | undefined, living: ReadonlyMap<NodeId, number>): boolean {
    return [...living].some(([id, life]) => {
      const node = this.#world.node(id)
      if (node.life !== life || node.ring === undefined) return false
      const [version] = node.ring.view.records.get(key).record
      return version?.value !== undefined && Buffer.from(version.value).toString() === content
    })
  }

  /** Whether this may be in the key just now, but for a change that is under way. */
  #mayBe(key: string, content: string, change: Change): boolean {
    if (this.#climate.kind === 'partitions') return true
    const earlier = this.#judge.of(key).filter(one => one !== change && one.outcome !== 'nothing')
    const last = earlier.findLastIndex(({ outcome }) => outcome === 'done')
    return last < 0 || earlier.slice(last).some(({ value }) => (value ?? absent) === content)
  }

  #blame(failure: string): void {
    this.#failure ??= `${failure} (at ${this.#world.nowMs.toFixed(0)} ms)`
  }

  /** Those who have run for a while, with the life they are in. */
  #steady(): Map<NodeId, number> {
    const steady = new Map<NodeId, number>()
    for (const { id, ring, life } of this.#world.nodes.values()) {
      const sinceMs = this.#world.nowMs - (this.#startedMs.get(id) ?? -Infinity)
      if (ring !== undefined && ring.standing !== undefined && sinceMs >= settledMs) steady.set(id, life)
    }
    return steady
  }

  #strike(kind: keyof OrderedClimate['faults']): void {
    const world = this.#world
    const random = this.#random
    const nodes = [...world.nodes.keys()]
    switch (kind) {
      case 'crash':
        this.#crash(random.pick(nodes))
        break
      case 'part':
        partByChance(world, random, 2)
        break
      case 'heal':
        world.heal()
        break
      case 'join': {
        const via = this.#running().filter(id => world.ring(id).standing === 'member')
        if (via.length === 0 || nodes.length >= 6) break
        const id = world.addWaiting()
        this.#startedMs.set(id, world.nowMs)
        world.ring(random.pick(via)).addMember(world.node(id).member)
        break
      }
      default:
        unreachable(kind)
    }
  }

  #crash(id: NodeId): void {
    const world = this.#world
    const random = this.#random
    if (world.node(id).ring === undefined) return
    const remain = [...this.#steady().keys()].filter(other => other !== id)
    if (this.#climate.kind === 'kills' && remain.length === 0) return
    world.crash(id)
    const isTold = random.below(10) < this.#climate.told
    for (const other of isTold ? this.#running() : []) {
      world.after(random.float() * 5, () => world.node(other).ring?.disconnected(id))
    }
    world.after(random.float() * this.#climate.awayMs, () => {
      if (world.node(id).ring !== undefined) return
      this.#startedMs.set(id, world.nowMs)
      world.start(id)
    })
  }
}
