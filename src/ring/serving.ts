/**
 * What a leader does for clients, its own and those of the nodes that forward to it: it looks at what there is of the
 * key, decides, and places the new version. Changes of one key go one after the other.
 *
 * What must always hold:
 * - a version comes, in the order of writes, behind all that its leader has found before it;
 * - a leader that has lost its epoch changes nothing in it any more: the node that forwards decides what is still
 *   wanted;
 * - a write that is found under its name is answered as it was the first time, and not made again.
 */
import type { NodeId } from '../base/ids.js'
import type { Core } from './core.js'
import type { Epoch } from './epochs.js'
import { type Findings, Gathering } from './gathering.js'
import { type Leading, versionsPerReign } from './leading.js'
import type { Ask, OrderedVerb, PlainServed, Served } from './messages.js'
import { Once } from './once.js'
import { Placing } from './placing.js'
import { plainValue, readValue } from './record-code.js'
import { compareOrder, highest, type KeyRecord, noPast, type Version } from './versions.js'

/** A request, checked. */
export interface LeaderOrder {
  readonly verb: OrderedVerb
  readonly key: string
  readonly value: Uint8Array | undefined
  /** Names a write, however often it is sent; '' for `get`. */
  readonly identity: string
}

/** A forwarded request that is being worked on. */
interface Working {
  readonly to: NodeId
  readonly id: number
  sinceTick: number
}

/** A change whose turn has not come. */
interface Waiting {
  readonly order: LeaderOrder
  readonly deadlineTick: number
  readonly reply: (served: Served) => void
}

export class Serving {
  readonly #core: Core
  readonly leading: Leading
  readonly #once: Once
  readonly #working = new Map<string, Working>()
  /** By key: the change that is under way is not among them. A key with none under way is not here. */
  readonly #waiting = new Map<string, Waiting[]>()
  #underWay = 0

  constructor(core: Core, leading: Leading) {
    this.#core = core
    this.leading = leading
    this.#once = new Once(core)
  }

  /** Whether somebody is to be told that his request is being worked on. */
  get isAwaited(): boolean {
    return this.#working.size > 0
  }

  /** Tells those who forwarded something that it is being worked on, before they lose patience. */
  tick(): void {
    const { tick, options } = this.#core
    for (const working of this.#working.values()) {
      if (tick - working.sinceTick < Math.floor(options.copyTicks / 3)) continue
      working.sinceTick = tick
      this.#core.sendNow(working.to, { kind: 'asked', id: working.id, answer: null })
    }
  }

