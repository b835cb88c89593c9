/**
 * How reads are answered from the state machine: which requests read, whether the passing of time would change an
 * answer, and the answer itself, which may take several steps. A key is looked up once for all of that.
 */
import { assert, unreachable } from '../base/assert.js'
import type { ReadOperation } from '../base/operation.js'
import type { Random } from '../base/random.js'
import type { Readable } from '../kv/operations.js'
import { ScanCursors } from '../kv/scan-cursors.js'
import type { StateMachine } from '../kv/state-machine.js'
import type { TableRecord } from '../kv/table.js'
import { beginWalk, isWalk, type Walk, type WalkGround } from '../kv/walk.js'
import { failure, type Request, type Response } from '../protocol/request.js'
import { toResponse } from './outbox.js'
import { isWalking } from './read-batch.js'

/** A request that is answered from the data and changes nothing. */
export type ReadRequest = Extract<Request, { readonly op: 'get' | 'keys' | 'redis-read' }>

/** Whether a request only reads data. */
export function isReadRequest(request: Request): request is ReadRequest {
  return request.op === 'get' || request.op === 'keys' || request.op === 'redis-read'
}

/** What one step of answering came to: the answer, or what to go on with in a later turn. */
export type ReadStep = Response | { readonly walk: Walk }

export class Reader {
  readonly #state: StateMachine
  readonly #ground: WalkGround
  readonly #readable: TimedState

  constructor(state: StateMachine, random: Random) {
    this.#state = state
    this.#readable = new TimedState(state)
    this.#ground = {
      walk: (after, visitsMax) => state.walk(after, visitsMax),
      cursors: new ScanCursors(),
      pick: count => random.below(count),
    }
  }

  /**
   * Answers, as far as one step goes; `walk` is what the last step of the same request left, and `nowMs` the time that
   * is told. Where the answer would be another one if log time were `dueMs` already, it is `due` instead.
   */
  read(
    request: ReadRequest,
    walk: Walk | undefined,
    nowMs: number,
    dueMs: number | undefined,
  ): ReadStep | 'due' {
    const readable = this.#readable
    readable.begin(nowMs, dueMs)
    switch (request.op) {
      case 'get': {
        const record = readable.get(request.key)
        if (readable.isDue) return 'due'
        if (record === undefined) return notFound
        return { kind: 'value', value: record.value, version: record.version }
      }
      case 'keys': {
        if (readable.isAnyDue()) return 'due'
        const keys = this.#state.keys(request.prefix, request.after, request.limit + 1)
        return { kind: 'keys', keys: keys.slice(0, request.limit), more: keys.length > request.limit }
      }
      case 'redis-read': {
        if (walk !== undefined) return takeStep(walk)
        if (isWalking(request)) return readable.isAnyDue() ? 'due' : takeStep(this.#begin(request.operations))
        const result = this.#state.read(request.operations, readable)
        // What reads only puts no copies anywhere.
        return readable.isDue ? 'due' : toResponse(result, 0)
      }
      default:
        return unreachable(request)
    }
  }

  /** Something that walks has a request of its own. */
  #begin([only]: readonly ReadOperation[]): Walk {
    assert(only !== undefined && isWalk(only), 'a request that walks')
    return beginWalk(only, this.#ground)
  }
}

const notFound = failure('KEY_NOT_FOUND')

/**
 * What operations read, at a moment whose time is told as `nowMs`. It notes whether anything that they see would be
 * gone if log time were as late as another time.
 */
class TimedState implements Readable {
  readonly #state: StateMachine
  nowMs = 0
  isDue = false
  #dueMs = 0

  constructor(state: StateMachine) {
    this.#state = state
  }

  begin(nowMs: number, dueMs: number | undefined): void {
    this.nowMs = nowMs
    this.isDue = false
    this.#dueMs = dueMs ?? 0
  }

  get(key: string): TableRecord | undefined {
    const record = this.#state.get(key)
    if (record?.expiresAt !== undefined && record.expiresAt <= this.#dueMs) this.isDue = true
    return record
  }

  count(): number {
    if (this.isAnyDue()) this.isDue = true
    return this.#state.count()
  }

  expiring(): number {
    if (this.isAnyDue()) this.isDue = true
    return this.#state.expiring()
  }

  /** Whether it holds for any key at all. */
  isAnyDue(): boolean {
    return this.#dueMs > this.#state.clockMs && this.#state.hasExpired(this.#dueMs)
  }
}

function takeStep(walk: Walk): ReadStep {
  const walked = walk.step()
  switch (walked.kind) {
    case 'more':
      return { walk }
    case 'done':
      return { kind: 'redis', replies: [walked.reply] }
    case 'too-large':
      return failure('TOO_LARGE', { limit: walked.limit })
    default:
      return unreachable(walked)
  }
}
