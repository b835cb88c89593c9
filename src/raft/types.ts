/**
 * What the members of a Raft group say to each other and keep: entries, configurations, messages.
 *
 * Section numbers are those of "In Search of an Understandable Consensus Algorithm" (Ongaro and Ousterhout,
 * 2014, the "Raft paper") and of Ongaro's dissertation "Consensus: Bridging Theory and Practice" (2014).
 */
import type { LogIndex, Member, NodeId, Term } from '../base/ids.js'

/** One entry of the log. Its bytes are made once, by the leader that proposes it. */
export interface Entry {
  readonly index: LogIndex
  readonly term: Term
  readonly kind: EntryKind
  /** A command (opaque here), an encoded {@link Configuration}, or nothing for a no-op. No newline in it. */
  readonly data: Uint8Array
}

/**
 * What an entry is for: the state machine, the membership (dissertation, section 4.1), or only to open a
 * leader's term (Raft paper, section 8).
 */
export type EntryKind = 'command' | 'configuration' | 'no-op'

/** What must survive a crash before any message that depends on it leaves (Raft paper, figure 2). */
export interface HardState {
  readonly term: Term
  readonly votedFor: NodeId | undefined
}

/** How linearizable reads are served: a round to a quorum, or the leader's lease (a setting of the cluster). */
export type ReadMode = 'linearizable' | 'lease'

/** A member and whether it votes; one that does not yet is a learner (dissertation, section 4.2.1). */
export interface ConfiguredMember extends Member {
  readonly voter: boolean
}

/** Who is in the group. In force from the moment its entry is in a node's log (dissertation, section 4.1). */
export interface Configuration {
  /** In the order in which they joined. */
  readonly members: readonly ConfiguredMember[]
  /** The last identities that were removed, so that they can be told so. */
  readonly removed: readonly NodeId[]
  readonly reads: ReadMode
}

/** What a leader knows of one member, spread with its heartbeats so that every node can answer `status`. */
export interface MemberHealth {
  readonly id: NodeId
  /** Heard within the last election timeout. */
  readonly heard: boolean
  /** Heard, and holding what was committed one election timeout ago. */
  readonly inSync: boolean
  readonly lastIndex: LogIndex
  readonly appliedIndex: LogIndex
  readonly lag: number
  /** Ticks since it was last heard. */
  readonly silentTicks: number
  readonly diskFull: boolean
}

/** A message between members. Any of them may be lost, repeated or reordered without harm. */
export type RaftMessage =
  | PreVoteRequest
  | PreVoteReply
  | VoteRequest
  | VoteReply
  | Append
  | AppendReply
  | SnapshotChunk
  | SnapshotReply
  | TimeoutNow

/** Asks whether an election in `term` could be won, changing nothing (dissertation, section 9.6). */
export interface PreVoteRequest {
  readonly kind: 'pre-vote-request'
  readonly term: Term
  readonly lastIndex: LogIndex
  readonly lastTerm: Term
}

/**
 * Whether the voter would vote so (dissertation, section 9.6). It is no promise: the vote itself may be refused.
 */
export interface PreVoteReply {
  readonly kind: 'pre-vote-reply'
  /** The term asked for if granted, else the voter's own. */
  readonly term: Term
  readonly granted: boolean
}

/**
 * RequestVote (Raft paper, figure 2): a candidate asks for the vote in `term`, and says where its log ends. It
 * leaves once the candidate's vote for itself is durable.
 */
export interface VoteRequest {
  readonly kind: 'vote-request'
  readonly term: Term
  readonly lastIndex: LogIndex
  readonly lastTerm: Term
  /** The leader itself asked for this election (dissertation, section 3.10): its own silence need not pass. */
  readonly transfer: boolean
}

/**
 * The voter's answer, with its own term (Raft paper, figure 2). A vote that was granted is durable before this
 * leaves, so a crash does not take it back.
 */
export interface VoteReply {
  readonly kind: 'vote-reply'
  readonly term: Term
  readonly granted: boolean
}

