/** How operations become one request to the database, and its response their replies. */
import { isRead, type Operation, type ReadOperation, type Reply, type Watched } from '../../base/operation.js'
import type { DataRequest } from '../command.js'
import type { Failure, Response } from '../request.js'

/** A request for the backend, and how it is ordered among others of its connection. */
export interface OrderedRequest {
  readonly kind: 'read' | 'write'
  readonly request: DataRequest
}

/**
 * The one request that carries out the operations, as a whole; where a watched key has changed, it is answered
 * by the failure VERSION_MISMATCH instead. With `local` what only reads is answered from
 * the copy of the node that was asked. What the other dialects can ask, too, is asked as they do: it is shorter.
 */
export function dataRequest(
  operations: readonly Operation[],
  local: boolean,
  watched: readonly Watched[] = [],
): OrderedRequest {
  const only = operations.length === 1 && watched.length === 0 ? operations[0] : undefined
  const plain = only === undefined ? undefined : plainRequest(only, local)
  if (plain !== undefined) return plain
  const reads = operations.filter((operation): operation is ReadOperation => isRead(operation))
  if (reads.length < operations.length || watched.length > 0) {
    return { kind: 'write', request: { op: 'redis-write', operations, watched } }
  }
  return { kind: 'read', request: { op: 'redis-read', operations: reads, local } }
}

/** One reply for each of the operations, or why there is none. */
export function repliesOf(request: DataRequest, response: Response): readonly Reply[] | Failure {
  if (response.kind === 'redis') return response.replies
  const reply = replyOf(request, response)
  return isFailure(reply) ? reply : [reply]
}

/** The same for a single operation. */
export function replyOf(request: DataRequest, response: Response): Reply | Failure {
  switch (response.kind) {
    case 'redis':
      return response.replies[0] ?? unknown
    case 'value':
      return { kind: 'bytes', value: response.value }
    case 'written':
      return request.op === 'delete' ? { kind: 'integer', value: 1 } : ok
    case 'error':
      if (response.code !== 'KEY_NOT_FOUND') return response
      return request.op === 'delete' ? { kind: 'integer', value: 0 } : { kind: 'nil' }
    default:
      // No request made here is answered like this.
      return unknown
  }
}

/** A failure has a code, where the error of an operation has its text. */
export function isFailure(reply: Reply | Failure): reply is Failure {
  return reply.kind === 'error' && 'code' in reply
}

const unknown: Failure = { kind: 'error', code: 'OUTCOME_UNKNOWN' }
const ok: Reply = { kind: 'status', text: 'OK' }

/** What the other dialects can ask, too. */
function plainRequest(operation: Operation, local: boolean): OrderedRequest | undefined {
  if (operation.op === 'get') return { kind: 'read', request: { op: 'get', key: operation.key, local } }
  if (isPlainSet(operation)) {
    return { kind: 'write', request: { op: 'set', key: operation.key, value: operation.value } }
  }
  const key = operation.op === 'delete' && operation.keys.length === 1 ? operation.keys[0] : undefined
  return key === undefined ? undefined : { kind: 'write', request: { op: 'delete', key } }
}

type SetOperation = Extract<Operation, { op: 'set' }>

function isPlainSet(operation: Operation): operation is SetOperation {
  if (operation.op !== 'set') return false
  return operation.condition === undefined && operation.expiry === undefined && !operation.previous
}
