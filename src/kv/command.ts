/**
 * Commands: what the log carries. A command is encoded once, by the node that took it from its client, and
 * the same bytes go to the leader, into every journal and through the state machine.
 *
 * The encoding is one JSON value without a newline, so that it can stand in a line of the peer channel as it
 * is: `["put","key1","value1"]`. A value that is not UTF-8 stands as `{"base64":"..."}`, the name that a client
 * gave its write comes last, as `{"identity":"..."}`.
 */

/** A write. Keys are UTF-8 text, values are bytes. */
export type Command = {
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
  /** The leader's wall time when it was proposed. */
  readonly wallMs: number
  readonly identity: Identity
  readonly command: Command
}

/** The bytes of a command, as described above: JSON in UTF-8, without a newline. */
export function encodeCommand(command: Command): Uint8Array {
  const { op, key, identity } = command
  const fields: unknown[] = [op, key]
  if (op !== 'delete') fields.push(encodeValue(command.value))
  if (op === 'cas') fields.push(command.version)
  if (identity !== undefined) fields.push({ identity })
  return Buffer.from(JSON.stringify(fields))
}

/** Wraps an encoded command into the data of a log entry, without looking into it. */
export function encodeProposal(wallMs: number, identity: Identity, command: Uint8Array): Uint8Array {
  const { session, bornMs, counter, lowest } = identity
  const head = `[${wallMs},"${session}",${bornMs},${counter},${lowest},`
  const data = Buffer.allocUnsafe(head.length + command.length + 1)
  data.write(head, 'latin1')
  data.set(command, head.length)
  data[data.length - 1] = closingBracket
  return data
}

/** Reads what {@link encodeProposal} made; undefined if the bytes are anything else. */
export function decodeProposal(data: Uint8Array): Proposal | undefined {
  const fields = parseArray(data)
  if (fields === undefined) return undefined
  const [wallMs, session, bornMs, counter, lowest, encoded] = fields
  if (typeof wallMs !== 'number' || typeof session !== 'string' || typeof bornMs !== 'number')
    return undefined
  if (typeof counter !== 'number' || typeof lowest !== 'number' || !Array.isArray(encoded)) return undefined
  const command = readCommand(encoded)
  return command && { wallMs, identity: { session, bornMs, counter, lowest }, command }
}

/** Whether the bytes are an encoded command: for what comes from other nodes. */
export function isCommand(data: Uint8Array): boolean {
  const fields = parseArray(data)
  return fields !== undefined && readCommand(fields) !== undefined
}

/** A session's name must stand in JSON without escapes. */
export function isSessionName(text: unknown): text is string {
  return typeof text === 'string' && /^[\w.-]{1,100}$/.test(text)
}

/** The JSON form of a value: text if it is UTF-8, else base64. */
export function encodeValue(value: Uint8Array): string | { readonly base64: string } {
  const bytes = asBuffer(value)
  const text = bytes.toString()
  // Bytes that are not UTF-8 decode to the replacement character; so does that character itself.
  if (text.includes('\ufffd') && !Buffer.from(text).equals(bytes)) return { base64: bytes.toString('base64') }
  return text
}

/** Reads what {@link encodeValue} made; undefined if it is anything else. */
export function decodeValue(encoded: unknown): Uint8Array | undefined {
  if (typeof encoded === 'string') return Buffer.from(encoded)
  if (typeof encoded !== 'object' || encoded === null) return undefined
  const { base64 } = encoded as { readonly base64?: unknown }
  return typeof base64 === 'string' ? Buffer.from(base64, 'base64') : undefined
}

const closingBracket = 0x5d

function parseArray(data: Uint8Array): unknown[] | undefined {
  try {
    const bytes = asBuffer(data)
    const value: unknown = JSON.parse(bytes.toString())
    return Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

function readCommand(fields: readonly unknown[]): Command | undefined {
  const [op, key, ...rest] = fields
  if (typeof key !== 'string') return undefined
  if (op === 'delete') return { op, key, identity: readIdentity(rest[0]) }
  const value = decodeValue(rest[0])
  if (value === undefined) return undefined
  if (op === 'put' || op === 'update' || op === 'set')
    return { op, key, value, identity: readIdentity(rest[1]) }
  const version = rest[1]
  if (op !== 'cas' || typeof version !== 'number') return undefined
  return { op, key, version, value, identity: readIdentity(rest[2]) }
}

function readIdentity(encoded: unknown): string | undefined {
  if (typeof encoded !== 'object' || encoded === null) return undefined
  const { identity } = encoded as { readonly identity?: unknown }
  return typeof identity === 'string' ? identity : undefined
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
