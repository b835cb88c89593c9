/**
 * The state of one Raft node and the moves between its roles. The rules of each role stand in files of their
 * own (election.ts, leader.ts, follower.ts); this one holds what they share.
 *
 * What must always hold:
 * - term and vote are durable before any message that depends on them leaves;
 * - `commitIndex` never falls, and nothing up to it is ever truncated;
 * - at most one batch waits for the disk; what comes meanwhile forms the next one.
 */
import { assert } from '../base/assert.js'
import { type LogIndex, logIndex, type NodeId, type Term } from '../base/ids.js'
import type { Random } from '../base/random.js'
import type { Log, LogPosition } from './log.js'
import type { Progress } from './progress.js'
import type { Reads, ReadyRead } from './reads.js'
import type {
  Append,
  Configuration,
  HardState,
  MemberHealth,
  Outgoing,
  OutgoingSnapshot,
  RaftMessage,
  RaftOptions,
  RaftSaved,
} from './types.js'

/**
 * What a node is in its term (Raft paper, section 5.1), each role with what only it needs to know. A candidate's
 * `granted` holds its own vote only once that is durable.
 */
export type Role = { readonly kind: 'follower' } | Campaign | Candidacy | Leadership

/** Asking whether an election could be won. */
export interface Campaign {
  readonly kind: 'pre-candidate'
  readonly granted: Set<NodeId>
  /** When those who have not granted it are asked again. */
  askAgainAtTick: number
}

/** Asking for votes. */
export interface Candidacy {
  readonly kind: 'candidate'
  readonly transfer: boolean
  readonly granted: Set<NodeId>
  /** When those who have not granted theirs are asked again. */
  askAgainAtTick: number
}

/** What only a leader knows. */
export interface Leadership {
  readonly kind: 'leader'
  /** The no-op that opened the term; nothing is served before it is committed. */
  readonly firstIndex: LogIndex
  readonly progress: Map<NodeId, Progress>
  readonly reads: Reads
  /** What was committed when: to tell who lags behind. Oldest first. */
  readonly commitSamples: { readonly tick: number; readonly commit: LogIndex }[]
  transfer: { readonly to: NodeId; readonly untilTick: number; asked: boolean } | undefined
  heartbeatAtTick: number
  /** The last append with entries that was made in this turn, and where the log ended then. */
  lastAppend: { readonly append: Append; readonly logEnd: LogIndex } | undefined
}

/** A snapshot that is coming in. */
interface Receiving {
  readonly from: NodeId
  readonly index: LogIndex
  readonly indexTerm: Term
  next: number
}

/** What people may want to know, as it happens. */
export type RaftEvent =
  | { readonly kind: 'role'; readonly role: 'leader' | 'follower' | 'candidate'; readonly term: Term }
  | { readonly kind: 'leader'; readonly leader: NodeId | undefined; readonly term: Term }
  | { readonly kind: 'snapshot-sending' | 'snapshot-sent'; readonly to: NodeId; readonly index: LogIndex }
  | { readonly kind: 'snapshot-receiving' | 'snapshot-installed'; readonly index: LogIndex }

/** The world of a core, as far as it has one. */
export interface RaftSurroundings {
  readonly random: Random
  readonly options: RaftOptions
  /** Opens the last durable checkpoint for sending; undefined if there is none. */
  openSnapshot(): OutgoingSnapshot | undefined
  /** The configuration in a snapshot's meta; undefined if the bytes are no such thing. */
  configurationOf(meta: Uint8Array): Configuration | undefined
}

export class Core {
  readonly id: NodeId
  readonly log: Log
  readonly options: RaftOptions
  readonly random: Random
  readonly surroundings: RaftSurroundings

  term: Term
  votedFor: NodeId | undefined
  role: Role = { kind: 'follower' }
  leader: NodeId | undefined
  commitIndex: LogIndex
  /** What the state machine has applied; told by the replica. */
  appliedIndex: LogIndex
  diskFull = false

  /** Ticks since the start. */
  tick = 0
  /** When a follower or candidate starts the next election. */
  electionAtTick = 0
  /** When the current leader was last heard. */
  leaderHeardAtTick: number
  /** Whoever led when this node last knew a leader. */
  lastLeader: NodeId | undefined
  /** The leader's connection closed and it was not heard since. */
  leaderGone = false
  /** Until then elections are tried again quickly: a leader is known to be lost, or the node just started. */
  hurryUntilTick: number
  /** Elections this node has started since it last knew a leader. */
  electionsTried = 0

  /** Up to here the log equals that of the current term's leader. */
  verified: LogIndex = logIndex(0)
  /** Whom the next flush must be acknowledged to. */
  owesReplyTo: NodeId | undefined
  /** The newest read round seen of the current leader. */
  seenRound = 0
  receiving: Receiving | undefined
  /** A snapshot that is complete and waits to be put in the place of the table. */
  installing: (LogPosition & { readonly meta: Uint8Array; readonly from: NodeId }) | undefined
  /** The leader's view of the members, as last heard (or made, on the leader). */
  health: readonly MemberHealth[] = []
  /** When each node was last heard, whatever it said. */
  readonly heardAtTick = new Map<NodeId, number>()

