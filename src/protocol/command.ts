/**
 * What a client said, in whatever dialect: a checked command. A dialect reads the words and options of a
 * command into {@link Arguments} as its row in the table says; {@link toCommand} makes the command of them.
 */
import { unreachable } from '../base/assert.js'
import { fullAddress } from './address.js'
import { type Engine, usage, type Verb } from './commands.js'
import { checkKey } from './key.js'
import { type Failure, failure, type Request } from './request.js'
import type { RingRequest, RingWrite } from './ring-request.js'

/** How many keys one page of `keys` has at most, and unless told otherwise. */
export const keysPerPageMax = 1000

/** The requests that clients make of the data; members and leadership are changed by an {@link AdminCommand}. */
export type DataRequest = Extract<Request, { op: DataOperation }>
type DataOperation =
  | RingOperation
  | 'get'
  | 'put'
  | 'update'
  | 'set'
  | 'delete'
  | 'cas'
  | 'keys'
  | 'redis-write'
  | 'redis-read'
  | 'status'
type RingOperation = Exclude<RingRequest['op'], 'leave'>
type RequestOf<Operation> = Extract<Request, { op: Operation }>

/** A checked command. `kind` says how it is ordered; what only concerns showing the answer is not in `request`. */
export type Command =
  | GetCommand
  | WriteCommand
  | KeysCommand
  | PlacementCommand
  | StatusCommand
  | AdminCommand
  | SessionCommand

/** `raw`, `version` and `context` say how the value is shown. */
export interface GetCommand {
  readonly kind: 'read'
  readonly verb: 'get'
  readonly request: RequestOf<'get' | 'read-versions'>
  readonly raw: boolean
  readonly version: boolean
  readonly context: boolean
}

/** Any change of data. */
export interface WriteCommand {
  readonly kind: 'write'
  readonly verb: 'put' | 'update' | 'set' | 'delete' | 'cas'
  readonly request: RequestOf<'put' | 'update' | 'set' | 'delete' | 'cas' | 'write-version'>
}

/** One page of keys. */
export interface KeysCommand {
  readonly kind: 'read'
  readonly verb: 'keys'
  readonly request: RequestOf<'keys'>
}

/** Where a ring keeps its keys. */
export interface PlacementCommand {
  readonly kind: 'read'
  readonly verb: 'lookup' | 'count'
  readonly request: RequestOf<'lookup' | 'count'>
}

/** The state of the cluster; `heartbeat` and `members` show less of it, and `nodes` only where things are. */
export interface StatusCommand {
  readonly kind: 'read'
  readonly verb: 'status' | 'heartbeat' | 'members' | 'nodes'
  readonly request: RequestOf<'status'>
  readonly verbose: boolean
  /** Of `nodes`: where this key is kept, instead of all nodes. */
  readonly key?: string
}

/** A change of members or of the leader. */
export interface AdminCommand {
  readonly kind: 'admin'
  readonly verb: 'add-node' | 'remove-node' | 'transfer-leader' | 'join' | 'leave'
  /** As it was typed: replies echo this. Empty for `leave`, which names nobody. */
  readonly typed: string
  /** The same in full `host:port` form. */
  readonly address: string
}

/** Concerns the connection only; no engine sees it. */
export interface SessionCommand {
  readonly kind: 'session'
  readonly verb: 'watch' | 'help' | 'quit'
}

/** The words and options of one command, read and of the right kind, not yet checked any further. */
export interface Arguments {
  key: string
  value: Uint8Array
  number: number
  text: string
  node: string
  /** Flags are `true`. */
  options: ReadonlyMap<string, string | number | true>
  /** The identity that the client gave the request, if it did. */
  identity: string | undefined
}

const noValue = new Uint8Array(0)
const noOptions: ReadonlyMap<string, never> = new Map<string, never>()

/** Arguments to be filled in. */
export function emptyArguments(): Arguments {
  return { key: '', value: noValue, number: 0, text: '', node: '', options: noOptions, identity: undefined }
}

