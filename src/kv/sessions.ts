/**
 * Request sessions: the memory that makes a write happen once (dissertation of D. Ongaro, section 6.3). The
 * commands of one session are numbered; each is applied in its order or not at all, and a repeat gets the
 * first answer.
 *
 * What must always hold:
 * - it depends on the log alone: the same entries give the same sessions on every node;
 * - a command is applied only if it is the next of its session, so none is applied twice or out of order;
 * - a session that was forgotten is never taken for a new one: its birth lies further back than the time for
 *   which idle sessions are remembered.
 */

import { present } from '../base/assert.js'
import { NumberedQueue } from '../base/numbered-queue.js'
import type { Reply } from '../base/operation.js'
import type { Identity } from './proposal.js'
import { decodeResult, encodeResult } from './result-codec.js'

/** The answer to an applied command. */
export type Result =
  /** `existed` says of `set` whether the key was there before. */
  | { readonly kind: 'written'; readonly version: number; readonly existed?: boolean }
  /** Operations of Redis were carried out; one reply for each. */
  | { readonly kind: 'replies'; readonly replies: readonly Reply[] }
  | { readonly kind: 'refused'; readonly code: 'KEY_EXISTS' | 'KEY_NOT_FOUND' }
  | { readonly kind: 'refused'; readonly code: 'VERSION_MISMATCH'; readonly current: number }
  | { readonly kind: 'refused'; readonly code: 'TOO_LARGE'; readonly limit: number }

/** What is to be done with a command. */
export type Verdict =
  | { readonly kind: 'apply' }
  /** It was applied before; this was the answer. */
  | { readonly kind: 'repeat'; readonly result: Result }
  /** It was answered before, or given up by its sender: nobody waits for it any more. */
  | { readonly kind: 'answered' }
  /** An earlier command of its session has not been applied yet. `expected` comes next. */
  | { readonly kind: 'gap'; readonly expected: number }
  /** Its session is not known (any more). */
  | { readonly kind: 'expired' }

interface Session {
  readonly name: string
  usedAtMs: number
  last: number
  /** Up to `last`, without a gap: a command that is not the next one gives up all before it. */
  readonly results: NumberedQueue<Result>
}

/** How long an idle session is remembered, in milliseconds of log time. */
export const sessionExpiryMs = 600_000

const applyIt: Verdict = { kind: 'apply' }

export class Sessions {
  readonly #sessions = new Map<string, Session>()
  #sweptAtMs = 0

  /** Says what is to be done with a command at log time `nowMs`, changing nothing. */
  judge(identity: Identity, nowMs: number): Verdict {
    const session = this.#living(identity.session, nowMs)
    if (session === undefined && nowMs - identity.bornMs > sessionExpiryMs) return { kind: 'expired' }
    const expected = Math.max((session?.last ?? 0) + 1, identity.lowest)
    if (identity.counter === expected) return applyIt
    if (identity.counter > expected) return { kind: 'gap', expected }
    const result = session?.results.get(identity.counter)
    return result === undefined ? { kind: 'answered' } : { kind: 'repeat', result }
  }

  /** Remembers the result of a command that {@link judge} let pass. */
  record(identity: Identity, nowMs: number, result: Result): void {
    let session = this.#living(identity.session, nowMs)
    if (session === undefined) {
      session = { name: identity.session, usedAtMs: 0, last: 0, results: new NumberedQueue(1) }
      this.#sessions.set(identity.session, session)
    }
    // A birth ahead of log time keeps the session that much longer, so that it is never forgotten while its
    // birth still looks recent.
    session.usedAtMs = Math.max(nowMs, identity.bornMs)
    session.last = identity.counter
    const { results } = session
    results.dropBelow(identity.lowest)
    if (results.next !== identity.counter) results.clear(identity.counter)
    results.push(result)
    if (nowMs - this.#sweptAtMs > sessionExpiryMs / 10) this.#sweep(nowMs)
  }

  /** The last counter applied for a session, 0 if it is not known. */
  last(session: string): number {
    return this.#sessions.get(session)?.last ?? 0
  }

  /** The remembered result of a command, if there is one. */
  result(session: string, counter: number): Result | undefined {
    return this.#sessions.get(session)?.results.get(counter)
  }

  /** All remembered results of a session, by counter, ascending. */
  results(session: string): readonly (readonly [counter: number, result: Result])[] {
    return [...(this.#sessions.get(session)?.results.entries() ?? [])]
  }

  /**
   * A plain value that {@link Sessions.load} reads, the same on every node at the same place of the log: what
   * has expired by log time `nowMs` is left out, whether this node has forgotten it yet or not.
   */
  save(nowMs: number): unknown {
    const living = [...this.#sessions.values()].filter(({ name }) => this.#living(name, nowMs) !== undefined)
    living.sort((left, right) => (left.name < right.name ? -1 : 1))
    return living.map(({ name, usedAtMs, last, results }) => {
      const encoded = [...results.entries()].map(([counter, result]) => [counter, encodeResult(result)])
      return [name, usedAtMs, last, encoded]
    })
  }

  /** Replaces everything by what {@link save} gave. */
  load(saved: unknown): void {
    this.#sessions.clear()
    this.#sweptAtMs = 0
    for (const [name, usedAtMs, last, encoded] of saved as [string, number, number, [number, unknown][]][]) {
      const results = new NumberedQueue<Result>(last + 1 - encoded.length)
      for (const [, result] of encoded) {
        results.push(present(decodeResult(result), 'a result that was saved'))
      }
      this.#sessions.set(name, { name, usedAtMs, last, results })
    }
  }

  #living(name: string, nowMs: number): Session | undefined {
    const session = this.#sessions.get(name)
    return session === undefined || nowMs - session.usedAtMs > sessionExpiryMs ? undefined : session
  }

  /** Forgets what {@link judge} no longer looks at; when it happens changes no answer. */
  #sweep(nowMs: number): void {
    this.#sweptAtMs = nowMs
    for (const [name, session] of this.#sessions) {
      if (nowMs - session.usedAtMs > sessionExpiryMs) this.#sessions.delete(name)
    }
  }
}
