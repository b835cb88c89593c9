/**
 * One cluster and the words of its clients: what the ring's scenarios are told in.
 *
 * The first world of a scenario has fair weather, in which everything that is asked must succeed at once. Every
 * further one draws from its seed a weather in which messages are lost, come twice and overtake each other, and
 * disks take their time. There clients do what clients do: they ask again. What the ring promises holds there to
 * the letter; what it does in its own time is waited for.
 */
import { expect } from 'chai'
import type { NodeId } from '../../src/base/ids.js'
import { seededRandom } from '../../src/base/random.js'
import type { RingAnswer, RingOptions } from '../../src/ring/types.js'
import { fairWeather, type Weather, World } from './world.js'

export type Written = Extract<RingAnswer, { kind: 'written' }>
export type Found = Extract<RingAnswer, { kind: 'versions' }>

/** For how long a client asks again, and how long something may take that the ring does by itself. */
const patienceMs = 60_000

/** What a scenario's cluster is like. */
export interface Cast {
  readonly nodes: number
  readonly options: Partial<RingOptions>
}

/** A weather that a cluster must get along with. */
export function drawWeather(seed: string): Weather {
  const random = seededRandom(`weather of ${seed}`)
  return {
    loss: random.pick([0.01, 0.02, 0.05]),
    duplication: random.pick([0, 0.05, 0.3]),
    delayMs: 5,
    lateness: random.pick([0.02, 0.05, 0.2]),
    lateMs: random.pick([50, 300, 1500]),
    flushMs: random.pick([1, 5, 20]),
  }
}

export class Story {
  readonly world: World
  readonly ids: readonly NodeId[]
  readonly isFair: boolean
  #writes = 0

  constructor(seed: string, isFair: boolean, { nodes = 6, options = {} }: Partial<Cast>) {
    this.isFair = isFair
    this.world = new World(seed, {}, options)
    this.ids = this.world.found(nodes)
    Object.assign(this.world.weather, isFair ? fairWeather : drawWeather(seed))
  }

  /** Writes once, whatever comes of it. */
  tryPut(
    at: NodeId,
    key: string,
    value: string | undefined,
    quorum?: number,
    context?: string,
    identity?: string,
  ): RingAnswer {
    const bytes = value === undefined ? undefined : Buffer.from(value)
    return this.world.answer(at, { op: 'write', key, value: bytes, context, quorum, identity })
  }

  /** Writes; in foul weather under a name, so that a repeat is recognised, and again until it is written. */
  put(at: NodeId, key: string, value: string | undefined, quorum?: number, context?: string): Written {
    const name = this.isFair ? undefined : `write-${++this.#writes}`
    return this.#insist('written', () => this.tryPut(at, key, value, quorum, context, name))
  }

  /**
   * Writes, and returns the context of all that came of it. In foul weather that takes a while: where an answer is
   * lost, two nodes may each have made the write without knowing of the other. It is shown as one, but only who has
   * seen both replaces both.
   */
  begin(at: NodeId, key: string, value: string): string {
    const { context } = this.put(at, key, value, 3)
    if (this.isFair) return context
    this.settle()
    return this.sees(at, key, [value], 3).context
  }

  get(at: NodeId, key: string, quorum?: number): Found {
    return this.#insist('versions', () => this.world.answer(at, { op: 'read', key, quorum }))
  }

  /** Somebody reads a key at that node for as long as the world lasts: two reads are under way at any time. */
  readOnAndOn(at: NodeId, key: string): void {
    const read = (): void => {
      if (this.world.node(at).ring === undefined) this.world.after(10, read)
      else this.world.ask(at, { op: 'read', key, quorum: undefined }, read)
    }
    read()
    this.world.after(1, read)
  }

  values(at: NodeId, key: string, quorum?: number): string[] {
    return textsOf(this.get(at, key, quorum))
  }

  /**
   * A reader finds exactly these values. In foul weather stand-ins may be asked in the place of owners, so that some
   * of it, or all, may be missing for a while, but nothing else is ever found, except what is named as `older`:
   * what these values replaced, where not every node has had the time to learn it.
   */
  sees(
    at: NodeId,
    key: string,
    expected: readonly string[],
    quorum?: number,
    older: readonly string[] = [],
  ): Found {
    let found = this.get(at, key, quorum)
    if (!this.isFair) {
      const isFound = this.waitFor(() => {
        found = this.get(at, key, quorum)
        expect([...expected, ...older]).to.include.members(textsOf(found))
        return isSame(textsOf(found), expected)
      })
      expect(isFound, `${key} at ${at} is ${textsOf(found)}, not ${expected}`).to.equal(true)
    }
    expect(textsOf(found)).to.deep.equal(expected)
    return found
  }

