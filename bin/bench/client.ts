/**
 * One client of a load, with its connection: sends requests, matches the answers with them, and connects again, to
 * the next target, when the connection is lost.
 */
import { connect, type Socket } from 'node:net'
import { parseAddress } from '../../src/protocol/address.js'
import type { Outcome } from './dialects.js'
import { Ledger } from './ledger.js'
import type { Choice, Load, LoadPlan } from './load.js'

/** Longer times count as this one. */
export const latencyMicrosMax = 600_000_000

/** A request on its way. */
interface Flight extends Choice {
  readonly slot: number
  readonly startedAtMs: number
  /** The number of a write. */
  readonly number: number
}

const connectDeadlineMs = 5000
const reconnectPauseMs = 100
/** No reply to a load is longer; whoever sends more is no database. */
const pendingBytesMax = 64 * 1024 * 1024

/** See the head of this file. */
export class Client {
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

  #take(flight: Flight, outcome: Outcome, reply: Buffer, nowMs: number): void {
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

function latencyOf({ startedAtMs }: Flight, nowMs: number): number {
  return Math.min(latencyMicrosMax, Math.max(1, Math.round((nowMs - startedAtMs) * 1000)))
}
