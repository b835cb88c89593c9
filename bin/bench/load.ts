/**
 * The load: clients in a closed loop, each of which keeps a number of requests on its way over a connection of its
 * own and sends the next when one was answered. What came in one turn is answered with one write, as a good client
 * would do. A connection that is lost is made again, to the next target; writes it had on their way are in doubt.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { Client, latencyMicrosMax } from './client.js'
import type { Dialect } from './dialects.js'
import type { Ledger } from './ledger.js'

/** What a client asks next. */
export interface Choice {
  readonly key: number
  readonly isRead: boolean
}

/** What is to be done. */
export interface LoadPlan {
  readonly targets: readonly string[]
  readonly clients: number
  /** Requests that each client has on their way. */
  readonly pipeline: number
  readonly dialect: Dialect
  readonly ledger: Ledger
  /** The next request of a client; undefined when it has no more to do. */
  choose(client: number): Choice | undefined
  /** When nothing new is sent any more; without it the clients go on until they have no more to do. */
  readonly seconds?: number
  /** Is told of the value of every read, undefined for none; left out, values are not looked at. */
  readonly onValue?: (key: number, value: string | undefined) => void
}

/** The errors that clients have heard, and how often. */
export type ErrorCounts = Map<string, number>

/** See the head of this file. */
export class Load {
  /** Times of answered requests, in microseconds. */
  readonly latencies: RecordableHistogram = createHistogram({
    lowest: 1,
    highest: latencyMicrosMax,
    figures: 3,
  })
  readonly errors: ErrorCounts = new Map()
  /** Requests that did what was asked. */
  done = 0
  writes = 0
  /** Reads of keys that were not there. */
  absent = 0
  /** Requests that certainly did nothing. */
  refused = 0
  readonly #plan: LoadPlan
  readonly #clients: Client[]
  #endsAtMs = Number.POSITIVE_INFINITY
  #living = 0
  #answeredBefore = -1
  #ended: (() => void) | undefined

  constructor(plan: LoadPlan) {
    this.#plan = plan
    this.#clients = Array.from({ length: plan.clients }, (_, number) => new Client(this, plan, number))
  }

  /** Connects all clients. Fails if one cannot be, because the load would not be what was asked for. */
  async connect(): Promise<void> {
    await Promise.all(this.#clients.map(client => client.connect()))
  }

  /**
   * Runs to the end: until the time is over, or no client has more to do, and every answer is there or the time
   * for them is over as well.
   */
  async run(): Promise<void> {
    const { seconds } = this.#plan
    const timers: NodeJS.Timeout[] = []
    const ended = new Promise<void>(resolve => {
      this.#ended = resolve
    })
    if (seconds !== undefined) {
      this.#endsAtMs = performance.now() + seconds * 1000
      timers.push(setTimeout(() => this.#clients.forEach(giveUp), seconds * 1000 + answerDeadlineMs))
      // A client that is waiting to connect again has nothing to wait for any more.
      timers.push(setTimeout(() => this.#clients.forEach(stopTrying), seconds * 1000))
    } else {
      timers.push(setInterval(() => this.#endIfStalled(), stallMs))
    }
    this.#living = this.#clients.length
    try {
      for (const client of this.#clients) client.begin()
      await ended
    } finally {
      timers.forEach(clearTimeout)
    }
  }

  /** Ends all connections at once. */
  close(): void {
    this.#clients.forEach(giveUp)
  }

  /** Whether new requests may still be sent. */
  get isOn(): boolean {
    return performance.now() < this.#endsAtMs
  }

  /** A client has come to its end. */
  clientEnded(): void {
    this.#living--
    if (this.#living === 0) this.#ended?.()
  }

  /** Without a time to end at, servers that answer nothing any more would be waited for forever. */
  #endIfStalled(): void {
    const answered = this.done + this.absent + this.refused
    if (answered === this.#answeredBefore) this.#clients.forEach(giveUp)
    this.#answeredBefore = answered
  }

  /** Counts an error. */
  countError(text: string, count = 1): void {
    // Texts come from the other side, which must not fill the memory with them.
    const short = text.slice(0, errorLengthMax)
    const known = this.errors.has(short) || this.errors.size < errorTextsMax ? short : 'others'
    this.errors.set(known, (this.errors.get(known) ?? 0) + count)
  }
}

const errorTextsMax = 50
const errorLengthMax = 200
/** How long answers may take after the last request: longer than a node lets requests wait. */
const answerDeadlineMs = 15_000
const stallMs = 15_000

function giveUp(client: Client): void {
  client.giveUp()
}

function stopTrying(client: Client): void {
  client.stopTrying()
}
