/**
 * The contract between a replica (the pure machine of an engine) and the driver that runs it. Both engines
 * meet it, so driver, storage, transport, simulator, client port and metrics exist once.
 *
 * What must always hold:
 * - the same inputs in the same order give the same effects, and nothing else happens;
 * - between effects with a non-empty `save` and the input `saved`, further effects have an empty `save` and an
 *   empty `send`: the replica keeps them back, so that at most one batch waits for the disk and whatever
 *   arrives during a flush forms the next batch;
 * - `checkpoint` means the table exactly as it is when the effects are taken: the driver begins the checkpoint
 *   before it steps anything else.
 */
import type { LogIndex, NodeId, RequestId } from '../base/ids.js'
import type { ClusterEvent, Request, Response } from '../protocol/request.js'

/** Pure: the same inputs in the same order give the same effects, and nothing else happens. */
export interface Replica<Message, Saved> {
  step(input: Input<Message>): void
  takeEffects(): Effects<Message, Saved>
  /**
   * As of the last effects: before so many ticks have passed it has nothing to do by itself, whatever the time. 1 at
   * least. Any input may make it fewer; and a tick that comes earlier does no harm.
   */
  readonly quietTicks: number
}

/**
 * All that a replica ever learns of the world, one thing at a time. Messages may come repeated, late or not at
 * all; each save that succeeds is followed by one `saved`.
 */
export type Input<Message> =
  /** `count` tick intervals have passed on the monotonic clock. Wall time only ever enters the log (expiry). */
  | { readonly kind: 'tick'; readonly count: number; readonly wallMs: number }
  | { readonly kind: 'message'; readonly from: NodeId; readonly message: Message }
  | { readonly kind: 'request'; readonly id: RequestId; readonly request: Request }
  /** The client went away: its answer is no longer wanted (the request may still be carried out). */
  | { readonly kind: 'abandoned'; readonly id: RequestId }
  /** The peer's connection closed: a hint, not a proof. */
  | { readonly kind: 'disconnected'; readonly node: NodeId }
  /** The peer's outgoing queue was full: messages were dropped. */
  | { readonly kind: 'slow'; readonly node: NodeId }
  | { readonly kind: 'disk'; readonly state: 'full' | 'ok' }
  /** A member says that this node is no longer one. */
  | { readonly kind: 'removed' }
  /** SIGTERM: refuse new requests, finish what is under way, hand leadership over. */
  | { readonly kind: 'stop' }
  /** The last batch is durable. */
  | { readonly kind: 'saved' }
  /** The checkpoint that was asked for is durable. */
  | { readonly kind: 'checkpointed'; readonly index: LogIndex }
  /** There was no room for the checkpoint that was asked for; the table and its last checkpoint are as before. */
  | { readonly kind: 'checkpoint-failed' }

/** A message and the node it is for. It may be lost on its way, of which the replica gets a hint at most. */
export interface To<Message> {
  readonly to: NodeId
  readonly message: Message
}

/** The table as it is now, with this `meta` beside it; `index` says up to where it holds what was saved. */
export interface DueCheckpoint {
  readonly index: LogIndex
  readonly meta: Uint8Array
}

/**
 * What a replica wants done because of its inputs since effects were last taken. Each list is in the order in
 * which it is to be carried out.
 */
export interface Effects<Message, Saved> {
  /** Needs no durability here: a leader's appends overlap its own flush. */
  readonly sendNow: readonly To<Message>[]
  /** One flush, then step `saved`. */
  readonly save: readonly Saved[]
  /** Only after the save: votes, acknowledgements. */
  readonly send: readonly To<Message>[]
  readonly reply: readonly { readonly id: RequestId; readonly response: Response }[]
  /** Make it durable; then step `checkpointed`. */
  readonly checkpoint: DueCheckpoint | undefined
  /** The journal may forget entries up to this index: a durable checkpoint covers them. */
  readonly compactTo: LogIndex | undefined
  /** More is left to do than one turn should take: take effects again soon, after the input that waits. */
  readonly more: boolean
  /** For people: the log, and `watch --cluster`. */
  readonly events: readonly ClusterEvent[]
}
