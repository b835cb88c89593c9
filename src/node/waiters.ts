/**
 * Who waits for the answers to requests. They come and go with every request, so they stand in slots by the lowest
 * bits of their numbers; the few whose requests outlive many others make room and move to a map.
 */
import { type RequestId, requestId } from '../base/ids.js'
import type { Receiver } from '../protocol/request.js'

/** More than are usually under way; a power of two. */
const slots = 1024

/** Numbers requests, and finds their receivers by the number, once each. */
export class Waiters {
  readonly #numbers: number[] = new Array<number>(slots).fill(0)
  readonly #receivers = new Array<Receiver | undefined>(slots).fill(undefined)
  readonly #others = new Map<number, Receiver>()
  #next = 1

  /** Takes in a receiver, and gives the number of its request, which no other has had; they go up. */
  add(receiver: Receiver): RequestId {
    const number = this.#next++
    const slot = number & (slots - 1)
    const older = this.#receivers[slot]
    if (older !== undefined) this.#others.set(this.#numbers[slot] ?? 0, older)
    this.#numbers[slot] = number
    this.#receivers[slot] = receiver
    return requestId(number)
  }

  /** The receiver of that number, which from now on is not here any more; undefined if it is not (any more). */
  take(number: RequestId): Receiver | undefined {
    const slot = number & (slots - 1)
    if (this.#numbers[slot] === number) {
      const receiver = this.#receivers[slot]
      this.#receivers[slot] = undefined
      return receiver
    }
    const receiver = this.#others.get(number)
    if (receiver !== undefined) this.#others.delete(number)
    return receiver
  }

  /** Everybody who waits, in the order of arrival; nobody waits here any more. */
  takeAll(): Receiver[] {
    const waiting = [...this.#others]
    this.#others.clear()
    for (const [slot, number] of this.#numbers.entries()) {
      const receiver = this.#receivers[slot]
      if (receiver === undefined) continue
      waiting.push([number, receiver])
      this.#receivers[slot] = undefined
    }
    return waiting.sort(([one], [other]) => one - other).map(([, receiver]) => receiver)
  }
}
