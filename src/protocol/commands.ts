/**
 * The one table of commands. Parsers of every dialect, usage lines, help and the reference page are made from
 * its rows; what a command asks of an engine is in command.ts.
 */
import { NameTable } from './names.js'
import type { RequestKind } from './ordering.js'
import type { ClusterStatus } from './request.js'

/** Which idea runs a cluster; chosen when it is created. */
export type Engine = ClusterStatus['engine']

/** One word of a command: what it is called in the usage, and what it must be. */
export interface WordRow {
  readonly name: string
  /** `value` is the rest of the line as bytes and comes last; `node` is an address, `number` a whole number. */
  readonly is: 'key' | 'text' | 'number' | 'node' | 'value'
  readonly optional?: true
}

/** One option: a flag if it takes nothing, else followed by a word or a number. */
export interface OptionRow {
  readonly takes?: { readonly name: string; readonly is: 'text' | 'number' }
  readonly required?: true
  /** Where it differs from the command's own. */
  readonly engines?: readonly Engine[]
  /** Set where it makes sense only if a key may have several versions. */
  readonly ofVersions?: true
  readonly summary: string
}

/** One command: everything that parsers, usage and help need to know of it. */
export interface CommandRow {
  readonly aliases?: readonly string[]
  readonly kind: RequestKind
  readonly engines: readonly Engine[]
  readonly words: readonly WordRow[]
  readonly options: Readonly<Record<string, OptionRow>>
  readonly summary: string
  /** The same for the ring, where that says something else. */
  readonly ringSummary?: string
  /** The same for a ring whose keys may have several versions. */
  readonly versionsSummary?: string
  /** Set where a row exists in one dialect only. */
  readonly only?: 'json'
}

const both = ['raft', 'ring'] as const
const raft = ['raft'] as const
const ring = ['ring'] as const
const key = { name: 'key', is: 'key' } as const
const value = { name: 'value', is: 'value' } as const
const node = { name: 'node', is: 'node' } as const
const copies = { name: 'copies', is: 'number' } as const
const writeQuorum = {
  takes: copies,
  engines: ring,
  ofVersions: true,
  summary: 'that many copies have to store it; a majority unless told otherwise',
} as const
const context = {
  takes: { name: 'context', is: 'text' },
  engines: ring,
  ofVersions: true,
  summary: 'replaces the versions that whoever got this context saw',
} as const
const ringWrite = { quorum: writeQuorum, context } as const

/** The table. */
export const commands = {
  get: {
    kind: 'read',
    engines: both,
    words: [key],
    options: {
      version: { engines: raft, summary: 'also shows the version that `cas` needs' },
      raw: { summary: 'announces the length, then gives the bytes as they are' },
      local: { engines: raft, summary: 'reads the copy of this node, which may be stale' },
      quorum: {
        takes: copies,
        engines: ring,
        ofVersions: true,
        summary: 'that many copies have to answer; a majority unless told otherwise',
      },
      context: {
        engines: ring,
        ofVersions: true,
        summary: 'also shows the context that a `put` needs to replace this',
      },
    },
    summary: 'Reads a value.',
  },
  put: {
    kind: 'write',
    engines: both,
    words: [key, value],
    options: ringWrite,
    summary: 'Adds a key that does not exist yet.',
    versionsSummary: 'Adds a version beside those that the context does not cover.',
  },
  update: {
    kind: 'write',
    engines: both,
    words: [key, value],
    options: ringWrite,
    summary: 'Changes the value of a key that exists.',
  },
  set: {
    kind: 'write',
    engines: both,
    words: [key, value],
    options: ringWrite,
    summary: 'Writes a value, whether the key exists or not.',
  },
  delete: { kind: 'write', engines: both, words: [key], options: ringWrite, summary: 'Removes a key.' },
  cas: {
    kind: 'write',
    engines: raft,
    words: [key, { name: 'version', is: 'number' }, value],
    options: {},
    summary: 'Writes a value if the key still has that version (0: does not exist).',
  },
  keys: {
    kind: 'read',
    engines: raft,
    words: [{ name: 'prefix', is: 'text', optional: true }],
    options: {
      after: { takes: { name: 'key', is: 'text' }, summary: 'begins behind that key' },
      limit: { takes: { name: 'count', is: 'number' }, summary: 'how many at most' },
    },
    summary: 'Lists keys in byte order, a page at a time.',
  },
  status: {
    aliases: ['cluster-status'],
    kind: 'read',
    engines: both,
    words: [],
    options: { verbose: { summary: 'adds a line for each member' } },
    summary: 'Shows leader, active nodes and sync status.',
    ringSummary: 'Shows active nodes and sync status.',
  },
  heartbeat: {
    kind: 'read',
    engines: both,
    words: [],
    options: {},
    summary: 'Known nodes, leader, replication factor and warnings.',
    only: 'json',
  },
  'add-node': {
    kind: 'admin',
    engines: both,
    words: [node],
    options: {},
    summary: 'Adds a node that runs and was never used.',
  },
  'remove-node': {
    kind: 'admin',
    engines: both,
    words: [node],
    options: {},
    summary: 'Removes a node, or cancels adding it.',
    ringSummary: 'Has a node hand its keys over and leave the ring; a dead one is left out.',
  },
  'transfer-leader': {
    kind: 'admin',
    engines: raft,
    words: [node],
    options: {},
    summary: 'Makes that node the leader.',
  },
  join: { kind: 'admin', engines: ring, words: [node], options: {}, summary: 'Joins the ring of that node.' },
  leave: {
    kind: 'admin',
    engines: ring,
    words: [],
    options: {},
    summary: 'Hands its keys over and leaves the ring.',
  },
  lookup: {
    kind: 'read',
    engines: ring,
    words: [key],
    options: {},
    summary: 'Shows which nodes keep a key.',
  },
  members: { kind: 'read', engines: ring, words: [], options: {}, summary: 'Lists the members of the ring.' },
  count: { kind: 'read', engines: ring, words: [], options: {}, summary: 'Counts the records held here.' },
  watch: {
    kind: 'session',
    engines: both,
    words: [],
    options: { cluster: { required: true, summary: 'watches the cluster' } },
    summary: 'Tells what happens to the cluster, a line each, from now on.',
  },
  help: { kind: 'session', engines: both, words: [], options: {}, summary: 'Shows this list.' },
  quit: { kind: 'session', engines: both, words: [], options: {}, summary: 'Closes the connection.' },
} as const satisfies Record<string, CommandRow>

