/**
 * What the outside sees of the leaderless engine: what can be asked of it and what it answers, what it says to
 * its like and keeps on disk, its times and bounds.
 *
 * Sections are those of "Dynamo: Amazon's Highly Available Key-value Store" (DeCandia et al., SOSP 2007, the
 * "Dynamo paper"); versions follow "Dotted Version Vectors: Logical Clocks for Optimistic Replication"
 * (Preguica et al., 2010).
 */
import type { Member, NodeId, RequestId } from '../base/ids.js'
import type { RingMessage } from './messages.js'

/** What a client wants done with one key. Keys have been checked: never empty, never with a space in them. */
export type RingRequest = RingRead | RingWrite | OrderedRequest

/** What is asked of a ring with a leader (see {@link RingOptions.ordered}), which takes nothing else. */
export type OrderedRequest = OrderedGet | OrderedChange

/** Reads the one version of a key. */
export interface OrderedGet {
  readonly op: 'get'
  readonly key: string
}

/** Changes the one version of a key: `put` wants a key that has none, `update` and `delete` one that has. */
export interface OrderedChange {
  readonly op: 'change'
  readonly verb: 'put' | 'update' | 'set' | 'delete'
  readonly key: string
  /** Undefined for `delete`. */
  readonly value: Uint8Array | undefined
  /** The client's own name for this write, by which a repeat is recognised where it is found. */
  readonly identity: string | undefined
}

/** Reads all versions of a key (Dynamo paper, section 4.5). */
export interface RingRead {
  readonly op: 'read'
  readonly key: string
  /** How many copies must have been looked at; a majority of the copies if undefined. */
  readonly quorum: number | undefined
}

/** Writes one version of a key. */
export interface RingWrite {
  readonly op: 'write'
  readonly key: string
  /** Undefined writes a tombstone: it deletes what `context` covers. */
  readonly value: Uint8Array | undefined
  /** What the writer had read, as an answer gave it: exactly that is replaced. Undefined: nothing is. */
  readonly context: string | undefined
  /** How many copies must be durable before the answer; a majority of the copies if undefined. */
  readonly quorum: number | undefined
  /** The client's own name for this write, by which a repeat is recognised where it is found. */
  readonly identity: string | undefined
}

/** The one answer to a {@link RingRequest}. */
export type RingAnswer =
  | RingVersions
  | RingWritten
  /**
   * Fewer copies than asked for took part. `maybe`: some did all the same, so that a write may be there; false
   * says that certainly nothing was done.
   */
  | {
      readonly kind: 'quorum-not-met'
      readonly reached: number
      readonly needed: number
      readonly maybe: boolean
    }
  /** Certainly nothing was done. */
  | { readonly kind: 'refused'; readonly reason: Refusal }
  /** A write was handed to another node, which did not answer in time: it may have happened. */
  | { readonly kind: 'unknown' }
  | OrderedAnswer

/** What came of an {@link OrderedRequest} that was carried out. */
export type OrderedAnswer =
  /** The value of a key. `version` grows with each write of the cluster, but for those of a divided one. */
  | { readonly kind: 'entry'; readonly value: Uint8Array; readonly version: number }
  /**
   * A change was made, and is durable on so many copies. `existed` says whether the key had a value before; a
   * repeat is answered what the first one was.
   */
  | {
      readonly kind: 'changed'
      readonly existed: boolean
      readonly copies: number
      readonly version: number
    }
  /** The key has no value, and one was wanted. */
  | { readonly kind: 'absent' }
  /** The key has a value, and none was wanted. */
  | { readonly kind: 'present' }
  /** Nobody who can be reached has it, and somebody who cannot be may. Nothing was done. */
  | { readonly kind: 'unavailable' }

/** What a read found. */
export interface RingVersions {
  readonly kind: 'versions'
  /** Those to show, in an order that is the same on every node; empty where there is no value. */
  readonly versions: readonly ShownVersion[]
  /** Covers all that was found, deletions too; '' where nothing ever was. */
  readonly context: string
}

