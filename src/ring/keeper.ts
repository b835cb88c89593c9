/**
 * A node as the keeper of copies: what it does when others read, store and forward.
 *
 * What must always hold:
 * - records that were sent behind an old fence are not looked at;
 * - `stored` leaves when the records are durable;
 * - a forwarded write is carried out at most once by this start, whatever is repeated or late.
 */
import type { NodeId } from '../base/ids.js'
import type { Core } from './core.js'
import { plainAnswer } from './forwarding.js'
import type { Store, Write, WriteReply } from './messages.js'
import { Once } from './once.js'
import { decodeContext, readRecord, readValue } from './record-code.js'
import type { KeyRecord } from './versions.js'
import { type WriteResult, Writing } from './writing.js'

/** A forwarded write that is being worked on. */
interface Working {
  readonly to: NodeId
  readonly id: number
  readonly sinceTick: number
}

export class Keeper {
  readonly #core: Core
  readonly #once: Once
  #working: Working[] = []

  constructor(core: Core) {
    this.#core = core
    this.#once = new Once(core)
  }

  /** Whether somebody is to be told that his write is being worked on. */
  get isAwaited(): boolean {
    return this.#working.length > 0
  }

  /** Tells those who forwarded a write that it is being worked on, before they lose patience. */
  tick(): void {
    const { tick, options } = this.#core
    const isDue = ({ sinceTick }: Working): boolean => tick - sinceTick >= Math.floor(options.copyTicks / 3)
    for (const { to, id } of this.#working.filter(isDue)) {
      this.#core.sendNow(to, { kind: 'write-reply', id, answer: null })
    }
    if (this.#working.length > 0) this.#working = this.#working.filter(working => !isDue(working))
  }

  onStore(from: NodeId, { id, fence, rows }: Store): void {
    const core = this.#core
    if (fence !== core.fence) {
      if (id !== 0) core.sendNow(from, { kind: 'stale', id, fence: core.fence })
      return
    }
    const records = rows.map(({ record }) => readRecord(record))
    const kept = this.#mayKeep(rows) && records.every(record => record !== undefined)
    if (kept) {
      for (const [place, { key, owed }] of rows.entries()) core.keep(key, records[place] as KeyRecord, owed)
    }
    if (id !== 0) core.batches.sendWhenSaved(from, { kind: 'stored', id, kept })
  }

  onWrite(from: NodeId, message: Write): void {
    const core = this.#core
    if (message.fence !== core.fence) {
      core.sendNow(from, { kind: 'stale', id: message.id, fence: core.fence })
      return
    }
    const reply = (result: WriteResult): void => {
      this.#working = this.#working.filter(({ to, id }) => to !== from || id !== message.id)
      const answer: WriteReply = { kind: 'write-reply', id: message.id, answer: plainAnswer(result) }
      core.sendNow(from, answer)
    }
    const { key, quorum, identity, isRepeat } = message
    const value = readValue(message.value)
    const context = decodeContext(key, message.context)
    if (value === undefined || context === undefined || !this.#once.isFirst(from, message)) return
    if (core.isStopping) {
      reply({ kind: 'refused', reason: 'stopping' })
      return
    }
    if (core.operations.size > 4 * core.options.requestsMax) {
      reply({ kind: 'refused', reason: 'busy' })
      return
    }
    this.#working.push({ to: from, id: message.id, sinceTick: core.tick })
    const order = { key, value: value.value, context, needed: quorum, identity, isRepeat }
    new Writing(core, order, Math.min(message.ticks, core.options.requestTicks), reply)
  }

  /** A node whose disk is full keeps nothing, and what is for others only within bounds. */
  #mayKeep(rows: Store['rows']): boolean {
    const core = this.#core
    if (core.isFull || !core.isPart) return false
    const foreign = rows.filter(({ key }) => !core.shares.isMine(core.rangeOf(key)))
    return foreign.length === 0 || core.foreignRows + foreign.length <= core.options.hintsMax
  }
}
