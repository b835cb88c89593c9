/**
 * How long a turn waits for further writes.
 *
 * When the replies of a batch have left, the next writes of those clients come a few microseconds apart. A turn that
 * began with the first of them would make a small batch, and a batch costs every node a turn and a flush, however
 * small it is. So while each look at the sockets brings further writes, the turn waits for one look more, and begins
 * when one brings none. A client that is alone waits for nobody; nor do reads, whose batches need no flush.
 *
 * What must always hold: a turn waits for a bounded number of looks, whoever sends however much.
 */
import type { Request } from '../protocol/request.js'

/** Looks at the sockets for which a turn waits at most. */
const looksMax = 10

export class Gathering {
  /** Writes that came since the last turn began. */
  #gathered = 0
  /** How many of them there were at the last look. */
  #seen = 0
  /** Writes of the last turn. */
  #before = 0
  #looks = 0

  noteRequest({ op }: Request): void {
    if (writes.has(op)) this.#gathered++
  }

  /** Asked when all sockets were looked at: whether to look once more before the turn. */
  wantsMore(): boolean {
    const isAlone = this.#gathered + this.#before <= 1
    if (this.#gathered === this.#seen || isAlone || this.#looks === looksMax) return false
    this.#seen = this.#gathered
    this.#looks++
    return true
  }

  /** A turn begins, with all that was gathered. */
  noteTurn(): void {
    this.#before = this.#gathered
    this.#gathered = 0
    this.#seen = 0
    this.#looks = 0
  }
}

/** The requests of clients that end on the disk. */
const writes: ReadonlySet<Request['op']> = new Set([
  ...(['put', 'update', 'set', 'delete', 'cas'] as const),
  ...(['redis-write', 'write-version'] as const),
])
