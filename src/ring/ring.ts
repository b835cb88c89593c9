/**
 * The leaderless engine: an always-writable store after Amazon's Dynamo, as a pure machine.
 *
 * What this answers: where a key belongs, which versions of it there are, who has which copies, who is a
 * member. What it leaves to others: how clients speak (src/replica, src/protocol), disks and sockets
 * (src/storage, src/net). Time comes in as ticks, chance from a seeded source, and everything that must outlive
 * it goes through rows.
 */
import type { Member, NodeId, RequestId } from '../base/ids.js'
import type { Random } from '../base/random.js'
import type { RingMessage } from './messages.js'
import type {
  MemberList,
  RingMember,
  RingOptions,
  RingOutput,
  RingRequest,
  RingRows,
  RingStart,
  RingStatus,
} from './types.js'

/** The world of a ring node, as far as it has one. */
export interface RingSurroundings {
  /** Must differ at every start: the names of this start's writes are made from it. */
  readonly random: Random
  readonly options: RingOptions
  readonly rows: RingRows
}

export class Ring {
  constructor(_start: RingStart, _surroundings: RingSurroundings) {}

  /** Time passes. */
  tick(_count: number): void {}

  /** A message came, which `readMessage` has checked. From whom it is must be certain; what it says need not. */
  receive(_from: NodeId, _message: RingMessage): void {}

  /** A client asks; one answer with this id follows, after `requestTicks` at the latest. */
  request(_id: RequestId, _request: RingRequest): void {}

  /** Nobody waits for that answer any more: none is given. What was begun may still be carried out. */
  abandon(_id: RequestId): void {}

  /** The peer's connection closed: it is taken for unreachable until it is heard again. */
  disconnected(_node: NodeId): void {}

  /** Messages to this peer were dropped. */
  slow(_node: NodeId): void {}

  /** With a full disk nothing is written here; reads go on, and others stand in. */
  setDiskFull(_full: boolean): void {}

  /** No new requests are taken; those under way are finished. */
  stop(): void {}

  /** The batch of the last output is durable. */
  saved(): void {}

  /** What must be done. `save` and `send` are empty from an output with a non-empty `save` until {@link saved}. */
  takeOutput(): RingOutput {
    throw new Error('not there yet')
  }

  /** The list of members: a new object when anything of it changes; empty while this node waits for one. */
  get list(): MemberList {
    throw new Error('not there yet')
  }

  /** How this node stands; undefined while no list names it. */
  get standing(): RingMember['standing'] | undefined {
    throw new Error('not there yet')
  }

  /** Whether no client's write ever came here: neither records nor tombstones are held. */
  get isPristine(): boolean {
    throw new Error('not there yet')
  }

  /** Requests under way. */
  get pending(): number {
    throw new Error('not there yet')
  }

  /** The owners of a key, in order; with fewer members than copies all of them. */
  owners(_key: string): readonly RingMember[] {
    throw new Error('not there yet')
  }

  /** For `status`; costs time in proportion to the members only. */
  status(): RingStatus {
    throw new Error('not there yet')
  }

  /**
   * Lets a pristine node in: it joins the list at once, as `joining`, and becomes a `member` (an event) when it
   * has fetched its share. Adding one who is in already changes nothing. False if this node is no member, or that
   * identity is gone for ever.
   */
  addMember(_member: Member): boolean {
    throw new Error('not there yet')
  }

  /**
   * This node hands over what it has and is then `gone` (an event); `leave` again changes nothing. False if it is
   * no member, or the last one.
   */
  leave(): boolean {
    throw new Error('not there yet')
  }

  /**
   * Declares that another node is gone: what only that one has is lost, and it is told so if it comes back. A
   * node that runs should rather be told to {@link leave}. False if this node is no member, or it is no member.
   */
  remove(_id: NodeId): boolean {
    throw new Error('not there yet')
  }
}