/** AppendEntries; without entries it is a heartbeat or a question of a read round. */
export interface Append {
  readonly kind: 'append'
  readonly term: Term
  readonly previousIndex: LogIndex
  readonly previousTerm: Term
  readonly commit: LogIndex
  /** The leader's newest read round; echoed by the reply (dissertation, section 6.4). */
  readonly round: number
  readonly entries: readonly Entry[]
  /** The leader's view of the members, on heartbeats. */
  readonly health: readonly MemberHealth[] | undefined
}

/**
 * The follower's answer to an append (Raft paper, figure 2). `lastIndex` and `appliedIndex` only tell people how
 * far it is; commits are counted by `matched` alone.
 */
export interface AppendReply {
  readonly kind: 'append-reply'
  readonly term: Term
  readonly round: number
  readonly outcome: /** Everything up to `matched` equals the leader's log and is durable here. */
    | { readonly kind: 'matched'; readonly matched: LogIndex }
    /** The entry at `previousIndex` differs or lacks; the logs may agree at `hintIndex` (of `hintTerm`) or before. */
    | {
        readonly kind: 'mismatch'
        readonly previousIndex: LogIndex
        readonly hintIndex: LogIndex
        readonly hintTerm: Term
      }
    /** The leader's term is over. */
    | { readonly kind: 'stale' }
  readonly lastIndex: LogIndex
  readonly appliedIndex: LogIndex
  /** The follower's disk is full: it takes no entries for now. */
  readonly diskFull: boolean
}

/** A piece of a snapshot; the pieces of one snapshot are numbered from 0 and acknowledged one by one. */
export interface SnapshotChunk {
  readonly kind: 'snapshot-chunk'
  readonly term: Term
  /** The last entry that the snapshot covers, and its term. */
  readonly index: LogIndex
  readonly indexTerm: Term
  readonly sequence: number
  /** Rows, opaque here; no newline in it. */
  readonly data: Uint8Array
  /** With the last piece: what belongs beside the rows (opaque here; no newline in it). */
  readonly meta: Uint8Array | undefined
}

/**
 * The follower's answer to a piece of a snapshot (Raft paper, section 7). All pieces before `next` are durable
 * at the follower.
 */
export interface SnapshotReply {
  readonly kind: 'snapshot-reply'
  readonly term: Term
  readonly index: LogIndex
  /** The piece expected next; one past the last piece once the snapshot is installed. */
  readonly next: number
  readonly installed: boolean
}

/** Leadership transfer: start an election at once (dissertation, section 3.10). */
export interface TimeoutNow {
  readonly kind: 'timeout-now'
  readonly term: Term
}

/** A message and whom it is for. */
export interface Outgoing {
  readonly to: NodeId
  readonly message: RaftMessage
}

/** Times, in ticks, and bounds, in bytes. */
export interface RaftOptions {
  /** A follower that hears nothing for this long (up to twice, at random) starts a pre-vote. */
  readonly electionTicks: number
  readonly heartbeatTicks: number
  /** Entries of one append together have at most about this many bytes (one entry may be larger). */
  readonly appendBytesMax: number
  /** Appends with entries on their way to one follower at most. */
  readonly appendsInFlightMax: number
  /** Rows of one snapshot piece together have about this many bytes. */
  readonly snapshotChunkBytes: number
}

/** What a node needs of a snapshot in order to send it. */
export interface OutgoingSnapshot {
  readonly index: LogIndex
  readonly term: Term
  /** The next piece; with `meta` when it is the last. */
  next(bytesMax: number): { readonly data: Uint8Array; readonly meta: Uint8Array | undefined }
  close(): void
}

/** What must become durable, in this order. */
export type RaftSaved =
  | { readonly kind: 'state'; readonly state: HardState }
  /** They follow each other; what was kept from the first one on is void. */
  | { readonly kind: 'entries'; readonly entries: readonly Entry[] }
  /** The log begins anew after this entry, which a snapshot covers; earlier entries are void. */
  | { readonly kind: 'reset'; readonly index: LogIndex; readonly term: Term }
  | { readonly kind: 'snapshot-begin' }
  | { readonly kind: 'snapshot-rows'; readonly data: Uint8Array }
  /** Puts the snapshot in the place of the table, whole. */
  | { readonly kind: 'snapshot-end'; readonly meta: Uint8Array }
