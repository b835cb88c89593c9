/**
 * Forgetting: tombstones that nobody needs any more, and the pasts of starts that are over. The first owner of a
 * key does it, for some keys at a time, together with every node that is not gone; one that cannot be reached
 * puts it off, because it may hold what the tombstone covers.
 *
 * - *watch*: each node says whether it holds exactly that record or none at all, durably; from then on it watches
 *   whether anything older comes to it. What was under way with the key may still hold something older, so the
 *   answer waits for its end; what begins later is watched. So a key that is read all the time is no exception.
 * - *close*: when all are fine, each raises its fence, and says whether nothing older has come. From then on it
 *   takes records only that were sent after every node had said that it holds nothing older.
 * - *finish*: when all are fine again, each drops the record, if it still is that one. A reader may have it in hand
 *   yet, and give it to those who have dropped it already: they do not take it again.
 *
 * What must always hold: a record is dropped when every node that is not gone has confirmed twice, with nothing
 * older in between; so no older version is anywhere, on a disk, in memory or on its way, that could come back. A
 * node that lacks the last message keeps its tombstone, which does no harm, and the next round takes it.
 */
import { present } from '../base/assert.js'
import type { NodeId } from '../base/ids.js'
import type { Core, Operation } from './core.js'
import { unreleasedMembers } from './members.js'
import { bytesOf, carriedRows } from './merkle.js'
import type { RingMessage, Settle, Settled } from './messages.js'
import { digestOf, readRecord } from './record-code.js'
import { Sweep } from './sweep.js'
import { isDeleted, joinRecords, type KeyRecord, type Past, type Version } from './versions.js'

/** What one node watches for another that collects. */
interface Watch {
  readonly untilTick: number
  readonly over: ReadonlySet<string>
  readonly rows: {
    readonly key: string
    readonly record: KeyRecord
    readonly digest: string
    isFine: boolean
  }[]
  /** What was under way with one of the keys when this began, and is not over. */
  underWay: readonly Operation[]
  /** To be called when nothing of that is left. */
  readonly answer: (fine: readonly number[]) => void
}

/** A tombstone that was dropped a moment ago. */
interface Forgotten {
  readonly digest: string
  readonly untilTick: number
}

/** Watches at one time at most; others are refused. */
const watchesMax = 100
/** Dropped tombstones that are remembered at most; of more, the first are not, which does no harm. */
const forgottenMax = 10_000

/** What one node does of it: watching for others, and leading rounds for the keys that it owns first. */
export class Collector {
  readonly #core: Core
  readonly #watches = new Map<string, Watch>()
  /** In how many watches a key is. */
  readonly #watched = new Map<string, number>()
  /** By key, in the order in which they were dropped. */
  readonly #forgotten = new Map<string, Forgotten>()
  /** Called when the fence was raised: others should hear of it soon. */
  readonly #onFence: () => void
  #isSettling = false
  #nextTick = 0
  readonly #sweep = new Sweep()

  constructor(core: Core, onFence: () => void) {
    this.#core = core
    this.#onFence = onFence
    core.onRecord = (key, record) => this.#notice(key, record)
    core.isForgotten = (key, record) => {
      const forgotten = this.#forgotten.get(key)
      return forgotten !== undefined && forgotten.digest === digestOf(key, record)
    }
  }

  /** The tick at which it looks for something to forget next; the present one while it watches. */
  get dueAtTick(): number {
    return this.#watches.size > 0 ? this.#core.tick : this.#nextTick
  }

