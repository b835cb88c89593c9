/** MULTI, EXEC and what goes with them. */
import { type Failure, failure, type Response } from '../request.js'
import { keyOf, refusing } from './arguments.js'
import { askIfLeading } from './cluster-commands.js'
import type { RespCommandRow } from './command-row.js'
import {
  type CommandContext,
  type ConnectionCommandRow,
  noWatchedKeys,
  type Outcome,
  type Question,
  type SessionState,
  type WatchedKeys,
} from './conversation.js'
import { failureReply } from './failures.js'
import { errorReply, okReply, type RespReply } from './reply.js'
import { Transaction } from './transaction.js'

/** By name, in lower case. */
export const transactionCommands: Readonly<Record<string, ConnectionCommandRow>> = {
  multi: {
    ...row(1, ['fast'], '1.2.0', 'Begin a transaction'),
    inTransaction: 'at-once',
    run: (_words, context) => begin(context),
  },
  exec: {
    ...row(1, [], '1.2.0', 'Carry a transaction out, as one'),
    inTransaction: 'at-once',
    run: (_words, { state, host }) => {
      const { transaction, watched } = state
      if (transaction === undefined) return errorReply('ERR EXEC without MULTI')
      forget(state)
      const outcome = transaction.execute(state.isReadOnly && !watched.isWatching, watched, host.engine)
      if (outcome.kind !== 'ask' || outcome.order === 'read' || !state.isReadOnly) return outcome
      const { order, first } = outcome
      const begin = (): RespReply | Question => {
        const step = typeof first === 'function' ? first() : first
        return step.kind === 'question' ? askIfLeading(step, 0, host.address) : step
      }
      return { kind: 'ask', order, first: begin }
    },
  },
  discard: {
    ...row(1, ['fast'], '2.0.0', 'Drop a transaction'),
    inTransaction: 'at-once',
    run: (_words, { state }) => {
      if (state.transaction === undefined) return errorReply('ERR DISCARD without MULTI')
      forget(state)
      return okReply
    },
  },
  watch: {
    ...row(-2, ['fast'], '2.2.0', 'Let the next transaction fail if one of these keys changes before it'),
    keys: [1, -1, 1],
    inTransaction: 'at-once',
    run: (words, context) => watch(words.slice(1), context),
  },
  unwatch: {
    ...row(1, ['fast'], '2.2.0', 'Forget all watched keys'),
    run: (_words, { state }) => {
      state.watched = noWatchedKeys()
      return okReply
    },
  },
}

/** Ends a transaction and forgets what was watched for it. */
export function forget(state: SessionState): void {
  state.transaction = undefined
  state.watched = noWatchedKeys()
}

/** Whether reads may be answered from the node's own copy: never those that a watched key is compared with. */
export function mayBeStale({ isReadOnly, watched }: SessionState): boolean {
  return isReadOnly && !watched.isWatching
}

const commandsMax = 64 * 1024
/** Keys that a connection may watch at a time. */
const watchedMax = 1024

function row(arity: number, flags: readonly string[], since: string, summary: string): RespCommandRow {
  return {
    arity,
    flags: ['noscript', 'loading', 'stale', ...flags],
    keys: [0, 0, 0],
    group: 'transactions',
    since,
    summary,
  }
}

function begin({ state, host }: CommandContext): Outcome {
  if (state.transaction !== undefined) return errorReply('ERR MULTI calls can not be nested')
  state.transaction = new Transaction({ bytesMax: host.wordBytesMax + 64 * 1024, commandsMax })
  return okReply
}

/** Asks for the version of each key, one after the other. It is alone, so that reads that follow see no less. */
function watch(words: readonly Buffer[], { state, host }: CommandContext): Outcome {
  if (state.transaction !== undefined) return errorReply('ERR WATCH inside MULTI is not allowed')
  if (host.engine !== 'raft') {
    return failureReply(failure('ENGINE_MISMATCH', { command: 'watch', engine: 'raft' }))
  }
  const keys = refusing(() => words.map(keyOf))
  if ('kind' in keys) return keys
  const { watched } = state
  watched.isWatching = true
  if (watched.keys.size + keys.length > watchedMax) {
    watched.hasFailed = true
    return errorReply(`ERR Too many watched keys (limit ${watchedMax})`)
  }
  return { kind: 'ask', order: 'admin', first: () => nextVersion(keys, 0, watched) }
}

function nextVersion(keys: readonly string[], from: number, watched: WatchedKeys): RespReply | Question {
  // The version that was seen first counts: a later one would hide a change.
  let position = from
  while (watched.keys.has(keys[position] ?? '')) position++
  const key = keys[position]
  if (key === undefined) return okReply
  return {
    kind: 'question',
    request: { op: 'get', key, local: false },
    next: response => {
      const version = versionIn(response)
      if (typeof version !== 'number') {
        watched.hasFailed = true
        return failureReply(version)
      }
      watched.keys.set(key, { key, version })
      return nextVersion(keys, position + 1, watched)
    },
  }
}

/** The version that an answer tells of, 0 for a key that is not there; else why there is none. */
function versionIn(response: Response): number | Failure {
  if (response.kind === 'value') return response.version
  if (response.kind !== 'error') return failure('OUTCOME_UNKNOWN')
  return response.code === 'KEY_NOT_FOUND' ? 0 : response
}
