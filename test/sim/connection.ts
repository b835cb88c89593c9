/**
 * One simulated connection: lines from one process to another, carried by a link that may delay, lose, repeat,
 * reorder or hold them up.
 *
 * What must always hold:
 * - a line arrives whole, as its own copy of the bytes, and only while both processes live;
 * - without the option to reorder, lines arrive in the order in which they were sent, also around a cut;
 * - each side notices the end of the connection at most once, and only where it could.
 */
import type { NodeId } from '../../src/base/ids.js'
import type { Random } from '../../src/base/random.js'
import type { Life } from './machine.js'
import type { World } from './world.js'

/** How the links of one run behave. */
export interface LinkOptions {
  /** The time one packet takes. */
  readonly delay: (random: Random) => number
  /** How likely a line is lost, repeated, or overtaken by later ones. */
  readonly loss: number
  readonly duplication: number
  readonly reordering: number
  /** A sender's queue: lines that would make it longer are dropped, and the sender is told. */
  readonly queueBytesMax: number
  readonly bytesPerMs: number
  /** How likely a connection that was held up by a cut turns out to be broken when the cut ends. */
  readonly brokenByCut: number
  /** A connection that gets nothing through for this long is given up. */
  readonly deadAfterMs: number
}

/** What a connection asks of the network and tells it. */
export interface ConnectionEvents {
  isBlocked(from: string, to: string): boolean
  /** The faults are over: no more loss, repetition, reordering or slowness. */
  isHealthy(): boolean
  onLine(line: Uint8Array): void
  onSlow(): void
  onSenderNotices(): void
  onReceiverNotices(): void
  /** Nothing will happen on it any more. */
  onOver(): void
}

/** A healed link is this fast, whatever the run's links were before. */
const healthyDelayMs = 0.2
/** A sender whose queue stays full hears of it this often. */
const slowNoticeEveryMs = 10

/** A line under way, or (without one) the news that the sender closed the connection. */
interface Packet {
  readonly line: Uint8Array | undefined
  readonly overtakes: boolean
  hasArrived: boolean
}

export class Connection {
  readonly from: Life
  readonly to: Life
  readonly fromNode: NodeId
  readonly #world: World
  readonly #random: Random
  readonly #options: LinkOptions
  readonly #events: ConnectionEvents
  /** Everything that must be delivered in order, oldest first. */
  readonly #inOrder: Packet[] = []
  /** Packets that came to where the link is cut. */
  readonly #held: Packet[] = []
  #lastArrivalMs = 0
  #linkFreeAtMs = 0
  #queuedBytes = 0
  #closer: Life | undefined
  #isOver = false
  #heldSinceMs: number | undefined
  #slowNoticeDueMs = 0

  constructor(
    world: World,
    random: Random,
    options: LinkOptions,
    ends: { readonly from: Life; readonly to: Life; readonly fromNode: NodeId },
    events: ConnectionEvents,
  ) {
    this.from = ends.from
    this.to = ends.to
    this.fromNode = ends.fromNode
    this.#world = world
    this.#random = random
    this.#options = options
    this.#events = events
  }

  /** Whether the machine of this name is at one of its ends. */
  reaches(name: string): boolean {
    return this.from.name === name || this.to.name === name
  }

  /** It is broken; both sides know, or will hear of it in a moment. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** One of its ends is gone, though the other one may not know it. */
  isDead(): boolean {
    return this.#closer !== undefined || !this.from.isAlive() || !this.to.isAlive()
  }

