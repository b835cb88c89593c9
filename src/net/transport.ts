/**
 * The peer channel as the driver sees it: lines to and from known nodes. A port; TCP implements it in a
 * process, the simulator in memory. Lines may be lost, never torn; within one connection they stay in order.
 */
import type { ClusterId, NodeId } from '../base/ids.js'

/** The version of the peer protocol that this program speaks; nodes of different versions do not talk. */
export const peerProtocolVersion = 1

/** Who a node says it is when it opens a peer connection. */
export interface PeerHello {
  /** Version of the peer protocol; another one is refused. */
  readonly protocol: number
  readonly cluster: ClusterId
  readonly node: NodeId
  readonly address: string
  readonly peerAddress: string
}

/** A peer to keep a connection to. */
export interface Peer {
  readonly id: NodeId
  readonly address: string
  readonly peerAddress: string
}

export interface Transport {
  /**
   * The peers to keep a connection to, and whose connections are taken; others are disconnected. A connection
   * that breaks is opened again, soon at first and more seldom later. What was sent to a peer that is no longer
   * listed has a short time to leave. A node's own identity in the list is passed over.
   */
  setPeers(peers: readonly Peer[]): void
  /**
   * Sends one line (without its newline), given as parts that are written one after the other. Dropped when
   * there is no connection or its queue is full; the latter is told by {@link TransportEvents.onSlow}. The parts
   * must stay as they are: they may be written later. They hold no newline, are not all empty, and the last byte
   * of all is no carriage return.
   */
  send(to: NodeId, line: readonly Uint8Array[]): void
  /** What was sent leaves now, and not only when this turn of the loop is over: the caller is about to wait. */
  flush(): void
  /** Gives what was sent a short time to leave, and ends all connections. No event comes after this call. */
  close(done: () => void): void
}

/** What a transport tells. It never does so from within a call of one of its methods. */
export interface TransportEvents {
  /** A line came, without its newline. The bytes are the receiver's to keep. */
  onLine(from: NodeId, line: Uint8Array): void
  /**
   * The connection from or to this peer closed after it had worked, and it was not this node that closed it.
   * Told once, until the next connection from or to the peer is made.
   */
  onDisconnected(node: NodeId): void
  /** Lines to this peer were dropped because its queue was full; not told again until it has emptied somewhat. */
  onSlow(node: NodeId): void
  /** A peer refused us, and why; `code` is what the handshake table names. */
  onRefused(node: NodeId, code: RefusalCode, detail: Readonly<Record<string, string>>): void
  /** A node introduced itself; the answer decides whether its connection is taken. */
  onHello(hello: PeerHello, expected: NodeId): Refusal | undefined
  /**
   * A listed peer whose connection was taken is at other addresses than those it is listed with. The transport
   * already connects to the new one, and goes on to do so until the peer is listed with yet another. Told at
   * each such connection.
   */
  onMoved?(peer: Peer): void
}

/** Why a peer connection was refused. */
export type RefusalCode =
  /** What opened the connection is no hello that this program understands. */
  | 'malformed'
  /** Other version of the peer protocol. */
  | 'protocol'
  /** Another cluster's node. */
  | 'cluster'
  /** The caller wanted another identity than the one that lives here. */
  | 'identity'
  /** The caller was removed from the cluster. */
  | 'removed'
  /** The caller is not a member that this node knows (it may be, later). */
  | 'stranger'

/**
 * Why a node does not take a connection, as the other side is told. The details are for people: what was
 * expected and what was found.
 */
export interface Refusal {
  readonly code: RefusalCode
  readonly detail: Readonly<Record<string, string>>
}
