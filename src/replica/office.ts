/**
 * The office of a leader: what it has, and does each turn, from when its term is open until it leads no longer. It
 * takes in the writes that nodes forward to it, its own among them, and sends their results back; it begins rounds for
 * reads and changes of the membership, puts the time into the log, and knows how much it has proposed that is not
 * applied yet. Nothing of it outlives the office.
 */
import type { LogIndex, NodeId } from '../base/ids.js'
import { encodeTime } from '../kv/proposal.js'
import type { Result } from '../kv/sessions.js'
import type { Raft } from '../raft/raft.js'
import type { Applier } from './applier.js'
import type { To } from './contract.js'
import { Intake, type TakenIn } from './intake.js'
import { LogTime } from './log-time.js'
import { MembershipDesk } from './membership.js'
import type { ConsensusMessage, Forward } from './messages.js'
import type { RequestDesk } from './request-desk.js'
import { isDiskFullEverywhere } from './succession.js'

export interface OfficeOptions {
  /** How long one tick is. */
  readonly tickMs: number
  readonly electionTicks: number
  /** Entries proposed and not applied yet at most, in bytes; beyond, nothing more is proposed. */
  readonly proposedBytesMax: number
}

/** What an office is opened with. */
export interface OfficeStart {
  /** The present tick. */
  readonly tick: number
  readonly raft: Raft
  /** What everything of earlier terms is applied by. */
  readonly applier: Applier
  /** What nodes ask of the leader. */
  readonly requests: RequestDesk
  readonly options: OfficeOptions
  /** Appends an entry to the log; undefined while that cannot be. */
  propose(data: Uint8Array): LogIndex | undefined
}

/** See the head of this file. */
export class LeaderOffice {
  readonly #start: OfficeStart
  readonly #intake: Intake
  readonly #changes: MembershipDesk
  readonly #time: LogTime
  #proposedBytes = 0

  constructor(start: OfficeStart) {
    const { tick, raft, applier, options } = start
    this.#start = start
    this.#intake = new Intake(raft.view.term)
    this.#changes = new MembershipDesk(raft)
    this.#time = new LogTime(applier.state.clockMs, tick, options.tickMs)
  }

  /** The time that goes into the log, in whole milliseconds since 1970; it never goes back. */
  nowMs(wallMs: number, tick: number): number {
    return Math.max(this.#time.now(wallMs, tick), this.#start.applier.state.clockMs)
  }

  /** A turn: takes in what waits for the leader, and sends what there is of results. */
  work(tick: number, wallMs: number, outgoing: To<ConsensusMessage>[]): void {
    const { raft, requests, options } = this.#start
    const { queries, reads } = requests
    const nowMs = this.nowMs(wallMs, tick)
    for (const { from, forward } of requests.takeArrived()) this.#takeIn(from, forward, nowMs, outgoing)
    for (const forward of requests.takeForwards(tick, wallMs)) this.#takeInOwn(forward, nowMs, tick)
    for (const { token, request } of queries.takeWaiting()) {
      this.#changes.take(token, request, tick + 2 * options.electionTicks)
    }
    // While a round is under way, reads gather into one batch for the next.
    if (!raft.isReading) {
      for (const { token } of reads.own.takeWaiting()) raft.read(token)
    }
    for (const { token, node } of reads.foreign.takeWaiting()) raft.read(token, node)
    this.#removeExpired(nowMs)
    for (const { token, response } of this.#changes.work(tick)) queries.finish(token, response, outgoing)
    this.#sendResults(outgoing)
  }

  /** Another node's writes. */
  #takeIn(from: NodeId, forward: Forward, nowMs: number, outgoing: To<ConsensusMessage>[]): void {
    const taken = this.#take(from, forward, nowMs)
    if (taken === undefined) return
    const { known, refused } = taken
    if (known.length > 0) {
      const { session } = forward
      const { copies } = this.#start.applier
      outgoing.push({ to: from, message: { kind: 'forward-reply', session, results: known, copies } })
    }
    if (refused !== undefined) outgoing.push({ to: from, message: refused })
  }

  /** Writes of this node's clients. */
  #takeInOwn(forward: Forward, nowMs: number, tick: number): void {
    const { raft, applier, requests } = this.#start
    const taken = this.#take(raft.view.id, forward, nowMs)
    if (taken === undefined) return
    const { known, refused } = taken
    for (const [counter, result] of known)
      requests.outbox.settle(forward.session, counter, result, applier.copies)
    if (refused !== undefined) requests.outbox.refuse(refused, tick)
  }

  /** Proposes what is new in a forward; see {@link Intake.take}. */
  #take(from: NodeId, forward: Forward, nowMs: number): TakenIn | undefined {
    const { raft, applier } = this.#start
    return this.#intake.take(
      from,
      forward,
      nowMs,
      applier.state,
      isDiskFullEverywhere(raft),
      data => this.#propose(data) !== undefined,
    )
  }

  #sendResults(outgoing: To<ConsensusMessage>[]): void {
    const { applier } = this.#start
    for (const [node, sessions] of this.#intake.takeResults()) {
      for (const [session, results] of sessions) {
        const { copies } = applier
        outgoing.push({ to: node, message: { kind: 'forward-reply', session, results, copies } })
      }
    }
  }

  /** A command with so many bytes was applied. */
  noteApplied(bytes: number): void {
    // Those of earlier terms were never counted.
    this.#proposedBytes = Math.max(0, this.#proposedBytes - bytes)
  }

  /** What a write of another node's session came to, which is sent to it at the end of the turn. */
  noteResult(session: string, counter: number, result: Result): void {
    this.#intake.noteResult(session, counter, result)
  }

  /** Lets log time go on to the present; returns where it will have, or undefined if it cannot be done now. */
  proposeTime(nowMs: number): LogIndex | undefined {
    const known = this.#time.proposedFor(nowMs)
    if (known !== undefined || this.#start.raft.view.diskFull) return known
    const index = this.#propose(encodeTime(nowMs))
    if (index !== undefined) this.#time.noteProposed(index, nowMs)
    return index
  }

  /** Where nobody writes, nothing removes what has expired but this. */
  #removeExpired(nowMs: number): void {
    const { applier } = this.#start
    if (this.#time.isUnderWay(applier.index) || !applier.state.hasExpired(nowMs)) return
    this.proposeTime(nowMs)
  }

  #propose(data: Uint8Array): LogIndex | undefined {
    const { options, propose } = this.#start
    if (this.#proposedBytes > options.proposedBytesMax) return undefined
    const index = propose(data)
    if (index !== undefined) this.#proposedBytes += data.length
    return index
  }
}
