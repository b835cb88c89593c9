/**
 * The text dialect of Warehouse 13: a few words in capitals, one line for one line. The table of words and the
 * texts of answers are here once, for the instance that answers netcat and for the client that answers people.
 */
import { AssertionError } from '../base/assert.js'
import type { ByteWriter } from './byte-writer.js'
import type { Command } from './command.js'
import type { Engine } from './commands.js'
import { type ErrorCode, errorText } from './errors.js'
import { heartbeatFields } from './json-reply.js'
import { readKey } from './key.js'
import { isOneLine } from './one-line.js'
import { placementOf, topologyOf } from './placement.js'
import { type ClusterStatus, type Failure, failure, type Response, type WrittenResponse } from './request.js'
import type { RingWrite } from './ring-request.js'
import type { TextDialect } from './text-dialect.js'
import { statusWarning } from './text-reply.js'
import { isUtf8 } from './utf8.js'
import { endOfWord, skipBlanks } from './words.js'

/** One word of the dialect. */
interface WordRow {
  /** What follows it. */
  readonly takes: 'nothing' | 'key' | 'optional key' | 'key and value'
  readonly usage: string
  readonly summary: string
}

/** The table. */
export const warehouseWords = {
  SET: {
    takes: 'key and value',
    usage: 'SET <key> <value>',
    summary: 'Writes an entry; the value is the rest of the line.',
  },
  GET: { takes: 'key', usage: 'GET <key>', summary: 'Reads an entry.' },
  DELETE: { takes: 'key', usage: 'DELETE <key>', summary: 'Removes an entry.' },
  NODES: {
    takes: 'optional key',
    usage: 'NODES [key]',
    summary: 'Shows the known nodes, or those that keep a key.',
  },
  HEARTBEAT: { takes: 'nothing', usage: 'HEARTBEAT', summary: 'Shows what a heartbeat answers.' },
  STATUS: {
    takes: 'nothing',
    usage: 'STATUS',
    summary: 'Shows the leader and whether all nodes are in sync.',
  },
  HELP: { takes: 'nothing', usage: 'HELP', summary: 'Shows these words.' },
  EXIT: { takes: 'nothing', usage: 'EXIT', summary: 'Ends the connection.' },
} as const satisfies Record<string, WordRow>

const rows: readonly WordRow[] = Object.values(warehouseWords)

/** A row of {@link warehouseWords}. */
export type WarehouseWord = keyof typeof warehouseWords

/** What one line says. */
export interface WarehouseLine {
  readonly word: WarehouseWord
  /** Empty where none was given. */
  readonly key: string
  /** The rest of the line behind one blank, byte for byte; a view of the line. */
  readonly value: Buffer
}

/** Gives the form in which a key is kept, or says why it may not be one. */
export type KeyRule = (key: string) => string | Failure

/** Reads a line without its ending; undefined for one with nothing in it. */
export function readWarehouseLine(line: Buffer, rule: KeyRule): WarehouseLine | Failure | undefined {
  const start = skipBlanks(line, 0)
  if (start === line.length) return undefined
  const end = endOfWord(line, start)
  const word = line.toString('latin1', start, Math.min(end, start + 64)).toUpperCase()
  if (!isWord(word)) return failure('UNKNOWN_COMMAND', { command: '' })
  const { takes, usage }: WordRow = warehouseWords[word]
  const keyStart = skipBlanks(line, end)
  const keyEnd = endOfWord(line, keyStart)
  const misfit = failure('INVALID_FORMAT', { usage })
  if (keyEnd === keyStart) {
    const isWhole = takes === 'nothing' || takes === 'optional key'
    return isWhole ? { word, key: '', value: nothing } : misfit
  }
  if (takes === 'nothing') return misfit
  const hasMore = skipBlanks(line, keyEnd) < line.length
  if (takes === 'key and value' ? keyEnd === line.length : hasMore) return misfit
  const typed = readKey(line, keyStart, keyEnd)
  // Whatever else is wrong with it, it is no UUID.
  const key = typeof typed === 'string' ? rule(typed) : failure('KEY_NOT_UUID4')
  if (typeof key !== 'string') return key
  const value = takes === 'key and value' ? line.subarray(keyEnd + 1) : nothing
  return isUtf8(value) ? { word, key, value } : failure('NOT_UTF8')
}

/** The dialect, with the rule that says what may be a key. */
export function warehouseText(rule: KeyRule): TextDialect {
  return {
    parse: (line, engine) => {
      const said = readWarehouseLine(line, rule)
      return said === undefined || 'kind' in said ? said : toCommand(said, engine)
    },
    writeReply: (command, response, out) => void out.text(`${replyTo(command, response)}\n`),
    writeFailure: (refused, out: ByteWriter) => void out.text(`${errorLine(refused)}\n`),
    help: () => `Commands: ${rows.map(({ usage }) => usage).join(', ')}\n`,
    // There is no word for it.
    watch: '\n',
    oneVersion: true,
  }
}

/** What a write that was carried out is answered: `Created (2 replicas)`. */
export function writtenText(
  word: 'SET' | 'DELETE',
  { existed, copies }: Pick<WrittenResponse, 'existed' | 'copies'>,
): string {
  const done = word === 'DELETE' ? 'Deleted' : existed ? 'Updated' : 'Created'
  return copies === undefined ? done : `${done} (${copies} ${copies === 1 ? 'replica' : 'replicas'})`
}

/** What was asked, as far as the text of an error depends on it. */
export interface WarehouseAsked {
  readonly kind: 'read' | 'write'
  readonly engine: Engine
}

