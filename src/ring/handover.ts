/**
 * Records kept here for others, on their way to them: hinted handoff (Dynamo paper, section 4.6), what is left here
 * when a range has changed hands, and all of it when this node leaves.
 *
 * What must always hold: a record is dropped here only when everybody for whom it was kept says that exactly this,
 * or something that it joined with this, is durable there.
 */
import type { NodeId } from '../base/ids.js'
import { rangeCount, rangePath } from '../base/placement.js'
import type { Core, Operation } from './core.js'
import { carriedRows } from './merkle.js'
import type { RingMessage } from './messages.js'
import { CopySet } from './quorum.js'
import { Sweep } from './sweep.js'
import { Writing } from './writing.js'

/** A key and the digest of its record that its receiver has. */
type Given = readonly [key: string, digest: string]

/** One batch on its way to one node: offered by digest first, then given where the node has something else. */
class HandingOver implements Operation {
  /** Records are read when they are sent. */
  readonly key: undefined
  readonly #core: Core
  readonly #to: NodeId
  readonly #keys: readonly string[]
  readonly #owed: (key: string) => readonly NodeId[]
  readonly #done: (given: readonly Given[]) => void
  readonly #given: Given[] = []
  #digests = new Map<string, string>()
  #differing: readonly string[] | undefined
  #id = 0
  #sinceTick: number
  #isOver = false

  constructor(
    core: Core,
    to: NodeId,
    keys: readonly string[],
    owed: (key: string) => readonly NodeId[],
    done: (given: readonly Given[]) => void,
  ) {
    this.#core = core
    this.#to = to
    this.#keys = keys
    this.#owed = owed
    this.#done = done
    this.#sinceTick = core.tick
    this.#offer()
  }

