/**
 * Commands: what the log carries. A command is encoded once, by the node that took it from its client, and
 * the same bytes go to the leader, into every journal and through the state machine.
 *
 * The encoding is one JSON value without a newline, so that it can stand in a line of the peer channel as it
 * is: `["put","key1","value1"]`. A value that is not UTF-8 stands as `{"base64":"..."}`, the name that a client
 * gave its write comes last, as `{"identity":"..."}`. Operations of Redis stand as
 * `["redis",[{"op":"increment",...},...],[{"key":"a","version":7},...]]`, the watched keys only where there are any;
 * a single one that does nothing but store a value, as `["redis-set","key1","value1"]`.
 *
 * A leader also proposes the time alone, as `[1700000000000]`: that lets log time go on where nobody writes.
 */
import { writeAscii } from '../base/ascii.js'
import { present } from '../base/assert.js'
import type { Operation, Watched } from '../base/operation.js'
import { decodeOperations, decodeWatched, encodeOperation } from './operation-codec.js'
import { RepeatedText, readPlainCommand, readPlainProposal, redisSet } from './plain-proposal.js'
import { asBuffer, decodeValue, encodeValue, isPlainText, quoted } from './value-codec.js'

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

/** Who asked, and in which order: what makes a command happen once, however often it is sent. */
export interface Identity {
  /** The session of the node that took the request: its name and a random incarnation of its start. */
  readonly session: string
  /** When the session began, in milliseconds of log time: an unknown session that is old was forgotten. */
  readonly bornMs: number
  /** Counts the session's commands from 1. */
  readonly counter: number
  /** The lowest counter still unanswered: results below it are no longer wanted. */
  readonly lowest: number
}

/** What one command entry of the log holds. */
export interface Proposal {
  /** The leader's time when it was proposed. */
  readonly wallMs: number
  /** Undefined where the entry tells nothing but the time. */
  readonly write: { readonly identity: Identity; readonly command: Command } | undefined
}

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

/** An encoded command and its number in its session. */
export interface NumberedCommand {
  readonly counter: number
  readonly command: Uint8Array
}

/** Wraps an encoded command into the data of a log entry, without looking into it. */
export function encodeProposal(wallMs: number, identity: Identity, command: Uint8Array): Uint8Array {
  const { counter } = identity
  return present(encodeProposals(wallMs, identity, [{ counter, command }])[0], 'as many as commands')
}

/**
 * Wraps encoded commands of one session into the data of a log entry each. They lie in memory one after the other
 * with a comma between them, as they stand in a message, so that they can leave for there together.
 */
export function encodeProposals(
  wallMs: number,
  { session, bornMs, lowest }: Omit<Identity, 'counter'>,
  writes: readonly NumberedCommand[],
): Uint8Array[] {
  const head = Buffer.from(`[${wallMs},"${session}",${bornMs},`)
  let size = 0
  for (const { command } of writes) size += head.length + countersBytesMax + command.length + 2
  const bytes = Buffer.allocUnsafe(size)
  const proposals: Uint8Array[] = []
  let start = 0
  for (const { counter, command } of writes) {
    bytes.set(head, start)
    let end = writeAscii(bytes, start + head.length, `${counter},${lowest},`)
    bytes.set(command, end)
    end += command.length
    bytes[end] = closingBracket
    bytes[end + 1] = comma
    proposals.push(bytes.subarray(start, end + 1))
    start = end + 2
  }
  return proposals
}

/** The data of a log entry that tells nothing but the time. */
export function encodeTime(wallMs: number): Uint8Array {
  return Buffer.from(`[${wallMs}]`)
}

/**
 * Reads what {@link encodeProposal} or {@link encodeTime} made; undefined if the bytes are anything else.
 * Whoever reads many gives the same `session` each time.
 */
export function decodeProposal(data: Uint8Array, session = new RepeatedText()): Proposal | undefined {
  const bytes = asBuffer(data)
  return readPlainProposal(bytes, session) ?? parseProposal(bytes)
}

function parseProposal(bytes: Buffer): Proposal | undefined {
  const fields = parseArray(bytes)
  if (fields === undefined) return undefined
  const [wallMs, session, bornMs, counter, lowest, encoded] = fields
  if (typeof wallMs !== 'number') return undefined
  if (fields.length === 1) return { wallMs, write: undefined }
  if (typeof session !== 'string' || typeof bornMs !== 'number') return undefined
  if (typeof counter !== 'number' || typeof lowest !== 'number' || !Array.isArray(encoded)) return undefined
  const command = readCommand(encoded)
  return command && { wallMs, write: { identity: { session, bornMs, counter, lowest }, command } }
}

/** Whether the bytes are an encoded command: for what comes from other nodes. */
export function isCommand(data: Uint8Array): boolean {
  const bytes = asBuffer(data)
  if (readPlainCommand(bytes) !== undefined) return true
  const fields = parseArray(bytes)
  return fields !== undefined && readCommand(fields) !== undefined
}

/** A session's name must stand in JSON without escapes. */
export function isSessionName(text: unknown): text is string {
  return typeof text === 'string' && /^[\w.-]{1,100}$/.test(text)
}

const closingBracket = 0x5d
const comma = 0x2c
/** Two safe integers, each with a comma behind it. */
const countersBytesMax = 34

function parseArray(bytes: Buffer): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    return Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

function readCommand(fields: readonly unknown[]): Command | undefined {
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
