/** Results and replies as they stand in messages and checkpoints: plain data for JSON. */
import type { Reply } from '../base/operation.js'
import type { Result } from './sessions.js'
import { decodeValue, encodeValue } from './value-codec.js'

/** Plain data for JSON. */
export function encodeResult(result: Result): unknown {
  return result.kind === 'replies' ? { ...result, replies: result.replies.map(encodeReply) } : result
}

/** Reads what {@link encodeResult} made, as it comes out of JSON; undefined if it is anything else. */
export function decodeResult(plain: unknown): Result | undefined {
  const { kind, version, existed, code, current, limit, replies } = asRecord(plain)
  if (kind === 'written') {
    if (!isCount(version)) return undefined
    if (existed === undefined) return { kind, version }
    return typeof existed === 'boolean' ? { kind, version, existed } : undefined
  }
  if (kind === 'replies') {
    const decoded = decodeReplies(replies)
    return decoded && { kind, replies: decoded }
  }
  if (kind !== 'refused') return undefined
  if (code === 'KEY_EXISTS' || code === 'KEY_NOT_FOUND') return { kind, code }
  if (code === 'VERSION_MISMATCH') return isCount(current) ? { kind, code, current } : undefined
  return code === 'TOO_LARGE' && isCount(limit) ? { kind, code, limit } : undefined
}

/** Plain data for JSON. */
export function encodeReply(reply: Reply): unknown {
  switch (reply.kind) {
    case 'bytes':
      return { kind: reply.kind, value: encodeValue(reply.value) }
    case 'integer':
      return typeof reply.value === 'bigint' ? { kind: reply.kind, value: reply.value.toString() } : reply
    case 'list':
      return { kind: reply.kind, items: reply.items.map(encodeReply) }
    default:
      return reply
  }
}

/** Reads a list of what {@link encodeReply} made; undefined if it is anything else. */
export function decodeReplies(plain: unknown): readonly Reply[] | undefined {
  if (!Array.isArray(plain)) return undefined
  const replies = plain.map(decodeReply).filter(reply => reply !== undefined)
  return replies.length === plain.length ? replies : undefined
}

function decodeReply(plain: unknown): Reply | undefined {
  const { kind, text, value, items } = asRecord(plain)
  switch (kind) {
    case 'nil':
      return { kind }
    case 'status':
    case 'error':
      // It stands in one line of what a client reads.
      return typeof text === 'string' && !/[\r\n]/.test(text) ? { kind, text } : undefined
    case 'integer':
      if (typeof value === 'string')
        return /^-?\d{1,20}$/.test(value) ? { kind, value: BigInt(value) } : undefined
      return typeof value === 'number' && Number.isSafeInteger(value) ? { kind, value } : undefined
    case 'bytes': {
      const bytes = decodeValue(value)
      return bytes && { kind, value: bytes }
    }
    case 'list': {
      const decoded = decodeReplies(items)
      return decoded && { kind, items: decoded }
    }
    default:
      return undefined
  }
}

function asRecord(plain: unknown): Readonly<Record<string, unknown>> {
  // Any object may be asked for any field; what it holds is checked where it is used.
  return typeof plain === 'object' && plain !== null ? (plain as Readonly<Record<string, unknown>>) : {}
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
