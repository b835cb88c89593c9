/**
 * Load that can be checked: clients that put one new key after the other, each waiting for its answer, and
 * remember what they were told. Afterwards every key must be what its answer promised.
 */
import { setTimeout } from 'node:timers/promises'
import { type TextClient, textClient } from '../support/text-client.js'
import { waitFor } from '../support/wait-for.js'
import { patienceMs } from './cluster-state.js'

/** One put and what its client was told; `reply` is undefined where the connection ended first. */
export interface Put {
  readonly key: string
  readonly value: string
  readonly address: string
  readonly sentAtMs: number
  readonly answeredAtMs: number
  readonly reply: string | undefined
}

/** What a put must have come to, by what its client was told. */
export type Promised = 'stored' | 'not stored' | 'unknown'

/** Errors that promise that nothing was done. */
const nothingDone = [
  'ERROR: Leader unavailable. Retrying...',
  'ERROR: This node is stopping. Nothing was done, send it again.',
  'ERROR: Server busy. Nothing was done, send it again.',
  'ERROR: Disk full. Writes are refused.',
  'ERROR: This node is not a member of a cluster yet.',
  'ERROR: This node was removed from the cluster.',
]

/** What the answer to a put promises. An answer that no put may get is an error of the test. */
export function promisedBy({ key, value, reply }: Put): Promised {
  if (reply === undefined || reply === 'ERROR: Outcome unknown. The write may have happened.')
    return 'unknown'
  if (reply === `SUCCESS: ${key} -> ${value} added.`) return 'stored'
  // Among them `Key already exists.`: each key is put once, so it would have been carried out twice.
  if (!nothingDone.includes(reply)) throw new Error(`put ${key} was answered '${reply}'`)
  return 'not stored'
}

/** What load is made of. */
export interface PutLoadOptions {
  /** The nodes that clients use; one whose connection ended goes to the next of them. */
  readonly addresses: readonly string[]
  /** Clients that begin at each of the nodes. */
  readonly clients?: number
  /** How long values are, about. */
  readonly valueBytes?: number
}

let loads = 0

/** Clients that put, until they are stopped. */
export class PutLoad {
  readonly puts: Put[] = []
  readonly #options: PutLoadOptions
  readonly #name: string
  readonly #running: Promise<void>[] = []
  #isStopping = false
  #count = 0

  constructor(options: PutLoadOptions) {
    this.#options = options
    loads++
    this.#name = `put${loads}`
    for (let at = 0; at < options.addresses.length; at++) {
      for (let client = 0; client < (options.clients ?? 2); client++) this.#running.push(this.#run(at))
    }
  }

  /** What clients were told that it is stored. */
  get stored(): readonly Put[] {
    return this.puts.filter(put => promisedBy(put) === 'stored')
  }

  /** What clients were not told that it is stored. */
  get failed(): readonly Put[] {
    return this.puts.filter(put => promisedBy(put) !== 'stored')
  }

  /** Waits for so many more acknowledged puts among those that were sent from now on. */
  async waitForMore(count: number): Promise<void> {
    await this.waitForStoredSince(performance.now(), count)
  }

  /** Waits for `count` acknowledged puts that were sent since a moment; returns the first of them. */
  async waitForStoredSince(sinceMs: number, count = 1): Promise<Put> {
    const since = () =>
      this.puts.filter(put => put.sentAtMs >= sinceMs && promisedBy(put) === 'stored').sort(byAnswer)
    await waitFor(() => since().length >= count, patienceMs, `${count} acknowledged puts`)
    const [first] = since()
    if (first === undefined) throw new Error('asked for no puts')
    return first
  }

  /** Lets the clients finish what they asked; throws what went wrong in any of them. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#running)
  }

  async #run(start: number): Promise<void> {
    const { addresses } = this.#options
    for (let at = start; !this.#isStopping; at++) {
      const address = addresses[at % addresses.length] ?? ''
      const client = await textClient(address).catch(() => undefined)
      if (client !== undefined) await this.#putAll(client, address)
      // A node that is gone refuses connections at once, and would be asked without end. The timer does not keep
      // the runner alive, so that a test that fails before it stops its load does not hold it up.
      if (!this.#isStopping) await setTimeout(reconnectMs, undefined, { ref: false })
    }
  }

  async #putAll(client: TextClient, address: string): Promise<void> {
    let isOpen = true
    while (isOpen && !this.#isStopping) {
      const key = `${this.#name}:${++this.#count}`
      const value = `${key}.`.repeat(Math.ceil((this.#options.valueBytes ?? 1) / (key.length + 1)))
      const sentAtMs = performance.now()
      const reply = await client.ask(`put ${key} ${value}`).catch(() => undefined)
      this.puts.push({ key, value, address, sentAtMs, answeredAtMs: performance.now(), reply })
      isOpen = reply !== undefined
    }
    client.close()
  }
}

const reconnectMs = 20
/** Reads under way at a time when puts are checked. */
const readsAtOnce = 200

/**
 * Reads every key and compares it with what its put promised; with `local` from the node's own copy. Returns
 * what is wrong, a sentence each.
 */
export async function brokenPromises(
  address: string,
  puts: readonly Put[],
  from: 'leader' | 'local' = 'leader',
): Promise<string[]> {
  const client = await textClient(address)
  const broken: string[] = []
  for (let start = 0; start < puts.length; start += readsAtOnce) {
    const some = puts.slice(start, start + readsAtOnce)
    const read = from === 'local' ? 'get --local' : 'get'
    const replies = await Promise.all(some.map(({ key }) => client.ask(`${read} ${key}`)))
    for (const [at, put] of some.entries()) {
      const { key, value } = put
      const reply = replies[at]
      const promised = promisedBy(put)
      const isStored = reply === `${key} -> ${value}`
      const isAbsent = reply === 'ERROR: Key not found.'
      const isKept =
        promised === 'stored' ? isStored : promised === 'unknown' ? isStored || isAbsent : isAbsent
      if (!isKept) broken.push(`${key}: '${put.reply?.slice(0, 80)}' at first, now '${reply?.slice(0, 80)}'`)
    }
  }
  client.close()
  return broken
}

function byAnswer(left: Put, right: Put): number {
  return left.answeredAtMs - right.answeredAtMs
}
