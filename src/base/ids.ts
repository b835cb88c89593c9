/**
 * The names that must not be mixed up. Each is its own type, so that swapping two arguments does not compile;
 * at run time they are plain strings and numbers.
 */

declare const brand: unique symbol
type Branded<T, Name extends string> = T & { readonly [brand]: Name }

/** Who a node is: a UUID4 made at its first start and kept in its data directory. Never its address. */
export type NodeId = Branded<string, 'NodeId'>
/** Which cluster a node belongs to: a UUID4 made when the cluster was formed. */
export type ClusterId = Branded<string, 'ClusterId'>
/** A Raft term: counts elections, from 0 (none yet). */
export type Term = Branded<number, 'Term'>
/** A place in the Raft log: the first entry has index 1, and 0 stands before it. */
export type LogIndex = Branded<number, 'LogIndex'>
/** Names one request between a client connection and the replica of the same process. */
export type RequestId = Branded<number, 'RequestId'>

/**
 * These give a plain string or number its type, and check nothing. What comes from outside must have been
 * checked before, because everything behind relies on the type.
 */
export const nodeId = (text: string): NodeId => text as NodeId
export const clusterId = (text: string): ClusterId => text as ClusterId
export const term = (value: number): Term => value as Term
export const logIndex = (value: number): LogIndex => value as LogIndex
export const requestId = (value: number): RequestId => value as RequestId

/**
 * One member of a cluster. Members match by `id`; the addresses are where it was last known to listen, both
 * in full `host:port` form.
 */
export interface Member {
  readonly id: NodeId
  /** Where its clients connect. */
  readonly address: string
  /** Where its peers connect. */
  readonly peerAddress: string
}
