/**
 * Reads the settings of a program: flags over environment variables over a configuration file, all of them
 * made from the program's one table. Nothing is guessed and nothing is passed over: a name that is not in the
 * table, or a value that does not fit, ends the program with an error that names the nearest right one.
 */
import { readFileSync } from 'node:fs'
import minimist from 'minimist'
import { nearest } from './nearest.js'
import type { Kind } from './values.js'

/** One setting: a row of a program's table. Its name is the flag without dashes and the key of the file. */
export interface SettingRow<T> {
  readonly is: Kind<T>
  /** Stands for the value in the help; left out where the flag takes none. */
  readonly value?: string
  /** The unit of a bare number. */
  readonly unit?: 'ms' | 's' | 'bytes'
  /** What applies when nobody says anything, as text; left out where there is nothing, or it depends. */
  readonly default?: string
  /** What the help shows as the default, where that is not `default` itself. */
  readonly defaultShown?: string
  /** Why the default is what it is. */
  readonly reason: string
  /** A sentence without its full stop, for the help. */
  readonly summary: string
  /** A flag that takes no value. */
  readonly isSwitch?: true
  /** Where it can be set, if not everywhere. */
  readonly only?: 'flag' | 'flag and environment'
}

/** A program's settings, by name. */
export type SettingTable = Readonly<Record<string, SettingRow<unknown>>>

/** The values of a table: those with a default are always there. */
export type SettingValues<Table extends SettingTable> = {
  readonly [Name in keyof Table]: Table[Name] extends { readonly is: Kind<infer T> }
    ? Table[Name] extends { readonly default: string }
      ? T
      : T | undefined
    : never
}

/** Where settings come from. */
export interface SettingSources {
  /** The words after the program's name. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads the configuration file; the real file system's if it is left out. */
  readonly readFile?: (path: string) => string
}

/** What was wrong with a setting. */
export type SettingProblem =
  /** A name that is in no row. */
  | 'unknown'
  /** A value that does not fit its row. */
  | 'bad-value'
  /** Each fits its row, but not the others. */
  | 'conflict'
  /** The configuration file could not be read. */
  | 'bad-file'

/** The settings cannot be used as they are; the message says which, and what to do. */
export class SettingError extends Error {
  override readonly name = 'SettingError'
  readonly problem: SettingProblem
  /** The setting as it was given: `--port`, `QUORATE_PORT`, or `"port" in quorate.json`. */
  readonly setting: string
  /** What was probably meant. */
  readonly nearest: string | undefined

  constructor(problem: SettingProblem, setting: string, message: string, nearest?: string) {
    super(nearest === undefined ? message : `${message} Did you mean ${nearest}?`)
    this.problem = problem
    this.setting = setting
    this.nearest = nearest
  }
}

/** Every environment variable that begins so is ours, and must be right. */
export const environmentPrefix = 'QUORATE_'

/** The environment variable of a setting. */
export function environmentName(name: string): string {
  return environmentPrefix + name.toUpperCase().replaceAll('-', '_')
}

/** The environment without our variables, for a child process that is to be told by flags alone. */
export function withoutOurVariables(env: SettingSources['env']): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith(environmentPrefix)))
}

/** A value as somebody gave it, and where. */
interface Given {
  readonly text: string
  /** How to name it in an error. */
  readonly setting: string
}
type Layer = ReadonlyMap<string, Given>

/**
 * The settings of the table, each from the first source that has it. The switch `help`, where it is a row, is
 * on whatever else was given, so that somebody who asks for help gets help.
 * @throws SettingError
 */
export function readSettings<const Table extends SettingTable>(
  table: Table,
  sources: SettingSources,
): SettingValues<Table> {
  const flags = readFlags(table, sources.argv)
  const environment = readEnvironment(table, sources.env)
  const configPath = (flags.get('config') ?? environment.get('config'))?.text
  const file: Layer = configPath === undefined ? new Map() : readConfigFile(table, configPath, sources)
  const values: Record<string, unknown> = {}
  for (const [name, row] of Object.entries(table)) {
    const given = flags.get(name) ?? environment.get(name) ?? file.get(name)
    values[name] = given === undefined ? defaultOf(row) : readValue(row, given)
  }
  // Each value was made by its own row's parser, which is what the type says; the loop cannot tell the compiler.
  return values as SettingValues<Table>
}

/** Whether help was asked for, in whatever company. */
export function wantsHelp(argv: readonly string[]): boolean {
  const ours = beforeDashes(argv)
  return ours.includes('--help') || ours.includes('-h')
}

