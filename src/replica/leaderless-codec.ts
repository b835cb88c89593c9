/** How leaderless replicas' messages stand in a line of the peer channel: one JSON object a line. */
import { readMessage } from '../ring/message-check.js'
import type { LeaderlessMessage } from './leaderless-messages.js'

/** A page of keys is no longer than this, whoever asks. */
export const keysPerErrandMax = 1001

/** The message's line, without the newline. */
export function encodeLeaderless(message: LeaderlessMessage): Uint8Array[] {
  return [Buffer.from(JSON.stringify(message))]
}

/** Reads a line that {@link encodeLeaderless} made; undefined if it is anything else. */
export function decodeLeaderless(line: Uint8Array): LeaderlessMessage | undefined {
  let fields: unknown
  try {
    fields = JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString())
  } catch {
    return undefined
  }
  if (typeof fields !== 'object' || fields === null) return undefined
  return readErrand(fields as Record<string, unknown>) ?? readMessage(fields)
}

function readErrand(fields: Readonly<Record<string, unknown>>): LeaderlessMessage | undefined {
  const { kind, id, prefix, after, limit, keys } = fields
  switch (kind) {
    case 'desk-leave':
      return { kind }
    case 'desk-keys': {
      if (!isCount(id) || !isCount(limit) || limit > keysPerErrandMax) return undefined
      if (typeof prefix !== 'string' || typeof after !== 'string') return undefined
      return { kind, id, prefix, after, limit }
    }
    case 'desk-keys-found': {
      if (!isCount(id) || !Array.isArray(keys) || keys.length > keysPerErrandMax) return undefined
      return keys.every(key => typeof key === 'string') ? { kind, id, keys } : undefined
    }
    default:
      return undefined
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
