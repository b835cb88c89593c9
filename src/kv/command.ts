/**
 * Commands: what the log carries. A command is encoded once, by the node that took it from its client, and
 * the same bytes go to the leader, into every journal and through the state machine (proposal.ts).
 *
 * The encoding is one JSON value without a newline, so that it can stand in a line of the peer channel as it
 * is: `["put","key1","value1"]`. A value that is not UTF-8 stands as `{"base64":"..."}`, the name that a client
 * gave its write comes last, as `{"identity":"..."}`. Operations of Redis stand as
 * `["redis",[{"op":"increment",...},...],[{"key":"a","version":7},...]]`, the watched keys only where there are any;
 * a single one that does nothing but store a value, as `["redis-set","key1","value1"]`.
 */
import { writeAscii } from '../base/ascii.js'
import type { Operation, Watched } from '../base/operation.js'
import { decodeOperations, decodeWatched, encodeOperation } from './operation-codec.js'
import { readPlainCommand, redisSet } from './plain-command.js'
import { asBuffer, decodeValue, encodeValue, isPlainText, parseArray, quoted } from './value-codec.js'

/** Whatever may change data. */
export type Command = Write | RedisCommand

/** Operations of Redis, carried out as a whole if every watched key has its version, else not at all. */
export interface RedisCommand {
  readonly op: 'redis'
  readonly operations: readonly Operation[]
  readonly watched: readonly Watched[]
}

/** A write of one key. Keys are UTF-8 text, values are bytes. */
export type Write = {
  readonly key: string
  /** The name that the client gave this write, a UUID: a repeat under it gets the first answer. */
  readonly identity?: string | undefined
} & (
  | {
      /** `put` stores under a key that must not exist, `update` under one that must, `set` either way. */
      readonly op: 'put' | 'update' | 'set'
      readonly value: Uint8Array
    }
  | { readonly op: 'delete' }
  /** Stores if the key's version is `version`; 0 means that the key must not exist. */
  | { readonly op: 'cas'; readonly version: number; readonly value: Uint8Array }
)

/** The bytes of a command, as described above: JSON in UTF-8, without a newline. */
export function encodeCommand(command: Command): Uint8Array {
  if (command.op === 'redis') return encodeRedisCommand(command)
  const { op, key, identity } = command
  const head = `["${op}",${quoted(key)}`
  const name = identity === undefined ? '' : `,{"identity":${JSON.stringify(identity)}}`
  if (op === 'delete') return Buffer.from(`${head}${name}]`)
  return encodeParts(head, command.value, op === 'cas' ? `,${command.version}${name}]` : `${name}]`)
}

function encodeRedisCommand({ op, operations, watched }: RedisCommand): Uint8Array {
  const [only] = operations
  if (only !== undefined && operations.length === 1 && watched.length === 0 && isBareSet(only))
    return encodeParts(`["redis-set",${quoted(only.key)}`, only.value, ']')
  const plain = [op, operations.map(encodeOperation), ...(watched.length > 0 ? [watched] : [])]
  return Buffer.from(JSON.stringify(plain))
}

function isBareSet(operation: Operation): operation is Extract<Operation, { op: 'set' }> {
  if (operation.op !== 'set' || operation.previous) return false
  return operation.condition === undefined && operation.expiry === undefined
}

/** A command of one value, which is copied once where it can stand in JSON as it is. */
function encodeParts(head: string, value: Uint8Array, tail: string): Uint8Array {
  if (!isPlainText(value)) return Buffer.from(`${head},${JSON.stringify(encodeValue(value))}${tail}`)
  const opening = `${head},"`
  const closing = `"${tail}`
  const plain = Buffer.allocUnsafe(opening.length + value.length + closing.length)
  // Keys are ASCII nearly always, and then each character is a byte.
  const valueStart = writeAscii(plain, 0, opening)
  if (valueStart >= 0 && writeAscii(plain, valueStart + value.length, closing) >= 0) {
    plain.set(value, valueStart)
    return plain
  }
  return Buffer.concat([Buffer.from(opening), value, Buffer.from(closing)])
}

/** Whether a command is one of operations of Redis: a few bytes of these may make large values. */
export function isOfOperations(command: Uint8Array): boolean {
  for (let position = 0; position < operationsOpening.length; position++)
    if (command[position] !== operationsOpening[position]) return false
  return true
}

const operationsOpening = Buffer.from('["redis",')

/** Whether the bytes are an encoded command: for what comes from other nodes. */
export function isCommand(data: Uint8Array): boolean {
  const bytes = asBuffer(data)
  return (readPlainCommand(bytes) ?? parseCommand(bytes)) !== undefined
}

/** The command that these bytes are, read as JSON, whatever it is; undefined for any other bytes. */
export function parseCommand(bytes: Buffer): Command | undefined {
  const fields = parseArray(bytes)
  return fields && readCommand(fields)
}

/** The command of which these are the fields; undefined if they are none of any. */
export function readCommand(fields: readonly unknown[]): Command | undefined {
  const [op, key, ...rest] = fields
  if (op === 'redis') return readRedisCommand(key, rest[0] ?? [])
  if (typeof key !== 'string') return undefined
  if (op === 'delete') return { op, key, identity: readIdentity(rest[0]) }
  const value = decodeValue(rest[0])
  if (value === undefined) return undefined
  if (op === 'redis-set') return redisSet(key, value)
  if (op === 'put' || op === 'update' || op === 'set')
    return { op, key, value, identity: readIdentity(rest[1]) }
  const version = rest[1]
  if (op !== 'cas' || typeof version !== 'number') return undefined
  return { op, key, version, value, identity: readIdentity(rest[2]) }
}

function readRedisCommand(encoded: unknown, encodedWatched: unknown): RedisCommand | undefined {
  const operations = decodeOperations(encoded)
  const watched = decodeWatched(encodedWatched)
  return operations && watched && { op: 'redis', operations, watched }
}

function readIdentity(encoded: unknown): string | undefined {
  if (typeof encoded !== 'object' || encoded === null) return undefined
  const { identity } = encoded as { readonly identity?: unknown }
  return typeof identity === 'string' ? identity : undefined
}
