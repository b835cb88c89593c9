/**
 * The load: clients in a closed loop, each of which keeps a number of requests on its way over a connection of its
 * own and sends the next when one was answered. What came in one turn is answered with one write, as a good client
 * would do. A connection that is lost is made again, to the next target; writes it had on their way are in doubt.
 */
import { connect, type Socket } from 'node:net'
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { parseAddress } from '../../src/protocol/address.js'
import type { Dialect } from './dialects.js'
import { Ledger } from './ledger.js'

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
    const known = this.errors.has(text) || this.errors.size < errorTextsMax ? text : 'others'
    this.errors.set(known, (this.errors.get(known) ?? 0) + count)
  }
}

/** A request on its way. */
interface Flight extends Choice {
  readonly slot: number
  readonly startedAtMs: number
  /** The number of a write. */
  readonly number: number
}

const latencyMicrosMax = 600_000_000
const errorTextsMax = 50
/** How long answers may take after the last request: longer than a node lets requests wait. */
const answerDeadlineMs = 15_000
const stallMs = 15_000
const connectDeadlineMs = 5000
const reconnectPauseMs = 100
/** No reply to a load is longer; whoever sends more is no database. */
const pendingBytesMax = 64 * 1024 * 1024

/** One client, with its connection. */
class Client {
  readonly #load: Load
  readonly #plan: LoadPlan
  readonly #number: number
  #socket: Socket | undefined
  #target: number
  #flights: Flight[] = []
  #pending: Buffer | undefined
  #nextSlot = 0
  #hasBegun = false
  #isOver = false
  #retry: NodeJS.Timeout | undefined

  constructor(load: Load, plan: LoadPlan, number: number) {
    this.#load = load
    this.#plan = plan
    this.#number = number
    this.#target = number
  }

  connect(): Promise<void> {
    const { targets } = this.#plan
    const target = targets[this.#target % targets.length] ?? ''
    const address = parseAddress(target)
    if (address === undefined) return Promise.reject(new Error(`${target} is no address`))
    return new Promise((resolve, reject) => {
      const socket = connect({ ...address, noDelay: true, timeout: connectDeadlineMs })
      const fail = (why: string) => {
        socket.destroy()
        reject(new Error(`cannot connect to ${target}: ${why}`))
      }
      const onError = (error: Error) => fail(error.message)
      socket.once('error', onError)
      socket.once('timeout', () => fail(`no answer within ${connectDeadlineMs} ms`))
      socket.once('connect', () => {
        socket.setTimeout(0).removeAllListeners('timeout').off('error', onError)
        this.#use(socket)
        resolve()
      })
    })
  }

  begin(): void {
    this.#hasBegun = true
    this.#send()
  }

  /** Ends now, whatever is still on its way. */
  giveUp(): void {
    this.#doubtFlights('no answer')
    this.#end()
  }

  stopTrying(): void {
    if (this.#socket === undefined) this.#end()
  }

  #use(socket: Socket): void {
    this.#socket = socket
    socket.on('data', chunk => this.#receive(chunk))
    // What went wrong shows as the end of the connection.
    socket.on('error', () => {})
    socket.on('close', () => this.#lost(socket))
    if (this.#hasBegun) this.#send()
  }

  /** Fills up what is on its way, with one write. */
  #send(): void {
    if (this.#socket === undefined || this.#isOver) return
    const { pipeline, ledger, dialect, choose } = this.#plan
    let text = ''
    if (this.#load.isOn) {
      const startedAtMs = performance.now()
      while (this.#flights.length < pipeline) {
        const choice = choose(this.#number)
        if (choice === undefined) break
        const { key, isRead } = choice
        const slot = this.#nextSlot++
        const number = isRead ? 0 : ledger.begin(key)
        const name = Ledger.keyName(key)
        text += isRead ? dialect.read(slot, name) : dialect.write(slot, name, ledger.value(number))
        this.#flights.push({ key, isRead, slot, number, startedAtMs })
      }
    }
    if (text !== '') this.#socket.write(text, 'latin1')
    else if (this.#flights.length === 0) this.#end()
  }

  #receive(chunk: Buffer): void {
    const bytes = this.#pending === undefined ? chunk : Buffer.concat([this.#pending, chunk])
    const nowMs = performance.now()
    let from = 0
    while (from < bytes.length && !this.#isOver) {
      const reply = this.#plan.dialect.reply(bytes, from)
      if (reply === undefined) break
      const at = reply.slot === undefined ? 0 : this.#flights.findIndex(({ slot }) => slot === reply.slot)
      const flight = this.#flights[at]
      if (flight === undefined) {
        this.#load.countError(`an answer to nothing: ${bytes.toString('latin1', from, reply.end).trim()}`)
      } else {
        this.#flights.splice(at, 1)
        this.#take(flight, reply.outcome, bytes.subarray(from, reply.end), nowMs)
      }
      from = reply.end
    }
    this.#pending = from < bytes.length ? bytes.subarray(from) : undefined
    if ((this.#pending?.length ?? 0) > pendingBytesMax) this.#socket?.destroy()
    else this.#send()
  }

  #take(flight: Flight, outcome: string, reply: Buffer, nowMs: number): void {
    const load = this.#load
    const { dialect, ledger, onValue } = this.#plan
    const { key, isRead, number } = flight
    switch (outcome) {
      case 'done':
        load.done++
        load.latencies.record(latencyOf(flight, nowMs))
        if (isRead) onValue?.(key, dialect.valueIn(reply))
        else {
          load.writes++
          ledger.acknowledge(key, number)
        }
        return
      case 'absent':
        load.absent++
        load.latencies.record(latencyOf(flight, nowMs))
        onValue?.(key, undefined)
        return
      case 'refused':
        load.refused++
        break
      default:
        if (!isRead) ledger.doubt(key)
    }
    load.countError(dialect.errorIn(reply))
  }

  #lost(socket: Socket): void {
    if (socket !== this.#socket || this.#isOver) return
    this.#socket = undefined
    this.#pending = undefined
    this.#doubtFlights('connection lost')
    if (!this.#hasBegun) return
    this.#target++
    this.#tryAgain()
  }

  #tryAgain(): void {
    if (this.#isOver) return
    if (!this.#load.isOn) {
      this.#end()
      return
    }
    this.#retry = setTimeout(() => {
      this.connect().catch((error: Error) => {
        this.#load.countError(error.message)
        this.#target++
        this.#tryAgain()
      })
    }, reconnectPauseMs)
  }

  #doubtFlights(why: string): void {
    if (this.#flights.length === 0) return
    this.#load.countError(why, this.#flights.length)
    for (const { isRead, key } of this.#flights) if (!isRead) this.#plan.ledger.doubt(key)
    this.#flights = []
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#retry)
    this.#socket?.destroy()
    this.#load.clientEnded()
  }
}

function giveUp(client: Client): void {
  client.giveUp()
}

function stopTrying(client: Client): void {
  client.stopTrying()
}

function latencyOf({ startedAtMs }: Flight, nowMs: number): number {
  return Math.min(latencyMicrosMax, Math.max(1, Math.round((nowMs - startedAtMs) * 1000)))
}
