/**
 * The simulated world: one queue of events and one loop that makes them happen, in one thread and without a
 * promise anywhere. Time passes only from event to event, so hours go by in seconds, and the same seed gives
 * the same run, event by event.
 *
 * What must always hold:
 * - nothing in a run depends on anything but the seed: no real clock, no chance of the machine's own;
 * - events happen in the order of their time, and among those of one time in the order in which they were added.
 */
import type { Random } from '../../src/base/random.js'
import { seededRandom } from '../../src/base/random.js'
import { EventLog } from './event-log.js'
import { EventQueue } from './event-queue.js'

/** Takes back an event that has not happened yet; harmless afterwards. */
export type Cancel = () => void

export class World {
  /** The run's source of chance. Parts of the world take a fork each, so that they do not disturb one another. */
  readonly random: Random
  readonly events: EventLog
  readonly #queue = new EventQueue()
  #nowMs = 0
  #steps = 0
  #isHalted = false

  constructor(seed: number | string, events: EventLog = new EventLog()) {
    this.random = seededRandom(seed)
    this.events = events
  }

  /** True time in milliseconds from the start of the run, which no node can see. */
  nowMs(): number {
    return this.#nowMs
  }

  /** How many events have happened. */
  get steps(): number {
    return this.#steps
  }

  /** Makes `task` happen `delayMs` from now, behind what is already to happen at that time. */
  after(delayMs: number, task: () => void): Cancel {
    const event = this.#queue.push(this.#nowMs + Math.max(0, delayMs), task)
    return () => {
      event.task = undefined
    }
  }

  /** Writes a line into the run's log, with the time before it; `bytes` are shown behind it. */
  note(who: string, what: string, bytes?: Uint8Array): void {
    this.events.add(`${this.#nowMs.toFixed(3).padStart(11)} ${who.padEnd(4)} ${what}`, bytes)
  }

  /** Ends the run: nothing happens any more after the event that is happening now. */
  halt(): void {
    this.#isHalted = true
  }

  /**
   * Runs until true time reaches `timeMs`, or until `isDone` (asked after each event) says so. Returns whether
   * `isDone` did; after {@link halt} it is over at once.
   */
  runUntil(timeMs: number, isDone?: () => boolean): boolean {
    while (!this.#isHalted) {
      const next = this.#queue.peek()
      if (next === undefined || next.timeMs > timeMs) break
      this.#queue.pop()
      const task = next.task
      if (task === undefined) continue
      this.#nowMs = next.timeMs
      this.#steps++
      next.task = undefined
      task()
      if (isDone?.() === true) return true
    }
    if (!this.#isHalted) this.#nowMs = Math.max(this.#nowMs, timeMs)
    return false
  }
}
