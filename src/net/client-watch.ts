/**
 * What one watching connection is still to be told. Bounded: events for which there is no room are dropped, and a
 * line says how many, where they would have stood.
 */
import type { ByteWriter } from '../protocol/byte-writer.js'
import { jsonEvent, jsonMissedEvents } from '../protocol/json-reply.js'
import type { ClusterEvent } from '../protocol/request.js'
import { eventText, missedEventsText } from '../protocol/text-reply.js'
import type { LineForm } from './client-exchange.js'

/** The events that wait for one connection. */
export class EventQueue {
  readonly #form: LineForm
  readonly #stop: () => void
  #lines = ''
  #missed = 0

  /** Events are told in this form; `stop` ends the watching. */
  constructor(form: LineForm, stop: () => void) {
    this.#form = form
    this.#stop = stop
  }

  /** How much is waiting, in bytes (but for names that are not ASCII). */
  get bytes(): number {
    return this.#lines.length
  }

  /** Adds what is to be told of an event, if it takes no more than `room`; whether there is anything to tell. */
  add(event: ClusterEvent, room: number): boolean {
    const form = this.#form
    const line = form.dialect === 'text' ? eventText(event) : jsonEvent(form.id, event)
    if (line === undefined) return false
    // Once one was dropped, the others wait for the line that says so.
    if (this.#missed > 0 || line.length > room) this.#missed++
    else this.#lines += line
    return true
  }

  /** Writes everything that waits. */
  writeTo(out: ByteWriter): void {
    if (this.#lines !== '') out.text(this.#lines)
    this.#lines = ''
    if (this.#missed === 0) return
    const form = this.#form
    const missed = this.#missed
    this.#missed = 0
    out.text(form.dialect === 'text' ? missedEventsText(missed) : jsonMissedEvents(form.id, missed))
  }

  stop(): void {
    this.#stop()
  }
}
