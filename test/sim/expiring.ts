/**
 * Keys that expire, in a simulated cluster whose clocks disagree. Each key is written by one client, one value
 * after the other, and read by it at any node. Nobody can say when a value must be gone, as log time goes its
 * own way under clocks that jump; but what is gone stays gone:
 *
 * - after a read that found nothing, or a later value, no value is found any more that was written before.
 */
import type { Random } from '../../src/base/random.js'
import type { Request, Response } from '../../src/protocol/request.js'
import type { SimulatedNode } from './node.js'
import type { World } from './world.js'

/** What the keys need of a run. */
export interface ExpiringWorld {
  readonly world: World
  nodes(): readonly SimulatedNode[]
  /** A question is given up after this long. */
  readonly patienceMs: number
  onViolation(what: string): void
}

const thinkMs = 15
/** How long values live. */
const lifetimesMs = [1, 20, 200, 1000, 3000] as const

export class ExpiringKeys {
  readonly #shared: ExpiringWorld
  readonly #keys: readonly ExpiringKey[]

  constructor(count: number, shared: ExpiringWorld) {
    this.#shared = shared
    this.#keys = Array.from({ length: count }, (_, number) => new ExpiringKey(`e${number}`, this.#shared))
  }

  start(): void {
    for (const key of this.#keys) key.next()
  }

  /** Nothing is written or read any more; what was asked may still happen. */
  stop(): void {
    for (const key of this.#keys) key.isStopped = true
  }
}

class ExpiringKey {
  isStopped = false
  readonly #name: string
  readonly #shared: ExpiringWorld
  readonly #random: Random
  /** The number of the last value that was written, with whatever outcome. */
  #written = 0
  /** The last one of which it is known that it was written. */
  #known = 0
  /** The first number that may still be found. */
  #lowest = 1
  #questions = 0

  constructor(name: string, shared: ExpiringWorld) {
    this.#name = name
    this.#shared = shared
    this.#random = shared.world.random.fork(`expiring ${name}`)
  }

  next(): void {
    this.#shared.world.after(2 * thinkMs * this.#random.float(), () => {
      if (!this.isStopped) this.#ask()
    })
  }

  #ask(): void {
    const nodes = this.#shared.nodes().filter(one => one.isRunning)
    if (nodes.length === 0) {
      this.next()
      return
    }
    const node = this.#random.pick(nodes)
    const key = this.#name
    if (this.#random.chance(0.3)) {
      const value = ++this.#written
      const expiry = { after: this.#random.pick(lifetimesMs) }
      const bytes = Buffer.from(String(value))
      const set = { op: 'set', key, value: bytes, condition: undefined, expiry, previous: false } as const
      this.#submit(node, { op: 'redis-write', operations: [set], watched: [] }, response => {
        if (response.kind === 'redis') this.#known = value
      })
      return
    }
    const known = this.#known
    const request: Request = this.#random.chance(0.5)
      ? { op: 'get', key, local: false }
      : { op: 'redis-read', operations: [{ op: 'mget', keys: [key] }], local: false }
    this.#submit(node, request, response => this.#judge(response, known))
  }

  /** `known` was written before the read began. */
  #judge(response: Response, known: number): void {
    const found = numberOf(response)
    if (found === undefined) return
    const { world, onViolation } = this.#shared
    world.note(this.#name, `is ${found ?? 'gone'}`)
    if (found === null) this.#lowest = Math.max(this.#lowest, known + 1)
    else if (found < this.#lowest)
      onViolation(`${this.#name} came back: ${found}, after it was gone or replaced`)
    else this.#lowest = found
  }

  #submit(node: SimulatedNode, request: Request, done: (response: Response) => void): void {
    const { world, patienceMs } = this.#shared
    const question = ++this.#questions
    const end = (): boolean => {
      if (question !== this.#questions) return false
      this.#questions++
      this.next()
      return true
    }
    world.after(patienceMs, end)
    node.deliver(() => {
      node.submit(request, response => {
        if (end()) done(response)
      })
    })
  }
}

/** The number of the value that was read, null for none; undefined where nothing was read. */
function numberOf(response: Response): number | null | undefined {
  if (response.kind === 'value') return Number(Buffer.from(response.value).toString())
  if (response.kind === 'error') return response.code === 'KEY_NOT_FOUND' ? null : undefined
  if (response.kind !== 'redis') return undefined
  const [reply] = response.replies
  const item = reply?.kind === 'list' ? reply.items[0] : undefined
  return item?.kind === 'bytes' ? Number(Buffer.from(item.value).toString()) : null
}
