/**
 * The bounds of a client connection. Together they bound what one connection can make a node hold, whatever it
 * sends and however little it reads: about `requestBytesMax` and one line of requests, and `unsentBytesMax` of
 * replies together with the answers of those requests that were under way when it was reached. These are few
 * as long as answers are large, because `windowMax` is only reached by a connection whose replies leave.
 */

/** Connections unless told otherwise; one more is refused, with an error that says so. */
export const connectionsMaxDefault = 10_000

/** Refused connections that are still being told so; beyond this they are closed without a word. */
export const refusedConnectionsMax = 100

/**
 * Requests of one connection whose replies have not left, beyond which no more lines are read. It begins with so
 * many, since nothing is known yet of how large its answers are...
 */
export const windowFirst = 4

/** ...it may have so many once its replies leave without piling up... */
export const windowMax = 256

/** ...and is taken back to this when they pile up. */
export const windowMin = 1

/** Bytes of the lines of those requests; one more line is read only below this. */
export const requestBytesMax = 1024 * 1024

/** Bytes of replies that the client has not taken; beyond this neither lines nor answers are worked on. */
export const unsentBytesMax = 1024 * 1024

/** What one connection does in one turn of the loop before the others have theirs: messages, and bytes of them. */
export const messagesPerTurn = 1024
export const messageBytesPerTurn = 256 * 1024

/** How long a connection that is refused has time for its first byte, whose dialect it is then told so in. */
export const firstByteMs = 100

/**
 * How long a connection that we end is still read from (what comes is dropped). Closing a socket with unread input
 * would reset the connection, and the client could lose the replies it has not read yet.
 */
export const lingerMs = 1000

/** The same while the node stops. */
export const lingerWhileStoppingMs = 100

/** Silence after which the system asks a client's machine whether it still exists. */
export const keepAliveMs = 60_000
