/**
 * How reads are answered from the state machine: which requests read, whether the passing of time would change an
 * answer, and the answer itself, which may take several steps.
 */
import { unreachable } from '../base/assert.js'
import type { ReadOperation } from '../base/operation.js'
import type { Random } from '../base/random.js'
import { ScanCursors } from '../kv/scan-cursors.js'
import type { StateMachine } from '../kv/state-machine.js'
import { beginWalk, isWalk, type Walk, type WalkGround } from '../kv/walk.js'
import { failure, type Request, type Response } from '../protocol/request.js'
import { toResponse } from './outbox.js'

/** A request that is answered from the data and changes nothing. */
export type ReadRequest = Extract<Request, { readonly op: 'get' | 'keys' | 'redis-read' }>

/** Whether a request only reads data. */
export function isReadRequest(request: Request): request is ReadRequest {
  return request.op === 'get' || request.op === 'keys' || request.op === 'redis-read'
}

/** What one step of answering came to: the answer, or what to go on with in a later turn. */
export type ReadStep = { readonly response: Response } | { readonly walk: Walk }

export class Reader {
  readonly #state: StateMachine
  readonly #ground: WalkGround

  constructor(state: StateMachine, random: Random) {
    this.#state = state
    this.#ground = {
      walk: (after, visitsMax) => state.walk(after, visitsMax),
      cursors: new ScanCursors(),
      pick: count => random.below(count),
    }
  }

  /** Answers, as far as one step goes; `walk` is what the last step of the same request left. */
  read(request: ReadRequest, walk: Walk | undefined, nowMs: number): ReadStep {
    switch (request.op) {
      case 'get': {
        const record = this.#state.get(request.key)
        if (record === undefined) return { response: failure('KEY_NOT_FOUND') }
        return { response: { kind: 'value', value: record.value, version: record.version } }
      }
      case 'keys': {
        const keys = this.#state.keys(request.prefix, request.after, request.limit + 1)
        return {
          response: {
            kind: 'keys',
            keys: keys.slice(0, request.limit),
            more: keys.length > request.limit,
          },
        }
      }
      case 'redis-read': {
        const under = walk ?? this.#begin(request.operations)
        if (under !== undefined) return takeStep(under)
        // What reads only puts no copies anywhere.
        return { response: toResponse(this.#state.read(request.operations, nowMs), 0) }
      }
      default:
        return unreachable(request)
    }
  }

  /** Whether the answer would be another one if log time were `nowMs` already. */
  isDue(request: ReadRequest, nowMs: number): boolean {
    if (nowMs <= this.#state.clockMs) return false
    const keys = keysOf(request)
    if (keys === 'all') return this.#state.hasExpired(nowMs)
    return keys.some(key => this.#state.isDue(key, nowMs))
  }

  /** Something that walks has a request of its own. */
  #begin(operations: readonly ReadOperation[]): Walk | undefined {
    const [only, more] = operations
    return more === undefined && only !== undefined && isWalk(only)
      ? beginWalk(only, this.#ground)
      : undefined
  }
}

function takeStep(walk: Walk): ReadStep {
  const walked = walk.step()
  switch (walked.kind) {
    case 'more':
      return { walk }
    case 'done':
      return { response: { kind: 'redis', replies: [walked.reply] } }
    case 'too-large':
      return { response: failure('TOO_LARGE', { limit: walked.limit }) }
    default:
      return unreachable(walked)
  }
}

function keysOf(request: ReadRequest): readonly string[] | 'all' {
  if (request.op === 'get') return [request.key]
  if (request.op === 'keys') return 'all'
  const keys: string[] = []
  for (const operation of request.operations) {
    if ('key' in operation) keys.push(operation.key)
    else if ('keys' in operation) keys.push(...operation.keys)
    else if (operation.op !== 'time') return 'all'
  }
  return keys
}