  /** Another node forwards a request. */
  onAsk(from: NodeId, message: Ask): void {
    const core = this.#core
    const { id, fence, verb, key, identity } = message
    if (fence !== core.fence) {
      core.sendNow(from, { kind: 'stale', id, fence: core.fence })
      return
    }
    const value = readValue(message.value)
    const hasValue = value?.value !== undefined
    const isWhole = hasValue === (verb !== 'get' && verb !== 'delete')
    if (value === undefined || !isWhole || !this.#once.isFirst(from, message)) return
    const name = `${from} ${id}`
    const reply = (served: Served): void => {
      this.#working.delete(name)
      core.sendNow(from, { kind: 'asked', id, answer: plainServed(served) })
    }
    this.#working.set(name, { to: from, id, sinceTick: core.tick })
    const ticks = Math.min(message.ticks, core.options.requestTicks)
    this.take({ verb, key, value: value.value, identity }, ticks, reply)
  }

  /** Carries a request out; `reply` is called once, perhaps before this returns. */
  take(order: LeaderOrder, ticks: number, reply: (served: Served) => void): void {
    const core = this.#core
    if (core.isStopping || this.leading.epoch === undefined) {
      reply({ kind: 'again' })
      return
    }
    if (this.#underWay >= 4 * core.options.requestsMax) {
      reply({ kind: 'refused', reason: 'busy' })
      return
    }
    this.#underWay++
    const deadlineTick = core.tick + ticks
    const answer = (served: Served): void => {
      this.#underWay--
      reply(served)
    }
    if (order.verb === 'get') {
      this.#look(order, deadlineTick, answer, findings => {
        // Nobody is shown what a crash could still undo.
        core.batches.whenSaved(() => answer(found(findings)))
      })
      return
    }
    const waiting: Waiting = { order, deadlineTick, reply: answer }
    const others = this.#waiting.get(order.key)
    if (others !== undefined) {
      others.push(waiting)
      return
    }
    this.#waiting.set(order.key, [])
    this.#begin(waiting)
  }

  #begin({ order, deadlineTick, reply }: Waiting): void {
    const end = (served: Served): void => {
      reply(served)
      const next = this.#waiting.get(order.key)?.shift()
      if (next === undefined) this.#waiting.delete(order.key)
      else this.#begin(next)
    }
    // Whoever asked has given up meanwhile, and may have had it done by another leader.
    if (this.#core.tick >= deadlineTick) end({ kind: 'refused', reason: 'busy' })
    else
      this.#look(order, deadlineTick, end, (findings, epoch) =>
        this.#change(order, findings, epoch, deadlineTick, end),
      )
  }

  /** Finds out what there is, for as long as this node leads. */
  #look(
    { key, verb, identity }: LeaderOrder,
    deadlineTick: number,
    reply: (served: Served) => void,
    then: (findings: Findings, epoch: Epoch) => void,
  ): void {
    const { epoch } = this.leading
    if (epoch === undefined) {
      reply({ kind: 'again' })
      return
    }
    const isRead = verb === 'get'
    const wanted = { key, identity: isRead ? undefined : identity, epoch, repairs: isRead }
    new Gathering(this.#core, this.leading, wanted, deadlineTick, findings => {
      if (findings.isOver) reply({ kind: 'again' })
      else then(findings, epoch)
    })
  }

  #change(
    order: LeaderOrder,
    findings: Findings,
    epoch: Epoch,
    deadlineTick: number,
    reply: (served: Served) => void,
  ): void {
    const former = highest(findings.record)
    const { repeat } = findings
    if (repeat?.order !== undefined) {
      // It may be on one disk only.
      this.#place(order.key, findings.record, repeat, repeat.order.existed, deadlineTick, reply)
      return
    }
    const existed = former?.value !== undefined
    const refusal = refusalOf(order.verb, existed, findings.isAll)
    if (refusal !== undefined) {
      reply(refusal)
      return
    }
    const version = this.#version(order, former, epoch, existed)
    if (version === undefined) reply({ kind: 'again' })
    else this.#place(order.key, [version], version, existed, deadlineTick, reply)
  }

  /** The new version; undefined where this node may not make it, because a higher one is there. */
  #version(
    { value, identity }: LeaderOrder,
    former: Version | undefined,
    epoch: Epoch,
    existed: boolean,
  ): Version | undefined {
    const dot = this.leading.epoch === epoch ? this.leading.nextDot() : undefined
    if (dot === undefined) return undefined
    const order = { epoch: epoch.number, existed }
    const { wallMs: writtenMs } = this.#core
    const version: Version = { dot, past: noPast, value, writtenMs, identity, items: undefined, order }
    if (former === undefined || compareOrder(version, former) > 0) return version
    // Another leader has written in an epoch that nobody here has heard of, or in one of the same number.
    this.leading.surpass(former.order?.epoch ?? 0)
    return undefined
  }

  #place(
    key: string,
    record: KeyRecord,
    version: Version,
    existed: boolean,
    deadlineTick: number,
    reply: (served: Served) => void,
  ): void {
    new Placing(this.#core, key, record, deadlineTick, placed => {
      switch (placed.kind) {
        case 'placed':
          reply({ kind: 'changed', existed, copies: placed.copies, version: numberOf(version) })
          break
        case 'full':
          reply({ kind: 'refused', reason: 'disk-full' })
          break
        case 'unknown':
          reply({ kind: 'unknown' })
          break
      }
    })
  }
}

/** Why a change is not made, if it is not. */
function refusalOf(verb: OrderedVerb, existed: boolean, isCertain: boolean): Served | undefined {
  if (verb === 'put') return existed ? { kind: 'present' } : undefined
  if (existed || verb === 'set') return undefined
  return isCertain ? { kind: 'absent' } : { kind: 'unavailable' }
}

/** What a read is answered. A deletion proves nothing where somebody may have what was written after it. */
function found({ record, isAll }: Findings): Served {
  const version = highest(record)
  if (version?.value !== undefined) return { kind: 'entry', value: version.value, version: numberOf(version) }
  return isAll ? { kind: 'absent' } : { kind: 'unavailable' }
}

/** One number for the place of a version in the order of writes. */
function numberOf({ order, dot }: Version): number {
  return Math.min((order?.epoch ?? 0) * versionsPerReign + dot.count, Number.MAX_SAFE_INTEGER)
}

function plainServed(served: Served): PlainServed {
  return served.kind === 'entry' ? { ...served, value: plainValue(served.value) } : served
}
