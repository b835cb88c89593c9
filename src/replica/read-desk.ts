/**
 * Where reads are answered: at the end of a turn, those whose index is applied, this node's own in their order. A turn
 * that answers much leaves the others to the next one.
 */
import { present } from '../base/assert.js'
import type { LogIndex } from '../base/ids.js'
import type { Response } from '../protocol/request.js'
import type { To } from './contract.js'
import { type ForeignBatch, ForeignReads } from './foreign-reads.js'
import type { ConsensusMessage } from './messages.js'
import type { Answer } from './outbox.js'
import { type ReadBatch, responseBytes } from './read-batch.js'
import { type OwnBatch, ReadQueue } from './read-queue.js'
import type { Reader } from './reader.js'

/** What a turn's answers are given from. */
export interface ReadMoment {
  /** The last entry applied. */
  readonly applied: LogIndex
  /** The time; while this node leads, what it puts into the log. */
  readonly nowMs: number
  readonly tick: number
  /**
   * While this node leads: lets log time go on to the present, and returns the index of the entry that says so, or
   * undefined if it cannot be done now.
   */
  readonly proposeTime: (() => LogIndex | undefined) | undefined
}

/** What a step of a walk counts among the answers of a turn. */
const walkStepBytes = 256 * 1024

export class ReadDesk {
  readonly own: ReadQueue
  readonly foreign: ForeignReads
  readonly #reader: Reader
  /** Bytes of answers beyond which a turn gives no more of them. */
  readonly #answerSlice: number
  #bytesLeft = 0
  #hasMore = false
  /** Whose turn it is to be answered first: where there is more than fits in a turn, both get on. */
  #isForeignFirst = false

  constructor(reader: Reader, answerSlice: number, nextToken: () => number, answer: Answer) {
    this.#reader = reader
    this.#answerSlice = answerSlice
    this.own = new ReadQueue(nextToken, answer)
    this.foreign = new ForeignReads(nextToken)
  }

  /** Whether nobody's read waits here. */
  get isIdle(): boolean {
    return this.own.size === 0 && this.foreign.isEmpty
  }

  /** Raft's answer to a read: it may be served once `index` is applied. */
  confirm(token: number, index: LogIndex, moment: ReadMoment, outgoing: To<ConsensusMessage>[]): void {
    this.own.confirm(token, index, undefined, moment.tick)
    this.foreign.confirm(token, index, moment.nowMs, outgoing)
  }

  /** Answers what can be answered; returns whether more is left to do in the next turn. */
  answer(moment: ReadMoment, outgoing: To<ConsensusMessage>[]): boolean {
    this.#bytesLeft = this.#answerSlice
    this.#hasMore = false
    const isForeignFirst = this.#isForeignFirst
    if (isForeignFirst) this.#answerForeign(moment, outgoing)
    this.#answerOrdered(moment)
    this.#answerApart(moment)
    if (!isForeignFirst) this.#answerForeign(moment, outgoing)
    this.#isForeignFirst = this.#hasMore && !isForeignFirst
    this.#walk(moment, outgoing)
    return this.#hasMore
  }

  #answerOrdered(moment: ReadMoment): void {
    for (const batch of this.own.ordered) {
      this.#advanceOwn(batch, moment)
      if (batch.answered < batch.ids.length) return
    }
  }

  #answerApart(moment: ReadMoment): void {
    for (const batch of this.own.apart) {
      if (!batch.isWalk) this.#advanceOwn(batch, moment)
    }
  }

  #answerForeign(moment: ReadMoment, outgoing: To<ConsensusMessage>[]): void {
    for (const batch of this.foreign.batches) {
      if (!batch.isWalk) this.#advanceForeign(batch, moment, outgoing)
    }
  }

  /** What takes several steps has one of them after everything else: in any case one of all. */
  #walk(moment: ReadMoment, outgoing: To<ConsensusMessage>[]): void {
    this.#bytesLeft = Math.max(this.#bytesLeft, 0)
    for (const batch of this.own.apart) {
      if (batch.isWalk) this.#advanceOwn(batch, moment)
    }
    for (const batch of this.foreign.batches) {
      if (batch.isWalk) this.#advanceForeign(batch, moment, outgoing)
    }
  }

  #advanceOwn(batch: OwnBatch, moment: ReadMoment): void {
    const { applied } = moment
    if (batch.held.length > 0) this.own.release(batch)
    if (!this.own.isReady(batch, applied)) return
    const isTold = moment.proposeTime === undefined && !batch.isLocal
    const nowMs = (isTold ? batch.toldMs : undefined) ?? moment.nowMs
    // What is read from the own copy alone goes by log time as it is here.
    const dueMs = batch.isLocal ? undefined : nowMs
    this.#advance(batch, moment, nowMs, dueMs, response => this.own.give(batch, response, applied))
  }

  #advanceForeign(batch: ForeignBatch, moment: ReadMoment, outgoing: To<ConsensusMessage>[]): void {
    const { applied, nowMs } = moment
    if (batch.isIndexOnly || batch.index === undefined || batch.index > applied) return
    this.#advance(batch, moment, nowMs, nowMs, response => {
      this.foreign.give(batch, response, applied, outgoing)
    })
    this.foreign.send(batch, applied, outgoing)
  }

  /** Answers the reads of a batch that is ready, one after the other, as far as this turn goes. */
  #advance(
    batch: ReadBatch,
    moment: ReadMoment,
    nowMs: number,
    dueMs: number | undefined,
    give: (response: Response) => void,
  ): void {
    const { requests } = batch
    let unnoticedMs = batch.isTimed ? undefined : dueMs
    while (batch.answered < requests.length) {
      if (this.#bytesLeft < 0) {
        this.#hasMore = true
        return
      }
      const request = present(requests[batch.answered], 'a read that is not answered')
      const answer = this.#reader.read(request, batch.walk, nowMs, unnoticedMs)
      if (answer === 'due') {
        // That a key has expired is said only once the log says so: the clock of the next leader may be slow.
        if (this.#waitForTime(batch, moment)) return
        unnoticedMs = undefined
      } else if ('walk' in answer) {
        batch.walk = answer.walk
        this.#bytesLeft -= walkStepBytes
        this.#hasMore = true
        return
      } else {
        this.#bytesLeft -= responseBytes(answer)
        give(answer)
      }
    }
  }

  /** Has the log tell the time before a batch is answered further; returns false if it cannot be done now. */
  #waitForTime(batch: ReadBatch, moment: ReadMoment): boolean {
    if (moment.proposeTime === undefined) {
      // Only the leader can, so the leader answers.
      this.own.leaveToLeader(batch.token)
      this.#hasMore = true
      return true
    }
    const index = moment.proposeTime()
    if (index === undefined) return false
    batch.index = index
    batch.isTimed = true
    return true
  }
}
