/**
 * Reads the text dialect: one command a line, as somebody types it into netcat. Verb, options and words are
 * separated by blanks (spaces or tabs, as many as one likes); a value is the rest of the line behind one blank,
 * byte for byte, so that it may begin with blanks, end with them, or be empty (`put key ` with nothing behind
 * the blank stores an empty value, `put key` lacks one).
 */
import {
  type Arguments,
  type Command,
  emptyArguments,
  engineMismatch,
  shortened,
  toCommand,
} from './command.js'
import {
  commandRow,
  type Engine,
  type FoundCommand,
  findCommandAt,
  isFor,
  type OptionRow,
  usage,
  type Verb,
  type WordRow,
} from './commands.js'
import { readKey } from './key.js'
import { type Failure, failure } from './request.js'
import { isUtf8 } from './utf8.js'
import { endOfWord, skipBlanks } from './words.js'

/**
 * The command in a line (without its line ending), a failure to be answered instead, or undefined for a line
 * with nothing in it. A value is a view of the line.
 */
export function parseText(line: Buffer, engine: Engine): Command | Failure | undefined {
  const start = skipBlanks(line, 0)
  if (start === line.length) return undefined
  const end = endOfWord(line, start)
  const found = findCommandAt(line, start, end)
  if (found === undefined || found.row.only === 'json') return unknownCommand(line, start, end)
  const { verb, row } = found
  if (!row.engines.includes(engine)) return engineMismatch(verb, engine)

  const given = emptyArguments()
  const wordsFrom = readOptions(line, end, verb, engine, given)
  if (typeof wordsFrom !== 'number') return wordsFrom
  const problem = readWords(line, wordsFrom, found, engine, given)
  return problem ?? toCommand(verb, given, engine)
}

/**
 * Whether the first line of a connection is that of a browser or another HTTP client. Such a connection is to
 * be closed before anything is carried out: a web page can make a browser send any body to any port, and the
 * lines of the body would be commands. Of an over-long line, `head` and `tail` are its beginning and end.
 */
export function isHttp(head: Buffer, tail: Buffer = head): boolean {
  const start = skipBlanks(head, 0)
  const word = head.toString('latin1', start, endOfWord(head, start))
  if (word === 'POST' || word === 'Host:') return true
  const ending = tail.toString('latin1', Math.max(0, tail.length - ' HTTP/1.1'.length))
  return ending === ' HTTP/1.1' || ending === ' HTTP/1.0'
}

/** Reads the options that follow the verb into `given`; gives the position behind them. */
function readOptions(
  line: Buffer,
  from: number,
  verb: Verb,
  engine: Engine,
  given: Arguments,
): number | Failure {
  let position = from
  let options: Map<string, string | number | true> | undefined
  for (;;) {
    const start = skipBlanks(line, position)
    if (line[start] !== hyphen || line[start + 1] !== hyphen) return position
    const end = endOfWord(line, start)
    position = end
    if (end === start + 2) return position
    if (!isUtf8(line, start, end)) return failure('NOT_UTF8')
    const word = line.toString('utf8', start, end)
    const equals = word.indexOf('=')
    const name = equals === -1 ? word.slice(2) : word.slice(2, equals)
    const option = optionOf(verb, name)
    if (option === undefined) {
      return failure('UNKNOWN_OPTION', { option: shortened(`--${name}`), usage: usage(verb, engine) })
    }
    if (!isFor(engine, verb, option)) return engineMismatch(verb, engine, name)
    options ??= new Map()
    given.options = options
    if (option.takes === undefined) {
      if (equals !== -1) return invalidFormat(verb, engine)
      options.set(name, true)
      continue
    }
    let text = word.slice(equals + 1)
    if (equals === -1) {
      const valueStart = skipBlanks(line, end)
      position = endOfWord(line, valueStart)
      if (position === valueStart) return invalidFormat(verb, engine)
      if (!isUtf8(line, valueStart, position)) return failure('NOT_UTF8')
      text = line.toString('utf8', valueStart, position)
    }
    const value = option.takes.is === 'number' ? wholeNumber(text) : text
    if (value === undefined) return invalidFormat(verb, engine)
    options.set(name, value)
  }
}

/** Reads the words that follow the options into `given`; what is wrong with them, if anything is. */
function readWords(
  line: Buffer,
  from: number,
  { verb, row }: FoundCommand,
  engine: Engine,
  given: Arguments,
): Failure | undefined {
  let position = from
  for (const word of row.words) {
    if (word.is === 'value') {
      if (position === line.length) return invalidFormat(verb, engine)
      if (!isUtf8(line, position + 1)) return failure('NOT_UTF8')
      given.value = line.subarray(position + 1)
      return undefined
    }
    const start = skipBlanks(line, position)
    position = endOfWord(line, start)
    if (position === start) {
      if (word.optional) break
      return invalidFormat(verb, engine)
    }
    const problem = readWord(line, start, position, word, given)
    if (problem !== undefined) return problem === 'misfit' ? invalidFormat(verb, engine) : problem
  }
  return skipBlanks(line, position) === line.length ? undefined : invalidFormat(verb, engine)
}

function readWord(
  line: Buffer,
  start: number,
  end: number,
  word: WordRow,
  given: Arguments,
): Failure | 'misfit' | undefined {
  if (word.is === 'key') {
    const key = readKey(line, start, end)
    if (typeof key !== 'string') return key
    given.key = key
    return undefined
  }
  if (!isUtf8(line, start, end)) return failure('NOT_UTF8')
  const text = line.toString('utf8', start, end)
  if (word.is === 'number') {
    const number = wholeNumber(text)
    if (number === undefined) return 'misfit'
    given.number = number
  } else if (word.is === 'node') {
    given.node = text
  } else {
    given.text = text
  }
  return undefined
}

function unknownCommand(line: Buffer, start: number, end: number): Failure {
  if (!isUtf8(line)) return failure('NOT_UTF8')
  // Only a part of a long word is shown, and a character of UTF-8 has at most four bytes.
  const shown = Math.min(end, start + 512)
  return failure('UNKNOWN_COMMAND', { command: shortened(line.toString('utf8', start, shown)) })
}

function invalidFormat(verb: Verb, engine: Engine): Failure {
  return failure('INVALID_FORMAT', { usage: usage(verb, engine) })
}

/** The option's row; asked for by its own name only, never by one that every object has. */
function optionOf(verb: Verb, name: string): OptionRow | undefined {
  const { options } = commandRow(verb)
  return Object.hasOwn(options, name) ? options[name] : undefined
}

function wholeNumber(text: string): number | undefined {
  const number = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(number) ? number : undefined
}

const hyphen = 0x2d
