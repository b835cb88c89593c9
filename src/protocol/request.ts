/**
 * What can be asked of a node and what it can answer, whatever dialect the client spoke. Dialects translate
 * bytes to a {@link Request} and a {@link Response} to bytes; engines know nothing else.
 */
import type { LogIndex, Member, NodeId, Term } from '../base/ids.js'
import type { Operation, ReadOperation, Reply, Watched } from '../base/operation.js'
import type { ErrorCode } from './errors.js'
import type { RingRequest, RingResponse } from './ring-request.js'

/**
 * A request as an engine sees it: checked, addresses in full `host:port` form, values as bytes. A write may
 * carry the `identity` its client gave it (a UUID), by which a repeat is recognised; one without is named by
 * the node that takes it.
 */
export type Request =
  | { readonly op: 'get'; readonly key: string; readonly local: boolean }
  | {
      readonly op: 'put' | 'update' | 'set'
      readonly key: string
      readonly value: Uint8Array
      readonly identity?: string | undefined
    }
  | { readonly op: 'delete'; readonly key: string; readonly identity?: string | undefined }
  | {
      readonly op: 'cas'
      readonly key: string
      readonly version: number
      readonly value: Uint8Array
      readonly identity?: string | undefined
    }
  | { readonly op: 'keys'; readonly prefix: string; readonly after: string; readonly limit: number }
  /** Operations of Redis, carried out as a whole, if no watched key has changed. */
  | {
      readonly op: 'redis-write'
      readonly operations: readonly Operation[]
      readonly watched: readonly Watched[]
    }
  /** The same for operations that only read. */
  | { readonly op: 'redis-read'; readonly operations: readonly ReadOperation[]; readonly local: boolean }
  | { readonly op: 'status' }
  | { readonly op: 'add-member'; readonly member: Member }
  | { readonly op: 'move-member'; readonly member: Member }
  | { readonly op: 'remove-member'; readonly address: string }
  | { readonly op: 'transfer-leader'; readonly address: string }
  | RingRequest

/** The answer to a {@link Request}. */
export type Response =
  /** `get` found the key. `version` is the number of the command that stored it: they grow along the log. */
  | { readonly kind: 'value'; readonly value: Uint8Array; readonly version: number }
  /** A write was carried out. */
  | WrittenResponse
  /** One page of `keys`, in byte order; `more` says that keys follow the last one. */
  | { readonly kind: 'keys'; readonly keys: readonly string[]; readonly more: boolean }
  /** One reply for each operation of Redis. */
  | { readonly kind: 'redis'; readonly replies: readonly Reply[] }
  | { readonly kind: 'status'; readonly status: ClusterStatus }
  /** An administrative command (members, leadership) was carried out. */
  | { readonly kind: 'done' }
  | RingResponse
  | Failure

/** Whoever waits for the answer to a request: told once, unless it is abandoned. */
export interface Receiver {
  answered(response: Response): void
}

/** The answer to a write that was carried out. */
export interface WrittenResponse {
  readonly kind: 'written'
  /** What a later `cas` must name (0 after a delete). */
  readonly version: number
  /** Whether the key was there before; said of `set`, since the others say it by succeeding. */
  readonly existed?: boolean
  /**
   * How many copies at least were on disks when the write was acknowledged. Under consensus these are the voters
   * without whom it could not have been committed: a majority of them.
   */
  readonly copies?: number
}

/** An expected answer that is not what was hoped for; the error table says what each code means. */
export interface Failure {
  readonly kind: 'error'
  readonly code: ErrorCode
  /** What the code's text needs filled in (`{name}` in the error table). */
  readonly details?: Readonly<Record<string, string | number>>
}

/** Makes a {@link Failure}. */
export function failure(code: ErrorCode, details?: Readonly<Record<string, string | number>>): Failure {
  return details === undefined ? { kind: 'error', code } : { kind: 'error', code, details }
}

/** The state of the cluster as one node sees it. */
export type ClusterStatus = ConsensusStatus | RingStatus

