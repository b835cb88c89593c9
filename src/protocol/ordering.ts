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

/** One request on its way. Made by {@link Ordering.push} and handed back to {@link Ordering.answered}. */
export interface Ticket<Item> {
  readonly item: Item
  readonly kind: RequestKind
}

/** A ticket as the class keeps it: links of one list, in the order of arrival. */
interface Link<Item> extends Ticket<Item> {
  readonly overtaking: boolean
  state: 'waiting' | 'started' | 'answered'
  next: Link<Item> | undefined
}

/** See the head of this file. One for each connection; `Item` is whatever stands for a request there. */
export class Ordering<Item> {
  #last: Link<Item> | undefined
  /** The first request that was not started; those before it were. */
  #toStart: Link<Item> | undefined
  /** The first request whose reply has not left, not counting those that overtake. */
  #toLeave: Link<Item> | undefined
  /** Answered requests that overtake, in the order of their answers. */
  readonly #overtakers: Link<Item>[] = []
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
  push(item: Item, kind: RequestKind, replies: 'in-order' | 'overtaking' = 'in-order'): Ticket<Item> {
    const link: Link<Item> = {
      item,
      kind,
      overtaking: replies === 'overtaking',
      state: kind === 'session' ? 'started' : 'waiting',
      next: undefined,
    }
    if (this.#last !== undefined) this.#last.next = link
    this.#last = link
    this.#toStart ??= link
    this.#toLeave ??= link
    this.#size++
    return link
  }

  /** The next request that may start now, which then counts as started; undefined if there is none. */
  start(): Ticket<Item> | undefined {
    while (this.#toStart !== undefined && this.#toStart.state !== 'waiting')
      this.#toStart = this.#toStart.next
    const link = this.#toStart
    if (link === undefined) {
      this.#forgetLast()
      return undefined
    }
    const isAlone = link.kind === 'admin' || link.kind === 'walk'
    const mayJoin = this.#running === 0 || (link.kind === this.#runningKind && !isAlone)
    if (!mayJoin) return undefined
    this.#runningKind = link.kind
    this.#running++
    link.state = 'started'
    this.#toStart = link.next
    return link
  }

  /** Notes that a started request has its answer, which may let others start and replies leave. */
  answered(ticket: Ticket<Item>): void {
    // Tickets are only made by `push`, which makes links.
    const link = ticket as Link<Item>
    assert(link.state === 'started', 'a request is started before it is answered, and answered once')
    link.state = 'answered'
    if (link.kind !== 'session') this.#running--
    if (link.overtaking) this.#overtakers.push(link)
  }

  /** The next request whose reply may leave now, which then counts as left; undefined if there is none. */
  leave(): Ticket<Item> | undefined {
    const overtaker = this.#overtakers.shift()
    if (overtaker !== undefined) {
      this.#size--
      return overtaker
    }
    while (this.#toLeave?.overtaking === true) this.#toLeave = this.#toLeave.next
    const link = this.#toLeave
    if (link?.state === 'answered') {
      this.#toLeave = link.next
      this.#size--
      return link
    }
    if (link === undefined) this.#forgetLast()
    return undefined
  }

  /** Lets go of the end of the list once nobody will come to it any more: it may hold a large value. */
  #forgetLast(): void {
    if (this.#toStart === undefined && this.#toLeave === undefined) this.#last = undefined
  }
}