  tick(): void {
    const core = this.#core
    for (const [name, watch] of this.#watches) {
      if (core.tick >= watch.untilTick) this.#forget(name)
      else if (watch.underWay.length > 0) this.#waitOn(watch)
    }
    for (const [key, { untilTick }] of this.#forgotten) {
      if (core.tick < untilTick && this.#forgotten.size <= forgottenMax) break
      this.#forgotten.delete(key)
    }
    if (core.tick < this.#nextTick || this.#isSettling) return
    this.#nextTick = core.tick + core.options.repairTicks
    if (!this.#canBegin()) return
    const over = new Set<string>()
    const keys = this.#candidates(over)
    if (keys.length > 0) this.#begin(keys, over)
  }

  /** One step of another node's round (or of this node's own). */
  onSettle(from: NodeId, message: Settle): void {
    const core = this.#core
    const name = `${from} ${message.id}`
    const answer = (fine: readonly number[]): void => {
      const reply: Settled = { kind: 'settled', id: message.id, step: message.step, fine }
      if (from === core.id)
        core.batches.whenSaved(() => core.operations.get(message.id)?.receive(from, reply))
      else core.batches.sendWhenSaved(from, reply)
    }
    switch (message.step) {
      case 'watch':
        this.#watch(name, message, answer)
        break
      case 'close':
        answer(this.#close(name, message))
        break
      case 'finish':
        this.#finish(name, message)
        break
      case 'forget':
        this.#forget(name)
        break
    }
  }

  #watch(name: string, { rows, over, list }: Settle, answer: Watch['answer']): void {
    const core = this.#core
    // It was repeated on its way, and is answered once.
    if (this.#watches.has(name)) return
    if (
      this.#watches.size >= watchesMax ||
      !core.isPart ||
      list !== core.listDigest ||
      over.includes(core.start)
    ) {
      answer([])
      return
    }
    const keys = new Set(rows.map(([key]) => key))
    const watch: Watch = {
      untilTick: core.tick + 4 * core.options.requestTicks,
      over: new Set(over),
      rows: rows.map(([key, plain]) => {
        const record = readRecord(plain) ?? []
        return { key, record, digest: digestOf(key, record), isFine: record.length > 0 }
      }),
      underWay: [...core.operations.values()].filter(({ key }) => key !== undefined && keys.has(key)),
      answer,
    }
    this.#watches.set(name, watch)
    for (const { key } of watch.rows) this.#watched.set(key, (this.#watched.get(key) ?? 0) + 1)
    this.#waitOn(watch)
  }

  /** Answers if nothing is under way any more that was when the watch began. */
  #waitOn(watch: Watch): void {
    const running = new Set(this.#core.operations.values())
    watch.underWay = watch.underWay.filter(operation => running.has(operation))
    if (watch.underWay.length > 0) return
    this.#compare(watch)
    watch.answer(fineOf(watch))
  }

  /** What is held must be that record, or none. */
  #compare({ rows }: Watch): void {
    for (const row of rows) {
      const held = this.#core.records.digest(row.key)
      if (held !== row.digest && held !== '') row.isFine = false
    }
  }

  #close(name: string, { fine, list }: Settle): number[] {
    const core = this.#core
    const watch = this.#watches.get(name)
    if (watch === undefined || list !== core.listDigest) return []
    core.raiseFence()
    this.#onFence()
    this.#compare(watch)
    return fineOf(watch).filter(place => fine.includes(place))
  }

  #finish(name: string, { fine }: Settle): void {
    const core = this.#core
    const watch = this.#watches.get(name)
    if (watch === undefined) return
    for (const place of fine) {
      const row = watch.rows[place]
      if (row === undefined) continue
      const isDropped = isDeleted(row.record)
      if (isDropped) this.#remember(row.key, row.digest)
      const former = core.records.get(row.key)
      if (former.digest !== row.digest) continue
      const record = isDropped ? [] : pruned(row.record, watch.over)
      core.put(row.key, { ...former, record }, former)
    }
    this.#forget(name)
  }

  #forget(name: string): void {
    const watch = this.#watches.get(name)
    if (watch === undefined) return
    this.#watches.delete(name)
    for (const { key } of watch.rows) {
      const count = (this.#watched.get(key) ?? 1) - 1
      if (count > 0) this.#watched.set(key, count)
      else this.#watched.delete(key)
    }
  }

  /** No request that was under way when a tombstone was dropped is so for longer. */
  #remember(key: string, digest: string): void {
    this.#forgotten.delete(key)
    this.#forgotten.set(key, { digest, untilTick: this.#core.tick + 2 * this.#core.options.requestTicks })
  }

  /** A record comes in: one that lacks anything of a watched one is older, or was made beside it. */
  #notice(key: string, record: KeyRecord): void {
    if (record.length === 0 || !this.#watched.has(key)) return
    for (const { rows } of this.#watches.values()) {
      for (const row of rows) {
        if (row.key !== key || !row.isFine) continue
        row.isFine = digestOf(key, joinRecords(row.record, record)) === digestOf(key, record)
      }
    }
  }

  /** Everybody must be there, and nobody on the move. */
  #canBegin(): boolean {
    const core = this.#core
    const isSettled = core.entry?.standing === 'member' && core.unfetched.size === 0 && core.records.isCounted
    const isStill = core.list.members.every(({ standing }) => standing === 'member' || standing === 'gone')
    return isSettled && isStill && unreleasedMembers(core.list).every(id => core.isWritable(id))
  }

  /** Some keys of which this node is the first owner and something can be forgotten. */
  #candidates(over: Set<string>): string[] {
    const core = this.#core
    let starts: ReadonlySet<string> | undefined
    const found: string[] = []
    let bytes = 0
    let isEnough = false
    const isFirst = (range: number): boolean => core.shares.current.preference(range)[0] === core.id
    for (const key of this.#sweep.next(core.records, core.options.rowsPerMessage, isFirst)) {
      const { record } = core.records.get(key)
      bytes += bytesOf(record)
      if (bytes > core.options.bytesPerMessage) {
        // Large values take their time, which others need too.
        this.#sweep.goOnBehind(key)
        isEnough = true
      }
      starts ??= this.#startsNow()
      const prunable = isDeleted(record) ? [] : prunableStarts(record, core.options.pastMax, starts)
      if (isDeleted(record) || prunable.length > 0) found.push(key)
      for (const start of prunable) over.add(start)
      if (isEnough) break
    }
    return found
  }

  /** The starts that the members are running as. */
  #startsNow(): ReadonlySet<string> {
    const core = this.#core
    const fences = unreleasedMembers(core.list).map(id => (id === core.id ? core.fence : core.peer(id).fence))
    return new Set(fences.map(fence => fence.split('.')[0] ?? ''))
  }

  #begin(keys: readonly string[], over: ReadonlySet<string>): void {
    this.#isSettling = true
    new Settling(this.#core, this, keys, over, () => {
      this.#isSettling = false
    })
  }
}

