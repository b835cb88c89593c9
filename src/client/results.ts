/**
 * What requests give when they succeed, and how that is read from a node's answer. Bytes from outside end here:
 * an answer that is not what it should be is a `BAD_REPLY`, never a wrong type.
 */
import { nodeId } from '../base/ids.js'
import type { Keeper } from '../protocol/placement.js'
import type { Fields } from './connection.js'
import { isNodeCode, QuorateError } from './errors.js'

/** A value as it is stored. */
export interface Entry {
  readonly key: string
  /** The value as text. Bytes that are not UTF-8 show as replacement characters: see {@link Entry.bytes}. */
  readonly value: string
  readonly bytes: Uint8Array
  /** What {@link Client.compareAndSet} must name to replace exactly this value; 0 on the ring engine. */
  readonly version: number
  /** On the ring engine: the versions that stand; value and bytes are of the last written. Else empty. */
  readonly siblings: readonly Sibling[]
  /** On the ring engine: covers all of them. A `put` with it replaces all of them. */
  readonly context: string | undefined
}

/** One of the versions that a key may have at once on the ring engine. */
export interface Sibling {
  readonly value: string
  readonly bytes: Uint8Array
  /** Covers this version only. */
  readonly context: string
  /** In milliseconds since 1970, by the clock of the node that took it. */
  readonly writtenMs: number
}

/** A write that was carried out. */
export interface Written {
  /** What {@link Client.compareAndSet} must name to replace it; 0 after a delete, and on the ring engine. */
  readonly version: number
  /** Of `set`: whether the key was there before, where the node tells. */
  readonly existed: boolean | undefined
  /** How many copies at least were on disks when the write was acknowledged, where the node tells. */
  readonly copies: number | undefined
  /** On the ring engine: the versions that stand now; more than one are a conflict. Else empty. */
  readonly siblings: readonly Sibling[]
  /** On the ring engine: covers all of them. */
  readonly context: string | undefined
}

/** One page of keys, in byte order; with `more`, ask again for those after the last one. */
export interface KeyPage {
  readonly keys: readonly string[]
  readonly more: boolean
}

/** What a node says of its cluster every heartbeat. Addresses are in full `host:port` form. */
export interface Heartbeat {
  readonly engine: 'raft' | 'ring'
  /** All members, in the order in which they joined. */
  readonly nodes: readonly string[]
  /** Those of them that were heard lately. */
  readonly active: readonly string[]
  /** Those of them that keep a copy of every key; on the ring engine there are none. */
  readonly voters: readonly string[]
  /** On the ring engine: those among whom the keys are divided. */
  readonly keepers: readonly Keeper[]
  readonly leader: string | undefined
  /** Which leadership it is, where a ring has a leader: a later one has a higher number. */
  readonly epoch: number | undefined
  readonly replicationFactor: number
  /** What is wrong, in sentences. */
  readonly warnings: readonly string[]
}

/** The state of the cluster as one node sees it. */
export interface Status {
  readonly engine: 'raft' | 'ring'
  readonly leader: string | undefined
  readonly members: readonly StatusMember[]
  /** How many more voters can be lost before writes stop; on the ring also before a key may be gone. */
  readonly canLose: number
  readonly warnings: readonly string[]
}

/** One member; what the asked node does not know is undefined. */
export interface StatusMember {
  readonly address: string
  readonly role: string
  readonly active: boolean
  readonly inSync: boolean
  readonly term: number | undefined
  readonly lastIndex: number | undefined
  readonly appliedIndex: number | undefined
  readonly lag: number | undefined
  readonly lastHeardMs: number | undefined
}

/** Reads the answer to `get`. */
export function readEntry(fields: Fields): Entry {
  const key = text(fields, 'key')
  const siblings = readSiblings(fields)
  if (siblings === undefined) {
    const value = readValue(fields)
    return { key, ...value, version: number(fields, 'version'), siblings: [], context: undefined }
  }
  const [first, ...others] = siblings
  if (first === undefined) throw bad("a value is missing in the answer to 'get'")
  const { value, bytes } = others.reduce(
    (last, next) => (next.writtenMs > last.writtenMs ? next : last),
    first,
  )
  return { key, value, bytes, version: 0, siblings, context: text(fields, 'context') }
}

/** Reads the answer to a write. */
export function readWritten(fields: Fields): Written {
  const { existed, copies } = fields
  const siblings = readSiblings(fields)
  return {
    version: siblings === undefined ? number(fields, 'version') : 0,
    existed: typeof existed === 'boolean' ? existed : undefined,
    copies: optionalNumber(copies),
    siblings: siblings ?? [],
    context: siblings === undefined ? undefined : text(fields, 'context'),
  }
}

/** Reads the answer to `lookup`. */
export function readOwners(fields: Fields): readonly string[] {
  return texts(fields, 'owners')
}

/** Reads the answer to `keys`. */
export function readKeyPage(fields: Fields): KeyPage {
  return { keys: texts(fields, 'keys'), more: fields['more'] === true }
}

