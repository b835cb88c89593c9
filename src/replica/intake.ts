/**
 * The leader's side of forwarding: which of the writes that come in are proposed, and who waits for their
 * results. A session's writes are proposed in the order of their counters, each once in a term.
 */
import type { NodeId, Term } from '../base/ids.js'
import { encodeProposals } from '../kv/proposal.js'
import type { Result } from '../kv/sessions.js'
import type { StateMachine } from '../kv/state-machine.js'
import type { Forward, ForwardedWrite, ForwardRefused } from './messages.js'

interface SessionIntake {
  /** Who forwards for this session. */
  origin: NodeId
  /** The newest forward seen. */
  sequence: number
  /** The last counter proposed in this term. */
  proposed: number
  /** Whether the write that comes next was refused because the leader was busy. */
  isPutOff: boolean
}

/** The writes of a forward: those that were proposed before, and those that come next, up to one that is refused. */
interface Sorted {
  readonly known: readonly (readonly [number, Result])[]
  readonly fresh: readonly ForwardedWrite[]
  readonly refusal: { readonly reason: ForwardRefused['reason']; readonly next: number } | undefined
}

/** What came of a forward. */
export interface TakenIn {
  /** Results of repeats that were applied before. */
  readonly known: readonly (readonly [number, Result])[]
  readonly refused: ForwardRefused | undefined
}

export class Intake {
  readonly #term: Term
  readonly #sessions = new Map<string, SessionIntake>()
  /** Results for other nodes, gathered over a turn. */
  #results = new Map<NodeId, Map<string, [number, Result][]>>()

  constructor(term: Term) {
    this.#term = term
  }

  /**
   * Proposes what is new in a forward by calling `propose`, which says no by returning false. Undefined where
   * the forward is for another term, or older than one seen before.
   */
  take(
    from: NodeId,
    forward: Forward,
    wallMs: number,
    state: StateMachine,
    isDiskFull: boolean,
    propose: (data: Uint8Array) => boolean,
  ): TakenIn | undefined {
    if (forward.term !== this.#term) return undefined
    const { session, bornMs, lowest } = forward
    const intake = this.#sessions.get(session) ?? { origin: from, sequence: 0, proposed: 0, isPutOff: false }
    if (forward.sequence <= intake.sequence) return undefined
    this.#sessions.set(session, intake)
    intake.sequence = forward.sequence
    intake.origin = from

    const nowMs = Math.max(wallMs, state.clockMs)
    const { known, fresh, refusal } = this.#sort(forward, intake, nowMs, state, isDiskFull)
    const refuse = (reason: ForwardRefused['reason'], next: number): TakenIn => {
      const { term, sequence } = forward
      return {
        known,
        refused: { kind: 'forward-refused', term, sequence, session, next, reason, clockMs: nowMs },
      }
    }
    for (const { data, first, last } of encodeProposals(wallMs, { session, bornMs, lowest }, fresh)) {
      intake.isPutOff = !propose(data)
      if (intake.isPutOff) return refuse('busy', first)
      intake.proposed = last
    }
    return refusal === undefined ? { known, refused: undefined } : refuse(refusal.reason, refusal.next)
  }

  /** Which writes of a forward are to be proposed, and what stands behind them, if anything does. */
  #sort(
    { session, bornMs, lowest, writes }: Forward,
    intake: SessionIntake,
    nowMs: number,
    state: StateMachine,
    isDiskFull: boolean,
  ): Sorted {
    const known: [number, Result][] = []
    const fresh: ForwardedWrite[] = []
    const applied = state.sessions.last(session)
    let { proposed } = intake
    for (const write of writes) {
      const { counter } = write
      if (counter <= proposed || counter <= applied) {
        // Proposed before: applied with a result that may be remembered, or still on its way.
        const result = state.sessions.result(session, counter)
        if (result !== undefined) known.push([counter, result])
        continue
      }
      const expected = Math.max(proposed + 1, applied + 1, lowest)
      const refuse = (reason: ForwardRefused['reason']): Sorted => {
        return { known, fresh, refusal: { reason, next: expected } }
      }
      // Before the gap: one that comes of an earlier refusal is none that sending again would close.
      if (isDiskFull) return refuse('disk-full')
      if (
        proposed === 0 &&
        state.sessions.judge({ session, bornMs, counter, lowest }, nowMs).kind === 'expired'
      )
        return refuse('expired')
      if (counter > expected) return refuse(intake.isPutOff && fresh.length === 0 ? 'busy' : 'gap')
      fresh.push(write)
      proposed = counter
    }
    return { known, fresh, refusal: undefined }
  }

  /** A write of another node's session was applied. */
  noteResult(session: string, counter: number, result: Result): void {
    const intake = this.#sessions.get(session)
    if (intake === undefined) return
    let sessions = this.#results.get(intake.origin)
    if (sessions === undefined) {
      sessions = new Map()
      this.#results.set(intake.origin, sessions)
    }
    const results = sessions.get(session)
    if (results === undefined) sessions.set(session, [[counter, result]])
    else results.push([counter, result])
  }

  /** The results gathered since the last call, by node and session. */
  takeResults(): ReadonlyMap<NodeId, ReadonlyMap<string, readonly (readonly [number, Result])[]>> {
    const results = this.#results
    if (results.size > 0) this.#results = new Map()
    return results
  }
}