/** One round, at the node that leads it. */
class Settling implements Operation {
  /** What is held of the keys is what the watches compare with. */
  readonly key: undefined
  readonly #core: Core
  readonly #collector: Collector
  readonly #id: number
  readonly #done: () => void
  readonly #members: readonly NodeId[]
  readonly #waiting: Set<NodeId>
  readonly #sinceTick: number
  #step: 'watch' | 'close' = 'watch'
  #fine: readonly number[]

  constructor(
    core: Core,
    collector: Collector,
    keys: readonly string[],
    over: ReadonlySet<string>,
    done: () => void,
  ) {
    this.#core = core
    this.#collector = collector
    this.#id = core.nextId()
    this.#done = done
    this.#members = unreleasedMembers(core.list)
    this.#waiting = new Set(this.#members)
    this.#sinceTick = core.tick
    const rows = carriedRows(core, keys, () => []).map(({ key, record }) => [key, record] as const)
    this.#fine = rows.map((_row, place) => place)
    core.operations.set(this.#id, this)
    this.#tell('watch', rows, [...over])
  }

  receive(from: NodeId, message: RingMessage): void {
    if (message.kind !== 'settled' || message.step !== this.#step || !this.#waiting.delete(from)) return
    this.#fine = this.#fine.filter(place => message.fine.includes(place))
    if (this.#fine.length === 0) this.#end('forget')
    else if (this.#waiting.size > 0) return
    else if (this.#step === 'close') this.#end('finish')
    else {
      this.#step = 'close'
      for (const id of this.#members) this.#waiting.add(id)
      this.#tell('close', [], [])
    }
  }

  tick(): void {
    const { tick, options } = this.#core
    if (tick - this.#sinceTick >= 2 * options.requestTicks) this.#end('forget')
  }

  lost(node: NodeId): void {
    if (this.#members.includes(node)) this.#end('forget')
  }

  #end(step: 'finish' | 'forget'): void {
    if (!this.#core.operations.delete(this.#id)) return
    this.#tell(step, [], [])
    this.#done()
  }

  #tell(step: Settle['step'], rows: Settle['rows'], over: readonly string[]): void {
    const core = this.#core
    const list = core.listDigest
    const message: Settle = { kind: 'settle', id: this.#id, step, list, fine: this.#fine, over, rows }
    for (const id of this.#members) if (id !== core.id) core.sendNow(id, message)
    this.#collector.onSettle(core.id, message)
  }
}

function fineOf({ rows }: Watch): number[] {
  return [...rows.keys()].filter(place => rows[place]?.isFine === true)
}

/**
 * The starts that a record's past need not name any more, once every node holds that record or none: those that
 * are over, and whose dots are neither the version's own nor births of items in it. Only where one version stands
 * alone, and its past is long.
 */
function prunableStarts(record: KeyRecord, pastMax: number, starts: ReadonlySet<string>): string[] {
  const [version] = record
  if (version === undefined || record.length > 1) return []
  const actors = [...version.past.counters.keys(), ...version.past.dots.map(({ actor }) => actor)]
  if (actors.length <= pastMax) return []
  return [...new Set(actors.filter(actor => !isNeeded(version, actor)).map(startOf))].filter(
    start => !starts.has(start),
  )
}

function pruned(record: KeyRecord, over: ReadonlySet<string>): KeyRecord {
  return record.map(version => {
    const isKept = (actor: string): boolean => isNeeded(version, actor) || !over.has(startOf(actor))
    const past: Past = {
      counters: new Map([...version.past.counters].filter(([actor]) => isKept(actor))),
      dots: version.past.dots.filter(({ actor }) => isKept(actor)),
    }
    return { ...version, past }
  })
}

function isNeeded({ dot, items }: Version, actor: string): boolean {
  if (dot.actor === actor) return true
  return (items ?? []).some(({ births }) => births.some(birth => birth.actor === actor))
}

function startOf(actor: string): string {
  return present(actor.split('.')[0], 'the start in an actor')
}
