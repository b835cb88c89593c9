/**
 * Reading a key from as many copies as the quorum asks for, and repairing those that turn out to be stale
 * (Dynamo paper, sections 4.5 and 5: read repair). Any node may do it.
 *
 * What must always hold:
 * - what is found is the join of all records that were looked at, so no version that one of them has is missing;
 * - a copy that has not fetched its share yet counts only when there are no others left to ask.
 */
import type { NodeId } from '../base/ids.js'
import type { Core, Operation } from './core.js'
import type { ReadReply, RingMessage } from './messages.js'
import { CopySet } from './quorum.js'
import { digestOf, plainRecord, readRecord } from './record-code.js'
import { joinRecords, type KeyRecord } from './versions.js'

/** What came of a read. */
export type ReadResult =
  | { readonly kind: 'read'; readonly record: KeyRecord }
  | { readonly kind: 'short'; readonly reached: number }

export class Reading implements Operation {
  readonly key: string
  readonly #core: Core
  readonly #id: number
  readonly #range: number
  readonly #needed: number
  readonly #copies: CopySet
  readonly #digests = new Map<NodeId, string>()
  readonly #askedAtTick = new Map<NodeId, number>()
  /** Those that answered without having fetched their share. */
  readonly #partial = new Set<NodeId>()
  readonly #deadlineTick: number
  #record: KeyRecord = []
  #done: ((result: ReadResult) => void) | undefined

  /**
   * Begins to read `needed` copies, or all that can be reached where it is undefined; `done` is called once,
   * perhaps before this returns.
   */
  constructor(
    core: Core,
    key: string,
    needed: number | undefined,
    ticks: number,
    done: (result: ReadResult) => void,
  ) {
    this.key = key
    this.#core = core
    this.#id = core.nextId()
    this.#range = core.rangeOf(key)
    this.#needed = needed ?? Number.POSITIVE_INFINITY
    this.#copies = new CopySet(core.shares.current.preference(this.#range), core.copies)
    this.#deadlineTick = core.tick + ticks
    this.#done = done
    core.operations.set(this.#id, this)
    this.#ask()
  }

  receive(from: NodeId, message: RingMessage): void {
    if (message.kind !== 'read-reply' || !this.#copies.wasAsked(from)) return
    if (message.fence !== this.#core.fence) {
      // It was sent before tombstones were collected here, and may hold what they covered.
      if (!this.#digests.has(from)) this.#send(from)
      return
    }
    const record = readRecord(message.record)
    if (record === undefined || this.#digests.has(from)) return
    this.#core.onRecord(this.key, record)
    this.#take(from, record, message.isWhole)
    this.#advance()
  }

  tick(): void {
    const { tick, options } = this.#core
    for (const node of this.#copies.open) {
      if (tick - (this.#askedAtTick.get(node) ?? tick) < options.copyTicks) continue
      this.#copies.fail(node)
      this.#core.markUnreachable(node)
    }
    this.#ask()
    if (tick >= this.#deadlineTick) this.#end()
  }

  lost(node: NodeId): void {
    this.#copies.fail(node)
    this.#ask()
  }

  #ask(): void {
    for (const node of this.#copies.ask(id => this.#core.isUsable(id))) {
      if (node === this.#core.id) {
        this.#take(node, this.#core.records.get(this.key).record, this.#core.isWhole(this.#range))
      } else {
        this.#askedAtTick.set(node, this.#core.tick)
        this.#send(node)
      }
    }
    this.#advance()
  }

  #send(node: NodeId): void {
    this.#core.sendNow(node, { kind: 'read', id: this.#id, key: this.key, fence: this.#core.fence })
  }

  #take(from: NodeId, record: KeyRecord, isWhole: boolean): void {
    this.#digests.set(from, digestOf(this.key, record))
    this.#record = joinRecords(this.#record, record)
    if (!isWhole) this.#partial.add(from)
    this.#copies.done(from)
  }

  /** Answers as soon as there is something to say, and ends when everybody has answered. */
  #advance(): void {
    const isShort = this.#copies.reached < this.#needed && Number.isFinite(this.#needed)
    const isOver = this.#copies.open.length === 0 && !(isShort && this.#core.tick < this.#core.graceUntilTick)
    const whole = this.#copies.reached - this.#partial.size
    if (whole >= this.#needed) this.#answer({ kind: 'read', record: this.#record })
    if (isOver) this.#end()
  }

  #end(): void {
    if (!this.#core.operations.delete(this.#id)) return
    const { reached } = this.#copies
    const isEnough = reached >= this.#needed || this.#needed === Number.POSITIVE_INFINITY
    this.#answer(isEnough ? { kind: 'read', record: this.#record } : { kind: 'short', reached })
    this.#repair()
  }

  #answer(result: ReadResult): void {
    const done = this.#done
    this.#done = undefined
    done?.(result)
  }

  /** Gives what was found to owners who lack some of it. */
  #repair(): void {
    const core = this.#core
    const digest = digestOf(this.key, this.#record)
    if (digest === '') return
    const record = plainRecord(this.#record)
    for (const [node, theirs] of this.#digests) {
      const isStandIn = this.#copies.standsFor(node) !== undefined
      if (theirs === digest || isStandIn || !core.isWritable(node)) continue
      if (node === core.id) core.keep(this.key, this.#record, [])
      else core.sendNow(node, storeMessage(core, node, 0, this.key, record, []))
    }
  }
}

/** A message that gives one record to a node. */
export function storeMessage(
  core: Core,
  to: NodeId,
  id: number,
  key: string,
  record: ReturnType<typeof plainRecord>,
  owed: readonly NodeId[],
): RingMessage {
  return { kind: 'store', id, fence: core.peer(to).fence, rows: [{ key, record, owed }] }
}

/** Answers another node that reads. */
export function replyToRead(core: Core, from: NodeId, id: number, key: string, fence: string): void {
  const { record } = core.records.get(key)
  const isWhole = core.isWhole(core.rangeOf(key))
  const reply: ReadReply = { kind: 'read-reply', id, fence, record: plainRecord(record), isWhole }
  core.sendNow(from, reply)
}