/** A write is durable on as many copies as were asked for. The rest as a read right after it would find it. */
export interface RingWritten {
  readonly kind: 'written'
  readonly versions: readonly ShownVersion[]
  readonly context: string
  /** Copies that had it when this was answered. */
  readonly copies: number
  /** There are so many versions beside each other that somebody should reconcile them soon. */
  readonly crowded: boolean
}

/** One of the versions of a key that stand beside each other. */
export interface ShownVersion {
  readonly value: Uint8Array
  /** When it was written, in milliseconds since 1970, by the clock of the node that coordinated it. */
  readonly writtenMs: number
  /** The context that covers this version and what it replaced, and nothing else. */
  readonly context: string
}

/** Why nothing was done. */
export type Refusal =
  /** This node is not (or not yet, or no longer) a member. */
  | 'not-a-member'
  /** A quorum below 1 or above the number of copies. */
  | 'invalid-quorum'
  /** The context was not made for this key, or was damaged. */
  | 'invalid-context'
  /** So many versions stand beside each other that a write must replace some, by a context. */
  | 'too-many-versions'
  /** The merged value would be longer than a value may be. */
  | 'value-too-large'
  | 'disk-full'
  | 'busy'
  | 'stopping'
  /** Nobody was found in time through whom requests go. */
  | 'no-leader'

/**
 * How a member stands. `joining`: takes writes of what it will own, and fetches the rest. `leaving`: hands over
 * what it owns. `evicted`: was silent for so long that the others copied its share; it may come back with what
 * it has. `gone`: left or was removed; this identity never comes back.
 */
export type Standing = 'joining' | 'member' | 'leaving' | 'evicted' | 'gone'

/** A member as the list has it, which every node holds in full and passes on (Dynamo paper, section 4.8). */
export interface RingMember extends Member {
  readonly standing: Standing
  /** Numbers members in the order in which they joined, from 1; ties go by identity. */
  readonly joined: number
  /** Raised at each change of this entry, so that old news never beats new. */
  readonly generation: number
}

/** The list of members as one node holds it. A new object whenever anything of it changes. */
export interface MemberList {
  /** How many copies there are of each key, N: a setting of the cluster. */
  readonly copies: number
  /** In the order of joining, those who are gone included. */
  readonly members: readonly RingMember[]
}

/** What a node starts with; whatever its rows hold counts for more. */
export interface RingStart {
  /** Identity and addresses of this node. Where the list has other addresses for it, the list is corrected. */
  readonly self: Member
  /** The cluster that this node founds, alone or with others that were given the same; undefined: it waits. */
  readonly founding: { readonly members: readonly Member[]; readonly copies: number } | undefined
}

/**
 * Where the core keeps everything that outlives it: rows of bytes by a key that the core makes up (at most 64
 * bytes longer than the client's). What is written is seen at once by the reads that follow, and is given out
 * as {@link RingSaved} as well; at a start the rows are those that were durable, or newer.
 */
export interface RingRows {
  get(rowKey: string): Uint8Array | undefined
  set(rowKey: string, value: Uint8Array): void
  delete(rowKey: string): void
  /** Up to `limit` row keys that begin with `prefix` and follow `after`, in the order of their UTF-8 bytes. */
  keys(prefix: string, after: string, limit: number): string[]
}

/** A row that must become durable: the last such record of a row counts. Undefined removes it. */
export interface RingSaved {
  readonly rowKey: string
  readonly value: Uint8Array | undefined
}

/** A message and whom it is for. It may be lost, repeated or overtaken without harm. */
export interface RingOutgoing {
  readonly to: NodeId
  readonly message: RingMessage
}

/** What must be done, in the terms of src/replica/contract.ts. */
export interface RingOutput {
  readonly sendNow: readonly RingOutgoing[]
  readonly save: readonly RingSaved[]
  readonly send: readonly RingOutgoing[]
  readonly answers: readonly { readonly id: RequestId; readonly answer: RingAnswer }[]
  readonly events: readonly RingEvent[]
  /** Background work is left that should not wait for the next tick. */
  readonly more: boolean
}

