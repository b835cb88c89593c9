/**
 * Agreement on a log of opaque commands: Raft as a pure machine.
 *
 * What this answers: which entries are committed, in which order; who leads; when a read may be served. What
 * it leaves to others: what a command means (src/kv), how requests reach the leader (src/replica), disks and
 * sockets (src/storage, src/net). Time comes in as ticks, chance from a seeded source.
 *
 * A reader new to it may go through log.ts, core.ts, election.ts, follower.ts, leader.ts and reads.ts in this
 * order; what must always hold stands at the top of each.
 */
import { assert, unreachable } from '../base/assert.js'
import { type LogIndex, logIndex, type NodeId } from '../base/ids.js'
import { isVoter } from './configuration.js'
import { Core, type Leadership, type RaftEvent, type RaftSurroundings, type Role } from './core.js'
import {
  electionDueAtTick,
  onOwnVoteDurable,
  onPreVoteReply,
  onPreVoteRequest,
  onTimeoutNow,
  onVoteReply,
  onVoteRequest,
  startPreVote,
  tickCampaign,
} from './election.js'
import { finishInstall, onAppend, onSnapshotChunk, ownedReply } from './follower.js'
import {
  bestSuccessor,
  canChangeConfiguration,
  countCommitted,
  isAwaited,
  isHeard,
  isServing,
  leaderDueAtTick,
  loseConnection,
  onAppendReply,
  onSnapshotReply,
  proposeCommand,
  proposeConfiguration,
  replicate,
  startRead,
  startTransfer,
  suspectLoss,
  tickLeader,
} from './leader.js'
import type { Log, LogPosition } from './log.js'
import type { ReadyRead } from './reads.js'
import type { Configuration, HardState, Outgoing, RaftMessage, RaftSaved } from './types.js'

/** What a node starts with: what its disk held. */
export interface RaftStart {
  readonly id: NodeId
  readonly state: HardState
  readonly log: Log
  /** What the table holds already; committed, therefore. */
  readonly applied: LogIndex
}

/** What must be done, in the contract's terms: see src/replica/contract.ts for what may overlap what. */
export interface RaftOutput {
  readonly sendNow: readonly Outgoing[]
  readonly save: readonly RaftSaved[]
  readonly send: readonly Outgoing[]
  readonly readyReads: readonly ReadyRead[]
  readonly lostReads: readonly ReadyRead[]
  /** A snapshot took the place of the table. */
  readonly installed: LogPosition | undefined
  readonly events: readonly RaftEvent[]
}

export class Raft {
  readonly #core: Core

  constructor(start: RaftStart, surroundings: RaftSurroundings) {
    this.#core = new Core(start.id, start.log, start.state, start.applied, surroundings)
  }

  /** The state as it is, to look at: for status, and for those who check what must always hold. */
  get view(): Readonly<Core> {
    return this.#core
  }

  get role(): Role {
    return this.#core.role
  }

