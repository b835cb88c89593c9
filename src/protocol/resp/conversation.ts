/**
 * What a command of the Redis protocol comes to: a reply on the spot, or questions to the database from whose answers
 * the reply is made. And what the commands that concern the connection itself see of it and of its node.
 */
import type { Watched } from '../../base/operation.js'
import type { DataRequest } from '../command.js'
import type { Engine } from '../commands.js'
import type { RequestKind } from '../ordering.js'
import type { Response } from '../request.js'
import type { DataCommandRow, RespCommandRow } from './command-row.js'
import type { RespReply, RespVersion } from './reply.js'
import type { Transaction } from './transaction.js'

/** One request to the database, and what its answer leads to. */
export interface Question {
  readonly kind: 'question'
  readonly request: DataRequest
  next(response: Response): RespReply | Question
}

/** A command that asks the database. */
export interface Ask {
  readonly kind: 'ask'
  /** How it waits for the connection's other requests; `admin` is alone. */
  readonly order: RequestKind
  /** What is asked first; a function is called once everything that it has to wait for is answered. */
  readonly first: Question | (() => RespReply | Question)
}

/** See the head of this file. */
export type Outcome = RespReply | Ask

/** What one connection has told of itself, and what it has begun. */
export interface SessionState {
  readonly id: number
  version: RespVersion
  name: string
  libraryName: string
  libraryVersion: string
  /** Said READONLY: its reads may be stale. */
  isReadOnly: boolean
  /** `off`: no replies; `skip`: none to the next command. */
  replies: 'on' | 'off' | 'skip'
  /** Set between MULTI and EXEC. */
  transaction: Transaction | undefined
  watched: WatchedKeys
  /** The command that was said last. */
  lastCommand: string
  /** Said QUIT: the connection ends after the reply. */
  isClosing: boolean
}

/** The keys that a connection watches, with their versions as they become known. */
export interface WatchedKeys {
  readonly keys: Map<string, Watched>
  /** Set from WATCH on, before the versions are known. */
  isWatching: boolean
  /** A version was asked for, and the answer was an error: what relies on it must not be carried out. */
  hasFailed: boolean
}

/** Watches nothing. */
export function noWatchedKeys(): WatchedKeys {
  return { keys: new Map(), isWatching: false, hasFailed: false }
}

/** What a node can tell of itself. Times in milliseconds, sizes in bytes. */
export interface ServerFacts {
  readonly version: string
  readonly processId: number
  readonly port: number
  readonly wallMs: number
  readonly uptimeMs: number
  readonly residentBytes: number
  readonly heapBytes: number
  readonly cpuUserMs: number
  readonly cpuSystemMs: number
  readonly connections: number
  readonly connectionsMax: number
  readonly connectionsReceived: number
  readonly commandsProcessed: number
}

/** What is known of one client that speaks the Redis protocol. */
export interface ClientFacts {
  readonly state: SessionState
  /** Both ends of its connection, `host:port`. */
  readonly remoteAddress: string
  readonly localAddress: string
  readonly connectedAtMs: number
  readonly spokeAtMs: number
}

/** The node behind a connection, as far as commands ask for it. */
export interface RespHost {
  readonly engine: Engine
  /** Where clients reach this node, in full `host:port` form. */
  readonly address: string
  /** The longest word of a request. */
  readonly wordBytesMax: number
  facts(): ServerFacts
  clients(): readonly ClientFacts[]
}

/** Everything that a command of the connection may look at, and the state that it may change. */
export interface CommandContext {
  readonly state: SessionState
  readonly host: RespHost
  readonly table: CommandTable
}

/** A command that concerns the connection, the node or the cluster, and not the data. */
export interface ConnectionCommandRow extends RespCommandRow {
  /** Gets all words, the name (and, of a subcommand, both names) included; there are as many as the arity says. */
  readonly run: (words: readonly Buffer[], context: CommandContext) => Outcome
  /** Between MULTI and EXEC it is queued unless this says that it is carried out at once, or refused. */
  readonly inTransaction?: 'at-once' | 'refused'
}

/** A command whose second word says what is meant. */
export interface ContainerCommandRow extends RespCommandRow {
  readonly subcommands: Readonly<Record<string, ConnectionCommandRow>>
}

/** Any row of the table. */
export type AnyCommandRow = DataCommandRow | ConnectionCommandRow | ContainerCommandRow

/** All commands, by name in lower case. */
export type CommandTable = ReadonlyMap<string, AnyCommandRow>
