/**
 * Who leads, where all requests go through a leader: the first member in the order of joining that lives, as each
 * node sees it. No vote is taken: on both sides of a divided cluster somebody leads, down to the last node.
 *
 * What must always hold:
 * - an epoch is durable before anything is done in it, and belongs to one reign;
 * - a reign ends when a higher epoch is heard of: the next thing this node leads, it leads in a new one.
 */
import type { NodeId } from '../base/ids.js'
import type { Core } from './core.js'
import { compareEpochs, type Epoch, noEpoch, plainEpoch, readEpoch } from './epochs.js'
import { entryOf } from './members.js'
import type { RingMember, Standing } from './types.js'
import type { Dot, Version } from './versions.js'

const epochRow = 'mepoch'
/** In so many milliseconds the number of an epoch that nobody has heard of grows by one. */
const epochMs = 250
/** Clocks that are further ahead are not asked. */
const clockMax = 2 ** 35
/** Versions of one reign at most: with its epoch they make one safe integer. */
export const versionsPerReign = 2 ** 18

/** A place in the order of writes: all that was written up to then is not above it. */
export interface Mark {
  readonly epoch: number
  readonly count: number
}

/** A reign of this node. */
interface Reign {
  readonly epoch: Epoch
  readonly actor: string
  count: number
  isDurable: boolean
}

export class Leading {
  readonly #core: Core
  #known: Epoch
  #reign: Reign | undefined
  /** What was said of it last. */
  #told: NodeId | undefined
  #hasWritten: boolean

  constructor(core: Core) {
    this.#core = core
    this.#known = readEpoch(core.batches.readRow(epochRow)) ?? noEpoch
    this.#hasWritten = this.#known.node === core.id
  }

  /** Whether this node may have written anything as the leader: since its start, or as the last one before that. */
  get hasWritten(): boolean {
    return this.#hasWritten
  }

  /** The highest epoch that this node has heard of. */
  get known(): Epoch {
    return this.#known
  }

  /**
   * The one through whom requests go. Undefined while it is not clear: somebody who would lead was lost a moment ago
   * and may be back, or has not been met yet.
   */
  get leader(): NodeId | undefined {
    const core = this.#core
    const { members } = core.list
    const isWilling = (id: NodeId): boolean => (id === core.id ? !core.isFull : !core.peer(id).isFull)
    // In a cluster that has lost all its members, those who were about to become some go on.
    for (const standings of [settled, coming]) {
      const ids = members.filter(({ standing }) => standings.includes(standing)).map(({ id }) => id)
      // Who cannot write may lead only where nobody can.
      for (const id of [...ids.filter(isWilling), ...ids]) {
        if (core.isUsable(id)) return id
        if (this.mayComeBack(id)) return undefined
      }
    }
    return undefined
  }

  /** The epoch in which this node leads just now; undefined where it does not, or not yet. */
  get epoch(): Epoch | undefined {
    const reign = this.#reign
    const isIts = reign?.isDurable === true && reign.epoch === this.#known && this.leader === this.#core.id
    return isIts ? reign.epoch : undefined
  }

  /** Above it are the writes that are made from now on; where another node leads, those of its successors. */
  get mark(): Mark {
    const isOwn = this.leader === this.#core.id && this.#reign?.epoch === this.#known
    return { epoch: this.#known.number, count: isOwn ? (this.#reign?.count ?? 0) : Number.POSITIVE_INFINITY }
  }

  /** Whether a tick would change nothing, as long as nothing becomes known of others. */
  get isSettled(): boolean {
    const { leader } = this
    return leader === this.#told && (leader !== this.#core.id || this.#reign?.epoch === this.#known)
  }

  tick(): void {
    const core = this.#core
    const { leader } = this
    if (leader !== core.id) this.#reign = undefined
    else if (this.#reign?.epoch !== this.#known) this.#begin()
    if (leader === this.#told) return
    this.#told = leader
    const member: RingMember | undefined = leader && entryOf(core.list, leader)
    core.events.push({ kind: 'leader', member, epoch: this.#known.number })
  }

  /** Somebody named an epoch. */
  note(epoch: Epoch): void {
    if (compareEpochs(epoch, this.#known) <= 0) return
    this.#known = epoch
    this.#core.batches.saveRow(epochRow, plainEpoch(epoch))
  }

  /** A version of an epoch was found that must be behind: the next reign is higher than that. */
  surpass(number: number): void {
    this.note({ number, node: this.#core.id })
    this.#reign = undefined
  }

  /** Whether a node that cannot be reached should be waited for, rather than that others do without it. */
  mayComeBack(id: NodeId): boolean {
    const { tick, options } = this.#core
    const { lostAtTick, knownSinceTick } = this.#core.peer(id)
    // Who was never met may be a moment late: who led in its place would only be in the way.
    if (lostAtTick === undefined) return tick - knownSinceTick < options.silentTicks + 2 * options.gossipTicks
    return tick - lostAtTick < 2 * options.gossipTicks
  }

  /** Names the next version that this node makes in its reign; undefined where the reign is over. */
  nextDot(): Dot | undefined {
    const reign = this.#reign
    if (reign === undefined) return undefined
    this.#hasWritten = true
    if (reign.count < versionsPerReign - 1) return { actor: reign.actor, count: ++reign.count }
    this.#reign = undefined
    return undefined
  }

  #begin(): void {
    const core = this.#core
    // Above all that it has heard of. Where it never met the last leader, a later reign is still most likely the
    // higher one, if clocks are about right: that decides only between two who could not know of each other.
    const clock = Math.floor(core.wallMs / epochMs)
    const number = Math.max(this.#known.number + 1, clock < clockMax ? clock : 0)
    const epoch = { number, node: core.id }
    const reign: Reign = { epoch, actor: core.newActor(), count: 0, isDurable: false }
    this.#reign = reign
    this.note(epoch)
    core.batches.whenSaved(() => {
      reign.isDurable = true
    })
  }
}

/** Whether a version was written later than that. */
export function isAbove({ order, dot }: Version, mark: Mark): boolean {
  const epoch = order?.epoch ?? 0
  return epoch > mark.epoch || (epoch === mark.epoch && dot.count > mark.count)
}

const settled: readonly Standing[] = ['member', 'leaving']
const coming: readonly Standing[] = ['joining']
