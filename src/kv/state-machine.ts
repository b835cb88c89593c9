/**
 * The state machine: applies decided commands to the table, in the order of the log. What it holds beside the
 * table (the clock and the sessions) travels in every checkpoint and snapshot.
 *
 * What must always hold:
 * - the same entries give the same table, clock and sessions on every node;
 * - the clock is the largest time applied, and never goes back; it alone decides what has expired;
 * - versions number the commands: each is one more than the last, and never below the index of its entry;
 * - a key that has expired is there for nobody, whether it was removed yet or not.
 *
 * Expired records are removed as entries are applied, a few with each and always those first that expired first.
 * One write adds few records that expire, so that they cannot pile up while there are writes; for the time when
 * there are none, the leader proposes the time alone.
 */
import type { ReadOperation, Reply } from '../base/operation.js'
import type { Command, RedisCommand, Write } from './command.js'
import { Draft, isExpired } from './draft.js'
import { NamedWrites } from './named-writes.js'
import { carryOut, type Readable, read, replyBytes, togetherBytesMax } from './operations.js'
import { RepeatedText } from './plain-proposal.js'
import { decodeProposal, type Identity } from './proposal.js'
import { type Result, Sessions, type Verdict } from './sessions.js'
import type { RecordHead, Table, TableRecord, WalkStep } from './table.js'

/** What applying one entry came to. */
export interface Applied {
  readonly identity: Identity
  readonly outcome: { readonly kind: 'result'; readonly result: Result } | Exclude<Verdict, { kind: 'apply' }>
}

/** Expired records that are removed with an entry that writes, and with one that tells the time alone. */
const removedPerWrite = 16
const removedPerTime = 500

export class StateMachine {
  readonly #table: Table
  readonly #sessions = new Sessions()
  readonly #named = new NamedWrites()
  readonly #session = new RepeatedText()
  #clockMs = 0
  /** Of the last command: versions grow by one with each, and are never below the index of its entry. */
  #version = 0
  /** At this time nothing that has expired is left: nothing is stored that has expired already. */
  #cleanAtMs = -1
  #writtenBytes = 0

  constructor(table: Table) {
    this.#table = table
  }

  /** Log time: the largest time applied, in milliseconds since 1970. */
  get clockMs(): number {
    return this.#clockMs
  }

  get sessions(): Sessions {
    return this.#sessions
  }

  /** Bytes of values that operations made since this node started: more than their entries have, perhaps. */
  get writtenBytes(): number {
    return this.#writtenBytes
  }

