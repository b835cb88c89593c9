/**
 * Clients of a ring: they read, write with and without what they read, delete, and fill carts. What they did and
 * heard is what the judge goes by. They know nothing of where the ring runs: one of nodes in memory, or of whole
 * simulated machines.
 */
import type { Random } from '../../src/base/random.js'
import type { RingRead, RingWrite } from '../../src/ring/types.js'
import { type Attempt, type CartAttempt, type DotWatch, judge, judgeCarts } from './judge.js'

/** How customers are. */
export interface Habits {
  readonly thinkMs: number
  /** Of ten writes of plain keys, so many are blind, and so many delete. */
  readonly blind: number
  readonly deletions: number
  readonly quorums: readonly (number | undefined)[]
}

/** What came of a request: what there is now, certainly nothing, or nobody knows. */
export type Reply =
  | { readonly kind: 'seen'; readonly context: string; readonly values: readonly string[] }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'open' }

/** Where customers go. */
export interface Shop<Place> {
  readonly random: Random
  readonly habits: Habits
  isOpen(): boolean
  /** The nodes that can be asked. */
  places(): readonly Place[]
  after(delayMs: number, task: () => void): void
  /** Asks there; false if nobody heard it. `done` is never called where the node dies first. */
  ask(at: Place, request: CustomerRequest, done: (reply: Reply) => void): boolean
}

/** What customers ask. */
export type CustomerRequest = RingRead | RingWrite

interface Seen {
  readonly context: string
  readonly values: readonly string[]
}

const plainKeys = ['apple', 'pear', 'plum']
const carts = ['cart-1', 'xcart-1']

/** All keys that customers ever ask for. */
export const wares: readonly string[] = [...plainKeys, ...carts]

export class Customers<Place> {
  readonly #shop: Shop<Place>
  readonly #attempts: Attempt[] = []
  readonly #cartAttempts: CartAttempt[] = []
  /** Contexts that customers were given, with what came along. */
  readonly #contexts = new Map<string, readonly Seen[]>()
  #values = 0

  constructor(shop: Shop<Place>) {
    this.#shop = shop
  }

  /** Writes that were tried, and those of them that were acknowledged. */
  get writes(): { readonly tried: number; readonly acknowledged: number } {
    const all = [...this.#attempts, ...this.#cartAttempts]
    const acknowledged = all.filter(({ outcome }) => outcome === 'acknowledged').length
    return { tried: all.length, acknowledged }
  }

  /** One more customer, who does one thing after the other. */
  welcome(): void {
    const { random, habits } = this.#shop
    this.#shop.after(random.float() * 2 * habits.thinkMs, () => {
      if (!this.#shop.isOpen()) return
      this.welcome()
      const places = this.#shop.places()
      if (places.length === 0) return
      const at = random.pick(places)
      if (random.chance(0.25)) this.#fillCart(at, random.pick(carts))
      else this.#change(at, random.pick(plainKeys))
    })
  }

  /** What is wrong with what is there in the end; undefined if nothing is. */
  verdict(final: ReadonlyMap<string, readonly string[]>, dots: DotWatch): string | undefined {
    return judge(this.#attempts, final, dots) ?? judgeCarts(this.#cartAttempts, final, dots)
  }

  #change(at: Place, key: string): void {
    const { random, habits } = this.#shop
    const draw = random.below(10)
    const old = this.#contexts.get(key) ?? []
    if (draw < habits.blind) this.#write(at, key, `v${++this.#values}`, undefined)
    else if (old.length > 0 && random.chance(0.2)) {
      this.#write(at, key, `v${++this.#values}`, random.pick(old))
    } else {
      this.#ask(at, { op: 'read', key, quorum: this.#quorum() }, reply => {
        if (reply.kind !== 'seen') return
        this.#contexts.set(key, [...old.slice(-5), reply])
        const isDeletion = random.below(10) < habits.deletions && reply.values.length > 0
        if (random.chance(0.8)) this.#write(at, key, isDeletion ? undefined : `v${++this.#values}`, reply)
      })
    }
  }

  #write(at: Place, key: string, value: string | undefined, seen: Seen | undefined): void {
    const attempt: Attempt = { key, value, seen: new Set(seen?.values), outcome: 'open' }
    this.#attempts.push(attempt)
    const bytes = value === undefined ? undefined : Buffer.from(value)
    const identity = this.#shop.random.chance(0.1) ? `named-${this.#attempts.length}` : undefined
    const context = seen?.context
    const request: CustomerRequest = {
      op: 'write',
      key,
      value: bytes,
      context,
      quorum: this.#quorum(),
      identity,
    }
    const isAsked = this.#ask(at, request, reply => {
      attempt.outcome = outcomeOf(reply)
      if (reply.kind === 'seen') {
        this.#contexts.set(key, [...(this.#contexts.get(key) ?? []).slice(-5), reply])
      }
    })
    if (!isAsked) attempt.outcome = 'nothing'
  }

  #fillCart(at: Place, key: string): void {
    const { random } = this.#shop
    const added = `i${++this.#values}`
    const put = (value: string, removed: readonly string[], context: string | undefined): void => {
      const attempt: CartAttempt = { key, added, removed, outcome: 'open' }
      this.#cartAttempts.push(attempt)
      const bytes = Buffer.from(value)
      const quorum = this.#quorum()
      const request: CustomerRequest = {
        op: 'write',
        key,
        value: bytes,
        context,
        quorum,
        identity: undefined,
      }
      const isAsked = this.#ask(at, request, reply => {
        attempt.outcome = outcomeOf(reply)
      })
      if (!isAsked) attempt.outcome = 'nothing'
    }
    if (random.chance(0.3)) {
      put(added, [], undefined)
      return
    }
    this.#ask(at, { op: 'read', key, quorum: this.#quorum() }, reply => {
      if (reply.kind !== 'seen') return
      const items = reply.values.flatMap(value => value.split(','))
      const removed = random.chance(0.3) && items.length > 0 ? [random.pick(items)] : []
      put([...items.filter(item => !removed.includes(item)), added].join(','), removed, reply.context)
    })
  }

  #ask(at: Place, request: CustomerRequest, done: (reply: Reply) => void): boolean {
    return this.#shop.ask(at, request, done)
  }

  #quorum(): number | undefined {
    return this.#shop.random.pick(this.#shop.habits.quorums)
  }
}

function outcomeOf({ kind }: Reply): Attempt['outcome'] {
  return kind === 'seen' ? 'acknowledged' : kind
}
