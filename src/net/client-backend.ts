/** What stands behind the client port: a port, so that it can be a node, a simulated one, or a test. */
import type { AdminCommand, DataRequest } from '../protocol/command.js'
import type { Engine } from '../protocol/commands.js'
import type { ClusterEvent, Receiver } from '../protocol/request.js'

/** A change of members or of the leader; `address` is in full `host:port` form. */
export interface AdminRequest {
  readonly op: AdminCommand['verb']
  readonly address: string
}

/**
 * Carries out what clients ask. Each request is answered once, by telling its receiver (before the method returns
 * or later), unless it is abandoned. Requests of one connection that were submitted one after the other, without
 * waiting, must take effect in that order. The value of a request is a view of the bytes that the socket read:
 * what is kept beyond the answer is to be copied, or a short value keeps a whole chunk alive.
 */
export interface Backend {
  readonly engine: Engine
  /** Gives a number above 0 by which it can be abandoned; 0 if it was answered already. */
  submit(request: DataRequest, receiver: Receiver): number
  /** Says that the answer is no longer wanted; the request may still be carried out. */
  abandon(submission: number): void
  /** Changes the cluster, which goes on when its connection is lost. */
  administer(request: AdminRequest, receiver: Receiver): void
  /** A message that begins a conversation between nodes, and the answer to it. */
  control(message: Record<string, unknown>): Promise<Record<string, unknown>>
  /** Tells `listener` every event from now on, until the returned function is called. */
  watch(listener: (event: ClusterEvent) => void): () => void
}