/** What an error is answered. `Not found` is an answer, and says nothing of an error. */
export function warehouseErrorText(
  code: ErrorCode,
  asked: WarehouseAsked = { kind: 'read', engine: 'raft' },
  details?: Failure['details'],
): string {
  switch (code) {
    case 'KEY_NOT_FOUND':
      return 'Not found'
    case 'KEY_NOT_UUID4':
    case 'KEY_TOO_LONG':
    case 'INVALID_KEY':
      return 'Error: Key is not a proper UUID4'
    case 'INVALID_FORMAT':
      return 'Error: invalid command'
    case 'UNKNOWN_COMMAND':
      return 'Error: unknown command'
    case 'LEADER_UNAVAILABLE': {
      // A ring has a leader as long as one instance lives, so that this is for a moment only.
      const missing = asked.engine === 'raft' ? 'no majority' : 'no leader'
      return `Error: ${missing}, nothing was ${asked.kind === 'write' ? 'written' : 'read'}`
    }
    case 'ENTRY_UNAVAILABLE':
      return 'Error: entry unavailable, its replicas are down'
    case 'OUTCOME_UNKNOWN':
      return 'Error: outcome unknown, the write may have happened'
    case 'NOT_ONE_LINE':
      return `Error: the value is not one line of text (${details?.['bytes'] ?? '?'} bytes)`
    default:
      // A reason may come from another machine: it must not add lines of its own.
      return `Error: ${errorText(code, details).replace(/\p{Cc}/gu, ' ')}`
  }
}

/** The words with what they do, a line each. */
export function warehouseHelp(): string {
  const width = Math.max(...rows.map(({ usage }) => usage.length))
  return rows.map(({ usage, summary }) => `${usage.padEnd(width)}  ${summary}`).join('\n')
}

/** The state of the cluster in one line. */
export function warehouseStatus(
  leader: string | undefined,
  active: readonly string[],
  warning: string | undefined,
): string {
  const sync = warning === undefined ? 'All nodes in sync.' : `WARNING: ${warning}`
  return `Leader: ${leader ?? 'none'}. Known nodes: ${active.join(', ')}. ${sync}`
}

function toCommand({ word, key, value }: WarehouseLine, engine: Engine): Command {
  const isRing = engine === 'ring'
  switch (word) {
    case 'SET': {
      const request = isRing ? ringWrite('set', key, value) : ({ op: 'set', key, value } as const)
      return { kind: 'write', verb: 'set', request }
    }
    case 'DELETE': {
      const request = isRing ? ringWrite('delete', key, undefined) : ({ op: 'delete', key } as const)
      return { kind: 'write', verb: 'delete', request }
    }
    case 'GET': {
      const request = isRing
        ? ({ op: 'read-versions', key, quorum: undefined } as const)
        : ({ op: 'get', key, local: false } as const)
      return { kind: 'read', verb: 'get', request, raw: false, version: false, context: false }
    }
    case 'STATUS':
    case 'HEARTBEAT': {
      const verb = word === 'STATUS' ? 'status' : 'heartbeat'
      return { kind: 'read', verb, request: { op: 'status' }, verbose: false }
    }
    case 'NODES': {
      const nodes = { kind: 'read', verb: 'nodes', request: { op: 'status' }, verbose: false } as const
      return key === '' ? nodes : { ...nodes, key }
    }
    case 'HELP':
      return { kind: 'session', verb: 'help' }
    case 'EXIT':
      return { kind: 'session', verb: 'quit' }
  }
}

/** A write of one version, in the place of whatever is there. */
function ringWrite(verb: 'set' | 'delete', key: string, value: Uint8Array | undefined): RingWrite {
  const unsaid = { quorum: undefined, context: undefined, identity: undefined }
  return { op: 'write-version', verb, key, value, ...unsaid }
}

/** The reply to a command, without its newline. */
function replyTo(command: Command, response: Response): string {
  switch (response.kind) {
    case 'error':
      return errorLine(response, askedIn(command))
    case 'value': {
      const { value } = response
      if (!isOneLine(value)) return errorLine(failure('NOT_ONE_LINE', { bytes: value.length }))
      return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()
    }
    case 'written':
      return writtenText(command.verb === 'delete' ? 'DELETE' : 'SET', response)
    case 'status':
      if (command.verb === 'heartbeat') return JSON.stringify(heartbeatFields(response.status))
      if (command.verb === 'nodes') return nodesOf(response.status, command.key).join(' ')
      return statusLine(response.status)
    case 'keys':
    case 'done':
    case 'redis':
    case 'versions':
    case 'owners':
    case 'count':
      throw new AssertionError(`a response of kind ${response.kind} answers no ${command.verb}`)
  }
}

function nodesOf(status: ClusterStatus, key: string | undefined): readonly string[] {
  if (key !== undefined) return placementOf(key, topologyOf(status))
  return status.members.filter(({ active }) => active).map(({ address }) => address)
}

function statusLine(status: ClusterStatus): string {
  return warehouseStatus(status.leader, nodesOf(status, undefined), statusWarning(status))
}

function errorLine({ code, details }: Failure, asked?: WarehouseAsked): string {
  return warehouseErrorText(code, asked, details)
}

function askedIn(command: Command): WarehouseAsked {
  const isOfRing =
    'request' in command && (command.request.op === 'write-version' || command.request.op === 'read-versions')
  return { kind: command.kind === 'write' ? 'write' : 'read', engine: isOfRing ? 'ring' : 'raft' }
}

function isWord(word: string): word is WarehouseWord {
  return Object.hasOwn(warehouseWords, word)
}

const nothing = Buffer.alloc(0)