  receive(from: NodeId, message: RingMessage): void {
    if (from !== this.#to) return
    if (message.kind === 'compared' && this.#differing === undefined) {
      const differing = new Set(message.differing.map(path => path.slice(1)))
      for (const [key, digest] of this.#digests) if (!differing.has(key)) this.#given.push([key, digest])
      this.#give(this.#keys.filter(key => differing.has(key) || !this.#digests.has(key)))
    } else if (message.kind === 'stale' && this.#differing !== undefined) {
      this.#give(this.#differing)
    } else if (message.kind === 'stored' && this.#differing !== undefined) {
      if (!message.kept) {
        this.#end()
        return
      }
      this.#given.push(...this.#digests)
      this.#give(this.#differing.filter(key => !this.#digests.has(key)))
    }
  }

  tick(): void {
    const { tick, options } = this.#core
    if (tick - this.#sinceTick >= 4 * options.copyTicks) this.#end()
  }

  lost(node: NodeId): void {
    if (node === this.#to) this.#end()
  }

  #offer(): void {
    const { records } = this.#core
    // A stand-in does not need to have it, but to know for whom.
    for (const key of this.#keys) {
      if (this.#owed(key).length === 0) this.#digests.set(key, records.digest(key))
    }
    if (this.#digests.size === 0) {
      this.#give(this.#keys)
      return
    }
    this.#renew()
    const nodes = [...this.#digests].map(([key, digest]) => [`=${key}`, digest] as const)
    this.#core.sendNow(this.#to, { kind: 'compare', id: this.#id, nodes })
  }

  #give(keys: readonly string[]): void {
    const core = this.#core
    const rows = carriedRows(core, keys, this.#owed)
    this.#differing = keys
    if (rows.length === 0) {
      this.#end()
      return
    }
    this.#digests = new Map(rows.map(({ key }) => [key, core.records.digest(key)]))
    this.#renew()
    core.sendNow(this.#to, { kind: 'store', id: this.#id, fence: core.peer(this.#to).fence, rows })
  }

  #renew(): void {
    this.#core.operations.delete(this.#id)
    this.#id = this.#core.nextId()
    this.#sinceTick = this.#core.tick
    this.#core.operations.set(this.#id, this)
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#core.operations.delete(this.#id)
    this.#done(this.#given)
  }
}

export class Handover {
  readonly #core: Core
  readonly #busy = new Set<NodeId>()
  #nextTick = 0
  readonly #sweeping = new Sweep()
  /** Where the pass over all records stands, while this node leaves. */
  #leaveRange = 0
  #leaveAfter = ''
  #isLeaving = false

  constructor(core: Core) {
    this.#core = core
  }

  /** The tick at which what is kept for others is looked through next. */
  get dueAtTick(): number {
    return this.#core.isPart ? this.#nextTick : Number.POSITIVE_INFINITY
  }

  tick(): void {
    const core = this.#core
    const standing = core.entry?.standing
    if (standing === 'gone') {
      this.#clear()
      return
    }
    if (!core.records.isCounted || core.isDiskFull) return
    if (standing === 'leaving') {
      this.#leave()
      return
    }
    if (core.tick < this.#nextTick) return
    this.#nextTick = core.tick + core.options.repairTicks
    this.#sweep()
  }

  /** Begins to leave. */
  leave(): boolean {
    const core = this.#core
    const { entry } = core
    if (entry === undefined || !core.isPart || entry.standing === 'evicted') return false
    if (entry.standing === 'leaving') return true
    if (!core.list.members.some(({ id, standing }) => id !== core.id && standing === 'member')) return false
    core.changeOwnEntry({ standing: 'leaving' })
    return true
  }

  /** Looks through some of the rows that are for others, and hands over what can be. */
  #sweep(): void {
    const core = this.#core
    const { records, options } = core
    if (core.foreignRows === 0 && records.creditors.length === 0) return
    const batches = new Map<NodeId, string[]>()
    const isWanted = (range: number): boolean =>
      !core.shares.isMine(range) ||
      (records.owedInRange(range) > 0 && core.shares.current.isOwner(core.id, range))
    for (const key of this.#sweeping.next(records, 4 * options.rowsPerMessage, isWanted)) {
      const range = core.rangeOf(key)
      if (core.shares.isMine(range)) {
        this.#own(key)
        continue
      }
      for (const target of this.#creditors(range, key)) {
        if (target === core.id || this.#busy.has(target) || !core.isWritable(target)) continue
        const batch = batches.get(target) ?? []
        if (batch.length < options.rowsPerMessage) batch.push(key)
        batches.set(target, batch)
      }
    }
    for (const [target, keys] of batches) {
      this.#busy.add(target)
      new HandingOver(
        core,
        target,
        keys,
        () => [],
        given => {
          this.#busy.delete(target)
          for (const [key, digest] of given) this.#noteGiven(target, key, digest)
          if (given.length > 0) this.#nextTick = core.tick
        },
      )
    }
  }

  /** The row was for others when its range became this node's own: owners compare what they share (moving.ts). */
  #own(key: string): void {
    const row = this.#core.records.get(key)
    this.#core.put(key, { ...row, owed: [] }, row)
  }

  /** For whom a row is kept here: those it names as far as they are owners, else all owners. */
  #creditors(range: number, key: string): readonly NodeId[] {
    const { shares, records } = this.#core
    const owners = shares.current.owners(range)
    const owed = records.get(key).owed.filter(id => owners.includes(id) || shares.future.isOwner(id, range))
    return owed.length > 0 ? owed : owners
  }

  #noteGiven(target: NodeId, key: string, digest: string): void {
    const core = this.#core
    const row = core.records.get(key)
    const range = core.rangeOf(key)
    // What has changed since must be given again.
    if (row.digest !== digest || core.shares.isMine(range)) return
    const owed = this.#creditors(range, key).filter(id => id !== target)
    if (owed.length === 0) core.put(key, { record: [], own: undefined, owed: [] }, row)
    else core.put(key, { ...row, owed }, row)
  }

  /** Hands over everything, then what has changed since, and is gone. */
  #leave(): void {
    const core = this.#core
    if (this.#isLeaving) return
    core.leaving ??= { left: rangeCount, of: rangeCount, changed: new Set(), isClosing: false }
    const batch: string[] = []
    const { rowsPerMessage } = core.options
    while (this.#leaveRange < rangeCount && batch.length === 0) {
      const range = core.records.nextOccupied(this.#leaveRange) ?? rangeCount
      if (range !== this.#leaveRange) this.#leaveAfter = ''
      this.#leaveRange = range
      if (range < rangeCount)
        batch.push(...core.records.keys(rangePath(range), this.#leaveAfter, rowsPerMessage))
      if (batch.length === 0) this.#leaveRange++
    }
    core.leaving.left = rangeCount - this.#leaveRange
    if (batch.length > 0) {
      this.#giveAll(batch, isDone => {
        if (isDone) this.#leaveAfter = batch.at(-1) ?? ''
      })
      return
    }
    core.leaving.isClosing = true
    const changed = [...core.leaving.changed].slice(0, rowsPerMessage)
    if (changed.length > 0) {
      for (const key of changed) core.leaving.changed.delete(key)
      this.#giveAll(changed, isDone => {
        if (!isDone) for (const key of changed) core.leaving?.changed.add(key)
      })
      return
    }
    if ([...core.operations.values()].some(operation => operation instanceof Writing)) return
    core.changeOwnEntry({ standing: 'gone' })
  }

  /** Gives a batch to all who are to have it; `done` is told whether all of it is durable there. */
  #giveAll(keys: readonly string[], done: (isDone: boolean) => void): void {
    const core = this.#core
    const batches = new Map<NodeId, Map<string, readonly NodeId[]>>()
    for (const key of keys) {
      // Dropped since, because somebody else has it.
      if (core.records.get(key).record.length === 0) continue
      const set = new CopySet(core.shares.future.preference(core.rangeOf(key)), core.shares.future.copies)
      const targets = set.ask(id => id !== core.id && core.isWritable(id))
      if (targets.length === 0) {
        done(false)
        return
      }
      for (const target of targets) {
        const batch = batches.get(target) ?? new Map<string, readonly NodeId[]>()
        const standsFor = set.standsFor(target)
        batch.set(key, standsFor === undefined ? [] : [standsFor])
        batches.set(target, batch)
      }
    }
    if (batches.size === 0) {
      done(true)
      return
    }
    this.#isLeaving = true
    let waiting = batches.size
    let isDone = true
    for (const [target, owed] of batches) {
      const wanted = [...owed.keys()]
      new HandingOver(
        core,
        target,
        wanted,
        key => owed.get(key) ?? [],
        given => {
          const digests = new Map(given)
          isDone &&= wanted.every(key => digests.get(key) === core.records.digest(key))
          waiting--
          if (waiting > 0) return
          this.#isLeaving = false
          core.more = true
          done(isDone)
        },
      )
    }
  }

  /** Whoever is gone owns nothing. */
  #clear(): void {
    const core = this.#core
    core.leaving = undefined
    for (const key of core.records.keys('', '', 500)) {
      core.put(key, { record: [], own: undefined, owed: [] }, core.records.get(key))
    }
  }
}