/** Makes the command of its arguments; a failure if they do not fit together. */
export function toCommand(verb: Verb, given: Arguments, engine: Engine): Command | Failure {
  const { key, value, options, identity } = given
  if (engine === 'ring') {
    const command = toRingCommand(verb, given)
    if (command !== undefined) return command
  }
  switch (verb) {
    case 'get': {
      const request = { op: verb, key, local: options.has('local') } as const
      const version = options.has('version')
      return { kind: 'read', verb, request, raw: options.has('raw'), version, context: false }
    }
    case 'put':
    case 'update':
    case 'set':
      return { kind: 'write', verb, request: { op: verb, key, value, identity } }
    case 'delete':
      return { kind: 'write', verb, request: { op: verb, key, identity } }
    case 'cas':
      return { kind: 'write', verb, request: { op: verb, key, version: given.number, value, identity } }
    case 'keys':
      return keysCommand(given, engine)
    case 'status':
    case 'heartbeat':
      return { kind: 'read', verb, request: { op: 'status' }, verbose: options.has('verbose') }
    case 'add-node':
    case 'remove-node':
    case 'transfer-leader':
    case 'join': {
      const address = fullAddress(given.node)
      if (address === undefined) return failure('INVALID_ADDRESS', { address: shortened(given.node) })
      return { kind: 'admin', verb, typed: given.node, address }
    }
    case 'watch':
      return options.has('cluster')
        ? { kind: 'session', verb }
        : failure('INVALID_FORMAT', { usage: usage(verb, engine) })
    case 'help':
    case 'quit':
      return { kind: 'session', verb }
    case 'leave':
    case 'lookup':
    case 'members':
    case 'count':
      // Nobody asks consensus for them: both dialects look at the table of commands first.
      return engineMismatch(verb, engine)
    default:
      return unreachable(verb)
  }
}

/** The commands that the ring has alone, or takes otherwise; undefined for those that mean the same on both. */
function toRingCommand(verb: Verb, given: Arguments): Command | undefined {
  const { key, options } = given
  switch (verb) {
    case 'get': {
      const request = { op: 'read-versions', key, quorum: quorumOf(given) } as const
      const context = options.has('context')
      return { kind: 'read', verb, request, raw: options.has('raw'), version: false, context }
    }
    case 'put':
    case 'update':
    case 'set':
      return { kind: 'write', verb, request: ringWrite(verb, given, given.value) }
    case 'delete':
      return { kind: 'write', verb, request: ringWrite(verb, given, undefined) }
    case 'lookup':
      return { kind: 'read', verb, request: { op: verb, key } }
    case 'count':
      return { kind: 'read', verb, request: { op: verb } }
    case 'members':
      return { kind: 'read', verb, request: { op: 'status' }, verbose: false }
    case 'leave':
      return { kind: 'admin', verb, typed: '', address: '' }
    default:
      return undefined
  }
}

function ringWrite(verb: RingWrite['verb'], given: Arguments, value: Uint8Array | undefined): RingWrite {
  const { key, options, identity } = given
  const context = options.get('context')
  return {
    op: 'write-version',
    verb,
    key,
    value,
    quorum: quorumOf(given),
    context: typeof context === 'string' ? context : undefined,
    identity,
  }
}

/** How many copies the client wants; whether there are so many is for the engine to say. */
function quorumOf({ options }: Arguments): number | undefined {
  const quorum = options.get('quorum')
  return typeof quorum === 'number' ? quorum : undefined
}

/** What to answer a command, or an option of one, on the engine that has it not. */
export function engineMismatch(verb: Verb, engine: Engine, option?: string): Failure {
  const command = option === undefined ? verb : `${verb} --${option}`
  // A row without this engine is for the other one.
  return failure('ENGINE_MISMATCH', { command, engine: engine === 'raft' ? 'ring' : 'raft' })
}

/** A word of the client's as it is shown in an error: not too much of it, and nothing a terminal would obey. */
export function shortened(word: string): string {
  const shownMax = 64
  const printable = word.slice(0, shownMax).replace(/\p{Cc}|\p{Surrogate}/gu, '?')
  return word.length > shownMax ? `${printable}...` : printable
}

function keysCommand(given: Arguments, engine: Engine): KeysCommand | Failure {
  const limit = given.options.get('limit') ?? keysPerPageMax
  const after = given.options.get('after') ?? ''
  if (typeof limit !== 'number' || limit < 1 || typeof after !== 'string') {
    return failure('INVALID_FORMAT', { usage: usage('keys', engine) })
  }
  for (const bound of [given.text, after]) {
    const problem = bound === '' ? undefined : checkKey(bound)
    if (problem !== undefined) return problem
  }
  // A larger limit is no error: the reply says that more follow.
  const request = { op: 'keys', prefix: given.text, after, limit: Math.min(limit, keysPerPageMax) } as const
  return { kind: 'read', verb: 'keys', request }
}
