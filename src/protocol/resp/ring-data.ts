/**
 * What Redis clients may ask of the ring engine: GET, SET and DEL. A key may have several versions there, of which
 * they are shown the newest; a SET replaces all that a GET would have seen, and a DEL removes it.
 */
import type { Operation } from '../../base/operation.js'
import { failure } from '../request.js'
import type { RingVersion } from '../ring-request.js'
import type { Outcome, Question } from './conversation.js'
import { failureReply } from './failures.js'
import { integerReply } from './reply.js'

/** What an operation comes to on the ring; `name` is the command's. */
export function askRing(operation: Operation, name: string): Outcome {
  switch (operation.op) {
    case 'get':
      return { kind: 'ask', order: 'read', first: get(operation.key) }
    case 'set': {
      const option = optionOf(operation)
      if (option === undefined) {
        return { kind: 'ask', order: 'write', first: set(operation.key, operation.value) }
      }
      // Without its option the command is there, so it is the option that is told of.
      return needsRaft(name === 'set' ? `set ${option}` : name)
    }
    case 'delete':
      // One after the other, so that the reply can count them.
      return { kind: 'ask', order: 'admin', first: remove(operation.keys, 0, 0) }
    default:
  }
  return needsRaft(name)
}

function needsRaft(command: string): Outcome {
  return failureReply(failure('ENGINE_MISMATCH', { command, engine: 'raft' }))
}

/** One of the options that a SET was given, which the ring has none of. */
function optionOf(operation: Extract<Operation, { op: 'set' }>): string | undefined {
  const { condition, expiry, previous } = operation
  if (condition !== undefined) return condition === 'absent' ? 'nx' : 'xx'
  if (expiry !== undefined) return expiry === 'keep' ? 'keepttl' : 'ex'
  return previous ? 'get' : undefined
}

function get(key: string): Question {
  return {
    kind: 'question',
    request: { op: 'read-versions', key, quorum: undefined },
    next: response => {
      if (response.kind === 'error' && response.code !== 'KEY_NOT_FOUND') return failureReply(response)
      // A ring that keeps one version of a key answers with it.
      if (response.kind === 'value') return { kind: 'bytes', value: response.value }
      const version = response.kind === 'versions' ? newest(response.versions) : undefined
      return version === undefined ? { kind: 'nil' } : { kind: 'bytes', value: version.value }
    },
  }
}

function set(key: string, value: Uint8Array): Question {
  return {
    kind: 'question',
    request: { op: 'write-version', verb: 'set', key, value, ...asUsual },
    next: response => (response.kind === 'error' ? failureReply(response) : { kind: 'status', text: 'OK' }),
  }
}

/** Removes the keys from this position on; so many were removed before. */
function remove(keys: readonly string[], position: number, removed: number): Question {
  const key = keys[position] ?? ''
  return {
    kind: 'question',
    request: { op: 'write-version', verb: 'delete', key, value: undefined, ...asUsual },
    next: response => {
      if (response.kind === 'error' && response.code !== 'KEY_NOT_FOUND') return failureReply(response)
      const count = removed + (response.kind === 'error' ? 0 : 1)
      return position + 1 < keys.length ? remove(keys, position + 1, count) : integerReply(count)
    },
  }
}

/** The usual quorum; what is there is read first and replaced; the node names the write. */
const asUsual = { quorum: undefined, context: undefined, identity: undefined } as const

/** Of versions that stand side by side the one written last, by the clocks of their writers; then by their order. */
function newest(versions: readonly RingVersion[]): RingVersion | undefined {
  return versions.reduce<RingVersion | undefined>(
    (best, version) => (best === undefined || version.writtenMs >= best.writtenMs ? version : best),
    undefined,
  )
}