/** The name of a row of {@link commands}. */
export type Verb = keyof typeof commands

/** A row as its readers see it: wide enough to ask any row for anything a row may have. */
export function commandRow(verb: Verb): CommandRow {
  return commands[verb]
}

// The keys of a literal object are known; the library's type for `Object.keys` is wider on purpose.
/** Every verb, in the order of the table. */
export const verbs = Object.keys(commands) as readonly Verb[]

const verbOfName: ReadonlyMap<string, Verb> = new Map(
  verbs.flatMap(verb => [verb, ...(commandRow(verb).aliases ?? [])].map(name => [name, verb] as const)),
)

/** The command of that name in either case, or undefined if there is none. */
export function findCommand(name: string): Verb | undefined {
  return verbOfName.get(name) ?? verbOfName.get(name.toLowerCase())
}

/** A command and its row. */
export interface FoundCommand {
  readonly verb: Verb
  readonly row: CommandRow
}

const commandOfName = new NameTable<FoundCommand>(
  [...verbOfName].map(([name, verb]) => [name, { verb, row: commandRow(verb) }]),
)

/** The same as {@link findCommand} for a name that stands in bytes. */
export function findCommandAt(bytes: Uint8Array, start: number, end: number): FoundCommand | undefined {
  return commandOfName.find(bytes, start, end)?.row
}

/** Whether a command, or one of its options, exists on an engine. */
export function isFor(engine: Engine, verb: Verb, option?: OptionRow): boolean {
  return (option?.engines ?? commandRow(verb).engines).includes(engine)
}

/**
 * How a command is typed, with the options it has on that engine: `get [--version] <key>`; `oneVersion` where keys
 * have one version whatever the engine.
 */
export function usage(verb: Verb, engine: Engine, oneVersion = false): string {
  const row = commandRow(verb)
  const options = Object.entries(row.options)
    .filter(([, option]) => isFor(engine, verb, option) && !(oneVersion && option.ofVersions))
    .map(([name, option]) => {
      const spelled = option.takes === undefined ? `--${name}` : `--${name} <${option.takes.name}>`
      return option.required ? spelled : `[${spelled}]`
    })
  const words = row.words.map(word => {
    if (word.is === 'node') return '<host>[:<port>]'
    return word.optional ? `[${word.name}]` : `<${word.name}>`
  })
  return [verb, ...options, ...words].join(' ')
}

/** What a command does on an engine, in a sentence. */
export function summaryOf(verb: Verb, engine: Engine, oneVersion = false): string {
  const { summary, ringSummary, versionsSummary } = commandRow(verb)
  if (engine === 'raft') return summary
  return (oneVersion ? ringSummary : (versionsSummary ?? ringSummary)) ?? summary
}

/** One row of help. */
export interface HelpRow {
  readonly usage: string
  readonly summary: string
}

/**
 * The commands of an engine that there are in a dialect, in the order of the table; `oneVersion` as for {@link usage}.
 */
export function helpRows(dialect: 'text' | 'json', engine: Engine, oneVersion = false): readonly HelpRow[] {
  return verbs
    .filter(verb => isFor(engine, verb) && (commandRow(verb).only ?? dialect) === dialect)
    .map(verb => ({ usage: usage(verb, engine, oneVersion), summary: summaryOf(verb, engine, oneVersion) }))
}
