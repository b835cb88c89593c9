/**
 * A client of a Quorate cluster: connects to any of several addresses, follows the leader, repeats what was under
 * way when a node is lost, and tells what happens.
 *
 * ```ts
 * import { Client } from 'quorate'
 *
 * const client = await Client.connect(['127.0.0.1:5000', '127.0.0.1:5001', '127.0.0.1:5002'])
 * await client.put('greeting', 'hello')
 * const entry = await client.get('greeting')
 * console.log(entry?.value) // hello
 * client.close()
 * ```
 */
import { fullAddress } from '../protocol/address.js'
import { placementOf } from '../protocol/placement.js'
import { QuorateError } from './errors.js'
import { type ClientEvent, EventStream, eventsWaitingMax } from './events.js'
import { Link } from './link.js'
import {
  type ClientOptions,
  completeOptions,
  type ReadOptions,
  type RequestOptions,
  type WriteOptions,
} from './options.js'
import type { Question } from './requests.js'
import {
  type Entry,
  type Heartbeat,
  type KeyPage,
  readEntry,
  readHeartbeat,
  readKeyPage,
  readOwners,
  readStatus,
  readWritten,
  type Status,
  type Written,
} from './results.js'

/** Where a page of keys begins, and how long it is. */
export interface KeysOptions extends RequestOptions {
  /** Only keys that begin so. */
  readonly prefix?: string
  /** Only keys behind this one. */
  readonly after?: string
  /** How many at most; a node gives no more than 1000 at a time. */
  readonly limit?: number
}

/** How a program hears of events. */
export interface EventsOptions {
  /** Ends the iteration. */
  readonly signal?: AbortSignal
  /** How many events may wait to be taken; further ones are counted and dropped. 1000 unless said otherwise. */
  readonly waitingMax?: number
}

/**
 * See the head of this file. Requests may be made without awaiting those before them; they take effect in the order
 * in which they were made, unless one is refused for the moment (`BUSY`, `LEADER_UNAVAILABLE`) and repeated. Every method that asks the
 * cluster fails with a {@link QuorateError}, or with a `RangeError` for a `timeoutMs` that makes no sense.
 */
export class Client {
  readonly #streams = new Set<EventStream>()
  readonly #link: Link
  #isClosed = false

