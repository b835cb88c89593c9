/**
 * The consensus replica: Raft, the key-value state machine, and the way of a request between them. It meets
 * the contract of contract.ts and is pure: no socket, file, timer or chance of its own.
 *
 * A write goes from the outbox of the node that took it to the intake of the leader, through the log, and its
 * result back; a read waits until the leader's round has told from where on the log holds what it must see, and is
 * answered from the table once that is applied; `status` and `get --local` are answered on the spot.
 *
 * Here is what happens when, and who does it: request-desk.ts has what was asked and is not answered, office.ts what a
 * leader does, applier.ts what was decided, cluster-news.ts what people are told.
 */
import { unreachable } from '../base/assert.js'
import { type LogIndex, logIndex, type Member, type NodeId, type RequestId } from '../base/ids.js'
import type { Random } from '../base/random.js'
import type { Applied } from '../kv/state-machine.js'
import type { Table } from '../kv/table.js'
import { failure, type Request, type Response } from '../protocol/request.js'
import { findMember } from '../raft/configuration.js'
import type { Log } from '../raft/log.js'
import { Raft, type RaftOutput } from '../raft/raft.js'
import type { Configuration, HardState, RaftMessage, RaftOptions, RaftSaved } from '../raft/types.js'
import { Applier, type ApplierOptions } from './applier.js'
import { decodeMeta } from './checkpoint.js'
import { ClusterNews } from './cluster-news.js'
import type { Effects, Input, Replica, To } from './contract.js'
import type { ConsensusMessage } from './messages.js'
import { LeaderOffice, type OfficeOptions } from './office.js'
import type { ReadMoment } from './read-desk.js'
import { RequestDesk, type RequestOptions } from './request-desk.js'
import { outgoingSnapshot } from './snapshot.js'
import { handOver, handOverFullDisk } from './succession.js'

/** Times in ticks, sizes in bytes. */
export interface ConsensusOptions extends RaftOptions, OfficeOptions, ApplierOptions, RequestOptions {}

/** What a replica starts with. */
export interface ConsensusStart {
  readonly self: Member
  readonly state: HardState
  readonly log: Log
  readonly table: Table
  readonly random: Random
  readonly options: ConsensusOptions
}

export class ConsensusReplica implements Replica<ConsensusMessage, RaftSaved> {
  readonly #self: Member
  readonly #options: ConsensusOptions
  readonly #raft: Raft
  readonly #applier: Applier
  readonly #requests: RequestDesk
  readonly #news: ClusterNews
  /** While this node leads and its term is open. */
  #office: LeaderOffice | undefined
  #tick = 0
  #wallMs = 0
  #hasClientWrites: boolean
  #stopping = false
  #removed = false
  #replies: { id: RequestId; response: Response }[] = []
  #outgoing: To<ConsensusMessage>[] = []
  #compactTo: LogIndex | undefined
  /** Reads were left to the next turn. */
  #hasReadyReads = false

