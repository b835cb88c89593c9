/**
 * The writes of this node's clients, on their way to the ring. Writes of one key go one after the other, so that
 * those of one connection take effect in the order sent; a write that replaces what is there reads first.
 */
import type { RequestId } from '../base/ids.js'
import { failure, type Response } from '../protocol/request.js'
import type { RingWrite } from '../protocol/ring-request.js'
import type { RingAnswer, RingRequest } from '../ring/types.js'
import { type AnswerLimits, answered } from './ring-answers.js'

interface Waiting {
  readonly id: RequestId
  readonly write: RingWrite
  readonly expiresAtTick: number
}

/** Bounds of what waits here. */
export interface KeyWritesLimits extends AnswerLimits {
  /** Writes that wait or are under way; beyond, they are refused. */
  readonly requestsMax: number
  /** All writes go through a leader, which reads before it writes. */
  readonly isOrdered: boolean
}

/** See the head of this file. */
export class KeyWrites {
  readonly #ask: (request: RingRequest, done: (answer: RingAnswer) => void) => void
  readonly #answer: (id: RequestId, response: Response) => void
  readonly #limits: KeyWritesLimits
  /** By key: the write that is under way is not among them. A key with none under way is not here. */
  readonly #waiting = new Map<string, Waiting[]>()
  #size = 0

  constructor(
    ask: (request: RingRequest, done: (answer: RingAnswer) => void) => void,
    answer: (id: RequestId, response: Response) => void,
    limits: KeyWritesLimits,
  ) {
    this.#ask = ask
    this.#answer = answer
    this.#limits = limits
  }

  /** Writes that were taken and not answered yet. */
  get size(): number {
    return this.#size
  }

  /** Takes a write; one whose turn has not come at that tick is refused. */
  add(id: RequestId, write: RingWrite, expiresAtTick: number): void {
    if (this.#size >= this.#limits.requestsMax) {
      this.#answer(id, failure('BUSY'))
      return
    }
    this.#size++
    // The bytes are the reader's own until the answer; what the ring keeps must not hold its whole buffer.
    const value = write.value === undefined ? undefined : Buffer.from(write.value)
    const taken = { id, write: { ...write, value }, expiresAtTick }
    const others = this.#waiting.get(write.key)
    if (others !== undefined) {
      others.push(taken)
      return
    }
    this.#waiting.set(write.key, [])
    this.#begin(taken)
  }

  /** Refuses what has waited too long: it has not been begun, so that nothing was done. */
  expire(tick: number): void {
    for (const [key, waiting] of this.#waiting) {
      const [first] = waiting
      // In the order of arrival, which is that of expiry.
      if (first === undefined || first.expiresAtTick > tick) continue
      for (const { id } of waiting.filter(({ expiresAtTick }) => expiresAtTick <= tick)) {
        this.#finish(id, failure('BUSY'))
      }
      this.#waiting.set(
        key,
        waiting.filter(({ expiresAtTick }) => expiresAtTick > tick),
      )
    }
  }

  #begin({ id, write }: Waiting): void {
    const { key, verb, value, quorum, context, identity } = write
    if (this.#limits.isOrdered) {
      this.#ask({ op: 'change', verb, key, value, identity }, answer => {
        this.#end(id, key, answered(answer, this.#limits))
      })
      return
    }
    if (context !== undefined || verb === 'put') {
      this.#write(id, write, context)
      return
    }
    this.#ask({ op: 'read', key, quorum }, found => {
      if (found.kind !== 'versions') this.#end(id, key, answered(found, this.#limits))
      else if (found.versions.length === 0 && verb !== 'set') this.#end(id, key, failure('KEY_NOT_FOUND'))
      else this.#write(id, write, found.context === '' ? undefined : found.context)
    })
  }

  #write(id: RequestId, write: RingWrite, context: string | undefined): void {
    const { key, value, quorum, identity } = write
    this.#ask({ op: 'write', key, value, quorum, context, identity }, answer => {
      this.#end(id, key, answered(answer, this.#limits))
    })
  }

  /** Answers the write that was under way, and begins the next of that key. */
  #end(id: RequestId, key: string, response: Response): void {
    this.#finish(id, response)
    const next = this.#waiting.get(key)?.shift()
    if (next === undefined) this.#waiting.delete(key)
    else this.#begin(next)
  }

  #finish(id: RequestId, response: Response): void {
    this.#size--
    this.#answer(id, response)
  }
}
