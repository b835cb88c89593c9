/**
 * The way of a client's write from the node that was asked to a replica of the key, which coordinates it. The
 * first usable node of the preference list is tried, then the next; that may come to be this node itself, so
 * that writes go on down to the last node alive.
 *
 * What must always hold:
 * - a node carries out a forwarded write at most once, however often the message comes;
 * - once an attempt may have been carried out, the next one looks for it first, and `refused` is no answer any
 *   more.
 */
import type { NodeId } from '../base/ids.js'
import type { Core, Operation } from './core.js'
import type { PlainAnswer, RingMessage, Write } from './messages.js'
import { encodeContext, plainRecord, plainValue, readRecord } from './record-code.js'
import type { Refusal } from './types.js'
import { type WriteOrder, type WriteResult, Writing } from './writing.js'

/** What came of a write that this node was asked for. */
export type ForwardResult = WriteResult | { readonly kind: 'unknown' }

/** Another node may do what this one cannot. */
const passing: ReadonlySet<Refusal> = new Set(['not-a-member', 'disk-full', 'stopping', 'busy'])

export class Forwarding implements Operation {
  readonly key: undefined
  readonly #core: Core
  readonly #order: WriteOrder
  readonly #deadlineTick: number
  readonly #tried = new Set<NodeId>()
  readonly #pending: Set<number>
  #attempt:
    | { readonly id: number; readonly to: NodeId; readonly sinceTick: number; isWorking: boolean }
    | undefined
  #maybe = false
  #refusal: Refusal | undefined
  #done: ((result: ForwardResult) => void) | undefined

  /**
   * Begins; `done` is called once, perhaps before this returns. `pending` are the ids of all forwards that this
   * node has under way, ascending.
   */
  constructor(core: Core, order: WriteOrder, pending: Set<number>, done: (result: ForwardResult) => void) {
    this.#core = core
    this.#order = order
    this.#pending = pending
    this.#deadlineTick = core.tick + core.options.requestTicks
    this.#done = done
    this.#tryNext()
  }

  receive(from: NodeId, message: RingMessage): void {
    const attempt = this.#attempt
    if (attempt === undefined || attempt.to !== from) return
    if (message.kind === 'stale') this.#send(attempt.id, from)
    if (message.kind !== 'write-reply') return
    if (message.answer === null) attempt.isWorking = true
    else this.#take(readAnswer(message.answer))
  }

  tick(): void {
    const { tick, options } = this.#core
    const attempt = this.#attempt
    if (tick >= this.#deadlineTick) {
      this.#leaveAttempt(true)
      this.#giveUp()
    } else if (attempt !== undefined && !attempt.isWorking && tick - attempt.sinceTick >= options.copyTicks) {
      this.#leaveAttempt(true)
      this.#core.markUnreachable(attempt.to)
      this.#tryNext()
    }
  }

  lost(node: NodeId): void {
    if (this.#attempt?.to !== node) return
    this.#leaveAttempt(true)
    this.#tryNext()
  }

  #tryNext(): void {
    if (this.#done === undefined) return
    const { id, shares } = this.#core
    const { current } = shares
    const order = current.preference(this.#core.rangeOf(this.#order.key))
    const isOwner = order.slice(0, current.copies).includes(id)
    const candidates = isOwner ? [id, ...order] : order
    const next = candidates.find(node => !this.#tried.has(node) && this.#core.isWritable(node))
    if (next === undefined) {
      this.#giveUp()
      return
    }
    this.#tried.add(next)
    if (next === id) this.#coordinate()
    else this.#forward(next)
  }

  #coordinate(): void {
    const order = { ...this.#order, isRepeat: this.#order.isRepeat || this.#maybe }
    const ticks = this.#deadlineTick - this.#core.tick
    new Writing(this.#core, order, ticks, result => this.#take(result))
  }

  #forward(to: NodeId): void {
    const id = this.#core.nextId()
    this.#attempt = { id, to, sinceTick: this.#core.tick, isWorking: false }
    this.#pending.add(id)
    this.#core.operations.set(id, this)
    this.#send(id, to)
  }

  #send(id: number, to: NodeId): void {
    const core = this.#core
    const { key, value, context, needed, identity, isRepeat } = this.#order
    const [lowest] = this.#pending
    const message: Write = {
      kind: 'write',
      id,
      start: core.start,
      lowest: lowest ?? id,
      fence: core.peer(to).fence,
      key,
      value: plainValue(value),
      context: encodeContext(key, context),
      quorum: needed,
      identity,
      isRepeat: isRepeat || this.#maybe,
      ticks: this.#deadlineTick - core.tick,
    }
    core.sendNow(to, message)
  }

  #leaveAttempt(maybe: boolean): void {
    const attempt = this.#attempt
    if (attempt === undefined) return
    this.#attempt = undefined
    this.#pending.delete(attempt.id)
    this.#core.operations.delete(attempt.id)
    if (maybe) this.#maybe = true
  }

  #take(result: WriteResult | undefined): void {
    this.#leaveAttempt(result === undefined)
    if (result === undefined) {
      this.#tryNext()
    } else if (result.kind === 'refused' && passing.has(result.reason)) {
      this.#refusal = result.reason
      this.#tryNext()
    } else if (result.kind === 'refused' && this.#maybe) {
      this.#answer({ kind: 'unknown' })
    } else if (result.kind === 'quorum-not-met') {
      this.#answer({ ...result, maybe: result.maybe || this.#maybe })
    } else {
      this.#answer(result)
    }
  }

  #giveUp(): void {
    const { needed } = this.#order
    if (this.#core.isFull) this.#refusal ??= this.#core.isDiskFull ? 'disk-full' : 'stopping'
    if (this.#maybe) this.#answer({ kind: 'unknown' })
    else if (this.#refusal !== undefined) this.#answer({ kind: 'refused', reason: this.#refusal })
    else this.#answer({ kind: 'quorum-not-met', reached: 0, needed, maybe: false })
  }

  #answer(result: ForwardResult): void {
    const done = this.#done
    this.#done = undefined
    done?.(result)
  }
}

/** A write's result as it travels. */
export function plainAnswer(result: WriteResult): PlainAnswer {
  return result.kind === 'written' ? { ...result, record: plainRecord(result.record) } : result
}

function readAnswer(answer: PlainAnswer): WriteResult | undefined {
  if (answer.kind !== 'written') return answer
  const record = readRecord(answer.record)
  return record === undefined ? undefined : { ...answer, record }
}
