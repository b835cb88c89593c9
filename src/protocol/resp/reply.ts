/**
 * Replies of the Redis protocol as values, the same for both of its versions: what RESP2 has no form for (maps, sets,
 * verbatim text) is written there as Redis writes it. The writer is in writer.ts.
 */
import type { Reply } from '../../base/operation.js'

/** The replies of the data, and those that only the connection gives. */
export type RespReply =
  | Reply
  | { readonly kind: 'array' | 'set'; readonly items: readonly RespReply[] }
  /** Names and what they stand for, in turn: a flat array in RESP2. */
  | { readonly kind: 'map'; readonly entries: readonly (readonly [RespReply, RespReply])[] }
  /** Text for people, as that of `INFO`: a bulk string in RESP2. */
  | { readonly kind: 'verbatim'; readonly text: string }
  /** What `EXEC` answers when a watched key has changed: not the same as nil in RESP2. */
  | { readonly kind: 'nil-array' }

/** The versions of the protocol. A connection begins with the first and asks for another with `HELLO`. */
export type RespVersion = 2 | 3

/** The usual answer. */
export const okReply: RespReply = { kind: 'status', text: 'OK' }
/** There is nothing. */
export const nilReply: RespReply = { kind: 'nil' }

/** An error; `text` begins with its code, such as `ERR`. */
export function errorReply(text: string): Extract<Reply, { kind: 'status' | 'error' }> & { kind: 'error' } {
  return { kind: 'error', text }
}

/** A bulk string of this text. */
export function textReply(text: string): RespReply {
  return { kind: 'bytes', value: Buffer.from(text) }
}

/** A whole number. */
export function integerReply(value: number): RespReply {
  return { kind: 'integer', value }
}

/** Replies one after the other. */
export function arrayReply(items: readonly RespReply[]): RespReply {
  return { kind: 'array', items }
}

/** Names, as bulk strings, and what they stand for. */
export function mapReply(entries: readonly (readonly [name: string, reply: RespReply])[]): RespReply {
  return { kind: 'map', entries: entries.map(([name, reply]) => [textReply(name), reply]) }
}