  /**
   * Applies the data of the command entry at `index`, and tells what each of its commands came to, in their order. Nobody
   * is told where the entry tells only the time, or its bytes are nothing that was ever proposed; those change nothing, on
   * any node. Returns how many commands there were.
   */
  apply(index: number, data: Uint8Array, told: (applied: Applied) => void): number {
    const proposal = decodeProposal(data, this.#session)
    if (proposal === undefined) return 0
    const { wallMs, writes } = proposal
    if (wallMs > this.#clockMs) this.#clockMs = wallMs
    if (writes === undefined) {
      this.#removeExpired(removedPerTime)
      return 0
    }
    const { identity, commands } = writes
    this.#removeExpired(removedPerWrite * commands.length)
    const { session, bornMs, lowest } = identity
    let { counter } = identity
    for (const command of commands) {
      this.#version = Math.max(this.#version + 1, index)
      told(this.#applyCommand({ session, bornMs, counter, lowest }, command))
      counter++
    }
    return commands.length
  }

  #applyCommand(identity: Identity, command: Command): Applied {
    const verdict = this.#sessions.judge(identity, this.#clockMs)
    if (verdict.kind !== 'apply') return { identity, outcome: verdict }
    const result = this.#carryOutOnce(this.#version, command)
    this.#sessions.record(identity, this.#clockMs, result)
    return { identity, outcome: { kind: 'result', result } }
  }

  get(key: string): TableRecord | undefined {
    const record = this.#table.get(key)
    return record !== undefined && isExpired(record, this.#clockMs) ? undefined : record
  }

  #head(key: string): RecordHead | undefined {
    const head = this.#table.head(key)
    return head !== undefined && isExpired(head, this.#clockMs) ? undefined : head
  }

  /** Up to `limit` keys that begin with `prefix` and follow `after`, in the order of their UTF-8 bytes. */
  keys(prefix: string, after: string, limit: number): string[] {
    const found: string[] = []
    let from = after
    for (;;) {
      const keys = this.#table.keys(prefix, from, limit - found.length)
      found.push(...this.#withoutExpired(keys))
      const last = keys.at(-1)
      if (last === undefined || found.length === limit) return found
      from = last
    }
  }

  /** A step of a walk over all keys. */
  walk(after: string, visitsMax: number): WalkStep {
    const { keys, next } = this.#table.walk(after, visitsMax)
    return { keys: this.#withoutExpired(keys), next }
  }

  /** Records in the table, those included that have expired and were not removed. */
  count(): number {
    return this.#table.count()
  }

  /** How many of them expire. */
  expiring(): number {
    return this.#table.expiring()
  }

  /** Answers operations that read and do not walk, from what `readable` shows of this state. */
  read(operations: readonly ReadOperation[], readable: Readable): Result {
    const replies: Reply[] = []
    let bytes = 0
    for (const operation of operations) {
      const reply = read(operation, readable)
      bytes += replyBytes(reply)
      if (bytes > togetherBytesMax && !isSingleValue(operations)) return tooLarge
      replies.push(reply)
    }
    return { kind: 'replies', replies }
  }

  /** Whether there are records, of any key, that have expired by then and were not removed. */
  hasExpired(nowMs: number): boolean {
    return this.#table.expired(nowMs, 1).length > 0
  }

  /** What belongs into a checkpoint beside the table. */
  save(): unknown {
    return {
      clockMs: this.#clockMs,
      version: this.#version,
      sessions: this.#sessions.save(this.#clockMs),
      named: this.#named.save(),
    }
  }

  /** Takes over what {@link save} gave, after the table was replaced. */
  load(saved: unknown): void {
    // It is what save() gave, here or on a member that runs the same version.
    const { clockMs, version, sessions, named } = saved as {
      clockMs: number
      version?: number
      sessions: unknown
      named: unknown
    }
    this.#clockMs = clockMs
    // Before versions were counted they were indexes, and the next command's index is above all of those.
    this.#version = version ?? 0
    this.#sessions.load(sessions)
    this.#named.load(named)
    this.#cleanAtMs = -1
  }

  #removeExpired(limit: number): void {
    // The writes of a batch have one time, so for most of them there is nothing to ask.
    if (this.#cleanAtMs === this.#clockMs) return
    const keys = this.#table.expired(this.#clockMs, limit)
    for (const key of keys) this.#table.delete(key)
    if (keys.length < limit) this.#cleanAtMs = this.#clockMs
  }

  #withoutExpired(keys: readonly string[]): readonly string[] {
    // Nearly always all that has expired was removed, and the records need not be looked at.
    if (!this.hasExpired(this.#clockMs)) return keys
    return keys.filter(key => this.get(key) !== undefined)
  }

  /** A write that its client named is carried out the first time, and answered the same ever after. */
  #carryOutOnce(index: number, command: Command): Result {
    if (command.op === 'redis') return this.#carryOutTogether(index, command)
    const { identity } = command
    if (identity === undefined) return this.#carryOut(index, command)
    const first = this.#named.result(identity, this.#clockMs)
    if (first !== undefined) return first
    const result = this.#carryOut(index, command)
    this.#named.record(identity, this.#clockMs, result)
    return result
  }

  /** All of the operations, of which some may be refused, or none at all. */
  #carryOutTogether(index: number, { operations, watched }: RedisCommand): Result {
    for (const { key, version } of watched) {
      const current = this.get(key)?.version ?? 0
      if (current !== version) return { kind: 'refused', code: 'VERSION_MISMATCH', current }
    }
    const draft = new Draft(this.#table, this.#clockMs, index)
    const replies: Reply[] = []
    let bytes = 0
    for (const operation of operations) {
      const reply = carryOut(operation, draft)
      bytes += replyBytes(reply)
      if (bytes > togetherBytesMax || (draft.bytes > togetherBytesMax && operations.length > 1))
        return tooLarge
      replies.push(reply)
    }
    draft.commit()
    this.#writtenBytes += draft.bytes
    return { kind: 'replies', replies }
  }

  #carryOut(index: number, command: Write): Result {
    const { key } = command
    const existing = this.#head(key)
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
    this.#writtenBytes += command.value.length
    return command.op === 'set'
      ? { kind: 'written', version: index, existed: existing !== undefined }
      : { kind: 'written', version: index }
  }
}

const tooLarge: Result = { kind: 'refused', code: 'TOO_LARGE', limit: togetherBytesMax }

/** One value is answered however large it is, as it could be stored. */
function isSingleValue(operations: readonly ReadOperation[]): boolean {
  const [only, more] = operations
  return more === undefined && only?.op !== 'mget'
}
