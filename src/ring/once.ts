/** What others ask is carried out at most once by one start of this node, however often and late it comes. */
import type { NodeId } from '../base/ids.js'
import type { Core } from './core.js'

/** What a message says of its place among the questions of its sender. */
export interface Numbered {
  readonly id: number
  /** Names the start of the sender that counts the ids. */
  readonly start: string
  /** All lower ids are done with. */
  readonly lowest: number
}

/** What came from one start of a node. */
interface Seen {
  readonly start: string
  lowest: number
  readonly ids: Set<number>
}

export class Once {
  readonly #core: Core
  readonly #seen = new Map<NodeId, Seen>()

  constructor(core: Core) {
    this.#core = core
  }

  /** Whether this start of the sender said so for the first time; remembers it. */
  isFirst(from: NodeId, { id, start, lowest }: Numbered): boolean {
    // A start that is not the one heard of late is over, and its messages are late.
    if (this.#core.peer(from).fence.split('.')[0] !== start) return false
    let seen = this.#seen.get(from)
    if (seen?.start !== start) {
      seen = { start, lowest: 0, ids: new Set() }
      this.#seen.set(from, seen)
    }
    if (id < seen.lowest || seen.ids.has(id)) return false
    seen.ids.add(id)
    if (lowest > seen.lowest) {
      seen.lowest = lowest
      for (const known of seen.ids) if (known < lowest) seen.ids.delete(known)
    }
    return true
  }
}