/** Reads the answer to `heartbeat`. */
export function readHeartbeat(fields: Fields): Heartbeat {
  const nodes = texts(fields, 'nodes')
  const engine = fields['engine'] === 'ring' ? 'ring' : 'raft'
  return {
    engine,
    nodes,
    // Nodes of an earlier version do not say who is heard, nor who votes.
    active: fields['active'] === undefined ? nodes : texts(fields, 'active'),
    voters: fields['voters'] === undefined ? nodes : texts(fields, 'voters'),
    keepers: fields['keepers'] === undefined ? [] : readKeepers(fields['keepers']),
    leader: optionalText(fields['leader']),
    epoch: optionalNumber(fields['epoch']),
    replicationFactor: number(fields, 'replicationFactor'),
    warnings: texts(fields, 'warnings'),
  }
}

/** Reads the answer to `status`. */
export function readStatus(fields: Fields): Status {
  const { members } = fields
  if (!Array.isArray(members)) throw bad("'members' is no list")
  return {
    engine: fields['engine'] === 'ring' ? 'ring' : 'raft',
    leader: optionalText(fields['leader']),
    members: members.map(readMember),
    canLose: number(fields, 'canLose'),
    warnings: texts(fields, 'warnings'),
  }
}

/** The error in an answer, or undefined if it says that all is well. */
export function readError(fields: Fields): QuorateError | undefined {
  const { ok, code, message, details } = fields
  if (ok === true) return undefined
  if (ok !== false || typeof code !== 'string') return bad(`it has no 'ok': ${shown(fields)}`)
  if (!isNodeCode(code)) return bad(`${code}, ${typeof message === 'string' ? message : 'without a message'}`)
  return new QuorateError(code, readDetails(details))
}

/** The versions of a key, where the answer is that of the ring engine. */
function readSiblings({ versions }: Fields): Sibling[] | undefined {
  if (versions === undefined) return undefined
  if (!Array.isArray(versions)) throw bad("'versions' is no list")
  return versions.map((version: unknown) => {
    if (typeof version !== 'object' || version === null) throw bad('a version is no object')
    // An object of JSON, whose fields are looked at one by one.
    const fields = version as Fields
    const context = text(fields, 'context')
    return { ...readValue(fields), context, writtenMs: optionalNumber(fields['writtenMs']) ?? 0 }
  })
}

/** Members that a ring may have; each of them costs whoever works out where a key is kept. */
const keepersMax = 1000

function readKeepers(keepers: unknown): Keeper[] {
  if (!Array.isArray(keepers) || keepers.length > keepersMax) throw bad("'keepers' is no list of members")
  return keepers.map((keeper: unknown) => {
    if (typeof keeper !== 'object' || keeper === null) throw bad('a keeper is no object')
    // An object of JSON, whose fields are looked at one by one.
    const fields = keeper as Fields
    return { id: nodeId(text(fields, 'id')), address: text(fields, 'address') }
  })
}

function readValue({ value, valueBase64 }: Fields): { readonly value: string; readonly bytes: Uint8Array } {
  if (typeof valueBase64 === 'string') {
    const bytes = Buffer.from(valueBase64, 'base64')
    return { value: bytes.toString(), bytes }
  }
  if (typeof value !== 'string') throw bad('a value is missing')
  return { value, bytes: Buffer.from(value) }
}

function readMember(member: unknown): StatusMember {
  if (typeof member !== 'object' || member === null) throw bad('a member is no object')
  // An object of JSON, whose fields are looked at one by one.
  const fields = member as Fields
  return {
    address: text(fields, 'address'),
    role: text(fields, 'role'),
    active: fields['active'] === true,
    inSync: fields['inSync'] === true,
    term: optionalNumber(fields['term']),
    lastIndex: optionalNumber(fields['lastIndex']),
    appliedIndex: optionalNumber(fields['appliedIndex']),
    lag: optionalNumber(fields['lag']),
    lastHeardMs: optionalNumber(fields['lastHeardMs']),
  }
}

function readDetails(details: unknown): Record<string, string | number> {
  const read: Record<string, string | number> = {}
  if (typeof details !== 'object' || details === null) return read
  for (const [name, value] of Object.entries(details)) {
    if (typeof value === 'string' || typeof value === 'number') read[name] = value
  }
  return read
}

function text(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value !== 'string') throw bad(`'${name}' is no text`)
  return value
}

function texts(fields: Fields, name: string): string[] {
  const value = fields[name]
  if (!Array.isArray(value) || !value.every(each => typeof each === 'string')) {
    throw bad(`'${name}' is no list of texts`)
  }
  return value
}

function number(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value !== 'number') throw bad(`'${name}' is no number`)
  return value
}

function optionalText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function optionalNumber(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function bad(reason: string): QuorateError {
  return new QuorateError('BAD_REPLY', { reason })
}

function shown(fields: Fields): string {
  return JSON.stringify(fields).slice(0, 200)
}
