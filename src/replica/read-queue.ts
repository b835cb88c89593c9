/**
 * The reads of this node's clients, from the request to the answer, in batches: what was asked in one turn.
 *
 * A batch needs one thing of the leader: an index, that of an entry which holds everything that was acknowledged
 * before the reads were asked. Once it is applied here, the reads are answered from this node's own copy, whoever
 * leads. A node whose copy is of no use for that (it lags, or its disk is full) sends the reads themselves, and the
 * leader answers. Either may be asked again without harm, and is, when the leader changes or stays silent.
 *
 * What must always hold:
 * - reads of this node's clients see the log in the order in which they were asked, and their answers leave in that
 *   order: a batch is answered when all before it are, and none from an older state than the answer before it;
 * - except those that walk over all keys, for which everybody would wait too long (their connection waits for them),
 *   and those of the node's own copy, which may be stale anyway.
 */
import { present } from '../base/assert.js'
import { type LogIndex, logIndex, type NodeId, type RequestId, type Term } from '../base/ids.js'
import { failure, type Response } from '../protocol/request.js'
import type { To } from './contract.js'
import type { ConsensusMessage, ReadReply } from './messages.js'
import type { Answer } from './outbox.js'
import { isWalking, type ReadBatch, requestBytes } from './read-batch.js'
import type { ReadRequest } from './reader.js'

/** A batch of this node's clients. */
export interface OwnBatch extends ReadBatch {
  readonly ids: RequestId[]
  readonly requests: ReadRequest[]
  /** Until then they must have been answered. */
  readonly expiresAtTick: number
  /** Answered from what is applied here, now; the leader is not asked. */
  readonly isLocal: boolean
  /** The leader's time when it told the index, in milliseconds; undefined if this node led, or was not told yet. */
  toldMs: number | undefined
  toldAtTick: number
  askedAtTick: number
  /** It is among those that the leader is asked for next. */
  isWaiting: boolean
  /** Its reads are to be answered by the leader. */
  isSentWhole: boolean
  /** Answers of the leader, without a gap, that wait for those of earlier batches. */
  held: ReadReply[]
}

/** What decides how the leader is asked. */
export interface Asking {
  readonly leader: NodeId
  readonly term: Term
  readonly tick: number
  /** How long an answer is waited for. */
  readonly retryTicks: number
  /** How long a copy that came too late is not waited for again. */
  readonly distrustTicks: number
  /** This node's copy is about as new as the leader's. */
  readonly hasCopy: boolean
  readonly applied: LogIndex
}

/** Reads of this node's clients that wait at most. */
const readsMax = 100_000
/** Bytes of requests in one message, about, where the reads are sent whole. */
const messageBytesMax = 256 * 1024
/** For so long a batch waits until what it was told is applied here; then the leader is asked to answer itself. */
const copyTicks = 2

export class ReadQueue {
  readonly #answer: Answer
  readonly #nextToken: () => number
  /** In the order in which they were asked. */
  readonly #ordered = new Map<number, OwnBatch>()
  /** Walks, and reads of the own copy. */
  readonly #apart = new Map<number, OwnBatch>()
  #size = 0
  /** The batches that the reads of this turn go to. */
  #open: OwnBatch | undefined
  #openLocal: OwnBatch | undefined
  /** Not asked for, or to be asked for again, under the present leader. */
  #waiting: OwnBatch[] = []
  /** The term whose leader was asked for those that do not wait; undefined while this node leads. */
  #askedInTerm: Term | undefined
  #lookedAtTick = 0
  #distrustUntilTick = 0
  /** What the last answer has seen. */
  #seenIndex = logIndex(0)

  constructor(nextToken: () => number, answer: Answer) {
    this.#nextToken = nextToken
    this.#answer = answer
  }

  /** Reads that are not answered. */
  get size(): number {
    return this.#size
  }

  /** The batches whose answers have an order. */
  get ordered(): Iterable<OwnBatch> {
    return this.#ordered.values()
  }

  /** The batches that are answered as soon as they can be. */
  get apart(): Iterable<OwnBatch> {
    return this.#apart.values()
  }

  /** Takes a read that is to see everything acknowledged before it. */
  add(id: RequestId, request: ReadRequest, expiresAtTick: number): void {
    if (this.#size >= readsMax) {
      this.#answer(id, failure('BUSY'))
      return
    }
    if (isWalking(request)) {
      this.#put(this.#begin(this.#apart, expiresAtTick, true), id, request)
      return
    }
    if (this.#open?.expiresAtTick !== expiresAtTick) {
      this.#open = this.#begin(this.#ordered, expiresAtTick, false)
    }
    this.#put(this.#open, id, request)
  }

