/**
 * The consensus replica: Raft, the key-value state machine, and the way of a request between them. It meets
 * the contract of contract.ts and is pure: no socket, file, timer or chance of its own.
 *
 * A write goes from the outbox of the node that took it to the intake of the leader, through the log, and its
 * result back; a read waits until the leader's round has told from where on the log holds what it must see, and is
 * answered from the table once that is applied; `status` and `get --local` are answered on the spot.
 *
 * What must always hold: a request is answered once; a write is carried out once, wherever it was sent again.
 */
import { assert, unreachable } from '../base/assert.js'
import { type LogIndex, logIndex, type Member, type NodeId, type RequestId } from '../base/ids.js'
import type { Random } from '../base/random.js'
import { type Command, encodeCommand } from '../kv/command.js'
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
import { MembershipDesk } from './membership.js'
import type { ConsensusMessage, Forward, ForwardRefused } from './messages.js'
import { LeaderOffice, type OfficeOptions } from './office.js'
import { Outbox } from './outbox.js'
import { Queries } from './queries.js'
import { ReadDesk, type ReadMoment } from './read-desk.js'
import { Reader, type ReadRequest } from './reader.js'
import { outgoingSnapshot } from './snapshot.js'
import { clusterStatus } from './status.js'

/** Times in ticks, sizes in bytes. */
export interface ConsensusOptions extends RaftOptions, OfficeOptions, ApplierOptions {
  readonly requestTicks: number
  /** Bytes of answers to reads beyond which a turn answers no more of them. */
  readonly answerSlice: number
}

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
  readonly #outbox: Outbox
  readonly #queries: Queries
  readonly #reader: Reader
  readonly #reads: ReadDesk
  readonly #desk: MembershipDesk
  readonly #news: ClusterNews
  /** While this node leads and its term is open. */
  #office: LeaderOffice | undefined
  /** Forwards that came while this leader's term was not open yet. */
  #early: { readonly from: NodeId; readonly forward: Forward }[] = []
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
      onCommand: (bytes, applied) => this.#onCommand(bytes, applied),
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
    const answer = (id: RequestId, response: Response): void => {
      this.#replies.push({ id, response })
    }
    this.#outbox = new Outbox(() => nameSession(self.id, random), answer)
    // Answers must not be taken for those to questions of an earlier start, so tokens begin at random.
    let token = random.uint32() * 2 ** 20
    const nextToken = (): number => token++
    this.#queries = new Queries(nextToken, answer)
    this.#reader = new Reader(this.#applier.state, random)
    this.#reads = new ReadDesk(this.#reader, options.answerSlice, nextToken, answer)
    this.#desk = new MembershipDesk(this.#raft)
    this.#raft.campaignIfAlone()
  }

  /** Raft's state, to look at: for those who check what must always hold. */
  get raft(): Raft {
    return this.#raft
  }

  get #applied(): LogIndex {
    return this.#applier.index
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
    return this.#applier.index
  }

  /** Log time, in milliseconds since 1970. */
  get clockMs(): number {
    return this.#applier.state.clockMs
  }

  /** True while no client's write is in the log, applied, or under way. */
  get isPristine(): boolean {
    return !this.#hasClientWrites && this.#outbox.size === 0
  }

  /** After `stop`: whether nothing is under way any more and, if others vote, somebody else leads. */
  get isDrained(): boolean {
    if (this.#outbox.size > 0 || this.#queries.size > 0 || this.#reads.own.size > 0) return false
    return this.#raft.role.kind !== 'leader' || this.#raft.successor({ withRoom: false }) === undefined
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
        this.#stop()
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
    this.#outbox.expire(this.#tick)
    this.#queries.expire(this.#tick)
    this.#reads.own.expire(this.#tick)
    this.#handOverFullDisk()
    // The first one may have failed, and this node may have become leader only now.
    if (this.#stopping) this.#handOver()
  }

  #onMessage(from: NodeId, message: ConsensusMessage): void {
    if (this.#removed) return
    switch (message.kind) {
      case 'forward':
        this.#early.push({ from, forward: message })
        if (this.#early.length > earlyForwardsMax) this.#early.shift()
        break
      case 'forward-reply':
        for (const [counter, result] of message.results)
          this.#outbox.settle(message.session, counter, result, message.copies)
        break
      case 'forward-refused':
        this.#outbox.refuse(message, this.#tick)
        break
      case 'query':
        this.#queries.takeForeign(from, message.id, message.request)
        break
      case 'query-reply':
        this.#queries.settle(message.id, message.response)
        break
      case 'read-query':
        this.#reads.foreign.take(from, message)
        break
      case 'read-index':
        this.#reads.own.confirm(message.id, message.index, message.nowMs, this.#tick)
        break
      case 'read-reply':
        this.#reads.own.hold(message)
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
    if (request.op === 'status') {
      const status = clusterStatus(this.#raft.view, this.#self, this.#options)
      this.#replies.push({ id, response: { kind: 'status', status } })
      return
    }
    const refusal = this.#refusal()
    if (refusal !== undefined) {
      this.#replies.push({ id, response: refusal })
      return
    }
    const expiresAtTick = this.#tick + this.#options.requestTicks
    switch (request.op) {
      case 'get':
        if (request.local) this.#answerLocally(id, request)
        else this.#reads.own.add(id, request, expiresAtTick)
        break
      case 'keys':
        this.#reads.own.add(id, request, expiresAtTick)
        break
      case 'transfer-leader':
        this.#queries.add(id, request, expiresAtTick, expiresAtTick)
        break
      case 'put':
      case 'update':
      case 'set':
      case 'delete':
      case 'cas':
        this.#addWrite(id, request, expiresAtTick)
        break
      case 'redis-write': {
        const { operations, watched } = request
        this.#addWrite(id, { op: 'redis', operations, watched }, expiresAtTick)
        break
      }
      case 'redis-read':
        if (request.local) this.#reads.own.addLocal(id, request, this.#applied, expiresAtTick)
        else this.#reads.own.add(id, request, expiresAtTick)
        break
      case 'add-member':
      case 'move-member':
      case 'remove-member':
        // It has to find a leader as soon as anything else; then it may take its time.
        this.#queries.add(
          id,
          request,
          expiresAtTick,
          this.#tick + membershipTimeouts * this.#options.requestTicks,
        )
        break
      case 'read-versions':
      case 'write-version':
      case 'lookup':
      case 'count':
      case 'leave':
        // Nobody asks it: dialects look at the table of commands first.
        this.#replies.push({
          id,
          response: failure('ENGINE_MISMATCH', { command: request.op, engine: 'ring' }),
        })
        break
      default:
        unreachable(request)
    }
  }

  #addWrite(id: RequestId, command: Command, expiresAtTick: number): void {
    if (this.#isDiskFullEverywhere()) this.#replies.push({ id, response: failure('DISK_FULL') })
    else this.#outbox.add(id, encodeCommand(command), expiresAtTick)
  }

  /** Why this node takes no request at all, if it takes none. */
  #refusal(): Response | undefined {
    if (this.#removed) return failure('NODE_REMOVED')
    return this.#stopping ? failure('STOPPING') : undefined
  }

  #apply(): void {
    this.#applier.apply(this.#raft.applicableIndex, this.#tick)
    this.#raft.noteApplied(this.#applied)
  }

  /** A command of so many bytes was applied: tells whoever waits for what it came to. */
  #onCommand(bytes: number, applied: Applied | undefined): void {
    this.#hasClientWrites = true
    this.#office?.noteApplied(bytes)
    if (applied === undefined) return
    const { identity, outcome } = applied
    const isOwn = identity.session === this.#outbox.session
    if (outcome.kind === 'expired' && isOwn) this.#outbox.forgetSession(this.clockMs)
    if (outcome.kind !== 'result' && outcome.kind !== 'repeat') return
    if (isOwn) this.#outbox.settle(identity.session, identity.counter, outcome.result, this.#applier.copies)
    else this.#office?.intake.noteResult(identity.session, identity.counter, outcome.result)
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

  /** Everything that depends on who leads: sends on what waits, and takes in what came. */
  #serve(): void {
    const { leader } = this.#raft.view
    const leadership = this.#raft.serving
    const isOpen = leadership !== undefined && this.#applied >= leadership.firstIndex
    if (!isOpen) this.#closeOffice()
    else if (this.#office === undefined) this.#openOffice()
    if (this.#raft.role.kind !== 'leader') {
      this.#early = []
      this.#queries.dropForeign()
      this.#reads.foreign.clear()
    }

    this.#moveIfMoved()
    if (this.#office !== undefined) this.#serveAsLeader(this.#office)
    else if (leader !== undefined && leader !== this.#self.id) {
      for (const forward of this.#takeForwards()) this.#outgoing.push({ to: leader, message: forward })
      this.#queries.sendTo(leader, this.#raft.view.term, this.#tick, this.#retryTicks, this.#outgoing)
      if (this.#reads.own.size > 0) this.#askForReads(leader)
    }
    const leaderAddress = this.#leaderAddress()
    if (leaderAddress !== undefined) this.#queries.noteLeader(leaderAddress)
  }

  /** This node leads, and everything of earlier terms is applied: it takes in what it is sent. */
  #openOffice(): void {
    this.#office = new LeaderOffice({
      term: this.#raft.view.term,
      tick: this.#tick,
      state: this.#applier.state,
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
    this.#desk.clear()
    this.#queries.loseLeadership()
    this.#reads.own.loseLeadership()
  }

  #askForReads(leader: NodeId): void {
    const { term } = this.#raft.view
    const { electionTicks } = this.#options
    this.#reads.own.askLeader(
      {
        leader,
        term,
        tick: this.#tick,
        retryTicks: this.#retryTicks,
        distrustTicks: electionTicks,
        hasCopy: this.#hasCopy,
        applied: this.#applied,
      },
      this.#outgoing,
    )
  }

  /** Whether this node's copy is about as new as the leader's, as far as the leader knows. */
  get #hasCopy(): boolean {
    const { health, diskFull, installing } = this.#raft.view
    if (diskFull || installing !== undefined) return false
    return health.some(({ id, inSync }) => id === this.#self.id && inSync)
  }

  #serveAsLeader(office: LeaderOffice): void {
    for (const { from, forward } of this.#early) this.#takeIn(office, from, forward)
    this.#early = []
    for (const forward of this.#takeForwards()) this.#takeIn(office, this.#self.id, forward)
    for (const { token, request } of this.#queries.takeWaiting()) {
      this.#desk.take(token, request, this.#tick + 2 * this.#options.electionTicks)
    }
    // While a round is under way, reads gather into one batch for the next.
    if (!this.#raft.isReading) {
      for (const { token } of this.#reads.own.takeWaiting()) this.#raft.read(token)
    }
    for (const { token, node } of this.#reads.foreign.takeWaiting()) this.#raft.read(token, node)
    office.removeExpired(this.#nowMs, this.#applied, this.#raft.view.diskFull)
    for (const { token, response } of this.#desk.work(this.#tick)) {
      this.#queries.finish(token, response, this.#outgoing)
    }
    for (const [node, sessions] of office.intake.takeResults()) {
      for (const [session, results] of sessions) {
        const copies = this.#applier.copies
        this.#outgoing.push({ to: node, message: { kind: 'forward-reply', session, results, copies } })
      }
    }
  }

  #takeForwards(): Forward[] {
    const { term } = this.#raft.view
    return this.#outbox.takeForwards(term, this.#tick, this.#wallMs, this.clockMs, this.#retryTicks)
  }

  #takeIn(office: LeaderOffice, from: NodeId, forward: Forward): void {
    const taken = office.take(from, forward, this.#nowMs, this.#isDiskFullEverywhere())
    if (taken === undefined) return
    const { known, refused } = taken
    if (from === this.#self.id) {
      for (const [counter, result] of known)
        this.#outbox.settle(forward.session, counter, result, this.#applier.copies)
      if (refused !== undefined) this.#outbox.refuse(refused, this.#tick)
      return
    }
    const { session } = forward
    if (known.length > 0) {
      const reply = { kind: 'forward-reply', session, results: known, copies: this.#applier.copies } as const
      this.#outgoing.push({ to: from, message: reply })
    }
    if (refused !== undefined) this.#outgoing.push({ to: from, message: refused satisfies ForwardRefused })
  }

  /** The time: while this node leads, what it puts into the log. */
  get #nowMs(): number {
    const nowMs = this.#office?.nowMs(this.#wallMs, this.#tick) ?? Math.floor(this.#wallMs)
    return Math.max(nowMs, this.clockMs)
  }

  /** After Raft's output was taken: reads that became ready, a table that was replaced, things to tell. */
  #takeOver(output: RaftOutput): void {
    if (output.installed !== undefined) this.#onInstalled(output.installed.index)
    if (output.lostReads.length > 0) this.#reads.own.loseLeadership()
    this.#answerReads(output.readyReads)
    this.#news.addTurn(output.events, this.#raft.view)
  }

  #answerReads(confirmed: RaftOutput['readyReads']): void {
    this.#hasReadyReads = false
    if (this.#reads.isIdle) return
    const office = this.#office
    const nowMs = this.#nowMs
    const moment: ReadMoment = {
      applied: this.#applied,
      nowMs,
      tick: this.#tick,
      proposeTime: office && (() => office.proposeTime(nowMs, this.#raft.view.diskFull)),
    }
    for (const { token, index } of confirmed) this.#reads.confirm(token, index, moment, this.#outgoing)
    this.#hasReadyReads = this.#reads.answer(moment, this.#outgoing)
  }

  #answerLocally(id: RequestId, request: ReadRequest): void {
    const answer = this.#reader.read(request, undefined, this.#nowMs, undefined)
    assert(answer !== 'due' && !('walk' in answer), 'a read of one key takes one step')
    this.#replies.push({ id, response: answer })
  }

  #onInstalled(index: LogIndex): void {
    this.#applier.install(index)
    this.#hasClientWrites = true
    this.#raft.noteApplied(index)
    this.#compactTo = index
    // What this node waited for may have been applied on the way here.
    const { state, copies } = this.#applier
    for (const [counter, result] of state.sessions.results(this.#outbox.session)) {
      this.#outbox.settle(this.#outbox.session, counter, result, copies)
    }
  }

  #onCheckpointed(index: LogIndex): void {
    const compactTo = this.#applier.finishCheckpoint(index, this.#raft.view)
    if (compactTo === undefined) return
    this.#raft.compact(compactTo)
    this.#compactTo = compactTo
    this.#news.add({ kind: 'compacted', index: compactTo })
  }

  /** A node whose address changed asks for it to be noted; its identity stays. */
  #moveIfMoved(): void {
    const known = findMember(this.#applier.configuration, this.#self.id)
    if (known === undefined) return
    const { address, peerAddress } = this.#self
    if (known.address === address && known.peerAddress === peerAddress) return
    this.#queries.ensureMove(this.#self, this.#tick, this.#options.electionTicks)
  }

  #handOverFullDisk(): void {
    const { diskFull, role } = this.#raft.view
    if (!diskFull || role.kind !== 'leader') return
    const successor = this.#raft.successor({ withRoom: true })
    if (successor !== undefined) this.#raft.transferTo(successor)
  }

  /** Whether this node knows that no leader with room on its disk is to be had. */
  #isDiskFullEverywhere(): boolean {
    const { health, leader, diskFull } = this.#raft.view
    if (leader === this.#self.id) return diskFull && this.#raft.successor({ withRoom: true }) === undefined
    const isLeaderFull = health.some(member => member.id === leader && member.diskFull)
    // Such a leader hands over to a voter that has room.
    return isLeaderFull && !health.some(({ id, heard, diskFull }) => heard && !diskFull && this.#isVoter(id))
  }

  #isVoter(id: NodeId): boolean {
    return findMember(this.configuration, id)?.voter === true
  }

  #stop(): void {
    this.#stopping = true
    this.#handOver()
  }

  /** Asks for another leader, if this node leads; one that was asked already and may still take over has its time. */
  #handOver(): void {
    const successor = this.#raft.successor({ withRoom: false })
    if (successor !== undefined) this.#raft.transferTo(successor)
  }

  #becomeRemoved(): void {
    if (this.#removed) return
    this.#removed = true
    this.#outbox.refuseAll(failure('NODE_REMOVED'))
    this.#queries.refuseAll(failure('NODE_REMOVED'))
    this.#reads.own.refuseAll(failure('NODE_REMOVED'))
    this.#reads.foreign.clear()
    this.#news.add({ kind: 'removed' })
  }

  #leaderAddress(): string | undefined {
    const { leader, configuration } = this.#raft.view
    return leader && findMember(configuration, leader)?.address
  }

  get #retryTicks(): number {
    return 3 * this.#options.heartbeatTicks
  }
}

/** Forwards kept while the term is not open; older ones are dropped, and their senders send them again. */
const earlyForwardsMax = 1000
/** A membership change may wait for that many request timeouts: a copy of all the data takes its time. */
const membershipTimeouts = 60

function holdsCommand(log: Log): boolean {
  for (let index = log.base.index + 1; index <= log.lastIndex; index++) {
    if (log.entry(logIndex(index))?.kind === 'command') return true
  }
  return false
}

/** A name that no other start of any node uses: part of the node's own, and 64 random bits. */
function nameSession(id: NodeId, random: Random): string {
  const word = (): string => random.uint32().toString(16).padStart(8, '0')
  return `${id.slice(0, 8)}.${word()}${word()}`
}