/** The state of a cluster under consensus; at most a heartbeat old while there is a leader. */
export interface ConsensusStatus {
  readonly engine: 'raft'
  /** The leader's client address, or undefined when this node knows of none. */
  readonly leader: string | undefined
  /** Set where the leader's connection to this node has closed: a hint that it died, and that another one follows. */
  readonly leaderGone?: true
  /** In the order in which they joined. */
  readonly members: readonly MemberStatus[]
  /** How many more voters can be lost before writes stop; 0 where nobody leads. */
  readonly canLose: number
  /** How many copies of each key the cluster was created to keep, where somebody said so. */
  readonly replicationFactor?: number
  /** What clients are warned of, where the node has words of its own for it. */
  readonly warnings?: readonly string[]
}

/** The state of a ring, by what the asked node has heard. */
export interface RingStatus {
  readonly engine: 'ring'
  /** The client address of the leader, where the ring has one (see {@link RingStatus.epoch}); else undefined. */
  readonly leader: string | undefined
  /** Of a ring that is led: which leadership this is. Each new leader takes a higher number; 0 while none is known. */
  readonly epoch?: number
  /** In the order in which they joined. */
  readonly members: readonly RingMemberStatus[]
  /** How many more members can be lost, all at once, without losing data or the usual quorum. */
  readonly canLose: number
  /** On how many members each key is kept; fewer members than that hold all of them. */
  readonly replicationFactor: number
  /** Records held here that have a value, copies kept for others included. */
  readonly records: number
  /** Of the writes kept here for others, how many there may be. */
  readonly hintsMax: number
  /** What this node still fetches, or hands over, because the membership has changed: ranges of keys. */
  readonly moving:
    | { readonly kind: 'fetching' | 'handing-over'; readonly left: number; readonly of: number }
    | undefined
  /** Deletions that are still remembered here. */
  readonly tombstones: number
  /** What clients are warned of, where the node has words of its own for it. */
  readonly warnings?: readonly string[]
}

/** One member of a ring. */
export interface RingMemberStatus {
  readonly id: NodeId
  /** Client address, in full `host:port` form. */
  readonly address: string
  /** `silent` is not heard of late, `dead` for longer than the node timeout. */
  readonly role: 'up' | 'joining' | 'leaving' | 'evicted' | 'silent' | 'dead'
  readonly active: boolean
  /** Heard, and as far as the asked node knows it has got everything. */
  readonly inSync: boolean
  /** Writes that the asked node keeps for it until it is back. */
  readonly hints: number
  /** Milliseconds since it was last heard, or undefined if never; 0 for the node itself. */
  readonly lastHeardMs: number | undefined
}

/**
 * One member as the asked node knows it. What it does not know is undefined or `unknown`; nothing is guessed.
 */
export interface MemberStatus {
  readonly id: NodeId
  /** Client address, in full `host:port` form. */
  readonly address: string
  readonly role: 'leader' | 'follower' | 'candidate' | 'learner' | 'unknown'
  /** Heard within the last election timeout (a learner counts once it is in sync). */
  readonly active: boolean
  /** Heard, and holding what the leader had committed one election timeout ago. */
  readonly inSync: boolean
  readonly term: Term | undefined
  readonly lastIndex: LogIndex | undefined
  readonly appliedIndex: LogIndex | undefined
  /** Entries it lacks of what is committed, or undefined where that is not known. */
  readonly lag: number | undefined
  /** Milliseconds since it was last heard, or undefined if never; 0 for the node itself. */
  readonly lastHeardMs: number | undefined
}

/** Something that happened in the cluster, told to `watch --cluster` and to the log, once each. */
export type ClusterEvent =
  | { readonly kind: 'leader'; readonly address: string | undefined; readonly term: Term }
  | { readonly kind: 'member-added' | 'member-removed'; readonly address: string }
  | { readonly kind: 'member-joining' | 'member-leaving' | 'member-evicted'; readonly address: string }
  | { readonly kind: 'crowded'; readonly key: string; readonly versions: number }
  | { readonly kind: 'out-of-sync' | 'in-sync'; readonly address: string }
  | { readonly kind: 'role'; readonly role: 'leader' | 'follower' | 'candidate'; readonly term: Term }
  | {
      readonly kind: 'snapshot-sending' | 'snapshot-sent'
      readonly address: string
      readonly index: LogIndex
    }
  | { readonly kind: 'snapshot-receiving' | 'snapshot-installed'; readonly index: LogIndex }
  | { readonly kind: 'compacted'; readonly index: LogIndex }
  | { readonly kind: 'disk'; readonly state: 'full' | 'ok' }
  | { readonly kind: 'removed' }
