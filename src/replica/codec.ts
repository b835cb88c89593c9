/**
 * How consensus replicas' messages stand in a line of the peer channel: one JSON object a line. Bytes that
 * were encoded before (log entries, commands, snapshot rows) are put into it as they are, at its end, and
 * their sizes stand before them; so they are neither encoded again by a sender nor parsed by a receiver that
 * only stores them:
 *
 *     {"kind":"append","term":3,...,"runs":[[3,0,58]],"raw":[[1700000000000,"...",["put","a","1"]]]}
 */

import { type LogIndex, logIndex, type NodeId, nodeId, type Term, term } from '../base/ids.js'
import { isRead } from '../base/operation.js'
import { isCommand } from '../kv/command.js'
import { decodeOperations, encodeOperation } from '../kv/operation-codec.js'
import { isSessionName } from '../kv/proposal.js'
import { decodeReplies, decodeResult, encodeReply, encodeResult } from '../kv/result-codec.js'
import { decodeRows } from '../kv/rows.js'
import type { Result } from '../kv/sessions.js'
import { decodeValue, encodeValue } from '../kv/value-codec.js'
import { type ErrorCode, errors } from '../protocol/errors.js'
import { failure, type Request, type Response } from '../protocol/request.js'
import type { AppendReply, Entry, MemberHealth } from '../raft/types.js'
import { decodeEntries, encodeEntries } from './entry-run.js'
import type { ConsensusMessage, ForwardedWrite } from './messages.js'
import { isWalking } from './read-batch.js'
import type { ReadRequest } from './reader.js'

const rawMark = Buffer.from(',"raw":[')
const comma = Buffer.from(',')
const commaByte = 0x2c
const lineEnd = Buffer.from(']}')

/**
 * Encodes like {@link encodeMessage}, but a message that goes to several nodes, one after the other, only once.
 */
export function messageEncoder(): (message: ConsensusMessage) => readonly Uint8Array[] {
  let last: ConsensusMessage | undefined
  let line: readonly Uint8Array[] = []
  return message => {
    if (message !== last) {
      line = encodeMessage(message)
      // Only a leader's appends are for several; the others are not kept.
      last = message.kind === 'append' ? message : undefined
    }
    return line
  }
}

/** The parts of a message's line, in order, without the newline. */
export function encodeMessage(message: ConsensusMessage): Uint8Array[] {
  switch (message.kind) {
    case 'append': {
      const { entries, ...head } = message
      if (entries.length === 0) return [Buffer.from(JSON.stringify(head))]
      const { runs, parts } = encodeEntries(entries)
      return withRaw({ ...head, runs }, parts)
    }
    case 'forward': {
      const { writes, ...head } = message
      const heads: number[] = []
      for (const { counter, command } of writes) heads.push(counter, command.length)
      return withRaw({ ...head, heads }, [joinedCommands(writes)])
    }
    case 'snapshot-chunk': {
      const { data, meta, ...head } = message
      const raw = meta === undefined ? [data] : [data, meta]
      return withRaw({ ...head, heads: raw.map(bytes => bytes.length) }, joined(raw))
    }
    case 'forward-reply': {
      const results = message.results.map(plainResultRow)
      return [Buffer.from(JSON.stringify({ ...message, results }))]
    }
    case 'read-query': {
      const requests = message.requests?.map(plainRequest)
      return [Buffer.from(JSON.stringify({ ...message, requests }))]
    }
    case 'read-reply': {
      const responses = message.responses.map(plainResponse)
      return [Buffer.from(JSON.stringify({ ...message, responses }))]
    }
    case 'query-reply':
      return [Buffer.from(JSON.stringify({ ...message, response: plainResponse(message.response) }))]
    default:
      return [Buffer.from(JSON.stringify(message))]
  }
}

