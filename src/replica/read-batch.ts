/**
 * Reads that belong together: those that one node's clients asked in one turn. They wait, travel and become ready as
 * one, so that what a read costs beyond looking up its key is shared by all of them.
 */
import type { LogIndex } from '../base/ids.js'
import { replyBytes } from '../kv/operations.js'
import { isWalk, type Walk } from '../kv/walk.js'
import type { Request, Response } from '../protocol/request.js'
import type { ReadRequest } from './reader.js'

/** What answering a batch needs to know of it. Its reads are answered in their order. */
export interface ReadBatch {
  /** Under which Raft knows it. */
  readonly token: number
  readonly requests: readonly ReadRequest[]
  /** It is one read that walks over all keys, in steps. */
  readonly isWalk: boolean
  /** How many of the reads are answered. */
  answered: number
  /** The others may be answered here once this is applied; undefined while that is not known. */
  index: LogIndex | undefined
  /** The index is that of an entry that told the time, on account of this batch. */
  isTimed: boolean
  /** How far its walk is. */
  walk: Walk | undefined
}

/** Whether a read goes over all keys, and so takes steps: those have a request of their own. */
export function isWalking(request: Request): boolean {
  if (request.op !== 'redis-read' || request.operations.length !== 1) return false
  const [only] = request.operations
  return only !== undefined && isWalk(only)
}

/** About how much a request takes in a message, beyond a few names. */
export function requestBytes(request: ReadRequest): number {
  switch (request.op) {
    case 'get':
      return request.key.length
    case 'keys':
      return request.prefix.length + request.after.length
    case 'redis-read': {
      let bytes = 0
      for (const operation of request.operations) {
        if ('key' in operation) bytes += operation.key.length
        else if ('keys' in operation) for (const key of operation.keys) bytes += key.length
        else if ('pattern' in operation) bytes += operation.pattern.length
      }
      return bytes
    }
  }
}

/** About how much an answer takes in a message. */
export function responseBytes(response: Response): number {
  if (response.kind === 'value') return response.value.length
  if (response.kind === 'redis') {
    let bytes = 0
    for (const reply of response.replies) bytes += replyBytes(reply)
    return bytes
  }
  if (response.kind !== 'keys') return 0
  return response.keys.reduce((total, key) => total + key.length, 0)
}
