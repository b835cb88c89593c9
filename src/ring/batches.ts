/**
 * What waits for the disk: rows that changed, messages that speak for them, and whoever goes on when they are durable.
 * One batch at most is being made durable; what comes meanwhile forms the next one.
 */
import { assert } from '../base/assert.js'
import type { NodeId } from '../base/ids.js'
import type { RingMessage } from './messages.js'
import type { RingOutgoing, RingRows, RingSaved } from './types.js'

/** See the head of this file. */
export class Batches {
  readonly #rows: RingRows
  #changed = new Map<string, Uint8Array | undefined>()
  #toSend: RingOutgoing[] = []
  /** What to do once the batch that is being put together is durable. */
  #whenSaved: (() => void)[] = []
  /** The same for the batch that is being made durable, if there is one. */
  #whenSaving: (() => void)[] | undefined

  constructor(rows: RingRows) {
    this.#rows = rows
  }

  /** A row was changed. */
  noteRow(rowKey: string, value: Uint8Array | undefined): void {
    this.#changed.set(rowKey, value)
  }

  /** Keeps something plain in a row of its own; undefined removes it. */
  saveRow(rowKey: string, plain: unknown): void {
    const value = plain === undefined ? undefined : Buffer.from(JSON.stringify(plain))
    if (value === undefined) this.#rows.delete(rowKey)
    else this.#rows.set(rowKey, value)
    this.noteRow(rowKey, value)
  }

  /** What {@link saveRow} was given last for that row; undefined for nothing. */
  readRow(rowKey: string): unknown {
    const bytes = this.#rows.get(rowKey)
    return bytes === undefined ? undefined : JSON.parse(Buffer.from(bytes).toString())
  }

  /** Sends when everything that was changed so far is durable. */
  sendWhenSaved(to: NodeId, message: RingMessage): void {
    this.#toSend.push({ to, message })
  }

  /** Calls `then` when everything that was changed so far is durable. */
  whenSaved(then: () => void): void {
    this.#whenSaved.push(then)
  }

  /** The batch that is to be made durable next; undefined while the last one is not. */
  take(): { save: RingSaved[]; send: RingOutgoing[] } | undefined {
    if (this.#whenSaving !== undefined) return undefined
    // With nothing to save, what waits for it need not wait.
    while (this.#changed.size === 0 && this.#whenSaved.length > 0) {
      const ready = this.#whenSaved
      this.#whenSaved = []
      for (const then of ready) then()
    }
    const save = [...this.#changed].map(([rowKey, value]) => ({ rowKey, value }))
    const send = this.#toSend
    this.#toSend = []
    if (save.length > 0) {
      this.#whenSaving = this.#whenSaved
      this.#whenSaved = []
      this.#changed = new Map()
    }
    return { save, send }
  }

  /** The batch that was taken last is durable. */
  saved(): void {
    const ready = this.#whenSaving
    assert(ready !== undefined, 'something was being saved')
    this.#whenSaving = undefined
    for (const then of ready) then()
  }
}
