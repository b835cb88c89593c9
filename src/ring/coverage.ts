/**
 * What this node has got of all that the others hold, by range: so much that it can say of a key that nobody has it,
 * though not everybody can be asked.
 *
 * A node that was away, or that was not to be reached for a while, may have missed writes, and others may have taken
 * some in its absence: so nothing of this outlives a start, and nothing that concerns a node outlives the loss of
 * contact with it, once it is heard again. While it stays lost what was got of it counts: it was all that it had.
 *
 * What must always hold: where a node says that it has got what another holds of a range, it has, or had, every
 * version of its keys that was acknowledged there, until the two of them could not hear each other.
 */
import type { NodeId } from '../base/ids.js'
import { rangeCount } from '../base/placement.js'
import type { Core } from './core.js'
import { unreleasedMembers } from './members.js'

/** Counts for each node what made it doubtful: what was being got of it at that time does not count. */
export type Contacts = ReadonlyMap<NodeId, number>

export class Coverage {
  readonly #core: Core
  /** For each node, 1 for the ranges of which all that it holds was got. */
  readonly #got = new Map<NodeId, Uint8Array>()
  /** Those of whom nothing is wanted, as far as that was looked up since anything changed. */
  readonly #complete = new Set<NodeId>()
  readonly #contacts = new Map<NodeId, number>()

  constructor(core: Core) {
    this.#core = core
  }

  /** As they are now, for what is begun now. */
  get contacts(): Contacts {
    return new Map(this.#contacts)
  }

  /** Contact with a node was made: what it took meanwhile is not known. */
  renew(id: NodeId): void {
    this.#contacts.set(id, (this.#contacts.get(id) ?? 0) + 1)
    this.#got.delete(id)
    this.#complete.delete(id)
  }

  /** Others have done without this node for a while. */
  renewAll(): void {
    for (const id of unreleasedMembers(this.#core.list)) this.renew(id)
  }

  /** These ranges were not this node's until now. */
  begin(ranges: readonly number[]): void {
    if (ranges.length === 0) return
    for (const got of this.#got.values()) for (const range of ranges) got[range] = 0
    this.#complete.clear()
    // Of what is being got just now, nobody can say any more for which ranges it holds.
    for (const [id, times] of this.#contacts) this.#contacts.set(id, times + 1)
  }

  /** Whether all that a node holds of a range was got. */
  has(id: NodeId, range: number): boolean {
    return this.#got.get(id)?.[range] === 1
  }

  /** Whose share of a range this node may lack some of; undefined where the range is none of its own. */
  lacking(range: number): NodeId[] | undefined {
    const { id, list } = this.#core
    if (!this.#core.shares.isMine(range)) return undefined
    return unreleasedMembers(list).filter(other => other !== id && !this.has(other, range))
  }

  /** Whether there is anything to be got from those who can be reached. */
  get isBehind(): boolean {
    const { id, list } = this.#core
    const others = unreleasedMembers(list).filter(other => other !== id && this.#core.isUsable(other))
    return others.some(other => this.wanted(other, 1).length > 0)
  }

  /** Up to `limit` of this node's own ranges of which it has yet to get what another holds. */
  wanted(id: NodeId, limit: number): number[] {
    if (this.#complete.has(id)) return []
    const wanted: number[] = []
    for (let range = 0; range < rangeCount && wanted.length < limit; range++) {
      if (this.#core.shares.isMine(range) && !this.has(id, range)) wanted.push(range)
    }
    if (wanted.length === 0) this.#complete.add(id)
    return wanted
  }

  /** All that a node holds of some ranges was got, `contacts` being those at the begin. */
  note(id: NodeId, ranges: readonly number[], contacts: Contacts): void {
    // What was got before contact was lost says nothing of what the node took since.
    if (this.#contacts.get(id) !== contacts.get(id)) return
    const got = this.#got.get(id) ?? new Uint8Array(rangeCount)
    for (const range of ranges) if (this.#core.shares.isMine(range)) got[range] = 1
    this.#got.set(id, got)
  }
}