  /** Takes a read of the own copy, as it is now. */
  addLocal(id: RequestId, request: ReadRequest, applied: LogIndex, expiresAtTick: number): void {
    if (this.#size >= readsMax) {
      this.#answer(id, failure('BUSY'))
      return
    }
    if (isWalking(request)) {
      this.#put(this.#begin(this.#apart, expiresAtTick, true, applied), id, request)
      return
    }
    if (this.#openLocal?.expiresAtTick !== expiresAtTick || this.#openLocal.index !== applied) {
      this.#openLocal = this.#begin(this.#apart, expiresAtTick, false, applied)
    }
    this.#put(this.#openLocal, id, request)
  }

  /** Another node leads: asks it for what waits, and again for what it owes for too long. */
  askLeader(asking: Asking, outgoing: To<ConsensusMessage>[]): void {
    const { term, tick } = asking
    if (term !== this.#askedInTerm) {
      this.#askedInTerm = term
      this.#forEach(batch => {
        // What an earlier leader told of an index holds for good.
        if (batch.index === undefined || batch.isSentWhole) this.#wait(batch)
      })
    } else if (tick !== this.#lookedAtTick) this.#lookAgain(asking)
    this.#lookedAtTick = tick
    if (this.#waiting.length === 0) return
    const isDistrusted = !asking.hasCopy || tick < this.#distrustUntilTick
    for (const batch of this.#takeWaiting()) {
      batch.askedAtTick = tick
      if (isDistrusted) batch.isSentWhole = true
      if (batch.isSentWhole) sendWhole(batch, asking.leader, outgoing)
      else {
        const message = { kind: 'read-query', id: batch.token, first: 0, requests: undefined } as const
        outgoing.push({ to: asking.leader, message })
      }
    }
  }

  /** This node leads: what waits, for rounds of its own. */
  takeWaiting(): readonly OwnBatch[] {
    if (this.#askedInTerm !== undefined) {
      this.#askedInTerm = undefined
      this.#forEach(batch => this.#wait(batch))
    }
    return this.#waiting.length === 0 ? this.#waiting : this.#takeWaiting()
  }

  /** A batch of that token may be answered once `index` is applied; `toldMs` is the leader's time, if another told it. */
  confirm(token: number, index: LogIndex, toldMs: number | undefined, tick: number): void {
    const batch = this.#ordered.get(token) ?? this.#apart.get(token)
    // Whoever waits longer than for a repeat hears of a later index, but the first one will do.
    if (batch === undefined || batch.index !== undefined) return
    batch.index = index
    batch.toldMs = toldMs
    batch.toldAtTick = tick
  }

  /** The leader answered some reads of a batch. */
  hold(reply: ReadReply): void {
    const batch = this.#ordered.get(reply.id) ?? this.#apart.get(reply.id)
    if (batch === undefined) return
    const from = heldTo(batch)
    // Where answers before these were lost, or where these are a repeat, the next repeat has what is missing.
    if (reply.first > from || reply.first + reply.responses.length <= from) return
    if (reply.first + reply.responses.length <= batch.ids.length) batch.held.push(reply)
  }

  /** Gives the answers that the leader gave to the first of a batch's reads that are not answered. */
  release(batch: OwnBatch): void {
    for (const { first, index, responses } of batch.held) {
      if (first + responses.length <= batch.answered) continue
      if (!batch.isWalk && index < this.#seenIndex) {
        // A repeat, that was answered before what was asked earlier: it is asked for once more.
        this.#wait(batch)
        break
      }
      for (const response of responses.slice(batch.answered - first)) this.give(batch, response, index)
    }
    batch.held = []
  }

  /** Whether the next read of a batch may be answered from what is applied here. */
  isReady(batch: OwnBatch, applied: LogIndex): boolean {
    if (batch.index === undefined || batch.index > applied) return false
    return batch.isLocal || batch.isWalk || this.#seenIndex <= applied
  }

  /** Answers the next read of a batch, with what was read at `index`. */
  give(batch: OwnBatch, response: Response, index: LogIndex): void {
    if (!batch.isLocal && !batch.isWalk) this.#seenIndex = index
    this.#giveAny(batch, response)
  }

  /** What this node's copy says of the next read is not known to be right: the leader has to answer. */
  leaveToLeader(token: number): void {
    const batch = this.#ordered.get(token) ?? this.#apart.get(token)
    if (batch === undefined) return
    batch.index = undefined
    batch.walk = undefined
    batch.isSentWhole = true
    this.#wait(batch)
  }

  /** This node leads no longer: the next leader is asked. */
  loseLeadership(): void {
    this.#askedInTerm = undefined
    this.#forEach(batch => {
      batch.index = undefined
      batch.isTimed = false
      // What was found so far is of a moment that may be too early for the next leader.
      batch.walk = undefined
      this.#wait(batch)
    })
  }

  /** Answers what has waited too long. */
  expire(tick: number): void {
    const { size } = this
    for (const batch of this.#ordered.values()) {
      if (batch.expiresAtTick > tick) break
      this.#giveUp(batch, failure('LEADER_UNAVAILABLE'))
    }
    for (const batch of this.#apart.values()) {
      if (batch.expiresAtTick <= tick) this.#giveUp(batch, failure('LEADER_UNAVAILABLE'))
    }
    // While there is no leader nobody else looks at those that wait, and they must not pile up.
    if (this.#size < size) this.#waiting = this.#waiting.filter(isUnanswered)
  }

  refuseAll(response: Response): void {
    for (const batch of this.#ordered.values()) this.#giveUp(batch, response)
    for (const batch of this.#apart.values()) this.#giveUp(batch, response)
  }

  #begin(among: Map<number, OwnBatch>, expiresAtTick: number, isWalk: boolean, local?: LogIndex): OwnBatch {
    const batch: OwnBatch = {
      token: this.#nextToken(),
      ids: [],
      requests: [],
      expiresAtTick,
      isWalk,
      isLocal: local !== undefined,
      answered: 0,
      index: local,
      isTimed: false,
      walk: undefined,
      toldMs: undefined,
      toldAtTick: 0,
      askedAtTick: 0,
      isWaiting: false,
      isSentWhole: false,
      held: [],
    }
    among.set(batch.token, batch)
    this.#wait(batch)
    return batch
  }

  #put(batch: OwnBatch, id: RequestId, request: ReadRequest): void {
    batch.ids.push(id)
    batch.requests.push(request)
    this.#size++
  }

  /** Asks again for what was lost on its way, and to be answered by the leader for what is not applied in time. */
  #lookAgain({ tick, retryTicks, distrustTicks, applied }: Asking): void {
    this.#forEach(batch => {
      if (batch.index !== undefined && !batch.isSentWhole) {
        if (batch.index <= applied || tick - batch.toldAtTick < copyTicks) return
        this.#distrustUntilTick = tick + distrustTicks
        batch.isSentWhole = true
        this.#wait(batch)
      } else if (tick - batch.askedAtTick >= retryTicks && heldTo(batch) < batch.ids.length) this.#wait(batch)
    })
  }

  #wait(batch: OwnBatch): void {
    if (batch.isWaiting || batch.isLocal) return
    batch.isWaiting = true
    this.#waiting.push(batch)
  }

  #takeWaiting(): readonly OwnBatch[] {
    const waiting = this.#waiting
    this.#waiting = []
    this.#open = undefined
    for (const batch of waiting) batch.isWaiting = false
    return waiting.filter(isUnanswered)
  }

  #giveUp(batch: OwnBatch, response: Response): void {
    while (batch.answered < batch.ids.length) this.#giveAny(batch, response)
  }

  #giveAny(batch: OwnBatch, response: Response): void {
    this.#answer(present(batch.ids[batch.answered], 'a read that is not answered'), response)
    batch.answered++
    this.#size--
    if (batch.answered < batch.ids.length) return
    if (batch === this.#open) this.#open = undefined
    if (batch === this.#openLocal) this.#openLocal = undefined
    if (!this.#ordered.delete(batch.token)) this.#apart.delete(batch.token)
  }

  #forEach(visit: (batch: OwnBatch) => void): void {
    for (const batch of this.#ordered.values()) visit(batch)
    for (const batch of this.#apart.values()) visit(batch)
  }
}

function isUnanswered({ answered, ids }: OwnBatch): boolean {
  return answered < ids.length
}

/** How many reads of a batch are answered, or have an answer that is held. */
function heldTo({ answered, held }: OwnBatch): number {
  const last = held.at(-1)
  return last === undefined ? answered : Math.max(answered, last.first + last.responses.length)
}

/** Sends what is not answered, in messages of a bounded size. */
function sendWhole(batch: OwnBatch, leader: NodeId, outgoing: To<ConsensusMessage>[]): void {
  const { token, requests } = batch
  let first = heldTo(batch)
  let bytes = 0
  const send = (to: number): void => {
    const message = { kind: 'read-query', id: token, first, requests: requests.slice(first, to) } as const
    outgoing.push({ to: leader, message })
    first = to
    bytes = 0
  }
  for (let at = first; at < requests.length; at++) {
    const more = requestBytes(present(requests[at], 'a read')) + 64
    if (at > first && bytes + more > messageBytesMax) send(at)
    bytes += more
  }
  if (first < requests.length) send(requests.length)
}
