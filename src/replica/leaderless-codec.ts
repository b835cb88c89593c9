/** How leaderless replicas' messages stand in a line of the peer channel: one JSON object a line. */
import { readMessage } from '../ring/message-check.js'
import type { LeaderlessMessage } from './leaderless-messages.js'

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
  return 'kind' in fields && fields.kind === 'desk-leave' ? { kind: fields.kind } : readMessage(fields)
}