/** What people may want to know, as it happens. */
export type RingEvent =
  /** The standing of a member changed, or it is new (this node included). */
  | { readonly kind: 'member'; readonly member: RingMember }
  /** A member was not heard any more, or is heard again. */
  | { readonly kind: 'reachable' | 'unreachable'; readonly member: RingMember }
  /**
   * A client's write was accepted beside so many versions that somebody should reconcile them. Told by the node that
   * was asked, at `versionsWarning` and each time that they have doubled, not at every write.
   */
  | { readonly kind: 'crowded'; readonly key: string; readonly versions: number }
  /** Requests of this node go through another member now; undefined: it is not clear yet through whom. */
  | { readonly kind: 'leader'; readonly member: RingMember | undefined; readonly epoch: number }

/** What one node knows of one member, for `status`. */
export interface RingMemberStatus {
  readonly member: RingMember
  /** Answers this node, as far as it knows. */
  readonly reachable: boolean
  /** Silent for longer than `deadTicks`. */
  readonly dead: boolean
  /** Since it was last heard, or undefined if never; 0 for the node itself. */
  readonly silentTicks: number | undefined
  /** Records that this node keeps for it until it is back. */
  readonly hints: number
  /** Where all requests go through a leader: it has yet to get what others hold. */
  readonly behind?: boolean
}

/** What one node can say of itself and the cluster. */
export interface RingStatus {
  /** Where requests go through a leader: who it is, as this node sees it, and the highest epoch it has heard of. */
  readonly leader?: RingMember | undefined
  readonly epoch?: number | undefined
  readonly copies: number
  readonly members: readonly RingMemberStatus[]
  /** Records held here that have a value, copies kept for others included. */
  readonly records: number
  /** Rows kept here for others altogether, and how many may be. */
  readonly hints: number
  readonly hintsMax: number
  /** Ranges of keys this node has yet to fetch (after a join, say) or to hand over (to leave), of how many. */
  readonly moving:
    | { readonly kind: 'fetching' | 'handing-over'; readonly left: number; readonly of: number }
    | undefined
  /** Deletions whose tombstones are still kept here. */
  readonly tombstones: number
  /** Rows read again since the start are still being counted; the numbers above grow. */
  readonly counting: boolean
}

/** Times in ticks; bounds in what their names say. */
export interface RingOptions {
  /**
   * Whether all requests go through a leader, which orders writes, so that a key has one version. The same for all
   * nodes of a cluster.
   */
  readonly ordered: boolean
  /** How often each member tells another what it knows, and every member that it lives. */
  readonly gossipTicks: number
  /** A member silent for this long is taken for unreachable, until it is heard again. */
  readonly silentTicks: number
  /** A member silent for this long is shown as dead, and evicted if `evict`. */
  readonly deadTicks: number
  readonly evict: boolean
  /** A copy that has not answered for this long is stood in for. */
  readonly copyTicks: number
  /** A request has an answer after this long, whatever it is. */
  readonly requestTicks: number
  /** How often ranges are compared with another owner, hints offered, and tombstones looked for. */
  readonly repairTicks: number
  /** Ranges compared at a time. */
  readonly rangesPerRepair: number
  /** Rows that one background message carries at most, and about how many bytes. */
  readonly rowsPerMessage: number
  readonly bytesPerMessage: number
  /** Rows kept for others at most; beyond, this node refuses to stand in. */
  readonly hintsMax: number
  /** Client requests under way at most; beyond, they are refused. */
  readonly requestsMax: number
  readonly versionsWarning: number
  readonly versionsMax: number
  readonly valueBytesMax: number
  /** Values of one record together at most, in bytes: a write that makes it larger is one version too many. */
  readonly recordBytesMax: number
  /** More entries than this in a version's past are worth pruning of starts that are over. */
  readonly pastMax: number
}
