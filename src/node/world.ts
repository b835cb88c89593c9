/** The world of a node, as it uses it; real-world.ts gives the real one. */
import type { Clock } from '../base/clock.js'
import type { ClusterId, Member, NodeId } from '../base/ids.js'
import type { Ask } from './conversation.js'
import type { Host, HostEvents } from './host.js'
import type { KeptIdentity } from './identity.js'
import type { Logger } from './logger.js'

/** See the head of this file. */
export interface NodeWorld {
  readonly clock: Clock
  readonly ask: Ask
  /** The identity kept in the data directory, if there is one. */
  loadIdentity(): KeptIdentity | undefined
  /** Keeps the identity, durably, before it returns. */
  storeIdentity(identity: KeptIdentity): void
  /** Opens what belongs to an identity and begins to run. */
  openHost(self: Member, cluster: ClusterId, events: HostEvents): Promise<Host>
  /** Writes what a new cluster of these members begins with, in the place of whatever was there. */
  writeFoundation(self: Member, members: readonly Member[]): Promise<void>
  /** Appends, beside all safety, an entry to the node's log that makes it the only member of its cluster. */
  writeLoneConfiguration(self: Member): Promise<void>
  /** Removes what belongs to other identities than this one. */
  forgetOthers(node: NodeId): void
  readonly log: Logger
}
