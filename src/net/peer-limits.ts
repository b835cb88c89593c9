/** The bounds and times of the peer channel, in one place. */

export interface PeerLimits {
  /** The opening line of a connection and the answer to it, in bytes. */
  readonly helloBytesMax: number
  /** How long the other side may take over its opening line or its answer, in milliseconds. */
  readonly handshakeMs: number
  /** Connections that have not introduced themselves yet; for one more the oldest is closed. */
  readonly handshakesMax: number
  /** A longer line ends the connection it comes on. */
  readonly lineBytesMax: number
  /** What may wait for one peer; further lines are dropped. One longer line is taken when nothing waits. */
  readonly queueBytesMax: number
  /** How long looking up a peer's host and connecting to it may take together. */
  readonly connectMs: number
  /** A connection that lasted this long had worked: when it breaks it is opened again without a delay. */
  readonly steadyMs: number
  /** The delay after the first failed attempt; it doubles with each further one ... */
  readonly retryMsMin: number
  /** ... up to this. A peer that returns is found at the latest after this time, and usually calls first. */
  readonly retryMsMax: number
  /** Whoever refused us has to be changed by somebody before it makes sense to ask again. */
  readonly retryAfterRefusalMs: number
  /** A connection on which nothing has moved for this long while something waited is given up. */
  readonly stalledMs: number
  /** How often the other side of a connection is asked whether it hears us. */
  readonly pingMs: number
  /**
   * A connection on which so many of these questions in a row found no answer, and on which nothing moved either,
   * is given up. After a network that was cut is whole again, the system goes on to wait about as long as the cut
   * lasted before it sends anything on an old connection; a new one works at once.
   */
  readonly pingsUnansweredMax: number
  /** How long what was sent may still take to leave when a connection is ended. */
  readonly farewellMs: number
}

/** The limits that nodes run with; tests give others where they would have to wait too long. */
export const peerLimits: PeerLimits = {
  helloBytesMax: 4 * 1024,
  handshakeMs: 5000,
  handshakesMax: 128,
  lineBytesMax: 64 * 1024 * 1024,
  queueBytesMax: 32 * 1024 * 1024,
  connectMs: 1000,
  steadyMs: 1000,
  retryMsMin: 10,
  retryMsMax: 500,
  retryAfterRefusalMs: 1000,
  stalledMs: 10_000,
  pingMs: 300,
  pingsUnansweredMax: 3,
  farewellMs: 250,
}

/** Silence after which the system asks the peer's machine whether it still exists. */
export const peerKeepAliveMs = 10_000

/**
 * Parts of lines that are shorter than this are copied together before they are written, longer ones are
 * written from where they are. Measured over a loopback connection: below, a copy costs less than handing one
 * more buffer to the system; from about 8 KiB on it costs more.
 */
export const copiedPartBytesMax = 4 * 1024

/** The size of the blocks into which short parts are copied. */
export const blockBytes = 64 * 1024

/** How much is handed to the system at a time; only between two such batches can it be seen whether anything moves. */
export const batchBytesMax = 1024 * 1024
