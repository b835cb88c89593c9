/**
 * What each member has of the ring, by the list of members: at present, once everybody has come or gone who is about
 * to, and on the way from the one to the other.
 */
import type { NodeId } from '../base/ids.js'
import { type Placement, placementOf, rangeCount } from '../base/placement.js'
import { currentMembers, entryOf, futureMembers, unreleasedMembers } from './members.js'
import type { MemberList } from './types.js'

/** See the head of this file. There are none until it was given a list. */
export class Shares {
  readonly #self: NodeId
  #current = placementOf([], 0)
  #future = this.#current
  #placements: readonly Placement[] = [this.#current]
  /** Ranges whose rows this node may have, by its place in the ring now or soon: 1. */
  #mine = new Uint8Array(rangeCount)

  constructor(self: NodeId) {
    this.#self = self
  }

  /** By those who are members now. */
  get current(): Placement {
    return this.#current
  }

  /** By those who will be, when the changes under way are done. */
  get future(): Placement {
    return this.#future
  }

  /** What is written goes to the owners by each of these: {@link current} first, and what may follow it. */
  get placements(): readonly Placement[] {
    return this.#placements
  }

  /** Whether this node owns the range, or is about to. */
  isMine(range: number): boolean {
    return this.#mine[range] === 1
  }

  /** Works out who has what by another list; returns the ranges that were not this node's before. */
  divide(list: MemberList): number[] {
    const current = currentMembers(list)
    const future = futureMembers(list)
    this.#current = placementOf(current, list.copies)
    this.#future = placementOf(future, list.copies)
    // Each of those who join may become a member before the others, and before those that go are gone: then it must
    // have missed nothing of what it owns without the former and beside the latter.
    const joined = future
      .filter(one => entryOf(list, one)?.standing === 'joining')
      .map(one => placementOf([...new Set([...current, one])], list.copies))
    const next = future.length > 0 ? [this.#future, ...joined] : []
    this.#placements = [...new Set([this.#current, ...next])]
    const owned = this.#placements.map(placement => placement.owned(this.#self))
    const mine = new Uint8Array(rangeCount)
    const gained: number[] = []
    for (let range = 0; range < rangeCount; range++) {
      if (!owned.some(ranges => ranges[range] === 1)) continue
      mine[range] = 1
      if (this.#mine[range] !== 1) gained.push(range)
    }
    this.#mine = mine
    return gained
  }

  /** The others in the list who own anything that they did not own by any of the `former` placements. */
  gainers(list: MemberList, former: readonly Placement[]): NodeId[] {
    return unreleasedMembers(list).filter(id => {
      const before = former.map(placement => placement.owned(id))
      const isGained = (owns: number, range: number): boolean =>
        owns === 1 && before.every(owned => owned[range] !== 1)
      return id !== this.#self && this.#placements.some(placement => placement.owned(id).some(isGained))
    })
  }
}
