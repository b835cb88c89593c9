/**
 * One cluster whose requests go through a leader, and the words of its clients: what the scenarios of ordered rings
 * are told in. As in story.ts, the first world of a scenario has fair weather, in which everything must succeed at
 * once; in the others clients ask again, under the same name.
 */
import { expect } from 'chai'
import type { NodeId } from '../../src/base/ids.js'
import type {
  OrderedAnswer,
  OrderedChange,
  RingAnswer,
  RingMemberStatus,
  RingOptions,
} from '../../src/ring/types.js'
import { keyThat } from './keys.js'
import { drawWeather } from './story.js'
import { fairWeather, World } from './world.js'

export type Changed = Extract<OrderedAnswer, { kind: 'changed' }>

const patienceMs = 60_000

/** What a scenario's cluster is like. */
export interface OrderedCast {
  readonly nodes: number
  readonly copies: number
  readonly options: Partial<RingOptions>
}

export class OrderedStory {
  readonly world: World
  readonly ids: NodeId[]
  readonly isFair: boolean
  #writes = 0

  constructor(seed: string, isFair: boolean, { nodes, copies, options }: OrderedCast) {
    this.isFair = isFair
    this.world = new World(seed, {}, { ordered: true, evict: true, ...options })
    this.ids = this.world.found(nodes, copies)
    this.until('everybody has met', () => this.isCalm())
    Object.assign(this.world.weather, isFair ? fairWeather : drawWeather(seed))
  }

  /** Everybody who runs knows a leader, hears all others who run, and has got all there is to get. */
  isCalm(): boolean {
    const { running } = this
    return running.every(id => {
      const { leader, members } = this.world.ring(id).status()
      const isFine = (one: RingMemberStatus): boolean =>
        one.behind !== true && (one.reachable || !running.includes(one.member.id))
      return leader !== undefined && members.every(isFine)
    })
  }

  get running(): NodeId[] {
    return [...this.world.nodes.values()].filter(({ ring }) => ring !== undefined).map(({ id }) => id)
  }

  get last(): NodeId {
    return this.running.at(-1) as NodeId
  }

  nextName(): string {
    return `write-${++this.#writes}`
  }

  tryChange(
    at: NodeId,
    verb: OrderedChange['verb'],
    key: string,
    value: string | undefined,
    identity: string,
  ): RingAnswer {
    const bytes = value === undefined ? undefined : Buffer.from(value)
    return this.world.answer(at, { op: 'change', verb, key, value: bytes, identity })
  }

  /** Asks, in foul weather again and again, until the answer is more than that somebody was not to be reached. */
  change(
    at: NodeId,
    verb: OrderedChange['verb'],
    key: string,
    value?: string,
    identity = this.nextName(),
  ): RingAnswer {
    return this.#insist(() => this.tryChange(at, verb, key, value, identity), [])
  }

  set(at: NodeId, key: string, value: string, identity?: string): Changed {
    const answer = this.change(at, 'set', key, value, identity)
    if (answer.kind !== 'changed') throw new Error(JSON.stringify(answer))
    return answer
  }

  /** The value; or `(absent)`, `(unavailable)`. */
  get(at: NodeId, key: string): string {
    return textOf(this.#insist(() => this.world.answer(at, { op: 'get', key }), ['unavailable']))
  }

  /**
   * A reader finds exactly this. In foul weather nodes lose each other now and then, so that it may be unavailable for
   * a while; but nothing else is ever found.
   */
  sees(at: NodeId, key: string, expected: string): void {
    let found = this.get(at, key)
    const isOver = (): boolean => this.isFair || found === expected || found !== '(unavailable)'
    if (!isOver()) {
      this.until(`${key} at ${at} is ${expected}`, () => {
        found = this.get(at, key)
        return isOver()
      })
    }
    expect(found, `${key} at ${at}`).to.equal(expected)
  }

  /** Every node that runs gives this. */
  allSee(key: string, expected: string): void {
    for (const id of this.running) this.sees(id, key, expected)
  }

  /** Of the members as a node sees them, those who own a key. */
  owners(key: string, at = this.last): NodeId[] {
    return this.world
      .ring(at)
      .owners(key)
      .map(({ id }) => id)
  }

  /** Those who run and hold a record of a key. */
  holders(key: string): NodeId[] {
    return this.running.filter(id => this.world.ring(id).view.records.get(key).record.length > 0)
  }

  leaderAt(id: NodeId): NodeId | undefined {
    return this.world.ring(id).status().leader?.id
  }

  epochAt(id: NodeId): number {
    return this.world.ring(id).status().epoch ?? 0
  }

  standing(of: NodeId, at = this.last): string | undefined {
    return this.world.ring(at).list.members.find(({ id }) => id === of)?.standing
  }

  /** A key that these own, and nobody else. */
  keyOf(owners: readonly NodeId[], at = this.last): string {
    return keyThat(key => {
      const found = this.owners(key, at)
      return found.length === owners.length && found.every(id => owners.includes(id))
    })
  }

  /** Lets time pass until something holds, which it must. */
  until(what: string, holds: () => boolean): void {
    const endMs = this.world.nowMs + patienceMs
    while (!holds()) {
      if (this.world.nowMs >= endMs) throw new Error(`never: ${what}`)
      this.world.run(50)
    }
  }

  /** Until all who run lead and follow, have what they should have, and nothing else. */
  settle(): void {
    this.world.heal()
    this.world.run(this.isFair ? 300 : 2000 + this.world.weather.lateMs)
    this.until(`rest: ${this.world.unrest()}`, () => this.isCalm() && this.world.unrest() === undefined)
  }

  #insist(ask: () => RingAnswer, accepted: readonly RingAnswer['kind'][]): RingAnswer {
    const endMs = this.world.nowMs + patienceMs
    while (true) {
      const answer = ask()
      const isUnlucky = ['unknown', 'unavailable'].includes(answer.kind)
      const isPassing = isUnlucky || (answer.kind === 'refused' && answer.reason === 'no-leader')
      if (!isPassing || accepted.includes(answer.kind)) return answer
      if (this.isFair || this.world.nowMs >= endMs) throw new Error(JSON.stringify(answer))
      this.world.run(50)
    }
  }
}

/** What a reader is shown, in a word. */
export function textOf(answer: RingAnswer): string {
  return answer.kind === 'entry' ? Buffer.from(answer.value).toString() : `(${answer.kind})`
}

/**
 * Runs a scenario in some worlds, as `inWorlds` of story.ts does: `SEEDS=1000` tries so many of each, with
 * `--timeout 0`; `SEED=12` tries that one alone.
 */
export function inOrderedWorlds(
  title: string,
  run: (story: OrderedStory) => void,
  {
    worlds = 3,
    nodes = 3,
    copies = 2,
    options = {},
  }: Partial<OrderedCast> & { readonly worlds?: number } = {},
): void {
  it(title, () => {
    const only = process.env['SEED']
    const last = Number(only ?? Math.max(worlds, Number(process.env['SEEDS'] ?? 0)))
    for (let seed = only === undefined ? 1 : last; seed <= last; seed++) {
      try {
        run(new OrderedStory(`${title} ${seed}`, seed === 1, { nodes, copies, options }))
      } catch (error) {
        throw new Error(`in world ${seed}: ${error instanceof Error ? error.message : error}`, {
          cause: error,
        })
      }
    }
  })
}