/** Reads a line that {@link encodeMessage} made; undefined if it is anything else. */
export function decodeMessage(line: Uint8Array): ConsensusMessage | undefined {
  const bytes = Buffer.isBuffer(line) ? line : Buffer.from(line.buffer, line.byteOffset, line.byteLength)
  const markAt = bytes.indexOf(rawMark)
  try {
    const head = markAt < 0 ? bytes.toString() : `${bytes.toString('utf8', 0, markAt)}}`
    const fields: unknown = JSON.parse(head)
    if (typeof fields !== 'object' || fields === null) return undefined
    const raw =
      markAt < 0 ? undefined : bytes.subarray(markAt + rawMark.length, bytes.length - lineEnd.length)
    return readMessage(new Fields(fields as Record<string, unknown>), raw)
  } catch (error) {
    if (error instanceof Malformed || error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Bytes from a peer that are not what they should be; never leaves this file. */
class Malformed extends Error {}

/** The fields of a message, each checked as it is read. */
class Fields {
  readonly #fields: Record<string, unknown>

  constructor(fields: Record<string, unknown>) {
    this.#fields = fields
  }

  get(name: string): unknown {
    return this.#fields[name]
  }

  count(name: string): number {
    const value = this.#fields[name]
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new Malformed(name)
    return value
  }

  entries(): [name: string, value: unknown][] {
    return Object.entries(this.#fields)
  }

  text(name: string): string {
    return asText(this.#fields[name])
  }

  flag(name: string): boolean {
    const value = this.#fields[name]
    if (typeof value !== 'boolean') throw new Malformed(name)
    return value
  }

  list(name: string): readonly unknown[] {
    const value = this.#fields[name]
    if (!Array.isArray(value)) throw new Malformed(name)
    return value
  }

  nested(name: string): Fields {
    return asFields(this.#fields[name])
  }

  term(name = 'term'): Term {
    return term(this.count(name))
  }

  index(name: string): LogIndex {
    return logIndex(this.count(name))
  }
}

function readMessage(fields: Fields, raw: Buffer | undefined): ConsensusMessage {
  const kind = fields.text('kind')
  switch (kind) {
    case 'append': {
      const previousIndex = fields.index('previousIndex')
      const previousTerm = fields.term('previousTerm')
      return {
        kind,
        term: fields.term(),
        previousIndex,
        previousTerm,
        commit: fields.index('commit'),
        round: fields.count('round'),
        entries: raw === undefined ? [] : readEntries(fields, raw, previousIndex, previousTerm),
        health: fields.get('health') === undefined ? undefined : fields.list('health').map(readHealth),
      }
    }
    case 'append-reply':
      return {
        kind,
        term: fields.term(),
        round: fields.count('round'),
        outcome: readOutcome(fields.nested('outcome')),
        lastIndex: fields.index('lastIndex'),
        appliedIndex: fields.index('appliedIndex'),
        diskFull: fields.flag('diskFull'),
      }
    case 'pre-vote-request':
      return {
        kind,
        term: fields.term(),
        lastIndex: fields.index('lastIndex'),
        lastTerm: fields.term('lastTerm'),
      }
    case 'vote-request':
      return {
        kind,
        term: fields.term(),
        lastIndex: fields.index('lastIndex'),
        lastTerm: fields.term('lastTerm'),
        transfer: fields.flag('transfer'),
      }
    case 'pre-vote-reply':
    case 'vote-reply':
      return { kind, term: fields.term(), granted: fields.flag('granted') }
    case 'timeout-now':
      return { kind, term: fields.term() }
    case 'snapshot-chunk': {
      const [data, meta] = slices(fields.list('heads').map(asCount), raw)
      // Checked here, where a bad peer can still be refused: what is saved must be readable.
      if (data === undefined || decodeRows(data) === undefined) throw new Malformed('rows')
      const place = { index: fields.index('index'), indexTerm: fields.term('indexTerm') }
      return { kind, term: fields.term(), ...place, sequence: fields.count('sequence'), data, meta }
    }
    case 'snapshot-reply':
      return {
        kind,
        term: fields.term(),
        index: fields.index('index'),
        next: fields.count('next'),
        installed: fields.flag('installed'),
      }
    case 'forward':
      return {
        kind,
        term: fields.term(),
        sequence: fields.count('sequence'),
        session: readSession(fields),
        bornMs: fields.count('bornMs'),
        lowest: fields.count('lowest'),
        writes: readWrites(fields.list('heads'), raw),
      }
    case 'forward-reply':
      return {
        kind,
        session: readSession(fields),
        results: fields.list('results').map(readResultRow),
        copies: fields.count('copies'),
      }
    case 'forward-refused':
      return {
        kind,
        term: fields.term(),
        sequence: fields.count('sequence'),
        session: readSession(fields),
        next: fields.count('next'),
        reason: readReason(fields.text('reason')),
        clockMs: fields.count('clockMs'),
      }
    case 'query':
      return { kind, id: fields.count('id'), request: readAdministration(fields.nested('request')) }
    case 'query-reply':
      return { kind, id: fields.count('id'), response: readResponse(fields.get('response')) }
    case 'read-query':
      return {
        kind,
        id: fields.count('id'),
        first: fields.count('first'),
        requests: fields.get('requests') === undefined ? undefined : readReads(fields.list('requests')),
      }
    case 'read-index':
      return { kind, id: fields.count('id'), index: fields.index('index'), nowMs: fields.count('nowMs') }
    case 'read-reply':
      return {
        kind,
        id: fields.count('id'),
        first: fields.count('first'),
        index: fields.index('index'),
        responses: fields.list('responses').map(readResponse),
      }
    case 'removed':
      return { kind }
    default:
      throw new Malformed(kind)
  }
}

/** The line of a message at whose end stand these bytes, which are given in parts. */
function withRaw(head: object, parts: readonly Uint8Array[]): Uint8Array[] {
  const json = JSON.stringify(head)
  return [Buffer.from(json.slice(0, -1)), rawMark, ...parts, lineEnd]
}

/** In one piece: commands are small, and each was made by itself. */
function joinedCommands(writes: readonly ForwardedWrite[]): Uint8Array {
  let size = -1
  for (const { command } of writes) size += command.length + 1
  const bytes = Buffer.allocUnsafe(Math.max(0, size))
  let end = 0
  for (const { command } of writes) {
    if (end > 0) bytes[end++] = commaByte
    bytes.set(command, end)
    end += command.length
  }
  return bytes
}

function joined(raw: readonly Uint8Array[]): Uint8Array[] {
  return raw.flatMap((bytes, position) => (position > 0 ? [comma, bytes] : [bytes]))
}

/** The byte ranges of the given sizes, with one comma between them, which must be all there is. */
function slices(sizes: readonly number[], raw: Buffer | undefined): Buffer[] {
  if (raw === undefined) throw new Malformed('raw')
  const found: Buffer[] = []
  let at = 0
  for (const size of sizes) {
    found.push(raw.subarray(at, at + size))
    at += size + 1
  }
  if (at - 1 !== raw.length) throw new Malformed('sizes')
  return found
}

function readEntries(fields: Fields, raw: Buffer, previousIndex: LogIndex, previousTerm: Term): Entry[] {
  const entries = decodeEntries(fields.get('runs'), raw, previousIndex, previousTerm)
  if (entries === undefined) throw new Malformed('entries')
  return entries
}

function readWrites(heads: readonly unknown[], raw: Buffer | undefined): ForwardedWrite[] {
  if (raw === undefined || heads.length % 2 !== 0) throw new Malformed('raw')
  const writes: ForwardedWrite[] = []
  let at = 0
  for (let position = 0; position < heads.length; position += 2) {
    const size = asCount(heads[position + 1])
    const command = raw.subarray(at, at + size)
    // Checked here, where a bad peer can still be refused: one that is no command would end its session.
    if (!isCommand(command)) throw new Malformed('command')
    writes.push({ counter: asCount(heads[position]), command })
    at += size + 1
  }
  if (at - 1 !== raw.length) throw new Malformed('sizes')
  return writes
}

function readHealth(value: unknown): MemberHealth {
  const fields = asFields(value)
  return {
    id: nodeId(fields.text('id')),
    heard: fields.flag('heard'),
    inSync: fields.flag('inSync'),
    lastIndex: fields.index('lastIndex'),
    appliedIndex: fields.index('appliedIndex'),
    lag: fields.count('lag'),
    silentTicks: fields.count('silentTicks'),
    diskFull: fields.flag('diskFull'),
  }
}

function readOutcome(fields: Fields): AppendReply['outcome'] {
  const kind = fields.text('kind')
  if (kind === 'stale') return { kind }
  if (kind === 'matched') return { kind, matched: fields.index('matched') }
  if (kind !== 'mismatch') throw new Malformed('outcome')
  return {
    kind,
    previousIndex: fields.index('previousIndex'),
    hintIndex: fields.index('hintIndex'),
    hintTerm: fields.term('hintTerm'),
  }
}

function readSession(fields: Fields): string {
  const session = fields.get('session')
  if (!isSessionName(session)) throw new Malformed('session')
  return session
}

function readReason(text: string): 'gap' | 'busy' | 'disk-full' | 'expired' {
  if (text !== 'gap' && text !== 'busy' && text !== 'disk-full' && text !== 'expired')
    throw new Malformed(text)
  return text
}

/** Nearly all results tell a version and at most whether the key was there, so these stand as numbers. */
function plainResultRow([counter, result]: readonly [number, Result]): unknown {
  if (result.kind !== 'written') return [counter, encodeResult(result)]
  const { version, existed } = result
  return existed === undefined ? [counter, version] : [counter, version, existed ? 1 : 0]
}

function readResultRow(row: unknown): readonly [number, Result] {
  if (!Array.isArray(row)) throw new Malformed('results')
  if (typeof row[1] === 'number') {
    const version = asCount(row[1])
    if (row.length === 2) return [asCount(row[0]), { kind: 'written', version }]
    if (row[2] !== 0 && row[2] !== 1) throw new Malformed('existed')
    return [asCount(row[0]), { kind: 'written', version, existed: row[2] === 1 }]
  }
  const result = decodeResult(row[1])
  if (result === undefined) throw new Malformed('result')
  return [asCount(row[0]), result]
}

/** The requests that travel as queries. */
function readAdministration(fields: Fields): Request {
  const op = fields.text('op')
  switch (op) {
    case 'add-member':
    case 'move-member': {
      const member = fields.nested('member')
      const id: NodeId = nodeId(member.text('id'))
      return { op, member: { id, address: member.text('address'), peerAddress: member.text('peerAddress') } }
    }
    case 'remove-member':
    case 'transfer-leader':
      return { op, address: fields.text('address') }
    default:
      throw new Malformed(op)
  }
}

/** A batch has reads, and one that walks over all keys is alone in its own. */
function readReads(list: readonly unknown[]): readonly ReadRequest[] {
  const reads = list.map(value => readRead(asFields(value)))
  if (reads.length === 0 || (reads.length > 1 && reads.some(isWalking))) throw new Malformed('requests')
  return reads
}

function readRead(fields: Fields): ReadRequest {
  const op = fields.text('op')
  switch (op) {
    case 'get':
      return { op, key: fields.text('key'), local: false }
    case 'keys':
      return { op, prefix: fields.text('prefix'), after: fields.text('after'), limit: fields.count('limit') }
    case 'redis-read': {
      const operations = decodeOperations(fields.get('operations'))
      if (operations === undefined) throw new Malformed('operations')
      return { op, operations: operations.filter(operation => isRead(operation)), local: false }
    }
    default:
      throw new Malformed(op)
  }
}

function plainRequest(request: ReadRequest): unknown {
  if (request.op !== 'redis-read') return request
  return { op: request.op, operations: request.operations.map(encodeOperation) }
}

function plainResponse(response: Response): unknown {
  if (response.kind === 'redis') return { ...response, replies: response.replies.map(encodeReply) }
  return response.kind === 'value' ? { ...response, value: encodeValue(response.value) } : response
}

function readResponse(value: unknown): Response {
  const fields = asFields(value)
  const kind = fields.text('kind')
  if (kind === 'value') {
    const bytes = decodeValue(fields.get('value'))
    if (bytes === undefined) throw new Malformed('value')
    return { kind, value: bytes, version: fields.count('version') }
  }
  if (kind === 'keys') return { kind, keys: fields.list('keys').map(asText), more: fields.flag('more') }
  if (kind === 'done') return { kind }
  if (kind === 'redis') {
    const replies = decodeReplies(fields.get('replies'))
    if (replies === undefined) throw new Malformed('replies')
    return { kind, replies }
  }
  if (kind !== 'error') throw new Malformed(kind)
  const code = fields.text('code')
  if (!isErrorCode(code)) throw new Malformed(code)
  return fields.get('details') === undefined
    ? failure(code)
    : failure(code, readDetails(fields.nested('details')))
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errors, code)
}

function readDetails(fields: Fields): Record<string, string | number> {
  const details: Record<string, string | number> = {}
  for (const [name, value] of fields.entries()) {
    if (typeof value !== 'string' && typeof value !== 'number') throw new Malformed(name)
    details[name] = value
  }
  return details
}

function asFields(value: unknown): Fields {
  if (typeof value !== 'object' || value === null) throw new Malformed('object')
  return new Fields(value as Record<string, unknown>)
}

function asText(value: unknown): string {
  if (typeof value !== 'string') throw new Malformed('text')
  return value
}

function asCount(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new Malformed('count')
  return value
}
