/**
 * Every key that a request names, for a preset that says what may be one. Each new kind of request, and each new
 * operation of Redis, has to be thought of here: without that it does not compile.
 */
import { unreachable } from '../base/assert.js'
import { isRead, type Operation, type ReadOperation, type WriteOperation } from '../base/operation.js'
import type { Request } from '../protocol/request.js'

type KeyMap = (key: string) => string

/** The request with each of its keys replaced; patterns and prefixes are no keys, and stay. */
export function mapKeys(request: Request, map: KeyMap): Request {
  switch (request.op) {
    case 'get':
    case 'put':
    case 'update':
    case 'set':
    case 'delete':
    case 'cas':
    case 'read-versions':
    case 'write-version':
    case 'lookup':
      return { ...request, key: map(request.key) }
    case 'redis-read':
      return { ...request, operations: request.operations.map(operation => mapKeysOfRead(operation, map)) }
    case 'redis-write':
      return {
        ...request,
        operations: request.operations.map(operation => mapKeysOf(operation, map)),
        watched: request.watched.map(({ key, version }) => ({ key: map(key), version })),
      }
    case 'keys':
    case 'count':
    case 'status':
    case 'add-member':
    case 'move-member':
    case 'remove-member':
    case 'transfer-leader':
    case 'leave':
      return request
    default:
      return unreachable(request)
  }
}

function mapKeysOf(operation: Operation, map: KeyMap): Operation {
  return isRead(operation) ? mapKeysOfRead(operation, map) : mapKeysOfWrite(operation, map)
}

function mapKeysOfRead(operation: ReadOperation, map: KeyMap): ReadOperation {
  switch (operation.op) {
    case 'get':
    case 'strlen':
    case 'type':
    case 'getrange':
    case 'ttl':
      return { ...operation, key: map(operation.key) }
    case 'exists':
    case 'mget':
      return { ...operation, keys: operation.keys.map(map) }
    case 'keys':
    case 'scan':
    case 'randomkey':
    case 'dbsize':
    case 'expiring':
    case 'time':
      return operation
    default:
      return unreachable(operation)
  }
}

function mapKeysOfWrite(operation: WriteOperation, map: KeyMap): WriteOperation {
  switch (operation.op) {
    case 'set':
    case 'getdel':
    case 'persist':
    case 'getex':
    case 'append':
    case 'setrange':
    case 'increment':
    case 'increment-float':
    case 'expire':
      return { ...operation, key: map(operation.key) }
    case 'delete':
      return { ...operation, keys: operation.keys.map(map) }
    case 'mset':
      return { ...operation, pairs: operation.pairs.map(([key, value]) => [map(key), value] as const) }
    case 'rename':
      return { ...operation, from: map(operation.from), to: map(operation.to) }
    case 'flush':
      return operation
    default:
      return unreachable(operation)
  }
}
