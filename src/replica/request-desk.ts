/**
 * Where everything is that was asked of this node and is not answered: by its own clients, and by other nodes for the
 * time when it leads. A client's request is answered at once, if that can be, or put where it waits: writes into the
 * outbox, reads among the reads, what concerns members and leadership among the queries. From there it goes to
 * whoever leads: here is how, if that is another node; if it is this one, office.ts takes it.
 *
 * What must always hold: a request is answered once.
 */
import { assert, unreachable } from '../base/assert.js'
import type { Member, NodeId, RequestId } from '../base/ids.js'
import type { Random } from '../base/random.js'
import { type Command, encodeCommand } from '../kv/command.js'
import { failure, type Request, type Response } from '../protocol/request.js'
import { findMember } from '../raft/configuration.js'
import type { Raft } from '../raft/raft.js'
import type { Applier } from './applier.js'
import type { To } from './contract.js'
import type { ConsensusMessage, Forward } from './messages.js'
import { type Answer, Outbox } from './outbox.js'
import { Queries } from './queries.js'
import { ReadDesk } from './read-desk.js'
import { Reader, type ReadRequest } from './reader.js'
import { clusterStatus } from './status.js'
import { isDiskFullEverywhere } from './succession.js'

/** Times in ticks, sizes in bytes. */
export interface RequestOptions {
  /** How long one tick is, for what is told in milliseconds. */
  readonly tickMs: number
  readonly electionTicks: number
  readonly heartbeatTicks: number
  readonly requestTicks: number
  /** Bytes of answers to reads beyond which a turn answers no more of them. */
  readonly answerSlice: number
}

/** What the desk works with. */
export interface RequestDeskStart {
  readonly self: Member
  readonly raft: Raft
  readonly applier: Applier
  readonly random: Random
  readonly options: RequestOptions
  /** The time; while this node leads, what it puts into the log. */
  readonly nowMs: () => number
  readonly answer: Answer
}

/** A forward of another node. */
export interface ArrivedForward {
  readonly from: NodeId
  readonly forward: Forward
}

/** Forwards of other nodes that wait at most; older ones are dropped, and their senders send them again. */
const arrivedMax = 1000
/** A membership change may wait for that many request timeouts: a copy of all the data takes its time. */
const membershipTimeouts = 60

/** See the head of this file. */
export class RequestDesk {
  /** Writes of this node's clients. */
  readonly outbox: Outbox
  /** Administrative requests, other nodes' among them. */
  readonly queries: Queries
  /** Reads, other nodes' among them. */
  readonly reads: ReadDesk
  readonly #start: RequestDeskStart
  readonly #reader: Reader
  readonly #answer: Answer
  /** Other nodes' writes, which wait for the next turn, and while this leader's term is not open yet. */
  #arrived: ArrivedForward[] = []

