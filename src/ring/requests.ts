/**
 * Clients' requests: checking them, having them carried out, and showing what came of it.
 *
 * What must always hold: each request is answered once, after `requestTicks` at the latest.
 */
import { present } from '../base/assert.js'
import type { RequestId } from '../base/ids.js'
import type { Core } from './core.js'
import { Crowding } from './crowding.js'
import { Following } from './following.js'
import { Forwarding, type ForwardResult } from './forwarding.js'
import { mergedValue, ruleFor } from './merge-rules.js'
import { Reading } from './reading.js'
import { decodeContext, encodeContext } from './record-code.js'
import type { LeaderOrder, Serving } from './serving.js'
import type { OrderedRequest, RingAnswer, RingRequest, RingWrite, ShownVersion } from './types.js'
import { contextOf, historyOf, type KeyRecord, noPast } from './versions.js'

export class Requests {
  readonly #core: Core
  readonly #serving: Serving | undefined
  readonly #open = new Set<RequestId>()
  readonly #forwards = new Set<number>()
  readonly #crowding: Crowding
  /** Also those whose client has gone away. */
  #underWay = 0
  #lastWrite = 0

  /** `serving` is there where all requests go through a leader. */
  constructor(core: Core, serving: Serving | undefined) {
    this.#core = core
    this.#serving = serving
    this.#crowding = new Crowding(core.options.versionsWarning)
  }

  get pending(): number {
    return this.#underWay
  }

  abandon(id: RequestId): void {
    this.#open.delete(id)
  }

  take(id: RequestId, request: RingRequest): void {
    this.#open.add(id)
    this.#underWay++
    const answer = (given: RingAnswer): void => {
      this.#underWay--
      if (this.#open.delete(id)) this.#core.answers.push({ id, answer: given })
    }
    const core = this.#core
    if (!core.isPart) {
      answer({ kind: 'refused', reason: 'not-a-member' })
      return
    }
    if (core.isStopping) {
      answer({ kind: 'refused', reason: 'stopping' })
      return
    }
    if (this.#underWay > core.options.requestsMax) {
      answer({ kind: 'refused', reason: 'busy' })
      return
    }
    if (request.op === 'get' || request.op === 'change') {
      this.#follow(request, answer)
      return
    }
    const needed = request.quorum ?? Math.floor(core.copies / 2) + 1
    if (!Number.isInteger(needed) || needed < 1 || needed > core.list.copies) {
      answer({ kind: 'refused', reason: 'invalid-quorum' })
      return
    }
    if (request.op === 'write') {
      this.#write(request, needed, answer)
      return
    }
    new Reading(core, request.key, needed, core.options.requestTicks, result => {
      if (result.kind !== 'read') {
        answer({ kind: 'quorum-not-met', reached: result.reached, needed, maybe: false })
        return
      }
      const shown = shownRecord(request.key, result.record)
      this.#crowding.seen(request.key, shown.versions.length)
      answer(shown)
    })
  }

  #follow(request: OrderedRequest, answer: (given: RingAnswer) => void): void {
    const core = this.#core
    const serving = present(this.#serving, 'a leader, through whom such requests go')
    const isRead = request.op === 'get'
    if (!isRead && (request.value?.length ?? 0) > core.options.valueBytesMax) {
      answer({ kind: 'refused', reason: 'value-too-large' })
      return
    }
    const order: LeaderOrder = isRead
      ? { verb: 'get', key: request.key, value: undefined, identity: '' }
      : {
          verb: request.verb,
          key: request.key,
          value: request.value,
          identity: request.identity ?? `${core.start}.${++this.#lastWrite}`,
        }
    new Following(core, serving, order, this.#forwards, answer)
  }

  #write(request: RingWrite, needed: number, answer: (given: RingAnswer) => void): void {
    const { key, value, identity } = request
    const core = this.#core
    const context = request.context === undefined ? noPast : decodeContext(key, request.context)
    if (context === undefined) {
      answer({ kind: 'refused', reason: 'invalid-context' })
      return
    }
    if (value !== undefined && value.length > core.options.valueBytesMax) {
      answer({ kind: 'refused', reason: 'value-too-large' })
      return
    }
    // Whoever names a write does so to repeat it.
    const isRepeat = identity !== undefined
    const name = identity ?? `${core.start}.${++this.#lastWrite}`
    const order = { key, value, context, needed, identity: name, isRepeat }
    new Forwarding(core, order, this.#forwards, result => answer(this.#shownResult(key, result)))
  }

  #shownResult(key: string, result: ForwardResult): RingAnswer {
    if (result.kind !== 'written') return result
    const { versions, context } = shownRecord(key, result.record)
    const crowded = versions.length >= this.#core.options.versionsWarning
    if (this.#crowding.written(key, versions.length)) {
      this.#core.events.push({ kind: 'crowded', key, versions: versions.length })
    }
    return { kind: 'written', versions, context, copies: result.copies, crowded }
  }
}

/** A record as clients see it: merged where the key has a rule, a write that was made twice shown once. */
export function shownRecord(
  key: string,
  record: KeyRecord,
): { kind: 'versions'; versions: readonly ShownVersion[]; context: string } {
  const context = encodeContext(key, contextOf(record))
  const rule = ruleFor(key)
  if (rule !== undefined) {
    const merged = mergedValue(rule, record)
    const writtenMs = Math.max(0, ...record.map(version => version.writtenMs))
    return {
      kind: 'versions',
      versions: merged === undefined ? [] : [{ value: merged.value, writtenMs, context }],
      context,
    }
  }
  const identities = new Set<string>()
  const versions: ShownVersion[] = []
  for (const version of record) {
    const { value, writtenMs, identity } = version
    if (value === undefined || (identity !== undefined && identities.has(identity))) continue
    if (identity !== undefined) identities.add(identity)
    versions.push({ value, writtenMs, context: encodeContext(key, historyOf(version)) })
  }
  return { kind: 'versions', versions, context }
}