  private constructor(seeds: readonly string[], options: Required<ClientOptions>) {
    this.#link = new Link(seeds, options, event => {
      for (const stream of this.#streams) stream.add(event)
    })
  }

  /**
   * Connects to the first of the addresses (`host` or `host:port`) that answers; the others of the cluster it learns
   * from there. Fails with `UNREACHABLE` when nobody has answered in time, with `INVALID_ADDRESS` for what is none,
   * and with a `RangeError` for options that make no sense.
   *
   * ```ts
   * import { Client } from 'quorate'
   *
   * const client = await Client.connect('127.0.0.1:5000', { timeoutMs: 3000 })
   * console.log(client.nodes.length) // 3
   * client.close()
   * ```
   */
  static async connect(
    addresses: string | readonly string[],
    options: ClientOptions & { readonly signal?: AbortSignal } = {},
  ): Promise<Client> {
    const { signal, ...rest } = options
    const complete = completeOptions(rest)
    const typed = typeof addresses === 'string' ? addresses.split(',') : addresses
    const seeds = typed.map(address => {
      const full = fullAddress(address.trim())
      if (full === undefined) throw new QuorateError('INVALID_ADDRESS', { address })
      return full
    })
    if (seeds.length === 0) throw new QuorateError('UNREACHABLE', { reason: 'no address was given' })
    const client = new Client(seeds, complete)
    try {
      await client.#connected(complete, signal)
    } catch (error) {
      client.close()
      throw error
    }
    return client
  }

  /** The node it talks to at the moment, in full `host:port` form; undefined while it looks for one. */
  get address(): string | undefined {
    return this.#link.address
  }

  /** The members of the cluster that are not known to be away, in the order in which they joined. */
  get nodes(): readonly string[] {
    return this.#link.nodes
  }

  /** Who leads, as last heard; undefined if nobody does. */
  get leader(): string | undefined {
    return this.#link.latest?.leader
  }

  /** Which engine the cluster runs, as last heard; undefined while nothing was. */
  get engine(): 'raft' | 'ring' | undefined {
    return this.#link.latest?.engine
  }

  /** What is wrong with the cluster, as last heard. */
  get warnings(): readonly string[] {
    return this.#link.latest?.warnings ?? []
  }

  /** Reads a value; undefined if the key is not there. */
  async get(key: string, { quorum, ...options }: ReadOptions = {}): Promise<Entry | undefined> {
    const fields = { op: 'get', key, ...(quorum === undefined ? {} : { quorum }) }
    try {
      return await this.#ask({ kind: 'read', fields, read: readEntry }, options)
    } catch (error) {
      if (error instanceof QuorateError && error.code === 'KEY_NOT_FOUND') return undefined
      throw error
    }
  }

  /** Adds a key. Fails with `KEY_EXISTS` if it is there already. */
  put(key: string, value: string | Uint8Array, options: WriteOptions = {}): Promise<Written> {
    return this.#write({ op: 'put', key, ...valueField(value) }, options)
  }

  /** Changes the value of a key. Fails with `KEY_NOT_FOUND` if it is not there. */
  update(key: string, value: string | Uint8Array, options: WriteOptions = {}): Promise<Written> {
    return this.#write({ op: 'update', key, ...valueField(value) }, options)
  }

  /** Writes a value, whether the key is there or not; the result says which. */
  set(key: string, value: string | Uint8Array, options: WriteOptions = {}): Promise<Written> {
    return this.#write({ op: 'set', key, ...valueField(value) }, options)
  }

  /** Removes a key. Fails with `KEY_NOT_FOUND` if it is not there. */
  delete(key: string, options: WriteOptions = {}): Promise<Written> {
    return this.#write({ op: 'delete', key }, options)
  }

  /**
   * Writes a value if the key still has that version, 0 meaning that it does not exist. Fails with
   * `VERSION_MISMATCH`, whose details have the `current` one, or with `KEY_NOT_FOUND`.
   *
   * ```ts
   * import { Client, QuorateError } from 'quorate'
   *
   * const client = await Client.connect('127.0.0.1:5000')
   * const { version } = await client.set('counter', '1')
   * await client.compareAndSet('counter', version, '2')
   * try {
   *   await client.compareAndSet('counter', version, '3')
   * } catch (error) {
   *   if (!(error instanceof QuorateError)) throw error
   *   console.log(error.code, error.definite) // VERSION_MISMATCH true
   * }
   * client.close()
   * ```
   */
  compareAndSet(
    key: string,
    version: number,
    value: string | Uint8Array,
    options: RequestOptions = {},
  ): Promise<Written> {
    return this.#write({ op: 'cas', key, version, ...valueField(value) }, options)
  }

  /** One page of keys, in byte order. */
  keys({ prefix, after, limit, ...options }: KeysOptions = {}): Promise<KeyPage> {
    const fields = {
      op: 'keys',
      ...(prefix === undefined || prefix === '' ? {} : { prefix }),
      ...(after === undefined ? {} : { after }),
      ...(limit === undefined ? {} : { limit }),
    }
    return this.#ask({ kind: 'read', fields, read: readKeyPage }, options)
  }

  /** All keys, page by page; what is written meanwhile may or may not be among them. */
  async *allKeys(options: Omit<KeysOptions, 'limit'> = {}): AsyncGenerator<string, void> {
    for (let page = await this.keys(options); ; ) {
      yield* page.keys
      const after = page.keys.at(-1)
      if (!page.more || after === undefined) return
      page = await this.keys({ ...options, after })
    }
  }

  /** The state of the cluster as the node sees it that this client talks to. */
  status(options: RequestOptions = {}): Promise<Status> {
    return this.#ask({ kind: 'read', fields: { op: 'status' }, read: readStatus }, options)
  }

  /** A heartbeat, asked for now; the client asks for one every second by itself. */
  heartbeat(options: RequestOptions = {}): Promise<Heartbeat> {
    return this.#ask({ kind: 'read', fields: { op: 'heartbeat' }, read: readHeartbeat }, options)
  }

  /** Adds a node that runs and was never used; settles once it votes with a full copy. */
  addNode(node: string, options: RequestOptions = {}): Promise<void> {
    return this.#administer('add-node', node, options)
  }

  /** Removes a node, or cancels adding it. */
  removeNode(node: string, options: RequestOptions = {}): Promise<void> {
    return this.#administer('remove-node', node, options)
  }

  /** Makes a node the leader. */
  transferLeader(node: string, options: RequestOptions = {}): Promise<void> {
    return this.#administer('transfer-leader', node, options)
  }

  /**
   * Where a key is kept, by what the last heartbeat said of the cluster: computed here by the function that the nodes
   * use, nobody is asked. The key is to be given as it is kept; none while nothing was heard.
   */
  placement(key: string): readonly string[] {
    const { latest } = this.#link
    return latest === undefined ? [] : placementOf(key, latest)
  }

  /** Ring engine: where a key is kept, owners first, as the cluster says. */
  lookup(key: string, options: RequestOptions = {}): Promise<readonly string[]> {
    return this.#ask({ kind: 'read', fields: { op: 'lookup', key }, read: readOwners }, options)
  }

  /**
   * What happens from now on: to this client, and to the cluster as its node tells it. Each call has a queue of its
   * own. It ends when the client is closed or the signal is aborted; leaving the loop ends it as well.
   *
   * ```ts
   * import { Client } from 'quorate'
   *
   * const client = await Client.connect('127.0.0.1:5000')
   * const { leader, nodes } = client
   * const follower = nodes.find(node => node !== leader) ?? ''
   * const events = client.events()
   * await client.transferLeader(follower)
   * for await (const event of events) {
   *   if (event.kind === 'moved') break
   * }
   * console.log(client.address === follower) // true
   * client.close()
   * ```
   */
  events({
    signal,
    waitingMax = eventsWaitingMax,
  }: EventsOptions = {}): AsyncIterableIterator<ClientEvent, undefined> {
    const end = (): void => stream.end()
    const stream: EventStream = new EventStream(waitingMax, () => {
      this.#streams.delete(stream)
      signal?.removeEventListener('abort', end)
    })
    if (this.#isClosed || signal?.aborted) {
      stream.end()
      return stream
    }
    signal?.addEventListener('abort', end, { once: true })
    this.#streams.add(stream)
    this.#link.watch()
    return stream
  }

  /** Ends all connections. What is under way fails with `CLOSED`, or with `OUTCOME_UNKNOWN` if it may happen. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#link.close(new QuorateError('CLOSED'))
    for (const stream of [...this.#streams]) stream.end()
  }

  /** Settles once a node was found; fails when that takes too long. */
  async #connected(options: Required<ClientOptions>, signal: AbortSignal | undefined): Promise<void> {
    const { timeoutMs, unreachableAfterMs } = options
    const startedAtMs = performance.now()
    const deadline = AbortSignal.timeout(Math.min(timeoutMs, 2 ** 31 - 1))
    const calledOff = signal === undefined ? deadline : AbortSignal.any([deadline, signal])
    const stream = new EventStream(eventsWaitingMax, () => this.#streams.delete(stream))
    this.#streams.add(stream)
    const end = (): void => stream.end()
    calledOff.addEventListener('abort', end, { once: true })
    if (calledOff.aborted) end()
    let reason = `nobody answered within ${timeoutMs} ms`
    for await (const event of stream) {
      if (event.kind === 'connected') {
        calledOff.removeEventListener('abort', end)
        return
      }
      if (event.kind !== 'unreachable') continue
      reason = event.reason
      if (performance.now() - startedAtMs >= unreachableAfterMs) break
    }
    if (signal?.aborted) throw new QuorateError('ABORTED', {}, { cause: signal.reason })
    throw new QuorateError('UNREACHABLE', { reason })
  }

  #write(
    named: Readonly<Record<string, unknown>>,
    { quorum, context, ...options }: WriteOptions,
  ): Promise<Written> {
    const fields = {
      ...named,
      ...(quorum === undefined ? {} : { quorum }),
      ...(context === undefined ? {} : { context }),
    }
    return this.#ask({ kind: 'write', fields, read: readWritten }, options)
  }

  #administer(op: string, node: string, options: RequestOptions): Promise<void> {
    return this.#ask({ kind: 'admin', fields: { op, node }, read: () => {} }, options)
  }

  async #ask<T>(question: Question<T>, options: RequestOptions): Promise<T> {
    if (this.#isClosed) throw new QuorateError('CLOSED')
    return this.#link.requests.submit(question, options)
  }
}

/** Text goes as it is, bytes in base64; what a program without types gives instead, a node refuses with its reason. */
function valueField(value: string | Uint8Array): Record<string, string> {
  if (typeof value === 'string' || !ArrayBuffer.isView(value)) return { value }
  return { valueBase64: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
}