  owners(key: string): NodeId[] {
    const living = this.ids.find(id => this.world.node(id).ring !== undefined) as NodeId
    return this.world
      .ring(living)
      .owners(key)
      .map(({ id }) => id)
  }

  others(key: string): NodeId[] {
    const owners = this.owners(key)
    return this.ids.filter(id => !owners.includes(id))
  }

  /**
   * A node whose writes of a key always know of each other. In fair weather that is any; in foul weather another
   * one may have to hand writes to this owner now and to that one then, but an owner writes by itself.
   */
  steady(key: string): NodeId {
    return (this.isFair ? this.ids[0] : this.owners(key)[0]) as NodeId
  }

  /** What a node holds of a key; a write that was made twice counts once. */
  held(id: NodeId, key: string): string[] {
    const { record } = this.world.ring(id).view.records.get(key)
    const isFirst = (identity: string | undefined, place: number): boolean =>
      identity === undefined || record.findIndex(other => other.identity === identity) === place
    return record
      .filter(({ identity }, place) => isFirst(identity, place))
      .map(({ value }) => (value === undefined ? '(deleted)' : Buffer.from(value).toString()))
      .sort()
  }

  /** A node comes to hold exactly this; in fair weather it does already. */
  holds(id: NodeId, key: string, expected: readonly string[]): void {
    if (!this.isFair) this.waitFor(() => isSame(this.held(id, key), expected))
    expect(this.held(id, key)).to.deep.equal(expected)
  }

  /** Nodes that hold a key for an owner that lacks it. */
  holdersFor(owner: NodeId, key: string): NodeId[] {
    return this.others(key).filter(id => {
      const { record, owed } = this.world.ring(id).view.records.get(key)
      return record.length > 0 && (owed.length === 0 || owed.includes(owner))
    })
  }

  /** Lets time pass, asking now and then, until something holds. */
  waitFor(holds: () => boolean): boolean {
    const endMs = this.world.nowMs + patienceMs
    while (!holds()) {
      if (this.world.nowMs >= endMs) return false
      this.world.run(50)
    }
    return true
  }

  /** Until all owners are equal and nobody else holds anything, and no more messages are on their way that are old. */
  settle(): void {
    this.world.heal()
    const { requestTicks } = this.world.options
    this.world.run(this.isFair ? 300 : 10 * requestTicks + this.world.weather.lateMs)
    for (let wait = 0; wait < 300 && this.world.unrest() !== undefined; wait++) this.world.run(100)
    expect(this.world.unrest()).to.equal(undefined)
  }

  #insist<Kind extends RingAnswer['kind']>(
    kind: Kind,
    ask: () => RingAnswer,
  ): Extract<RingAnswer, { kind: Kind }> {
    const endMs = this.world.nowMs + patienceMs
    while (true) {
      const answer = ask()
      // The kind says which of the answers it is, which the compiler cannot follow through a type parameter.
      if (answer.kind === kind) return answer as Extract<RingAnswer, { kind: Kind }>
      const isPassing = answer.kind === 'quorum-not-met' || answer.kind === 'unknown'
      if (this.isFair || !isPassing || this.world.nowMs >= endMs) throw new Error(JSON.stringify(answer))
      this.world.run(50)
    }
  }
}

/** The values of an answer, sorted. */
export function textsOf({ versions }: Found | Written): string[] {
  return versions.map(({ value }) => Buffer.from(value).toString()).sort()
}

/**
 * Runs a scenario in some worlds, which differ in identities, timing and weather; the first has fair weather.
 * `SEEDS=1000` tries so many of each, with `--timeout 0`; `SEED=12` tries that one alone.
 */
export function inWorlds(
  title: string,
  run: (story: Story) => void,
  { worlds = 3, ...cast }: Partial<Cast> & { readonly worlds?: number } = {},
): void {
  it(title, () => {
    const only = process.env['SEED']
    const last = Number(only ?? Math.max(worlds, Number(process.env['SEEDS'] ?? 0)))
    for (let seed = only === undefined ? 1 : last; seed <= last; seed++) {
      try {
        run(new Story(`${title} ${seed}`, seed === 1, cast))
      } catch (error) {
        throw new Error(`in world ${seed}: ${error instanceof Error ? error.message : error}`, {
          cause: error,
        })
      }
    }
  })
}

function isSame(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((text, place) => text === right[place])
}
