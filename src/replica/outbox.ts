/**
 * The writes that this node took from its clients and that are not answered yet, on their way to whoever
 * leads.
 *
 * What must always hold:
 * - a write gets its counter when it is first sent, counters follow the order of arrival, and writes that are
 *   sent again are sent in that order;
 * - a write that was never sent, or that a leader proved not to have proposed, certainly did nothing; every
 *   other one that is given up may have happened;
 * - each write is answered once.
 */
import { present } from '../base/assert.js'
import type { RequestId, Term } from '../base/ids.js'
import { NumberedQueue } from '../base/numbered-queue.js'
import type { Result } from '../kv/sessions.js'
import { failure, type Response } from '../protocol/request.js'
import type { Forward, ForwardedWrite, ForwardRefused } from './messages.js'

/** Bytes of commands in one forward, at most (or one command, if it is larger). */
const forwardBytesMax = 1024 * 1024
/** Bytes of commands on their way to the leader at most; further ones wait here. */
const sentBytesMax = 16 * 1024 * 1024
/** Bytes of commands that wait here at most; beyond, new ones are refused. */
const unsentBytesMax = 32 * 1024 * 1024

interface PendingWrite extends ForwardedWrite {
  readonly id: RequestId
  readonly expiresAtTick: number
  /** 0 until it is first sent. */
  counter: number
  sends: number
}

/**
 * Gives a write its answer, once each. It may be called while the write is still being taken, to refuse it.
 */
export type Answer = (id: RequestId, response: Response) => void

export class Outbox {
  readonly #answer: Answer
  readonly #nameSession: () => string
  #session: string
  #bornMs = 0
  #usedAtMs = 0
  /** Sent and unanswered, by counter. */
  readonly #sent = new NumberedQueue<PendingWrite>(1)
  #sentBytes = 0
  /** Not sent yet, oldest first. */
  #unsent: PendingWrite[] = []
  #unsentBytes = 0
  #sequence = 0
  /** The term for whose leader everything in `#sent` was sent. */
  #sentInTerm: Term | undefined
  #resendAtTick = Number.POSITIVE_INFINITY
  #resendAfterTicks = 0
  /** Whether an answer came since the last time a repeat was due. */
  #wasAnswered = false

  constructor(nameSession: () => string, answer: Answer) {
    this.#nameSession = nameSession
    this.#session = nameSession()
    this.#answer = answer
  }

  get session(): string {
    return this.#session
  }

  get size(): number {
    return this.#sent.size + this.#unsent.length
  }

  /** Takes a write; it is answered in time, or refused at once where too many wait. */
  add(id: RequestId, command: Uint8Array, expiresAtTick: number): void {
    if (this.#unsentBytes + command.length > unsentBytesMax) {
      this.#answer(id, failure('BUSY'))
      return
    }
    this.#unsent.push({ id, command, expiresAtTick, counter: 0, sends: 0 })
    this.#unsentBytes += command.length
  }