  durableState: HardState
  /** The batch that waits for the disk. */
  saving: { state: HardState | undefined; upTo: LogIndex; installs: boolean } | undefined
  /** What must be saved before state and entries, in order. */
  toSave: RaftSaved[] = []
  sendNowQueue: Outgoing[] = []
  sendQueue: Outgoing[] = []
  events: RaftEvent[] = []
  /** Reads whose round is answered. */
  readyReads: ReadyRead[] = []
  /** Reads that ended with the leadership. */
  lostReads: ReadyRead[] = []
  /** Set when a snapshot was put in the place of the table; taken by the replica. */
  installed: LogPosition | undefined

  constructor(id: NodeId, log: Log, state: HardState, applied: LogIndex, surroundings: RaftSurroundings) {
    this.id = id
    this.log = log
    this.surroundings = surroundings
    this.options = surroundings.options
    this.random = surroundings.random
    this.term = state.term
    this.votedFor = state.votedFor
    this.durableState = state
    this.commitIndex = applied
    this.appliedIndex = applied
    // Under a lease a voter that just started may have promised something a moment ago (see isLeaderAlive): it
    // helps nobody to an election yet, itself included.
    this.hurryUntilTick = this.isLease ? 0 : this.options.electionTicks
    this.leaderHeardAtTick = this.isLease ? 0 : -Infinity
    // The journal may hold entries that contradict the table, where a snapshot took it further and the crash
    // came before that was noted. They must not be taken for what stands before later entries.
    const { base, lastIndex } = log
    if (base.index > 0 && base.index === lastIndex) this.toSave.push({ kind: 'reset', ...base })
    this.resetElectionTimer()
  }

  get configuration(): Configuration {
    return this.log.configuration
  }

  get isLease(): boolean {
    return this.configuration.reads === 'lease'
  }

  /** Whether term and vote are as they are on the disk. */
  get isStateDurable(): boolean {
    return this.durableState.term === this.term && this.durableState.votedFor === this.votedFor
  }

  /**
   * Whether this node has reason to believe that the leader lives, and so refuses to help others to an
   * election (dissertation, section 4.2.3). Under a lease this refusal is a promise to the leader: it ignores
   * the hint of a closed connection, and holds for one bound after this node's own start. One tick is added
   * because the first one may come right after the leader was heard.
   */
  isLeaderAlive(): boolean {
    if (this.role.kind === 'leader') return true
    if (this.leaderGone && !this.isLease) return false
    return this.tick - this.leaderHeardAtTick <= this.options.electionTicks
  }

  /** Sends at once: for what depends on nothing that is not durable yet. */
  sendNow(to: NodeId, message: RaftMessage): void {
    this.sendNowQueue.push({ to, message })
  }

  /** Sends as soon as term and vote are durable. */
  sendWhenDurable(to: NodeId, message: RaftMessage): void {
    if (this.isStateDurable && this.saving?.state === undefined) this.sendNow(to, message)
    else this.sendQueue.push({ to, message })
  }

  /** Starts the time anew after which this node stands for election; `more` is added where it is in a hurry. */
  resetElectionTimer(more = 0): void {
    const { electionTicks, heartbeatTicks } = this.options
    // Each election waits twice as long as the one before: where disks or network are slow, the votes that one
    // of them is waiting for would otherwise always come too late.
    const least = 2 ** this.electionsTried
    const most = least * Math.max(2, Math.floor(heartbeatTicks / 2))
    const hurries = this.tick < this.hurryUntilTick && most < electionTicks
    const wait = hurries
      ? Math.min(more + this.random.between(least, most), electionTicks)
      : this.random.between(electionTicks, 2 * electionTicks)
    this.electionAtTick = this.tick + wait
  }

  becomeFollower(term: Term, leader: NodeId | undefined): void {
    assert(term >= this.term, 'terms never fall')
    if (this.role.kind === 'leader') {
      for (const progress of this.role.progress.values()) progress.closeSnapshot()
      this.lostReads.push(...this.role.reads.takeAll())
    }
    const changed = this.role.kind !== 'follower' || term !== this.term
    if (term > this.term) {
      this.term = term
      this.votedFor = undefined
    }
    if (this.role.kind !== 'follower') this.events.push({ kind: 'role', role: 'follower', term })
    this.role = { kind: 'follower' }
    if (changed) this.#forgetAgreement()
    this.setLeader(leader)
    if (changed) this.resetElectionTimer()
  }

  setLeader(leader: NodeId | undefined): void {
    if (leader === this.leader) return
    this.leader = leader
    this.lastLeader = leader ?? this.lastLeader
    this.#forgetAgreement()
    this.events.push({ kind: 'leader', leader, term: this.term })
  }

  advanceCommit(index: LogIndex): void {
    assert(index <= this.log.lastIndex, 'only entries that are there are committed')
    if (index > this.commitIndex) this.commitIndex = index
  }

  /** Removes entries that contradict the leader's; what of them is on its way to the disk no longer counts. */
  truncateFrom(from: LogIndex): void {
    assert(from > this.commitIndex, 'a committed entry is never truncated')
    this.log.truncateFrom(from)
    if (this.saving !== undefined && this.saving.upTo >= from) this.saving.upTo = logIndex(from - 1)
  }

  /** What was agreed with one leader means nothing to another, nor in another term. */
  #forgetAgreement(): void {
    this.verified = logIndex(0)
    this.owesReplyTo = undefined
    this.seenRound = 0
  }
}
