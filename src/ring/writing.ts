/**
 * Coordinating a write (Dynamo paper, section 4.5): a replica of the key makes the new version, keeps it, and
 * has the others keep it; it answers when as many copies are durable as the quorum asks for, and goes on until
 * every copy is somewhere.
 *
 * What must always hold:
 * - the new version replaces what its writer had read and nothing else;
 * - its dot was never given out before (see records.ts);
 * - a copy counts only when its node says that it is durable, this node's own included.
 */
import type { NodeId } from '../base/ids.js'
import type { Core, Operation } from './core.js'
import { bornItems, mergedValue, ruleFor } from './merge-rules.js'
import type { RingMessage } from './messages.js'
import { CopySet } from './quorum.js'
import { Reading, storeMessage } from './reading.js'
import { plainRecord } from './record-code.js'
import type { Row } from './records.js'
import type { Refusal } from './types.js'
import {
  contextOf,
  covers,
  type Dot,
  joinPasts,
  joinRecords,
  type KeyRecord,
  type Past,
  replaceCovered,
  type Version,
  withVersion,
} from './versions.js'

/** A write, checked. */
export interface WriteOrder {
  readonly key: string
  readonly value: Uint8Array | undefined
  readonly context: Past
  readonly needed: number
  readonly identity: string
  /** It may have been carried out before: it is looked for among the copies first. */
  readonly isRepeat: boolean
}

/** What came of a write. */
export type WriteResult =
  | { readonly kind: 'written'; readonly record: KeyRecord; readonly copies: number }
  | {
      readonly kind: 'quorum-not-met'
      readonly reached: number
      readonly needed: number
      readonly maybe: boolean
    }
  | { readonly kind: 'refused'; readonly reason: Refusal }

export class Writing implements Operation {
  readonly key: string
  readonly #core: Core
  readonly #id: number
  readonly #order: WriteOrder
  readonly #range: number
  /** Those who have the key now and, while members come or go, those who will or may. */
  readonly #sets: readonly CopySet[]
  readonly #asked = new Map<NodeId, number>()
  readonly #deadlineTick: number
  #record: KeyRecord | undefined
  #isBegun = false
  #done: ((result: WriteResult) => void) | undefined

