/**
 * The order of one connection: which of its requests may be carried out now, and which of its replies may
 * leave. It knows nothing of sockets or engines; whoever uses it carries the requests out.
 *
 * What must always hold:
 * - requests take effect as if each had waited for the one before it: those under way together are all reads
 *   or all writes (writes keep their order behind this point), and an administrative request is alone, as is a
 *   walk over many keys, whose answer takes long;
 * - requests are started in the order in which they were pushed;
 * - replies leave in the order in which their requests were pushed, save those pushed as overtaking, which
 *   leave as they are answered;
 * - a session request (help, a line that was no request) affects nothing, so it neither waits nor holds up.
 */
import { assert } from '../base/assert.js'

/** What a request does to the data; see the head of this file for how they wait for each other. */
export type RequestKind = 'read' | 'write' | 'walk' | 'admin' | 'session'

/**
 * One request on its way. Whatever stands for a request extends it, so that a request is one object from its first
 * byte to the last of its reply.
 */
export class Ticket {
  readonly kind: RequestKind
  readonly isOvertaking: boolean
  /** Only the ordering changes it. */
  state: 'waiting' | 'started' | 'answered' = 'waiting'

  constructor(kind: RequestKind, replies: 'in-order' | 'overtaking' = 'in-order') {
    this.kind = kind
    this.isOvertaking = replies === 'overtaking'
  }
}

/** How many requests the queue has room for at first; it doubles when they do not fit. */
const slotsFirst = 8

/** See the head of this file. One for each connection; `Item` is whatever stands for a request there. */
export class Ordering<Item extends Ticket> {
  /**
   * The requests that were not started, or whose replies have not left, in the order of arrival. A place is a count
   * of pushes; it is found in the slot of its lowest bits, so that places only ever go up.
   */
  #slots: (Item | undefined)[] = emptySlots(slotsFirst)
  /** The place behind the last one. */
  #end = 0
  /** The first place whose request was not started; those before it were. */
  #toStart = 0
  /** The first place whose reply has not left, not counting those that overtake. */
  #toLeave = 0
  /** Answered requests that overtake, in the order of their answers. */
  readonly #overtakers: Item[] = []
  /** Requests that overtake and are under way: the queue may be past them. */
  readonly #overtaking = new Set<Item>()
  /** What is under way: how many requests, all of one kind. */
  #runningKind: RequestKind = 'read'
  #running = 0
  #size = 0

  /** Requests whose replies have not left yet. */
  get size(): number {
    return this.#size
  }

  /** Requests that were started and not answered yet. */
  get running(): number {
    return this.#running
  }

  /** Adds the connection's next request. A session request counts as started, and is answered like any other. */
  push(item: Item): void {
    if (this.#end - Math.min(this.#toStart, this.#toLeave) === this.#slots.length) this.#grow()
    this.#slots[this.#end & (this.#slots.length - 1)] = item
    this.#end++
    this.#size++
    if (item.kind === 'session') item.state = 'started'
  }

  /** The next request that may start now, which then counts as started; undefined if there is none. */
  start(): Item | undefined {
    for (; this.#toStart < this.#end; this.#passStart()) {
      const item = this.#at(this.#toStart)
      if (item === undefined || item.state !== 'waiting') continue
      const isAlone = item.kind === 'admin' || item.kind === 'walk'
      const mayJoin = this.#running === 0 || (item.kind === this.#runningKind && !isAlone)
      if (!mayJoin) return undefined
      this.#runningKind = item.kind
      this.#running++
      item.state = 'started'
      if (item.isOvertaking) this.#overtaking.add(item)
      this.#passStart()
      return item
    }
    return undefined
  }

  /** Notes that a started request has its answer, which may let others start and replies leave. */
  answered(item: Item): void {
    assert(item.state === 'started', 'a request is started before it is answered, and answered once')
    item.state = 'answered'
    if (item.kind !== 'session') this.#running--
    if (!item.isOvertaking) return
    this.#overtaking.delete(item)
    this.#overtakers.push(item)
  }

  /** The next request whose reply may leave now, which then counts as left; undefined if there is none. */
  leave(): Item | undefined {
    const item = this.#overtakers.length > 0 ? this.#overtakers.shift() : this.#leaveInOrder()
    if (item !== undefined) this.#size--
    return item
  }

  /** The requests that were started and not answered yet, save session requests, which nobody carries out. */
  underWay(): Item[] {
    const queued: Item[] = []
    for (const item of this.#slots) {
      const isUnderWay = item?.state === 'started' && item.kind !== 'session'
      if (isUnderWay && !item.isOvertaking) queued.push(item)
    }
    return [...this.#overtaking, ...queued]
  }

  #leaveInOrder(): Item | undefined {
    for (; this.#toLeave < this.#end; this.#passLeave()) {
      const item = this.#at(this.#toLeave)
      if (item === undefined || item.isOvertaking) continue
      if (item.state !== 'answered') return undefined
      this.#passLeave()
      return item
    }
    return undefined
  }

  #at(place: number): Item | undefined {
    return this.#slots[place & (this.#slots.length - 1)]
  }

  #passStart(): void {
    if (this.#toStart < this.#toLeave) this.#forget(this.#toStart)
    this.#toStart++
  }

  #passLeave(): void {
    if (this.#toLeave < this.#toStart) this.#forget(this.#toLeave)
    this.#toLeave++
  }

  /** Nobody comes to this place any more: its request may hold a large value. */
  #forget(place: number): void {
    this.#slots[place & (this.#slots.length - 1)] = undefined
  }

  #grow(): void {
    const larger = emptySlots<Item>(this.#slots.length * 2)
    for (let place = Math.min(this.#toStart, this.#toLeave); place < this.#end; place++) {
      larger[place & (larger.length - 1)] = this.#at(place)
    }
    this.#slots = larger
  }
}

function emptySlots<Item>(count: number): (Item | undefined)[] {
  return Array.from({ length: count }, () => undefined)
}