function readFlags(table: SettingTable, argv: readonly string[]): Layer {
  const names = Object.keys(table)
  const switches = names.filter(name => table[name]?.isSwitch)
  for (const word of beforeDashes(argv)) {
    if (/^--?[^-]/.test(word) && !isFlag(word, names, switches)) refuseWord(names, word)
  }
  const parsed = minimist([...argv], {
    string: names.filter(name => !switches.includes(name)),
    boolean: switches,
    // A switch that nobody mentioned would otherwise count as switched off.
    default: Object.fromEntries(switches.map(name => [name, null])),
  })
  const [stray] = parsed._
  if (stray !== undefined) refuseWord(names, String(stray))
  const layer = new Map<string, Given>()
  for (const name of names) {
    const setting = `--${name}`
    const value: unknown = parsed[name]
    if (value === undefined || value === null) continue
    if (Array.isArray(value)) {
      throw new SettingError('bad-value', setting, `${setting} is given more than once.`)
    }
    layer.set(name, { text: String(value), setting })
  }
  return layer
}

/** Whether a word is `--name` or `--name=value` of the table, or `--no-name` of a switch. */
function isFlag(word: string, names: readonly string[], switches: readonly string[]): boolean {
  const [flag = word] = word.split('=')
  return (
    names.some(name => flag === `--${name}`) ||
    switches.some(name => flag === `--no-${name}` && flag === word)
  )
}

function beforeDashes(argv: readonly string[]): readonly string[] {
  return argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv
}

function refuseWord(names: readonly string[], word: string): never {
  const [flag = word] = word.split('=')
  if (!flag.startsWith('-')) {
    throw new SettingError('unknown', word, `Unexpected word '${word}': settings begin with --.`)
  }
  const right = nearest(
    flag,
    names.map(name => `--${name}`),
  )
  throw new SettingError('unknown', flag, `Unknown flag '${flag}'.`, right)
}

function readEnvironment(table: SettingTable, env: SettingSources['env']): Layer {
  const names = Object.keys(table).filter(name => table[name]?.only !== 'flag')
  const byVariable = new Map(names.map(name => [environmentName(name), name]))
  const layer = new Map<string, Given>()
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(environmentPrefix)) continue
    const name = byVariable.get(variable)
    if (name === undefined) {
      const right = nearest(variable, byVariable.keys())
      throw new SettingError('unknown', variable, `Unknown environment variable '${variable}'.`, right)
    }
    // An empty variable is how a compose file or a shell says "not set".
    if (text !== undefined && text !== '') layer.set(name, { text, setting: variable })
  }
  return layer
}

function readConfigFile(table: SettingTable, path: string, sources: SettingSources): Layer {
  const names = Object.keys(table).filter(name => table[name]?.only === undefined)
  const layer = new Map<string, Given>()
  for (const [key, value] of Object.entries(parseFile(path, sources))) {
    const setting = `"${key}" in ${path}`
    if (!names.includes(key)) {
      throw new SettingError('unknown', setting, `Unknown key "${key}" in ${path}.`, nearest(key, names))
    }
    const text = textOf(value)
    if (text === undefined) {
      throw new SettingError('bad-value', setting, `${setting} is neither text, number, true or false.`)
    }
    layer.set(key, { text, setting })
  }
  return layer
}

function parseFile(path: string, sources: SettingSources): Record<string, unknown> {
  const readFile = sources.readFile ?? ((from: string) => readFileSync(from, 'utf8'))
  const refuse = (why: string): never => {
    throw new SettingError('bad-file', '--config', `The configuration file ${path} ${why}`)
  }
  let contents: string
  try {
    contents = readFile(path)
  } catch (error) {
    return refuse(`cannot be read: ${messageOf(error)}.`)
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(contents)
  } catch (error) {
    return refuse(`is not JSON: ${messageOf(error)}.`)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return refuse('does not hold one JSON object.')
  }
  return { ...parsed }
}

/** A value of the file as a flag would say it; a list may be an array. */
function textOf(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.every(part => typeof part === 'string') ? value.join(',') : undefined
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}

function readValue(row: SettingRow<unknown>, { text, setting }: Given): unknown {
  const value = row.is.parse(text)
  if (value !== undefined) return value
  const problem = text === '' ? `${setting} needs a value` : `${setting}: '${text}' is not ${row.is.expects}`
  const message = text === '' ? `${problem}: ${row.is.expects}.` : `${problem}.`
  throw new SettingError('bad-value', setting, message, nearest(text, row.is.choices ?? []))
}

function defaultOf(row: SettingRow<unknown>): unknown {
  return row.default === undefined ? undefined : row.is.parse(row.default)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
