/**
 * Proposals: what a command entry of the log holds. A leader wraps encoded commands (command.ts) into the data of an
 * entry, with who asked for them and when: `[1700000000000,"session",1690000000000,7,5,["put","key1","value1"]]`, where 7
 * is the counter and 5 the lowest one that is unanswered. Several commands of a session, whose counters follow each
 * other, stand there together, their sizes in bytes before them:
 * `[...,7,5,[23,15],["put","key1","value1"],["delete","k2"]]`.
 *
 * A leader also proposes the time alone, as `[1700000000000]`: that lets log time go on where nobody writes.
 */
import { writeAscii } from '../base/ascii.js'
import { present } from '../base/assert.js'
import { type Command, isOfOperations, readCommand } from './command.js'
import { closingBracket, comma, openingBracket } from './json-scan.js'
import { RepeatedText, readPlainProposal } from './plain-proposal.js'
import { asBuffer, parseArray } from './value-codec.js'

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
    bytes[end] = position === from ? openingBracket : comma
    end = writeAscii(bytes, end + 1, String(writes[position]?.command.length ?? 0))
  }
  bytes[end] = closingBracket
  return end + 1
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
  if (fields.length === 1) return { wallMs, writes: undefined }
  if (typeof session !== 'string' || typeof bornMs !== 'number') return undefined
  if (typeof counter !== 'number' || typeof lowest !== 'number' || !Array.isArray(encoded)) return undefined
  const command = readCommand(encoded)
  return (
    command && { wallMs, writes: { identity: { session, bornMs, counter, lowest }, commands: [command] } }
  )
}

/** A session's name must stand in JSON without escapes. */
export function isSessionName(text: unknown): text is string {
  return typeof text === 'string' && /^[\w.-]{1,100}$/.test(text)
}

/** Commands of one proposal together. */
const proposalBytesMax = 64 * 1024
const nothing = Buffer.alloc(0)
/** The size of a command with a comma behind it. */
const sizeBytesMax = 17
/** Two safe integers, each with a comma behind it. */
const countersBytesMax = 34
