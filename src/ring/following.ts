/**
 * The way of a client's request from the node that was asked to the leader, which may be this node itself. When the
 * leader is lost it goes to the next one, under the same name; while it is not clear who leads it waits.
 *
 * What must always hold: a request has one answer, and one that may have been carried out is not said to have done
 * nothing.
 */
import type { NodeId } from '../base/ids.js'
import type { Core, Operation } from './core.js'
import type { Ask, PlainServed, RingMessage, Served } from './messages.js'
import { plainValue, readValue } from './record-code.js'
import type { LeaderOrder, Serving } from './serving.js'

/** What came of a request that this node was asked for. */
export type FollowResult = Exclude<Served, { kind: 'again' }>

export class Following implements Operation {
  /** It holds no records. */
  readonly key: undefined
  readonly #core: Core
  readonly #serving: Serving
  readonly #order: LeaderOrder
  #id: number
  readonly #deadlineTick: number
  /** The ids of all requests that this node has forwarded and not given up, ascending. */
  readonly #pending: Set<number>
  /** It is being carried out here. */
  #isServed = false
  #attempt: { readonly to: NodeId; heardAtTick: number } | undefined
  /** An attempt was given up that may have been carried out. */
  #maybe = false
  #done: ((result: FollowResult) => void) | undefined

  /** Begins; `done` is called once, perhaps before this returns. */
  constructor(
    core: Core,
    serving: Serving,
    order: LeaderOrder,
    pending: Set<number>,
    done: (result: FollowResult) => void,
  ) {
    this.#core = core
    this.#serving = serving
    this.#order = order
    this.#pending = pending
    this.#id = core.nextId()
    this.#deadlineTick = core.tick + core.options.requestTicks
    this.#done = done
    core.operations.set(this.#id, this)
    this.#try()
  }

  receive(from: NodeId, message: RingMessage): void {
    const attempt = this.#attempt
    if (attempt === undefined || attempt.to !== from) return
    if (message.kind === 'stale') this.#send(from)
    if (message.kind !== 'asked') return
    attempt.heardAtTick = this.#core.tick
    const served = message.answer === null ? undefined : readServed(message.answer)
    if (served === undefined) return
    this.#leaveAttempt()
    this.#take(served)
  }

  tick(): void {
    const { tick, options } = this.#core
    const attempt = this.#attempt
    if (tick >= this.#deadlineTick) {
      this.#giveUp()
    } else if (attempt !== undefined && tick - attempt.heardAtTick >= options.copyTicks) {
      this.#core.markUnreachable(attempt.to)
      this.#loseAttempt()
    } else if (attempt === undefined && !this.#isServed) {
      this.#try()
    }
  }

  lost(node: NodeId): void {
    if (this.#attempt?.to === node) this.#loseAttempt()
  }

  #try(): void {
    const core = this.#core
    const { leader } = this.#serving.leading
    if (leader === undefined) return
    if (leader === core.id && core.isStopping) {
      this.#take({ kind: 'refused', reason: 'stopping' })
      return
    }
    if (leader !== core.id) {
      core.operations.delete(this.#id)
      this.#id = core.nextId()
      core.operations.set(this.#id, this)
      this.#attempt = { to: leader, heardAtTick: core.tick }
      this.#pending.add(this.#id)
      this.#send(leader)
      return
    }
    this.#isServed = true
    this.#serving.take(this.#order, this.#deadlineTick - core.tick, served => {
      this.#isServed = false
      this.#take(served)
    })
  }

  #send(to: NodeId): void {
    const core = this.#core
    const { verb, key, value, identity } = this.#order
    const [lowest] = this.#pending
    const message: Ask = {
      kind: 'ask',
      id: this.#id,
      start: core.start,
      lowest: lowest ?? this.#id,
      fence: core.peer(to).fence,
      verb,
      key,
      value: plainValue(value),
      identity,
      ticks: this.#deadlineTick - core.tick,
    }
    core.sendNow(to, message)
  }

  #take(served: Served): void {
    // It is tried again with the next tick: whoever led knows better by then.
    if (served.kind === 'again') return
    if (served.kind === 'refused' && this.#maybe) this.#answer({ kind: 'unknown' })
    else this.#answer(served)
  }

  #leaveAttempt(): void {
    if (this.#attempt === undefined) return
    this.#attempt = undefined
    this.#pending.delete(this.#id)
  }

  #loseAttempt(): void {
    if (this.#attempt !== undefined && this.#order.verb !== 'get') this.#maybe = true
    this.#leaveAttempt()
  }

  #giveUp(): void {
    const isOpen =
      this.#maybe || ((this.#attempt !== undefined || this.#isServed) && this.#order.verb !== 'get')
    this.#answer(isOpen ? { kind: 'unknown' } : { kind: 'refused', reason: 'no-leader' })
  }

  #answer(result: FollowResult): void {
    this.#leaveAttempt()
    this.#core.operations.delete(this.#id)
    const done = this.#done
    this.#done = undefined
    done?.(result)
  }
}

function readServed(plain: PlainServed): Served | undefined {
  if (plain.kind !== 'entry') return plain
  const value = readValue(plain.value)
  return value?.value === undefined ? undefined : { ...plain, value: value.value }
}