  /**
   * What is to be sent now to the leader of `term`: everything again if it is another one or answers are
   * overdue, else what is new and fits.
   */
  takeForwards(term: Term, tick: number, wallMs: number, clockMs: number, retryTicks: number): Forward[] {
    if (tick >= this.#resendAtTick && this.#wasAnswered) {
      // The leader lives and answers: what else is on its way will be answered too.
      this.#resendAtTick = tick + this.#resendAfterTicks
      this.#wasAnswered = false
    }
    const isRepeat = term !== this.#sentInTerm || tick >= this.#resendAtTick
    if (!isRepeat && (this.#unsent.length === 0 || this.#sentBytes >= sentBytesMax)) return []
    if (this.size === 0) return []
    const isNewLeader = term !== this.#sentInTerm
    this.#renewIdleSession(wallMs, clockMs)
    this.#sentInTerm = term
    const again = isRepeat ? this.#allSent() : []
    const admitted = this.#admit()
    const writes = again.length > 0 ? [...again, ...admitted] : admitted
    if (isRepeat || this.#resendAtTick === Number.POSITIVE_INFINITY) {
      this.#resendAfterTicks = isNewLeader || !isRepeat ? retryTicks : this.#resendAfterTicks * 2
      this.#resendAtTick = tick + this.#resendAfterTicks
    }
    for (const write of writes) write.sends++
    return this.#pack(term, writes)
  }

  /** A write was applied with this result, and so many voters at least have it on their disks. */
  settle(session: string, counter: number, result: Result, copies: number): void {
    if (session !== this.#session) return
    const write = this.#remove(counter)
    if (write === undefined) return
    this.#answer(write.id, toResponse(result, copies))
    this.#wasAnswered = true
    if (this.#sent.size === 0) this.#resendAtTick = Number.POSITIVE_INFINITY
  }

  /** A leader proved that it did not propose what we sent from a counter on. */
  refuse(refused: ForwardRefused, tick: number): void {
    const isLatest = refused.term === this.#sentInTerm && refused.sequence === this.#sequence
    if (refused.session !== this.#session || !isLatest) return
    switch (refused.reason) {
      case 'gap':
        this.#resendAtTick = tick
        break
      case 'busy':
        this.#resendAtTick = Math.min(this.#resendAtTick, tick + busyTicks)
        break
      case 'disk-full':
        for (const write of this.#allSent()) {
          if (write.counter < refused.next) continue
          this.#remove(write.counter)
          this.#answer(write.id, failure('DISK_FULL'))
        }
        break
      case 'expired':
        this.forgetSession(refused.clockMs)
        break
    }
  }

  /**
   * The cluster has forgotten our session. What was sent only once cannot have been applied under it, and is
   * sent again under a new one; what was sent more often may have been.
   */
  forgetSession(clockMs: number): void {
    const again: PendingWrite[] = []
    for (const write of this.#allSent()) {
      if (write.sends === 1) again.push({ ...write, counter: 0, sends: 0 })
      else this.#answer(write.id, failure('OUTCOME_UNKNOWN'))
    }
    this.#sentBytes = 0
    this.#unsent = [...again, ...this.#unsent]
    for (const write of again) this.#unsentBytes += write.command.length
    this.#beginSession(clockMs)
  }

  /** Answers what has waited too long. */
  expire(tick: number): void {
    for (let { first } = this.#sent; this.#sent.size > 0; { first } = this.#sent) {
      const write = present(this.#sent.get(first), 'the first of what is sent')
      if (write.expiresAtTick > tick) break
      this.#remove(first)
      this.#answer(write.id, failure('OUTCOME_UNKNOWN'))
    }
    let expired = 0
    for (const write of this.#unsent) {
      if (write.expiresAtTick > tick) break
      expired++
      this.#unsentBytes -= write.command.length
      this.#answer(write.id, failure('LEADER_UNAVAILABLE'))
    }
    if (expired > 0) this.#unsent.splice(0, expired)
    if (this.#sent.size === 0) this.#resendAtTick = Number.POSITIVE_INFINITY
  }

  /** Answers everything that was never sent with `response`. */
  refuseUnsent(response: Response): void {
    const refused = this.#unsent
    this.#unsent = []
    this.#unsentBytes = 0
    for (const write of refused) this.#answer(write.id, response)
  }

  /** Answers everything: this node stops, or was removed. */
  refuseAll(unsent: Response): void {
    this.refuseUnsent(unsent)
    for (const write of this.#allSent()) this.#answer(write.id, failure('OUTCOME_UNKNOWN'))
    this.#sent.clear(this.#sent.next)
    this.#sentBytes = 0
  }

  /** Moves what fits from the waiting to the sent, giving counters. */
  #admit(): PendingWrite[] {
    const unsent = this.#unsent
    let count = 0
    for (const write of unsent) {
      if (this.#sentBytes > 0 && this.#sentBytes + write.command.length > sentBytesMax) break
      write.counter = this.#sent.push(write)
      this.#sentBytes += write.command.length
      this.#unsentBytes -= write.command.length
      count++
    }
    this.#unsent = unsent.splice(count)
    return unsent
  }

  #pack(term: Term, writes: readonly PendingWrite[]): Forward[] {
    const lowest = this.#sent.first
    const forwards: Forward[] = []
    let batch: PendingWrite[] = []
    let bytes = 0
    const close = (): void => {
      if (batch.length === 0) return
      forwards.push({
        kind: 'forward',
        term,
        sequence: ++this.#sequence,
        session: this.#session,
        bornMs: this.#bornMs,
        lowest,
        writes: batch,
      })
      batch = []
      bytes = 0
    }
    for (const write of writes) {
      if (bytes + write.command.length > forwardBytesMax) close()
      batch.push(write)
      bytes += write.command.length
    }
    close()
    return forwards
  }

  #allSent(): PendingWrite[] {
    return [...this.#sent.entries()].map(([, write]) => write)
  }

  #remove(counter: number): PendingWrite | undefined {
    const write = this.#sent.remove(counter)
    if (write === undefined) return undefined
    this.#sentBytes -= write.command.length
    return write
  }

  /** A session that was idle so long that it may be forgotten is replaced before it is used. */
  #renewIdleSession(wallMs: number, clockMs: number): void {
    const isIdle = this.#sent.size === 0 && wallMs - this.#usedAtMs > idleSessionMs
    this.#usedAtMs = wallMs
    if (isIdle) this.#beginSession(Math.max(wallMs, clockMs))
  }

  #beginSession(bornMs: number): void {
    this.#session = this.#nameSession()
    this.#bornMs = bornMs
    this.#sent.clear(1)
    this.#sentInTerm = undefined
  }
}

/** How long a busy leader is left alone. */
const busyTicks = 5
/** A session idle for longer is not used again; well below the time for which sessions are remembered. */
const idleSessionMs = 120_000

/** The response that a result of the state machine stands for. */
export function toResponse(result: Result, copies: number): Response {
  if (result.kind === 'written') {
    const { kind, version, existed } = result
    return existed === undefined ? { kind, version, copies } : { kind, version, existed, copies }
  }
  if (result.kind === 'replies') return { kind: 'redis', replies: result.replies }
  switch (result.code) {
    case 'VERSION_MISMATCH':
      return failure(result.code, { current: result.current })
    case 'TOO_LARGE':
      return failure(result.code, { limit: result.limit })
    default:
      return failure(result.code)
  }
}
