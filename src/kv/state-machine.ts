/**
 * The state machine: applies decided commands to the table, in the order of the log. What it holds beside the
 * table (the clock and the sessions) travels in every checkpoint and snapshot.
 *
 * What must always hold:
 * - the same entries give the same table, clock and sessions on every node;
 * - the clock is the largest wall time applied, and never goes back; it alone decides what has expired.
 */
import { type Command, decodeProposal, type Identity } from './command.js'
import { NamedWrites } from './named-writes.js'
import { type Result, Sessions, type Verdict } from './sessions.js'
import type { Table, TableRecord } from './table.js'

/** What applying one entry came to. */
export interface Applied {
  readonly identity: Identity
  readonly outcome: { readonly kind: 'result'; readonly result: Result } | Exclude<Verdict, { kind: 'apply' }>
}

export class StateMachine {
  readonly #table: Table
  readonly #sessions = new Sessions()
  readonly #named = new NamedWrites()
  #clockMs = 0

  constructor(table: Table) {
    this.#table = table
  }

  /** Log time: the largest wall time applied, in milliseconds since 1970. */
  get clockMs(): number {
    return this.#clockMs
  }

  get sessions(): Sessions {
    return this.#sessions
  }

  /**
   * Applies the data of the command entry at `index`. Undefined where the bytes are no command: such an entry
   * changes nothing, on any node.
   */
  apply(index: number, data: Uint8Array): Applied | undefined {
    const proposal = decodeProposal(data)
    if (proposal === undefined) return undefined
    const { wallMs, identity, command } = proposal
    if (wallMs > this.#clockMs) this.#clockMs = wallMs
    const verdict = this.#sessions.judge(identity, this.#clockMs)
    if (verdict.kind !== 'apply') return { identity, outcome: verdict }
    const result = this.#carryOutOnce(index, command)
    this.#sessions.record(identity, this.#clockMs, result)
    return { identity, outcome: { kind: 'result', result } }
  }

  get(key: string): TableRecord | undefined {
    return this.#table.get(key)
  }

  keys(prefix: string, after: string, limit: number): string[] {
    return this.#table.keys(prefix, after, limit)
  }

  /** What belongs into a checkpoint beside the table. */
  save(): unknown {
    return { clockMs: this.#clockMs, sessions: this.#sessions.save(this.#clockMs), named: this.#named.save() }
  }

  /** Takes over what {@link save} gave, after the table was replaced. */
  load(saved: unknown): void {
    // It is what save() gave, here or on a member that runs the same version.
    const { clockMs, sessions, named } = saved as { clockMs: number; sessions: unknown; named: unknown }
    this.#clockMs = clockMs
    this.#sessions.load(sessions)
    this.#named.load(named)
  }

  /** A write that its client named is carried out the first time, and answered the same ever after. */
  #carryOutOnce(index: number, command: Command): Result {
    const { identity } = command
    if (identity === undefined) return this.#carryOut(index, command)
    const first = this.#named.result(identity, this.#clockMs)
    if (first !== undefined) return first
    const result = this.#carryOut(index, command)
    this.#named.record(identity, this.#clockMs, result)
    return result
  }

  #carryOut(index: number, command: Command): Result {
    const { key } = command
    const existing = this.#table.get(key)
    switch (command.op) {
      case 'put':
        if (existing !== undefined) return { kind: 'refused', code: 'KEY_EXISTS' }
        break
      case 'set':
        break
      case 'update':
      case 'delete':
        if (existing === undefined) return { kind: 'refused', code: 'KEY_NOT_FOUND' }
        break
      case 'cas': {
        const current = existing?.version ?? 0
        if (current === command.version) break
        if (existing === undefined) return { kind: 'refused', code: 'KEY_NOT_FOUND' }
        return { kind: 'refused', code: 'VERSION_MISMATCH', current }
      }
    }
    if (command.op === 'delete') {
      this.#table.delete(key)
      return { kind: 'written', version: 0 }
    }
    this.#table.set(key, { value: command.value, version: index, expiresAt: undefined })
    const written = { kind: 'written', version: index } as const
    return command.op === 'set' ? { ...written, existed: existing !== undefined } : written
  }
}
