/**
 * Records on their way to where they belong: a node fetches the ranges that it comes to own (when it joins, or
 * others are gone), and owners compare what they share, now and then and in the background (Dynamo paper, sections
 * 4.7 and 4.9).
 *
 * What must always hold:
 * - a node becomes a member when it holds what a majority of the owners of each of its ranges held; from the
 *   moment it is on the list it takes the writes to them, so it misses nothing;
 * - silence alone moves nothing.
 */
import type { NodeId } from '../base/ids.js'
import type { Core } from './core.js'
import type { Coverage } from './coverage.js'
import { unreleasedMembers } from './members.js'
import type { Compared } from './messages.js'
import { Syncing } from './syncing.js'

/** Peers that ranges are fetched from at the same time. */
const fetchesMax = 3

export class Moving {
  readonly #core: Core
  readonly #fetching = new Set<NodeId>()
  #isRepairing = false
  #nextRepairTick = 0
  #nextPeer = 0
  /** Those from whom nothing came a moment ago, and when they are asked again. */
  readonly #pausedUntilTick = new Map<NodeId, number>()

  constructor(core: Core) {
    this.#core = core
  }

  /** The tick at which the next two nodes are compared. */
  get dueAtTick(): number {
    return this.#core.isPart ? this.#nextRepairTick : Number.POSITIVE_INFINITY
  }

  tick(): void {
    const core = this.#core
    if (!core.isPart || !core.records.isCounted || core.isFull) return
    if (core.coverage === undefined) this.#fetch()
    else this.#cover(core.coverage)
    this.#becomeMember()
    if (core.tick >= this.#nextRepairTick && !this.#isRepairing) {
      this.#nextRepairTick = core.tick + core.options.repairTicks
      this.#repair()
    }
  }

  /** Fetches from whoever has most of what is missing. */
  #fetch(): void {
    const core = this.#core
    if (core.unfetched.size === 0 || this.#fetching.size >= fetchesMax) return
    this.#settleRanges()
    const wanted = new Map<NodeId, number[]>()
    for (const range of core.unfetched) {
      for (const source of this.#sources(range)) {
        if (this.#fetching.has(source) || !core.isUsable(source)) continue
        if (core.unfetched.isGot(range, source)) continue
        const ranges = wanted.get(source) ?? []
        if (ranges.length < core.options.rangesPerRepair) ranges.push(range)
        wanted.set(source, ranges)
      }
    }
    for (const [source, ranges] of wanted) {
      if (this.#fetching.size >= fetchesMax) break
      this.#fetching.add(source)
      new Syncing(core, source, ranges, false, isComplete => {
        this.#fetching.delete(source)
        if (isComplete) for (const range of ranges) core.unfetched.noteGot(range, source)
        core.more = true
      })
    }
  }

  /**
   * With a leader: gets what every other node holds of this node's ranges, and has not been got since it was met.
   * With that from one who has got it of others, theirs is got too.
   */
  #cover(coverage: Coverage): void {
    const core = this.#core
    for (const id of unreleasedMembers(core.list)) {
      if (this.#fetching.size >= fetchesMax) break
      const isPaused = (this.#pausedUntilTick.get(id) ?? 0) > core.tick
      if (id === core.id || this.#fetching.has(id) || isPaused || !core.isUsable(id)) continue
      const ranges = coverage.wanted(id, core.options.rangesPerRepair)
      if (ranges.length > 0) this.#coverFrom(coverage, id, ranges)
    }
    this.#settleCovered(coverage)
  }

  #coverFrom(coverage: Coverage, id: NodeId, ranges: readonly number[]): void {
    const core = this.#core
    const { contacts } = coverage
    let covered: Compared['covered']
    const done = (isComplete: boolean): void => {
      this.#fetching.delete(id)
      if (isComplete && !core.isFull) {
        coverage.note(id, ranges, contacts)
        for (const [node, places] of covered ?? []) {
          if (node !== core.id)
            coverage.note(
              node,
              places.flatMap(place => ranges[place] ?? []),
              contacts,
            )
        }
        core.more = true
      } else {
        this.#pausedUntilTick.set(id, core.tick + core.options.gossipTicks)
      }
    }
    this.#fetching.add(id)
    new Syncing(core, id, ranges, false, done, told => {
      covered = told
    })
  }

  /** A range is there when it came from all owners that can be reached, and from one at least. */
  #settleCovered(coverage: Coverage): void {
    const core = this.#core
    core.unfetched.settle(range => {
      const sources = this.#sources(range)
      const isGot = (source: NodeId): boolean => coverage.has(source, range)
      const isAll = sources.every(source => isGot(source) || !core.isUsable(source))
      return isAll && (sources.length === 0 || sources.some(isGot))
    })
  }

  /** A range is there when it came from all owners that can be reached, and from enough of them. */
  #settleRanges(): void {
    const core = this.#core
    core.unfetched.settle(range => {
      const sources = this.#sources(range)
      const isGot = (source: NodeId): boolean => core.unfetched.isGot(range, source)
      const enough = Math.min(Math.floor(core.list.copies / 2) + 1, sources.length)
      const isAll = sources.every(source => isGot(source) || !core.isUsable(source))
      return isAll && sources.filter(isGot).length >= enough
    })
  }

  #sources(range: number): NodeId[] {
    return this.#core.shares.current.owners(range).filter(id => id !== this.#core.id)
  }

  #becomeMember(): void {
    const core = this.#core
    if (core.entry?.standing !== 'joining' || core.unfetched.size > 0) return
    const isAlone = core.shares.current.members.length === 0 || core.shares.current.members.includes(core.id)
    // Whoever coordinates writes must have heard of this node before it may stop fetching; those who answered
    // it have.
    if (!isAlone && !core.shares.current.members.some(id => core.isUsable(id))) return
    core.changeOwnEntry({ standing: 'member' })
  }

  /** Compares what is shared with one other node, each in its turn. */
  #repair(): void {
    const core = this.#core
    const { id } = core
    const { current } = core.shares
    if (core.unfetched.size > 0) return
    const peers = current.members.filter(other => other !== id && core.isWritable(other))
    const peer = peers[this.#nextPeer++ % Math.max(1, peers.length)]
    if (peer === undefined || current.sharedRanges(id, peer).length === 0) return
    this.#isRepairing = true
    new Syncing(core, peer, undefined, true, () => {
      this.#isRepairing = false
    })
  }
}
