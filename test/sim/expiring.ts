/**
 * Keys that expire, in a simulated cluster whose clocks disagree. Each key is written by one client, one value
 * after the other, and read by it at any node. Nobody can say when a value must be gone, as log time goes its
 * own way under clocks that jump; but what is gone stays gone:
 *
 * - after a read that found nothing, or another value, no value is found any more that was written before;
 * - only a write of unknown outcome may still happen, once: its node may have stood still while others took later ones.
 */
import type { Random } from '../../src/base/random.js'
import { errors } from '../../src/protocol/errors.js'
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
  /** The number of the last value that was asked to be written, with whatever outcome. */
  #written = 0
  /** The last one that is known to have been written; null when it was found to be gone. */
  #current: number | null = null
  /** Those whose outcome is unknown: each may have been written, or may be at any later time. */
  readonly #adrift = new Set<number>()
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
      this.#adrift.add(value)
      this.#submit(node, { op: 'redis-write', operations: [set], watched: [] }, response => {
        const isUnknown = response.kind === 'error' && !errors[response.code].definite
        if (!isUnknown) this.#adrift.delete(value)
        if (response.kind === 'redis') this.#current = value
      })
      return
    }
    const request: Request = this.#random.chance(0.5)
      ? { op: 'get', key, local: false }
      : { op: 'redis-read', operations: [{ op: 'mget', keys: [key] }], local: false }
    this.#submit(node, request, response => this.#judge(response))
  }

  #judge(response: Response): void {
    const found = numberOf(response)
    if (found === undefined) return
    const { world, onViolation } = this.#shared
    world.note(this.#name, `is ${found ?? 'gone'}`)
    if (found !== null && found !== this.#current && !this.#adrift.delete(found))
      onViolation(`${this.#name} came back: ${found}, after it was gone or replaced`)
    this.#current = found
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
