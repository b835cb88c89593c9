/**
 * An engine as a node runs it: the replica, what it saves to, how its messages stand in a line of the peer
 * channel, and the little that a node has to know of it. Everything else about an engine is its own affair.
 */
import type { Clock } from '../base/clock.js'
import type { Member, NodeId } from '../base/ids.js'
import type { TableStore } from '../kv/table.js'
import type { Replica } from '../replica/contract.js'
import type { Disk } from '../storage/disk.js'
import type { Store } from './driver.js'

/** A replica with its store, opened together. */
export interface RunningEngine<Message, Saved> {
  readonly replica: Replica<Message, Saved>
  readonly store: ClosableStore<Saved>
  readonly resident: Resident
  /** The parts of a message's line, in order, without the newline. */
  encode(message: Message): readonly Uint8Array[]
  /** Reads a line that {@link RunningEngine.encode} made; undefined if it is anything else. */
  decode(line: Uint8Array): Message | undefined
}

/** A store that holds files. */
export interface ClosableStore<Saved> extends Store<Saved> {
  /** Closes journal and table; what was not saved is lost. */
  close(): void
}

/** What a node looks at of its replica, between its turns. */
export interface Resident {
  /** Another object whenever anything in it has changed. */
  readonly membership: Membership
  /** True while no client has written anything here. */
  readonly isPristine: boolean
  /** True while nobody of the cluster has told it anything: it has promised itself and waits. */
  readonly isBlank: boolean
  /** After the input `stop`: whether nothing is under way any more that others wait for. */
  readonly isDrained: boolean
}

/** Who belongs to the cluster. */
export interface Membership {
  readonly members: readonly Member[]
  /** All whom this node has to reach: the members, and those who are on their way out. */
  readonly reached: readonly Member[]
  /** Who was a member and is none any more, for good. */
  readonly removed: readonly NodeId[]
  /** How many copies of each key there are, where that is a setting of the cluster. */
  readonly copies: number | undefined
}

/** What an engine is opened with. */
export interface EngineParts {
  readonly self: Member
  readonly clock: Clock
  readonly disk: Disk
  readonly table: TableStore
  onDiskState(state: 'full' | 'ok'): void
  /** The disk failed: the node must stop. */
  onFailure(error: Error): void
}
