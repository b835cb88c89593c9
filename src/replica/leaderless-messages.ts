/**
 * What leaderless replicas say to each other beyond the ring itself. Like the ring's own messages it may be lost,
 * repeated or reordered without harm.
 */
import type { RingMessage } from '../ring/messages.js'

/** Everything that travels between two leaderless replicas. */
export type LeaderlessMessage = RingMessage | LeaveErrand

/** Somebody typed `remove-node` at the sender, and meant the receiver: it is to hand over and leave. */
export interface LeaveErrand {
  readonly kind: 'desk-leave'
}
