/**
 * What consensus replicas say to each other beyond Raft itself: requests on their way to the leader, and
 * their answers. Like Raft's own messages, any of these may be lost, repeated or reordered without harm.
 */
import type { LogIndex, Term } from '../base/ids.js'
import type { Result } from '../kv/sessions.js'
import type { Request, Response } from '../protocol/request.js'
import type { RaftMessage } from '../raft/types.js'
import type { ReadRequest } from './reader.js'

/**
 * Everything that travels between two consensus replicas. Whoever asks repeats the question or gives it up in
 * time, so no answer has to arrive.
 */
export type ConsensusMessage =
  | RaftMessage
  | Forward
  | ForwardReply
  | ForwardRefused
  | Query
  | QueryReply
  | ReadQuery
  | ReadIndex
  | ReadReply
  | Removed

/** Writes on their way to the leader, in the order in which they are to take effect. */
export interface Forward {
  readonly kind: 'forward'
  /** The term of the leader that it is for: nobody else takes it. */
  readonly term: Term
  /** Counts the sender's forwards of this session; a leader takes none that is older than one it has seen. */
  readonly sequence: number
  readonly session: string
  readonly bornMs: number
  readonly lowest: number
  readonly writes: readonly ForwardedWrite[]
}

/**
 * One write of a forward. Its session and counter name it for good: under them it is applied once, however often
 * it is sent.
 */
export interface ForwardedWrite {
  readonly counter: number
  /** An encoded command. */
  readonly command: Uint8Array
}

/** Results of writes that were applied. */
export interface ForwardReply {
  readonly kind: 'forward-reply'
  readonly session: string
  readonly results: readonly (readonly [counter: number, result: Result])[]
  /** How many voters at least have them on their disks. */
  readonly copies: number
}

/**
 * The leader of `term` did not propose the writes of `sequence` from counter `next` on, and never will for a
 * message up to that sequence. Together with its log this proves that they have had no effect.
 */
export interface ForwardRefused {
  readonly kind: 'forward-refused'
  readonly term: Term
  readonly sequence: number
  readonly session: string
  readonly next: number
  readonly reason: 'gap' | 'busy' | 'disk-full' | 'expired'
  /** The leader's log time, for a new session. */
  readonly clockMs: number
}

/** An administrative request, for the leader. */
export interface Query {
  readonly kind: 'query'
  readonly id: number
  readonly request: Request
}

/** The answer to the query of that `id`, which is the asker's own count; a refusal is an answer, too. */
export interface QueryReply {
  readonly kind: 'query-reply'
  readonly id: number
  readonly response: Response
}

/**
 * Reads, for the leader: the batch that its asker calls `id`. Without the reads themselves, only from where on the log
 * holds all that they must see is asked for: the asker answers them. With them, the leader is to answer; the first of
 * them is the batch's read number `first`.
 */
export interface ReadQuery {
  readonly kind: 'read-query'
  readonly id: number
  readonly first: number
  readonly requests: readonly ReadRequest[] | undefined
}

/**
 * Whoever asked answers the batch by itself once it has applied `index`, and reads no less than the leader would have.
 * The leader's time was `nowMs`: a key that would have expired by then is left to the leader.
 */
export interface ReadIndex {
  readonly kind: 'read-index'
  readonly id: number
  readonly index: LogIndex
  readonly nowMs: number
}

/**
 * Answers to reads of a batch, from its read number `first` on. They come with the `index` that was applied where they
 * were read: they may overtake others, and so their order is known.
 */
export interface ReadReply {
  readonly kind: 'read-reply'
  readonly id: number
  readonly first: number
  readonly index: LogIndex
  readonly responses: readonly Response[]
}

/** Tells its receiver that it is not a member any more. */
export interface Removed {
  readonly kind: 'removed'
}
