/**
 * What consensus replicas say to each other beyond Raft itself: requests on their way to the leader, and
 * their answers. Like Raft's own messages, any of these may be lost, repeated or reordered without harm.
 */
import type { LogIndex, Term } from '../base/ids.js'
import type { Result } from '../kv/sessions.js'
import type { Request, Response } from '../protocol/request.js'
import type { RaftMessage } from '../raft/types.js'

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
  | ReadIndex
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

/** A read, or an administrative request, for the leader. */
export interface Query {
  readonly kind: 'query'
  readonly id: number
  readonly request: Request
}

/**
 * The answer to the query of that `id`, which is the asker's own count; a refusal is an answer, too. What was read
 * comes with the `index` that was applied then: answers may overtake each other, and so their order is known.
 */
export interface QueryReply {
  readonly kind: 'query-reply'
  readonly id: number
  readonly index: LogIndex | undefined
  readonly response: Response
}

/**
 * The answer to a read is large, and whoever asked holds it, too: it reads by itself once it has applied `index`,
 * and reads no less than the leader would have. So what many slow clients ask for does not fill the channel.
 */
export interface ReadIndex {
  readonly kind: 'read-index'
  readonly id: number
  readonly index: LogIndex
}

/** Tells its receiver that it is not a member any more. */
export interface Removed {
  readonly kind: 'removed'
}