  /** This node's leadership, if it leads and its term's no-op is committed. */
  get serving(): Leadership | undefined {
    const { role } = this.#core
    return role.kind === 'leader' && isServing(this.#core, role) ? role : undefined
  }

  /** What may be applied: committed, and durable here, so that a checkpoint never runs ahead of the journal. */
  get applicableIndex(): LogIndex {
    const { commitIndex, log, installing, installed, appliedIndex } = this.#core
    // The table is about to be replaced, or was, and the replica is yet to be told.
    if (installing !== undefined || installed !== undefined) return appliedIndex
    return commitIndex < log.stable ? commitIndex : log.stable
  }

  noteApplied(index: LogIndex): void {
    this.#core.appliedIndex = index
  }

  /** In so many ticks at the earliest there is something to do, if nothing comes in; 1 at least. */
  get quietTicks(): number {
    const core = this.#core
    const { role } = core
    const dueAtTick = role.kind === 'leader' ? leaderDueAtTick(core, role) : electionDueAtTick(core, role)
    return Math.max(1, dueAtTick - core.tick)
  }

  tick(count: number): void {
    const core = this.#core
    core.tick += count
    const { role } = core
    if (role.kind === 'leader') tickLeader(core, role)
    else if (core.tick >= core.electionAtTick) startPreVote(core)
    else if (role.kind !== 'follower') tickCampaign(core, role)
  }

  receive(from: NodeId, message: RaftMessage): void {
    const core = this.#core
    core.heardAtTick.set(from, core.tick)
    switch (message.kind) {
      case 'pre-vote-request':
        onPreVoteRequest(core, from, message)
        break
      case 'pre-vote-reply':
        onPreVoteReply(core, from, message)
        break
      case 'vote-request':
        onVoteRequest(core, from, message)
        break
      case 'vote-reply':
        onVoteReply(core, from, message)
        break
      case 'append':
        onAppend(core, from, message)
        break
      case 'snapshot-chunk':
        onSnapshotChunk(core, from, message)
        break
      case 'timeout-now':
        onTimeoutNow(core, from, message)
        break
      case 'append-reply':
      case 'snapshot-reply':
        this.#receiveAsLeader(from, message)
        break
      default:
        unreachable(message)
    }
  }

  /** The peer's connection closed: a hint that it died. What was on its way to it may be lost. */
  disconnected(node: NodeId): void {
    const core = this.#core
    if (core.role.kind === 'leader') loseConnection(core.role, node)
    if (node !== core.leader || core.role.kind !== 'follower') return
    core.leaderGone = true
    if (core.isLease) return
    core.hurryUntilTick = core.tick + core.options.electionTicks
    core.resetElectionTimer()
  }

  /** Messages to this peer were dropped. */
  slow(node: NodeId): void {
    if (this.#core.role.kind === 'leader') suspectLoss(this.#core.role, node)
  }

  setDiskFull(full: boolean): void {
    this.#core.diskFull = full
  }

  /** A node that is the only voter need not wait for anybody. */
  campaignIfAlone(): void {
    const { configuration, id } = this.#core
    const others = configuration.members.some(member => member.voter && member.id !== id)
    if (!others && isVoter(configuration, id)) startPreVote(this.#core)
  }

  /** Appends a command; returns its index, or undefined while this node does not lead or takes none. */
  propose(data: Uint8Array): LogIndex | undefined {
    const { role } = this.#core
    return role.kind === 'leader' ? proposeCommand(this.#core, role, data) : undefined
  }

  /** Whether {@link proposeConfiguration} may be called now. */
  get canChangeConfiguration(): boolean {
    const { role } = this.#core
    return role.kind === 'leader' && canChangeConfiguration(this.#core, role)
  }

  /** Appends a configuration that differs from the one in force in one member. */
  proposeConfiguration(next: Configuration): LogIndex {
    const { role } = this.#core
    assert(role.kind === 'leader', 'only a leader changes the configuration')
    return proposeConfiguration(this.#core, role, next)
  }

  /**
   * Starts a linearizable read; `token` comes back in `readyReads` or `lostReads`. Only while serving. A member for
   * which it is, and which will wait until the index is applied there, hears at once that it is committed.
   */
  read(token: number, asker?: NodeId): void {
    const { role } = this.#core
    assert(role.kind === 'leader', 'only a leader starts reads')
    startRead(this.#core, role, token, asker)
  }

  /** Whether reads that are started now would wait for the end of a round before theirs begins. */
  get isReading(): boolean {
    const { role } = this.#core
    return role.kind === 'leader' && role.reads.isAsking
  }

  /** Whether a member was heard in this term and of late, while this node leads. */
  isHeard(id: NodeId): boolean {
    const { role } = this.#core
    return role.kind === 'leader' && isHeard(this.#core, role, id)
  }

  /** Whether it cannot be said yet if a member is heard, because this node leads only since a moment ago. */
  isAwaited(id: NodeId): boolean {
    const { role } = this.#core
    return role.kind === 'leader' && isAwaited(this.#core, role, id)
  }

  /** The other voter best suited to lead, if there is one and this node leads. */
  successor(options: { readonly withRoom: boolean }): NodeId | undefined {
    const { role } = this.#core
    return role.kind === 'leader' ? bestSuccessor(this.#core, role, options.withRoom) : undefined
  }

  /** Hands leadership over to a voter. */
  transferTo(node: NodeId): void {
    const { role } = this.#core
    if (role.kind === 'leader' && role.transfer === undefined) startTransfer(this.#core, role, node)
  }

  /** The batch of the last output is durable. */
  saved(): void {
    const core = this.#core
    const { saving } = core
    assert(saving !== undefined, 'something was being saved')
    core.saving = undefined
    if (saving.state !== undefined) core.durableState = saving.state
    if (saving.upTo > core.log.base.index) core.log.markStable(saving.upTo)
    if (saving.installs) finishInstall(core)
    onOwnVoteDurable(core)
    if (core.role.kind === 'leader') countCommitted(core, core.role)
  }

  /** Forgets the entries up to `index`, which a durable checkpoint covers. */
  compact(index: LogIndex): void {
    this.#core.log.compact(index)
  }

  takeOutput(): RaftOutput {
    const core = this.#core
    if (core.role.kind === 'leader') {
      replicate(core, core.role)
      core.role.lastAppend = undefined
    }
    const sendNow = core.sendNowQueue
    core.sendNowQueue = []
    const { save, send } = core.saving === undefined ? this.#takeBatch() : { save: [], send: [] }
    const output: RaftOutput = {
      sendNow,
      save,
      send,
      readyReads: core.readyReads,
      lostReads: core.lostReads,
      installed: core.installed,
      events: core.events,
    }
    core.readyReads = []
    core.lostReads = []
    core.installed = undefined
    core.events = []
    return output
  }

  /** Everything that waits for the disk, as one batch, and what may leave after it. */
  #takeBatch(): { save: RaftSaved[]; send: Outgoing[] } {
    const core = this.#core
    const save = core.toSave
    core.toSave = []
    const installs = save.some(record => record.kind === 'snapshot-end')
    const state = core.isStateDurable ? undefined : { term: core.term, votedFor: core.votedFor }
    if (state !== undefined) save.push({ kind: 'state', state })
    const entries = core.log.unstable()
    if (entries.length > 0) save.push({ kind: 'entries', entries })
    if (save.length > 0) core.saving = { state, upTo: core.log.lastIndex, installs }
    if (core.owesReplyTo !== undefined) {
      core.sendQueue.push({ to: core.owesReplyTo, message: ownedReply(core) })
      core.owesReplyTo = undefined
    }
    const send = core.sendQueue
    core.sendQueue = []
    return { save, send }
  }

  #receiveAsLeader(
    from: NodeId,
    message: Extract<RaftMessage, { kind: 'append-reply' | 'snapshot-reply' }>,
  ): void {
    const core = this.#core
    if (message.term > core.term) {
      core.becomeFollower(message.term, undefined)
      return
    }
    if (core.role.kind !== 'leader' || message.term !== core.term) return
    if (message.kind === 'append-reply') onAppendReply(core, core.role, from, message)
    else onSnapshotReply(core, core.role, from, message)
  }
}

/** The place before the first entry. */
export const beginning: LogPosition = { index: logIndex(0), term: 0 as LogPosition['term'] }
