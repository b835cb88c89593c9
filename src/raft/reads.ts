/**
 * Linearizable reads without writing to the log (dissertation, section 6.4). A read remembers what was
 * committed when it came, and is served once a majority has answered a message sent after that: then no newer
 * leader had been elected when it came. One round serves all the reads that wait for it.
 *
 * The same rounds measure the leader's lease (section 6.4.1): voters promise to elect nobody for one election
 * timeout after they answered, so for somewhat less than that, counted from when the round was sent, no round
 * is needed at all. It depends on clocks that run nearly equally fast, hence only where the cluster says so.
 */
import type { LogIndex, NodeId } from '../base/ids.js'

/** A read that may be served once the state machine has applied `index`. */
export interface ReadyRead {
  readonly token: number
  readonly index: LogIndex
}

/** The share of the voters' promise that a leader relies on: clocks may differ by a fifth. */
const leaseShare = 0.8
/** For so long the voters that were asked first have time to answer. */
const patienceTicks = 2

export class Reads {
  /** The newest round sent. */
  #round = 0
  /** The newest round that a majority has answered. */
  #confirmed = 0
  /** The newest round that anybody has answered, and who was the first to do so. */
  #answered = 0
  #quickest: NodeId | undefined
  /** When each unconfirmed round was sent. */
  readonly #sentAtTick = new Map<number, number>()
  #leaseFromTick = -Infinity
  #leaseDropped = false
  /** Reads that wait for their round to start. */
  #waiting: ReadyRead[] = []
  /** Reads that wait for a majority to answer this round, and when voters are asked that were left alone so far. */
  #asking: { readonly round: number; readonly reads: readonly ReadyRead[]; widenAtTick: number } | undefined

  get round(): number {
    return this.#round
  }

  /** Who was the first to answer the newest round that was answered; undefined if none was. */
  get quickest(): NodeId | undefined {
    return this.#quickest
  }

  /** A member has answered `round`. */
  noteAnswer(from: NodeId, round: number): void {
    if (round <= this.#answered) return
    this.#answered = round
    this.#quickest = from
  }

  /** Starts a round with the messages that are sent next. */
  startRound(tick: number): void {
    this.#round++
    this.#sentAtTick.set(this.#round, tick)
  }

  add(read: ReadyRead): void {
    this.#waiting.push(read)
  }

  /** Whether reads wait and no round that serves reads is under way. */
  get wantsRound(): boolean {
    return this.#waiting.length > 0 && this.#asking === undefined
  }

  /** Whether a round that serves reads is under way: those that come now wait for the next one. */
  get isAsking(): boolean {
    return this.#asking !== undefined
  }

  /** The waiting reads are served by the round that was just started, of which at first few voters are asked. */
  askAll(tick: number): void {
    this.#asking = { round: this.#round, reads: this.#waiting, widenAtTick: tick + patienceTicks }
    this.#waiting = []
  }

  /** Whether the round that serves reads takes too long; said once of each. */
  shouldWiden(tick: number): boolean {
    if (this.#asking === undefined || tick < this.#asking.widenAtTick) return false
    this.#asking.widenAtTick = Number.POSITIVE_INFINITY
    return true
  }

  /** Everybody was asked for the newest round: nobody is left to be asked. */
  noteAllAsked(): void {
    if (this.#asking !== undefined) this.#asking.widenAtTick = Number.POSITIVE_INFINITY
  }

  /** A voter that was asked may be gone: the others should be asked now. */
  widen(): void {
    if (this.#asking !== undefined) this.#asking.widenAtTick = 0
  }

  /** A majority has answered `round`; returns the reads that this settles. */
  confirm(round: number): readonly ReadyRead[] {
    if (round <= this.#confirmed) return []
    this.#confirmed = round
    for (const [sent, tick] of this.#sentAtTick) {
      if (sent > round) break
      this.#leaseFromTick = tick
      this.#sentAtTick.delete(sent)
    }
    if (this.#asking === undefined || round < this.#asking.round) return []
    const { reads } = this.#asking
    this.#asking = undefined
    return reads
  }

  hasLease(tick: number, electionTicks: number): boolean {
    return !this.#leaseDropped && tick - this.#leaseFromTick < leaseShare * electionTicks
  }

  /**
   * For good: a voter asked to take over may ask the others for their votes at any later time, and they will
   * not refuse it for the lease's sake.
   */
  dropLease(): void {
    this.#leaseDropped = true
  }

  /** All reads that have not been served: leadership was lost. */
  takeAll(): readonly ReadyRead[] {
    const reads = [...(this.#asking?.reads ?? []), ...this.#waiting]
    this.#asking = undefined
    this.#waiting = []
    return reads
  }
}