  constructor(start: ConsensusStart) {
    const { self, table, log, options, random } = start
    this.#self = self
    this.#options = options
    this.#applier = new Applier(table, log, options, {
      onCommand: applied => this.#onCommand(applied),
      onCommands: bytes => this.#onCommands(bytes),
      onConfiguration: (index, before, now) => this.#onConfiguration(index, before, now),
    })
    this.#hasClientWrites = this.clockMs > 0 || holdsCommand(log)
    const raftStart = { id: self.id, state: start.state, log, applied: this.#applied }
    this.#raft = new Raft(raftStart, {
      random,
      options,
      openSnapshot: () => outgoingSnapshot(table),
      configurationOf: data => decodeMeta(data)?.configuration,
    })
    this.#news = new ClusterNews(log.lastIndex)
    this.#requests = new RequestDesk({
      self,
      raft: this.#raft,
      applier: this.#applier,
      random,
      options,
      nowMs: () => this.#nowMs,
      answer: (id, response) => this.#answer(id, response),
    })
    this.#raft.campaignIfAlone()
  }

  /** Raft's state, to look at: for those who check what must always hold. */
  get raft(): Raft {
    return this.#raft
  }

  /** The configuration in force. */
  get configuration(): Configuration {
    return this.#raft.view.configuration
  }

  /** The configuration that is applied, and so committed: who is told that they were removed. */
  get appliedConfiguration(): Configuration {
    return this.#applier.configuration
  }

  /** The last entry applied to the table. */
  get appliedIndex(): LogIndex {
    return this.#applied
  }

  /** Log time, in milliseconds since 1970. */
  get clockMs(): number {
    return this.#applier.state.clockMs
  }

  /** True while no client's write is in the log, applied, or under way. */
  get isPristine(): boolean {
    return !this.#hasClientWrites && this.#requests.outbox.size === 0
  }

  /** After `stop`: whether nothing is under way any more and, if others vote, somebody else leads. */
  get isDrained(): boolean {
    return this.#requests.size === 0 && this.#raft.successor({ withRoom: false }) === undefined
  }

  get quietTicks(): number {
    // One that was removed waits for nothing but to be stopped.
    if (this.#removed) return this.#options.electionTicks
    const isBusy = this.#stopping || this.#raft.view.diskFull || !this.#requests.isIdle
    return isBusy ? 1 : this.#raft.quietTicks
  }

  get #applied(): LogIndex {
    return this.#applier.index
  }

  step(input: Input<ConsensusMessage>): void {
    switch (input.kind) {
      case 'tick':
        this.#onTick(input.count, input.wallMs)
        break
      case 'message':
        this.#onMessage(input.from, input.message)
        break
      case 'request':
        this.#onRequest(input.id, input.request)
        break
      case 'abandoned':
        // Its answer will find nobody, which costs less than to look for what was asked.
        break
      case 'disconnected':
        this.#raft.disconnected(input.node)
        break
      case 'slow':
        this.#raft.slow(input.node)
        break
      case 'disk':
        this.#raft.setDiskFull(input.state === 'full')
        this.#news.add({ kind: 'disk', state: input.state })
        break
      case 'removed':
        this.#becomeRemoved()
        break
      case 'stop':
        this.#stopping = true
        handOver(this.#raft)
        break
      case 'saved':
        this.#raft.saved()
        break
      case 'checkpointed':
        this.#onCheckpointed(input.index)
        break
      case 'checkpoint-failed':
        this.#applier.failCheckpoint(this.#tick)
        break
      default:
        unreachable(input)
    }
  }

  takeEffects(): Effects<ConsensusMessage, RaftSaved> {
    if (!this.#removed) {
      this.#apply()
      this.#serve()
    }
    const output = this.#raft.takeOutput()
    this.#takeOver(output)
    const isInstalling = this.#raft.view.installing !== undefined
    const effects: Effects<ConsensusMessage, RaftSaved> = {
      sendNow: [...this.#outgoing, ...output.sendNow],
      save: output.save,
      send: output.send,
      reply: this.#replies,
      // A snapshot on its way to the disk will take the place of the table: a checkpoint waits for it.
      checkpoint: isInstalling ? undefined : this.#applier.beginCheckpoint(this.#tick),
      compactTo: this.#compactTo,
      more: !this.#removed && (this.#hasReadyReads || this.#applied < this.#raft.applicableIndex),
      events: this.#news.take(),
    }
    this.#outgoing = []
    this.#replies = []
    this.#compactTo = undefined
    return effects
  }

  #onTick(count: number, wallMs: number): void {
    this.#tick += count
    this.#wallMs = wallMs
    if (this.#removed) return
    this.#raft.tick(count)
    this.#requests.expire(this.#tick)
    handOverFullDisk(this.#raft)
    // The first one may have failed, and this node may have become leader only now.
    if (this.#stopping) handOver(this.#raft)
  }

  #onMessage(from: NodeId, message: ConsensusMessage): void {
    if (this.#removed) return
    const { outbox, queries, reads } = this.#requests
    switch (message.kind) {
      case 'forward':
        this.#requests.takeForward(from, message)
        break
      case 'forward-reply':
        for (const [counter, result] of message.results)
          outbox.settle(message.session, counter, result, message.copies)
        break
      case 'forward-refused':
        outbox.refuse(message, this.#tick)
        break
      case 'query':
        queries.takeForeign(from, message.id, message.request)
        break
      case 'query-reply':
        queries.settle(message.id, message.response)
        break
      case 'read-query':
        reads.foreign.take(from, message)
        break
      case 'read-index':
        reads.own.confirm(message.id, message.index, message.nowMs, this.#tick)
        break
      case 'read-reply':
        reads.own.hold(message)
        break
      case 'removed':
        // Only a member may say so: one that this node's own last configuration knows.
        if (findMember(this.configuration, from) !== undefined) this.#becomeRemoved()
        break
      default:
        this.#onRaftMessage(from, message)
    }
  }

  #onRaftMessage(from: NodeId, message: RaftMessage): void {
    if (this.#applier.configuration.removed.includes(from)) {
      this.#outgoing.push({ to: from, message: { kind: 'removed' } })
      return
    }
    this.#raft.receive(from, message)
  }

  #onRequest(id: RequestId, request: Request): void {
    const refusal = request.op === 'status' ? undefined : this.#refusal()
    if (refusal === undefined) this.#requests.take(id, request, this.#tick)
    else this.#answer(id, refusal)
  }

  /** Why this node takes no request but those for its status, if it takes none. */
  #refusal(): Response | undefined {
    if (this.#removed) return failure('NODE_REMOVED')
    return this.#stopping ? failure('STOPPING') : undefined
  }

  #answer(id: RequestId, response: Response): void {
    this.#replies.push({ id, response })
  }

  #apply(): void {
    this.#applier.apply(this.#raft.applicableIndex, this.#tick)
    this.#raft.noteApplied(this.#applied)
  }

  #onCommands(bytes: number): void {
    this.#hasClientWrites = true
    this.#office?.noteApplied(bytes)
  }

  /** A command was applied: tells whoever waits for what it came to. */
  #onCommand({ identity, outcome }: Applied): void {
    const { outbox } = this.#requests
    const isOwn = identity.session === outbox.session
    if (outcome.kind === 'expired' && isOwn) outbox.forgetSession(this.clockMs)
    if (outcome.kind !== 'result' && outcome.kind !== 'repeat') return
    if (isOwn) outbox.settle(identity.session, identity.counter, outcome.result, this.#applier.copies)
    else this.#office?.noteResult(identity.session, identity.counter, outcome.result)
  }

  /** Members came or went: tells people, and those that are members no longer. */
  #onConfiguration(index: LogIndex, before: Configuration, now: Configuration): void {
    this.#news.addMembers(index, before, now)
    for (const { id } of before.members) {
      if (findMember(now, id) !== undefined) continue
      if (id === this.#self.id) this.#becomeRemoved()
      else if (this.#raft.role.kind === 'leader')
        this.#outgoing.push({ to: id, message: { kind: 'removed' } })
    }
  }

  /** Everything that depends on who leads: what waits goes to the leader, or is taken in by this node as the leader. */
  #serve(): void {
    const { leader } = this.#raft.view
    const leadership = this.#raft.serving
    const isOpen = leadership !== undefined && this.#applied >= leadership.firstIndex
    if (!isOpen) this.#closeOffice()
    else if (this.#office === undefined) this.#openOffice()
    if (this.#raft.role.kind !== 'leader') this.#requests.dropForeign()
    this.#requests.moveIfMoved(this.#tick)
    if (this.#office !== undefined) this.#office.work(this.#tick, this.#wallMs, this.#outgoing)
    else if (leader !== undefined && leader !== this.#self.id)
      this.#requests.sendTo(leader, this.#tick, this.#wallMs, this.#outgoing)
    const leaderAddress = this.#leaderAddress()
    if (leaderAddress !== undefined) this.#requests.queries.noteLeader(leaderAddress)
  }

  /** This node leads, and everything of earlier terms is applied: it takes in what it is sent. */
  #openOffice(): void {
    this.#office = new LeaderOffice({
      tick: this.#tick,
      raft: this.#raft,
      applier: this.#applier,
      requests: this.#requests,
      options: this.#options,
      propose: data => {
        this.#hasClientWrites = true
        return this.#raft.propose(data)
      },
    })
  }

  /** This node leads no longer: what it was asked goes to the next leader. */
  #closeOffice(): void {
    if (this.#office === undefined) return
    this.#office = undefined
    this.#requests.loseLeadership()
  }

  /** The time: while this node leads, what it puts into the log. */
  get #nowMs(): number {
    const nowMs = this.#office?.nowMs(this.#wallMs, this.#tick) ?? Math.floor(this.#wallMs)
    return Math.max(nowMs, this.clockMs)
  }

  /** After Raft's output was taken: reads that became ready, a table that was replaced, things to tell. */
  #takeOver(output: RaftOutput): void {
    if (output.installed !== undefined) this.#onInstalled(output.installed.index)
    if (output.lostReads.length > 0) this.#requests.reads.own.loseLeadership()
    this.#answerReads(output.readyReads)
    this.#news.addTurn(output.events, this.#raft.view)
  }

  #answerReads(confirmed: RaftOutput['readyReads']): void {
    const { reads } = this.#requests
    this.#hasReadyReads = false
    if (reads.isIdle) return
    const office = this.#office
    const nowMs = this.#nowMs
    const moment: ReadMoment = {
      applied: this.#applied,
      nowMs,
      tick: this.#tick,
      proposeTime: office && (() => office.proposeTime(nowMs)),
    }
    for (const { token, index } of confirmed) reads.confirm(token, index, moment, this.#outgoing)
    this.#hasReadyReads = reads.answer(moment, this.#outgoing)
  }

  #onInstalled(index: LogIndex): void {
    this.#applier.install(index)
    this.#hasClientWrites = true
    this.#raft.noteApplied(index)
    this.#compactTo = index
    // What this node waited for may have been applied on the way here.
    const { state, copies } = this.#applier
    const { outbox } = this.#requests
    for (const [counter, result] of state.sessions.results(outbox.session)) {
      outbox.settle(outbox.session, counter, result, copies)
    }
  }

  #onCheckpointed(index: LogIndex): void {
    const compactTo = this.#applier.finishCheckpoint(index, this.#raft.view)
    if (compactTo === undefined) return
    this.#raft.compact(compactTo)
    this.#compactTo = compactTo
    this.#news.add({ kind: 'compacted', index: compactTo })
  }

  #becomeRemoved(): void {
    if (this.#removed) return
    this.#removed = true
    this.#requests.refuseAll(failure('NODE_REMOVED'))
    this.#news.add({ kind: 'removed' })
  }

  #leaderAddress(): string | undefined {
    const { leader, configuration } = this.#raft.view
    return leader && findMember(configuration, leader)?.address
  }
}

function holdsCommand(log: Log): boolean {
  for (let index = log.base.index + 1; index <= log.lastIndex; index++) {
    if (log.entry(logIndex(index))?.kind === 'command') return true
  }
  return false
}
