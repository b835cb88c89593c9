/** COMMAND: the table of commands, told to clients and to the help of redis-cli. */
import type { RespCommandRow } from './command-row.js'
import { textOf } from './connection-commands.js'
import type { AnyCommandRow, CommandTable } from './conversation.js'
import {
  arrayReply,
  errorReply,
  integerReply,
  mapReply,
  nilReply,
  type RespReply,
  textReply,
} from './reply.js'

/** COMMAND, or COMMAND INFO of some names: what is no command is nil. */
export function commandInfos(table: CommandTable, names?: readonly string[]): RespReply {
  const wanted = names ?? [...table.keys()]
  return arrayReply(wanted.map(name => infoOf(name.toLowerCase(), rowOf(table, name))))
}

/** COMMAND DOCS of some names or of all; what is no command is left out. */
export function commandDocs(table: CommandTable, names: readonly string[]): RespReply {
  const wanted = names.length === 0 ? [...table.keys()] : names
  return mapReply(
    wanted.flatMap(name => {
      const row = rowOf(table, name)
      return row === undefined ? [] : [[name.toLowerCase(), docsOf(name.toLowerCase(), row)] as const]
    }),
  )
}

/** COMMAND LIST, by name. */
export function commandNames(table: CommandTable): RespReply {
  return arrayReply([...table.keys()].map(textReply))
}

/** COMMAND GETKEYS: which of the words of a command are keys. */
export function commandKeys(table: CommandTable, words: readonly Buffer[]): RespReply {
  const [name, subname] = words
  const container = table.get(textOf(name).toLowerCase())
  const row = container && 'subcommands' in container ? subcommandOf(container, textOf(subname)) : container
  if (row === undefined) return errorReply('ERR Invalid command specified')
  const { arity, keys } = row
  const [first, last, step] = keys
  if (first === 0) return errorReply('ERR The command has no key arguments')
  const fits = arity < 0 ? words.length >= -arity : words.length === arity
  if (!fits) return errorReply('ERR Invalid number of arguments specified for command')
  const end = last < 0 ? words.length + last : last
  return arrayReply(
    words
      .slice(first, end + 1)
      .filter((_, position) => position % step === 0)
      .map(value => ({ kind: 'bytes', value })),
  )
}

/** The row of a command, or of a subcommand given as `client|id`; in either case. */
function rowOf(table: CommandTable, name: string): AnyCommandRow | undefined {
  const [command = '', subcommand, ...more] = name.toLowerCase().split('|')
  const row = table.get(command)
  if (subcommand === undefined || row === undefined) return row
  return more.length === 0 && 'subcommands' in row ? subcommandOf(row, subcommand) : undefined
}

function subcommandOf(
  row: Extract<AnyCommandRow, { subcommands: unknown }>,
  name: string,
): AnyCommandRow | undefined {
  // Asked for by its own name only, never by one that every object has.
  const lower = name.toLowerCase()
  return Object.hasOwn(row.subcommands, lower) ? row.subcommands[lower] : undefined
}

function infoOf(name: string, row: AnyCommandRow | undefined): RespReply {
  if (row === undefined) return nilReply
  const { arity, flags, keys } = row
  const subcommands = 'subcommands' in row ? Object.entries(row.subcommands) : []
  return arrayReply([
    textReply(name),
    integerReply(arity),
    setOf(flagsOf(row, flags)),
    ...keys.map(integerReply),
    setOf(categoriesOf(row).map(category => `@${category}`)),
    // Nothing to say to proxies.
    arrayReply([]),
    arrayReply(keys[0] === 0 ? [] : [keySpecification(row)]),
    arrayReply(subcommands.map(([subname, subrow]) => infoOf(`${name}|${subname}`, subrow))),
  ])
}

function docsOf(name: string, row: AnyCommandRow): RespReply {
  const subcommands = 'subcommands' in row ? Object.entries(row.subcommands) : []
  const docs: [string, RespReply][] = [
    ['summary', textReply(row.summary)],
    ['since', textReply(row.since)],
    ['group', textReply(row.group)],
  ]
  if (subcommands.length > 0) {
    const each = subcommands.map(([subname, subrow]) => {
      const full = `${name}|${subname}`
      return [full, docsOf(full, subrow)] as const
    })
    docs.push(['subcommands', mapReply(each)])
  }
  return mapReply(docs)
}

function flagsOf(row: AnyCommandRow, flags: readonly string[]): readonly string[] {
  const isRefused = ('inTransaction' in row && row.inTransaction === 'refused') || 'walks' in row
  return isRefused ? [...flags, 'no_multi'] : flags
}

/** The groups of commands that access rules name. */
function categoriesOf({ flags, group, keys }: RespCommandRow): readonly string[] {
  const speed = flags.includes('fast') ? 'fast' : 'slow'
  const access = flags.includes('write') ? ['write'] : flags.includes('readonly') ? ['read'] : []
  const subject = {
    string: 'string',
    generic: 'keyspace',
    server: 'admin',
    connection: 'connection',
    transactions: 'transaction',
    cluster: 'admin',
  }[group]
  // What looks at keys or the clock is nobody's privilege.
  const isPlain = group === 'server' && (keys[0] !== 0 || access.length > 0 || speed === 'fast')
  return [...access, ...(isPlain ? [] : [subject]), speed]
}

function keySpecification({ flags, keys }: RespCommandRow): RespReply {
  const [first, last, step] = keys
  // Counted from the first key, unless from the end.
  const lastKey = last < 0 ? last : last - first
  return mapReply([
    ['flags', setOf(flags.includes('write') ? ['RW', 'access', 'update'] : ['RO', 'access'])],
    [
      'begin_search',
      mapReply([
        ['type', textReply('index')],
        ['spec', mapReply([['index', integerReply(first)]])],
      ]),
    ],
    [
      'find_keys',
      mapReply([
        ['type', textReply('range')],
        [
          'spec',
          mapReply([
            ['lastkey', integerReply(lastKey)],
            ['keystep', integerReply(step)],
            ['limit', integerReply(0)],
          ]),
        ],
      ]),
    ],
  ])
}

function setOf(names: readonly string[]): RespReply {
  return { kind: 'set', items: names.map(text => ({ kind: 'status', text })) }
}