  /** Sends one line; what is dropped is dropped whole. */
  send(parts: readonly Uint8Array[]): void {
    if (this.#isOver) return
    const line = Buffer.concat(parts)
    if (this.#queuedBytes + line.byteLength > this.#options.queueBytesMax) {
      this.#dropForSlowness(line)
      return
    }
    const faulty = !this.#events.isHealthy()
    if (faulty && this.#random.chance(this.#options.loss)) {
      this.#note('lost', line)
      return
    }
    this.#start(line)
    if (faulty && this.#random.chance(this.#options.duplication)) this.#start(Buffer.from(line))
  }

  /** The link is whole again: what was held up follows, in order. */
  release(): void {
    this.#heldSinceMs = undefined
    for (const packet of this.#held.splice(0)) this.#carry(packet)
  }

  /** Both sides find out, each by itself, that the connection is broken; what is under way is lost. */
  breakOff(): void {
    if (this.#isOver) return
    this.#end()
    if (this.#closer !== this.from) this.#noticeAfter(this.#delayMs(), this.from)
    if (this.#closer !== this.to) this.#noticeAfter(this.#delayMs(), this.to)
  }

  /**
   * One side closed it, or its process died. The other one notices, after the lines that were under way to it,
   * as soon as the link lets the news through, or when it gives up by itself.
   */
  closedBy(side: Life): void {
    if (this.#isOver || this.#closer !== undefined) return
    this.#closer = side
    if (side === this.from) {
      this.#start(undefined)
    } else if (this.#events.isBlocked(this.to.name, this.from.name)) {
      this.#startGivingUp()
    } else {
      this.#end()
      this.#noticeAfter(this.#delayMs(), this.from)
    }
  }

  #start(line: Uint8Array | undefined): void {
    const faulty = !this.#events.isHealthy()
    const overtakes = line !== undefined && faulty && this.#random.chance(this.#options.reordering)
    const packet: Packet = { line, overtakes, hasArrived: false }
    if (!overtakes) this.#inOrder.push(packet)
    this.#queuedBytes += line?.byteLength ?? 0
    this.#carry(packet)
  }

  #carry(packet: Packet): void {
    const nowMs = this.#world.nowMs()
    let arrivalMs = this.#sentAtMs(packet.line?.byteLength ?? 0) + this.#delayMs()
    if (!packet.overtakes) {
      arrivalMs = Math.max(arrivalMs, this.#lastArrivalMs)
      this.#lastArrivalMs = arrivalMs
    }
    this.#world.after(arrivalMs - nowMs, () => this.#arrive(packet))
  }

  /** When a line that is sent now has left: not before those before it have. */
  #sentAtMs(bytes: number): number {
    const nowMs = this.#world.nowMs()
    if (this.#events.isHealthy()) return nowMs
    this.#linkFreeAtMs = Math.max(this.#linkFreeAtMs, nowMs) + bytes / this.#options.bytesPerMs
    return this.#linkFreeAtMs
  }

  #arrive(packet: Packet): void {
    if (this.#isOver) return
    if (!this.to.isAlive() || this.#events.isBlocked(this.from.name, this.to.name)) {
      this.#held.push(packet)
      this.#startGivingUp()
      return
    }
    packet.hasArrived = true
    if (packet.overtakes) this.#deliver(packet)
    while (this.#inOrder[0]?.hasArrived === true) {
      const next = this.#inOrder.shift()
      if (next !== undefined) this.#deliver(next)
    }
  }

  #deliver(packet: Packet): void {
    const { line } = packet
    if (line === undefined) {
      this.#end()
      this.#noticeAfter(0, this.to)
      return
    }
    this.to.deliver(() => {
      this.#queuedBytes -= line.byteLength
      if (this.#closer === this.to) return
      this.#note('>', line)
      this.#events.onLine(line)
    })
  }

  #startGivingUp(): void {
    if (this.#heldSinceMs !== undefined) return
    const sinceMs = this.#world.nowMs()
    this.#heldSinceMs = sinceMs
    this.#world.after(this.#options.deadAfterMs, () => {
      if (this.#heldSinceMs === sinceMs) this.breakOff()
    })
  }

  #noticeAfter(delayMs: number, side: Life): void {
    this.#world.after(delayMs, () => {
      side.deliver(() => {
        if (side === this.from) this.#events.onSenderNotices()
        else this.#events.onReceiverNotices()
      })
    })
  }

  #end(): void {
    this.#isOver = true
    this.#held.length = 0
    this.#inOrder.length = 0
    this.#events.onOver()
  }

  #dropForSlowness(line: Uint8Array): void {
    this.#note('dropped, queue full', line)
    if (this.#world.nowMs() < this.#slowNoticeDueMs) return
    this.#slowNoticeDueMs = this.#world.nowMs() + slowNoticeEveryMs
    this.from.clock.soon(() => this.#events.onSlow())
  }

  #delayMs(): number {
    return this.#events.isHealthy() ? healthyDelayMs : this.#options.delay(this.#random)
  }

  #note(what: string, line: Uint8Array): void {
    this.#world.note(this.to.name, `${what} from ${this.from.name}:`, line)
  }
}