  /** Begins to write; `done` is called once, perhaps before this returns. */
  constructor(core: Core, order: WriteOrder, ticks: number, done: (result: WriteResult) => void) {
    this.key = order.key
    this.#core = core
    this.#id = core.nextId()
    this.#order = order
    this.#range = core.rangeOf(order.key)
    this.#deadlineTick = core.tick + ticks
    this.#done = done
    this.#sets = core.shares.placements.map(
      placement => new CopySet(placement.preference(this.#range), placement.copies),
    )
    core.operations.set(this.#id, this)
    this.#begin()
  }

  receive(from: NodeId, message: RingMessage): void {
    if (message.kind === 'stale') this.#send(from)
    if (message.kind !== 'stored') return
    for (const set of this.#sets) {
      if (message.kept) set.done(from)
      else set.fail(from)
    }
    this.#ask()
  }

  tick(): void {
    const { tick, options } = this.#core
    for (const [node, askedAtTick] of this.#asked) {
      if (tick - askedAtTick < options.copyTicks || !this.#sets.some(set => set.open.includes(node))) continue
      if (node !== this.#core.id) {
        this.#fail(node)
        this.#core.markUnreachable(node)
      }
    }
    if (this.#record !== undefined) this.#ask()
    if (tick >= this.#deadlineTick) this.#end()
    else if (!this.#isBegun) this.#begin()
  }

  lost(node: NodeId): void {
    this.#fail(node)
    if (this.#record !== undefined) this.#ask()
  }

  /** Nothing is done where it is certain from the start that too few can be reached. */
  #begin(): void {
    const { needed, isRepeat, key, context } = this.#order
    const { current } = this.#core.shares
    const probe = new CopySet(current.preference(this.#range), current.copies)
    const reached = probe.ask(node => this.#core.isWritable(node)).length
    if (this.#core.isFull) {
      this.#refuse('disk-full')
      return
    }
    if (reached < needed) {
      if (this.#core.tick < this.#core.graceUntilTick) return
      this.#finish({ kind: 'quorum-not-met', reached, needed, maybe: false })
      return
    }
    this.#isBegun = true
    const known = contextOf(this.#core.records.get(key).record)
    const isSeen = [...context.counters].every(([actor, count]) => covers(known, { actor, count }))
    if (!isRepeat && (isSeen || ruleFor(key)?.keepsBirths !== true)) {
      this.#write([])
      return
    }
    new Reading(this.#core, key, undefined, this.#core.options.copyTicks, result =>
      this.#write(result.kind === 'read' ? result.record : []),
    )
  }

  /** Makes the version, of what is here and what was found elsewhere, and gives it to all. */
  #write(found: KeyRecord): void {
    if (this.#done === undefined) return
    const core = this.#core
    const former = core.records.get(this.key)
    const base = joinRecords(former.record, found)
    const made = base.some(version => version.identity === this.#order.identity)
      ? { record: base, own: former.own }
      : this.#make(base, former)
    if (typeof made === 'string') {
      this.#refuse(made)
      return
    }
    this.#record = made.record
    core.onRecord(this.key, made.record)
    this.#ask()
    core.put(this.key, { ...made, owed: this.#ownOwed(former) }, former)
    core.batches.whenSaved(() => {
      for (const set of this.#sets) set.done(core.id)
      this.#advance()
    })
  }

  #make(base: KeyRecord, former: Row): { record: KeyRecord; own: Dot } | Refusal {
    const core = this.#core
    const { value, context, identity } = this.#order
    const dot =
      former.own !== undefined && core.isOwnDot(former.own)
        ? { actor: former.own.actor, count: former.own.count + 1 }
        : { actor: core.newActor(), count: 1 }
    if (covers(context, dot)) return 'invalid-context'
    const others = replaceCovered(base, context)
    const version = this.#version(dot, base, others)
    if (version === undefined) return 'value-too-large'
    const isMerged = ruleFor(this.key) !== undefined && value !== undefined
    const record = isMerged ? [version] : withVersion(others, { ...version, identity })
    const { versionsMax, recordBytesMax } = core.options
    if (record.length > versionsMax && record.length > base.length) return 'too-many-versions'
    const bytes = bytesOf(record)
    if (bytes > recordBytesMax && bytes > bytesOf(base)) return 'too-many-versions'
    return { record, own: dot }
  }

  /** The new version; where a rule merges, of the others too, which it then replaces. */
  #version(dot: Dot, base: KeyRecord, others: KeyRecord): Version | undefined {
    const { value, context, identity } = this.#order
    const rule = ruleFor(this.key)
    const items =
      rule?.keepsBirths === true ? bornItems(value ?? new Uint8Array(0), dot, context, base) : undefined
    const { wallMs: writtenMs } = this.#core
    const version: Version = { dot, past: context, value, writtenMs, identity, items }
    if (rule === undefined || value === undefined || others.length === 0) return version
    const merged = mergedValue(rule, withVersion(others, version))
    const past = joinPasts([context, contextOf(others)])
    const whole = { ...version, ...merged, past }
    return whole.value === undefined || whole.value.length > this.#core.options.valueBytesMax
      ? undefined
      : whole
  }

  /** For whom this node keeps the record, if it is not its own. */
  #ownOwed(former: Row): readonly NodeId[] {
    const { id, shares } = this.#core
    if (shares.isMine(this.#range)) return []
    const [set] = this.#sets
    const isForAll =
      set === undefined || !set.wasAsked(id) || (former.record.length > 0 && former.owed.length === 0)
    if (isForAll) return []
    const missing = shares.current.owners(this.#range).filter(owner => !set.wasAsked(owner))
    return [...new Set([...former.owed, ...missing])].sort()
  }

  #ask(): void {
    for (const set of this.#sets) {
      for (const node of set.ask(id => this.#core.isWritable(id))) {
        if (this.#asked.has(node)) continue
        this.#asked.set(node, this.#core.tick)
        this.#send(node)
      }
    }
    this.#advance()
  }

  #send(node: NodeId): void {
    if (this.#record === undefined || node === this.#core.id || !this.#asked.has(node)) return
    const owed = this.#sets.flatMap(set => set.standsFor(node) ?? [])
    const record = plainRecord(this.#record)
    this.#core.sendNow(node, storeMessage(this.#core, node, this.#id, this.key, record, owed))
  }

  #fail(node: NodeId): void {
    for (const set of this.#sets) set.fail(node)
  }

  #advance(): void {
    const [set, ...coming] = this.#sets
    if (set === undefined || this.#record === undefined) return
    const { needed } = this.#order
    // Those to come must have it as well, so that a quorum of theirs meets one of ours; but they hold up nobody.
    const isEnough = coming.every(({ reached, hoped }) => reached >= needed || hoped < needed)
    if (set.reached >= needed && isEnough) {
      this.#answer({ kind: 'written', record: this.#record, copies: set.reached })
    } else if (set.hoped < needed) {
      this.#answer({ kind: 'quorum-not-met', reached: set.reached, needed, maybe: true })
    }
    if (this.#sets.every(each => each.open.length === 0)) this.#end()
  }

  #end(): void {
    const { needed } = this.#order
    const reached = this.#sets[0]?.reached ?? 0
    const isWritten = this.#record !== undefined && reached >= needed
    if (isWritten) this.#finish({ kind: 'written', record: this.#record ?? [], copies: reached })
    else this.#finish({ kind: 'quorum-not-met', reached, needed, maybe: this.#record !== undefined })
  }

  #refuse(reason: Refusal): void {
    this.#finish({ kind: 'refused', reason })
  }

  #finish(result: WriteResult): void {
    this.#core.operations.delete(this.#id)
    this.#answer(result)
  }

  #answer(result: WriteResult): void {
    const done = this.#done
    this.#done = undefined
    done?.(result)
  }
}

function bytesOf(record: KeyRecord): number {
  return record.reduce((bytes, { value }) => bytes + (value?.length ?? 0), 0)
}