  constructor(start: RequestDeskStart) {
    const { self, applier, random, options, answer } = start
    this.#start = start
    this.#answer = answer
    this.outbox = new Outbox(() => nameSession(self.id, random), answer)
    // Answers must not be taken for those to questions of an earlier start, so tokens begin at random.
    let token = random.uint32() * 2 ** 20
    const nextToken = (): number => token++
    this.queries = new Queries(nextToken, answer)
    this.#reader = new Reader(applier.state, random)
    this.reads = new ReadDesk(this.#reader, options.answerSlice, nextToken, answer)
  }

  /** Requests of this node's clients that are not answered; of reads, the batches. */
  get size(): number {
    return this.outbox.size + this.queries.size + this.reads.own.size
  }

  /** Whether nothing waits here, whoever asked for it. */
  get isIdle(): boolean {
    return this.outbox.size === 0 && this.queries.isEmpty && this.reads.isIdle && this.#arrived.length === 0
  }

  /** Takes a client's request, which is answered now or in time. */
  take(id: RequestId, request: Request, tick: number): void {
    const { self, raft, applier, options } = this.#start
    const { requestTicks } = options
    const expiresAtTick = tick + requestTicks
    switch (request.op) {
      case 'status':
        this.#answer(id, { kind: 'status', status: clusterStatus(raft.view, self, options) })
        break
      case 'get':
        if (request.local) this.#answerLocally(id, request)
        else this.reads.own.add(id, request, expiresAtTick)
        break
      case 'keys':
        this.reads.own.add(id, request, expiresAtTick)
        break
      case 'transfer-leader':
        this.queries.add(id, request, expiresAtTick, expiresAtTick)
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
        if (request.local) this.reads.own.addLocal(id, request, applier.index, expiresAtTick)
        else this.reads.own.add(id, request, expiresAtTick)
        break
      case 'add-member':
      case 'move-member':
      case 'remove-member':
        // It has to find a leader as soon as anything else; then it may take its time.
        this.queries.add(id, request, expiresAtTick, tick + membershipTimeouts * requestTicks)
        break
      case 'read-versions':
      case 'write-version':
      case 'lookup':
      case 'count':
      case 'leave':
        // Nobody asks it: dialects look at the table of commands first.
        this.#answer(id, failure('ENGINE_MISMATCH', { command: request.op, engine: 'ring' }))
        break
      default:
        unreachable(request)
    }
  }

  #addWrite(id: RequestId, command: Command, expiresAtTick: number): void {
    if (isDiskFullEverywhere(this.#start.raft)) this.#answer(id, failure('DISK_FULL'))
    else this.outbox.add(id, encodeCommand(command), expiresAtTick)
  }

  #answerLocally(id: RequestId, request: ReadRequest): void {
    const answer = this.#reader.read(request, undefined, this.#start.nowMs(), undefined)
    assert(answer !== 'due' && !('walk' in answer), 'a read of one key takes one step')
    this.#answer(id, answer)
  }

  /** Takes another node's writes, for the turn in which this node leads. */
  takeForward(from: NodeId, forward: Forward): void {
    this.#arrived.push({ from, forward })
    if (this.#arrived.length > arrivedMax) this.#arrived.shift()
  }

  /** Other nodes' writes that came since the last call, oldest first. */
  takeArrived(): readonly ArrivedForward[] {
    const arrived = this.#arrived
    if (arrived.length > 0) this.#arrived = []
    return arrived
  }

  /** The writes of this node's clients that are to go to the leader now, this node perhaps. */
  takeForwards(tick: number, wallMs: number): readonly Forward[] {
    const { raft, applier } = this.#start
    return this.outbox.takeForwards(raft.view.term, tick, wallMs, applier.state.clockMs, this.#retryTicks)
  }

  /** Another node leads: sends on to it what it was not asked yet, and again what it owes for too long. */
  sendTo(leader: NodeId, tick: number, wallMs: number, outgoing: To<ConsensusMessage>[]): void {
    const { term } = this.#start.raft.view
    for (const forward of this.takeForwards(tick, wallMs)) outgoing.push({ to: leader, message: forward })
    this.queries.sendTo(leader, term, tick, this.#retryTicks, outgoing)
    if (this.reads.own.size > 0) this.#askForReads(leader, tick, outgoing)
  }

  #askForReads(leader: NodeId, tick: number, outgoing: To<ConsensusMessage>[]): void {
    const { raft, applier, options } = this.#start
    this.reads.own.askLeader(
      {
        leader,
        term: raft.view.term,
        tick,
        retryTicks: this.#retryTicks,
        distrustTicks: options.electionTicks,
        hasCopy: this.#hasCopy,
        applied: applier.index,
      },
      outgoing,
    )
  }

  /** Whether this node's copy is about as new as the leader's, as far as the leader knows. */
  get #hasCopy(): boolean {
    const { id: self, health, diskFull, installing } = this.#start.raft.view
    if (diskFull || installing !== undefined) return false
    return health.some(({ id, inSync }) => id === self && inSync)
  }

  /** A node whose address changed asks for it to be noted; its identity stays. */
  moveIfMoved(tick: number): void {
    const { self, applier, options } = this.#start
    const known = findMember(applier.configuration, self.id)
    if (known === undefined) return
    if (known.address === self.address && known.peerAddress === self.peerAddress) return
    this.queries.ensureMove(self, tick, options.electionTicks)
  }

  /** This node leads no longer: what its clients asked goes to the next leader. */
  loseLeadership(): void {
    this.queries.loseLeadership()
    this.reads.own.loseLeadership()
  }

  /** This node does not lead: the others ask whoever does. */
  dropForeign(): void {
    this.#arrived = []
    this.queries.dropForeign()
    this.reads.foreign.clear()
  }

  /** Answers what has waited too long. */
  expire(tick: number): void {
    this.outbox.expire(tick)
    this.queries.expire(tick)
    this.reads.own.expire(tick)
  }

  /** Answers everything of this node's clients with `response`, and drops what others asked. */
  refuseAll(response: Response): void {
    this.outbox.refuseAll(response)
    this.queries.refuseAll(response)
    this.reads.own.refuseAll(response)
    this.reads.foreign.clear()
  }

  get #retryTicks(): number {
    return 3 * this.#start.options.heartbeatTicks
  }
}

/** A name that no other start of any node uses: part of the node's own, and 64 random bits. */
function nameSession(id: NodeId, random: Random): string {
  const word = (): string => random.uint32().toString(16).padStart(8, '0')
  return `${id.slice(0, 8)}.${word()}${word()}`
}
