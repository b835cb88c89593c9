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
 * A leader wraps commands into the data of an entry, with who asked for them and when: `[1700000000000,"session",
 * 1690000000000,7,5,["put","key1","value1"]]`, where 7 is the counter and 5 the lowest one that is unanswered. Several
 * commands of a session, whose counters follow each other, stand there together, their sizes in bytes before them:
 * `[...,7,5,[23,15],["put","key1","value1"],["delete","k2"]]`.
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
  readonly writes: ProposedWrites | undefined
}

/** Writes of one session that were proposed together. */
export interface ProposedWrites {
  /** Of the first of them; the counters of those behind it follow. */
  readonly identity: Identity
  /** One at least. */
  readonly commands: readonly Command[]
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

/** The data of a log entry, and the counters of its first write and of its last. */
export interface EncodedProposal {
  readonly data: Uint8Array
  readonly first: number
  readonly last: number
}

/** Wraps an encoded command into the data of a log entry, without looking into it. */
export function encodeProposal(wallMs: number, identity: Identity, command: Uint8Array): Uint8Array {
  const { counter } = identity
  return present(encodeProposals(wallMs, identity, [{ counter, command }])[0], 'one at least').data
}

/**
 * Wraps encoded commands of one session into the data of log entries, as few as may be: an entry has commands whose
 * counters follow each other, {@link proposalBytesMax} bytes of them at most (or one that is larger), and one that may
 * grow much when it is carried out has an entry of its own. Entries lie in memory one after the other with a comma
 * between them, as they stand in a message, so that they can leave for there together.
 */
export function encodeProposals(
  wallMs: number,
  { session, bornMs, lowest }: Omit<Identity, 'counter'>,
  writes: readonly NumberedCommand[],
): EncodedProposal[] {
  const head = Buffer.from(`[${wallMs},"${session}",${bornMs},`)
  let size = 0
  for (const { command } of writes) size += head.length + countersBytesMax + command.length + sizeBytesMax + 2
  const bytes = Buffer.allocUnsafe(size)
  const proposals: EncodedProposal[] = []
  let start = 0
  for (let from = 0; from < writes.length; ) {
    const upTo = endOfProposal(writes, from)
    const first = writes[from]?.counter ?? 0
    bytes.set(head, start)
    let end = writeAscii(bytes, start + head.length, `${first},${lowest}`)
    if (upTo - from > 1) end = writeSizes(bytes, end, writes, from, upTo)
    for (let position = from; position < upTo; position++) {
      const { command } = present(writes[position], 'a write')
      bytes[end] = comma
      bytes.set(command, end + 1)
      end += 1 + command.length
    }
    bytes[end] = closingBracket
    bytes[end + 1] = comma
    proposals.push({ data: bytes.subarray(start, end + 1), first, last: first + upTo - from - 1 })
    start = end + 2
    from = upTo
  }
  return proposals
}

/** Where the proposal ends whose first write stands there. */
function endOfProposal(writes: readonly NumberedCommand[], from: number): number {
  const { counter = 0, command = nothing } = writes[from] ?? {}
  if (isOfOperations(command)) return from + 1
  let bytes = command.length
  let upTo = from + 1
  for (; upTo < writes.length; upTo++) {
    const next = present(writes[upTo], 'a write')
    bytes += next.command.length
    const follows = next.counter === counter + upTo - from
    if (!follows || bytes > proposalBytesMax || isOfOperations(next.command)) break
  }
  return upTo
}

function writeSizes(
  bytes: Buffer,
  start: number,
  writes: readonly NumberedCommand[],
  from: number,
  upTo: number,
): number {
  bytes[start] = comma
  let end = start + 1
  for (let position = from; position < upTo; position++) {
    bytes[end] = position === from ? openBracket : comma
    end = writeAscii(bytes, end + 1, String(writes[position]?.command.length ?? 0))
  }
  bytes[end] = closingBracket
  return end + 1
}

/** Whether a command is one of operations of Redis: a few bytes of these may make large values. */
function isOfOperations(command: Uint8Array): boolean {
  for (let position = 0; position < operationsOpening.length; position++)
    if (command[position] !== operationsOpening[position]) return false
  return true
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
  return readPlainProposal(bytes, session, readAnyCommand) ?? parseProposal(bytes)
}

function readAnyCommand(bytes: Buffer): Command | undefined {
  const fields = parseArray(bytes)
  return fields && readCommand(fields)
}

function parseProposal(bytes: Buffer): Proposal | undefined {
  const fields = parseArray(bytes)
  if (fields === undefined) return undefined
  const [wallMs, session, bornMs, counter, lowest, encoded] = fields
  if (typeof wallMs !== 'number') return undefined
  if (fields.length === 1) return { wallMs, writes: undefined }
  if (typeof session !== 'string' || typeof bornMs !== 'number') return undefined
  if (typeof counter !== 'number' || typeof lowest !== 'number' || !Array.isArray(encoded)) return undefined
  const command = readCommand(encoded)
  return (
    command && { wallMs, writes: { identity: { session, bornMs, counter, lowest }, commands: [command] } }
  )
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

/** Commands of one proposal together. */
const proposalBytesMax = 64 * 1024
const nothing = Buffer.alloc(0)
const operationsOpening = Buffer.from('["redis",')
const openBracket = 0x5b
const closingBracket = 0x5d
const comma = 0x2c
/** The size of a command with a comma behind it. */
const sizeBytesMax = 17
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
