/**
 * What leaderless replicas say to each other beyond the ring itself: errands of people that another node has to
 * run. Like the ring's own messages, any of these may be lost, repeated or reordered without harm.
 */
import type { RingMessage } from '../ring/messages.js'

/** Everything that travels between two leaderless replicas. */
export type LeaderlessMessage = RingMessage | LeaveErrand | KeysErrand | KeysFound

/** Somebody typed `remove-node` at the sender, and meant the receiver: it is to hand over and leave. */
export interface LeaveErrand {
  readonly kind: 'desk-leave'
}

/** Asks for a page of the keys that the receiver holds. */
export interface KeysErrand {
  readonly kind: 'desk-keys'
  /** The asker's own count. */
  readonly id: number
  readonly prefix: string
  readonly after: string
  readonly limit: number
}

/** The page, in byte order; as many keys as asked for mean that more may follow. */
export interface KeysFound {
  readonly kind: 'desk-keys-found'
  readonly id: number
  readonly keys: readonly string[]
}
