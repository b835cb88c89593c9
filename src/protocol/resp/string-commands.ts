/** The Redis commands on values. */
import type { Expiry, Operation, Reply } from '../../base/operation.js'
import {
  at,
  boundedIntegerOf,
  expiryOf,
  integerOf,
  keyOf,
  nameOf,
  Refused,
  refusing,
  syntaxError,
  timeForms,
  wrongArity,
} from './arguments.js'
import type { DataCommandRow } from './command-row.js'

const one = [1, 1, 1] as const
const all = [1, -1, 1] as const
const pairs = [1, -1, 2] as const
const writes = ['write', 'denyoom'] as const
const writesFast = ['write', 'denyoom', 'fast'] as const

/** By name, in lower case. */
export const stringCommands: Readonly<Record<string, DataCommandRow>> = {
  get: {
    ...row(2, ['readonly', 'fast'], one, '1.0.0', 'Get the value of a key'),
    parse: words => refusing(() => ({ op: 'get', key: keyOf(first(words)) })),
  },
  set: {
    ...row(-3, writes, one, '1.0.0', 'Set the value of a key, with conditions and an expiry'),
    parse: words => refusing(() => readSet(words)),
  },
  setnx: {
    ...row(3, writesFast, one, '1.0.0', 'Set the value of a key that does not exist'),
    parse: words => refusing(() => ({ ...setOf(words, 0, 1), condition: 'absent' })),
    shape: reply => integer(reply.kind === 'nil' ? 0 : 1),
  },
  setex: expiringSet('setex', 's'),
  psetex: expiringSet('psetex', 'ms'),
  getset: {
    ...row(3, writesFast, one, '1.0.0', 'Set the value of a key and return the previous one'),
    parse: words => refusing(() => ({ ...setOf(words, 0, 1), previous: true })),
  },
  getdel: {
    ...row(2, ['write', 'fast'], one, '6.2.0', 'Get the value of a key and delete it'),
    parse: words => refusing(() => ({ op: 'getdel', key: keyOf(first(words)) })),
  },
  getex: {
    ...row(-2, ['write', 'fast'], one, '6.2.0', 'Get the value of a key and change when it expires'),
    parse: words => refusing(() => readGetex(words)),
  },
  mget: {
    ...row(-2, ['readonly', 'fast'], all, '1.0.0', 'Get the values of several keys'),
    parse: words => refusing(() => ({ op: 'mget', keys: words.map(keyOf) })),
  },
  mset: {
    ...row(-3, writes, pairs, '1.0.1', 'Set the values of several keys'),
    parse: words => refusing(() => readPairs('mset', words, false)),
  },
  msetnx: {
    ...row(-3, writes, pairs, '1.0.1', 'Set the values of several keys if none of them exists'),
    parse: words => refusing(() => readPairs('msetnx', words, true)),
  },
  append: {
    ...row(3, writesFast, one, '2.0.0', 'Append to the value of a key'),
    parse: words => refusing(() => ({ op: 'append', key: keyOf(first(words)), value: at(words, 1) })),
  },
  strlen: {
    ...row(2, ['readonly', 'fast'], one, '2.2.0', 'Get the length of the value of a key'),
    parse: words => refusing(() => ({ op: 'strlen', key: keyOf(first(words)) })),
  },
  getrange: rangeRead('2.4.0'),
  substr: rangeRead('1.0.0'),
  setrange: {
    ...row(4, writes, one, '2.2.0', 'Overwrite a part of the value of a key'),
    parse: words => refusing(() => readSetrange(words)),
  },
  incr: increment('1.0.0', 'Add one to the number at a key', 1n),
  decr: increment('1.0.0', 'Subtract one from the number at a key', -1n),
  incrby: {
    ...row(3, writesFast, one, '1.0.0', 'Add to the number at a key'),
    parse: words => refusing(() => incrementOf(first(words), integerOf(at(words, 1)))),
  },
  decrby: {
    ...row(3, writesFast, one, '1.0.0', 'Subtract from the number at a key'),
    parse: words => refusing(() => readDecrby(words)),
  },
  incrbyfloat: {
    ...row(3, writesFast, one, '2.6.0', 'Add to the number with a fraction at a key'),
    parse: words => refusing(() => readFloatIncrement(words)),
  },
}

function row(
  arity: number,
  flags: readonly string[],
  keys: DataCommandRow['keys'],
  since: string,
  summary: string,
): Omit<DataCommandRow, 'parse'> {
  return { arity, flags, keys, group: 'string', since, summary }
}

type SetOperation = Extract<Operation, { op: 'set' }>

function setOf(words: readonly Buffer[], keyAt: number, valueAt: number): SetOperation {
  const key = keyOf(at(words, keyAt))
  const value = at(words, valueAt)
  return { op: 'set', key, value, condition: undefined, expiry: undefined, previous: false }
}

function readSet(words: readonly Buffer[]): Operation {
  const plain = setOf(words, 0, 1)
  if (words.length === 2) return plain
  let condition: SetOperation['condition']
  let previous = false
  let keep = false
  let time: TimeOption | undefined
  for (let position = 2; position < words.length; position++) {
    const name = nameOf(at(words, position))
    const wanted = name === 'nx' ? 'absent' : name === 'xx' ? 'present' : undefined
    if (wanted !== undefined && (condition ?? wanted) === wanted) condition = wanted
    else if (name === 'get') previous = true
    else if (name === 'keepttl' && time === undefined) keep = true
    else if (!keep) time = readTime(name, words[++position], time)
    else throw new Refused(syntaxError)
  }
  const expiry = keep ? 'keep' : time && expiryAt(time, 'set')
  return { ...plain, condition, expiry, previous }
}

function readGetex(words: readonly Buffer[]): Operation {
  const key = keyOf(first(words))
  let never = false
  let time: TimeOption | undefined
  for (let position = 1; position < words.length; position++) {
    const name = nameOf(at(words, position))
    if (name === 'persist' && time === undefined) never = true
    else if (!never) time = readTime(name, words[++position], time)
    else throw new Refused(syntaxError)
  }
  if (never) return { op: 'getex', key, expiry: 'never' }
  return time === undefined ? { op: 'get', key } : { op: 'getex', key, expiry: expiryAt(time, 'getex') }
}

/** An option that tells a time, whose word is read once all options are known to go together. */
interface TimeOption {
  readonly name: string
  readonly word: Buffer
}

/** The same option may be given twice, of which the last one counts; two different ones may not. */
function readTime(name: string, word: Buffer | undefined, before: TimeOption | undefined): TimeOption {
  const isTime = Object.hasOwn(timeForms, name) && word !== undefined
  if (!isTime || (before !== undefined && before.name !== name)) throw new Refused(syntaxError)
  return { name, word }
}

function expiryAt({ name, word }: TimeOption, command: string): Expiry {
  const form = timeForms[name]
  if (form === undefined) throw new Refused(syntaxError)
  return expiryOf(word, form, command, 'future-only')
}

function expiringSet(name: string, unit: 's' | 'ms'): DataCommandRow {
  return {
    ...row(4, writes, one, unit === 's' ? '2.0.0' : '2.6.0', 'Set the value of a key and when it expires'),
    parse: words =>
      refusing(() => ({
        ...setOf(words, 0, 2),
        expiry: expiryOf(at(words, 1), { from: 'now', unit }, name, 'future-only'),
      })),
  }
}

function readPairs(name: string, words: readonly Buffer[], ifNone: boolean): Operation {
  if (words.length % 2 !== 0) wrongArity(name)
  const read: [string, Buffer][] = []
  for (let position = 0; position < words.length; position += 2) {
    read.push([keyOf(at(words, position)), at(words, position + 1)])
  }
  return { op: 'mset', pairs: read, ifNone }
}

function rangeRead(since: string): DataCommandRow {
  return {
    ...row(4, ['readonly'], one, since, 'Get a part of the value of a key'),
    parse: words =>
      refusing(() => {
        const start = boundedIntegerOf(at(words, 1))
        const end = boundedIntegerOf(at(words, 2))
        return { op: 'getrange', key: keyOf(first(words)), start, end }
      }),
  }
}

function readSetrange(words: readonly Buffer[]): Operation {
  const offset = boundedIntegerOf(at(words, 1))
  if (offset < 0) throw new Refused('ERR offset is out of range')
  return { op: 'setrange', key: keyOf(first(words)), offset, value: at(words, 2) }
}

function increment(since: string, summary: string, by: bigint): DataCommandRow {
  return {
    ...row(2, writesFast, one, since, summary),
    parse: words => refusing(() => incrementOf(first(words), by)),
  }
}

function incrementOf(key: Buffer, by: bigint): Operation {
  return { op: 'increment', key: keyOf(key), by: by.toString() }
}

function readDecrby(words: readonly Buffer[]): Operation {
  const by = integerOf(at(words, 1))
  // Its negative is no number of 64 bits.
  if (by === -(2n ** 63n)) throw new Refused('ERR decrement would overflow')
  return incrementOf(first(words), -by)
}

/** Whether it is a number is looked at where it is added: Redis looks at the stored one first. */
function readFloatIncrement(words: readonly Buffer[]): Operation {
  const by = at(words, 1)
  if (by.length > floatCharactersMax) throw new Refused('ERR value is not a valid float')
  return { op: 'increment-float', key: keyOf(first(words)), by: by.toString('latin1') }
}

/** No number takes more; what is longer is not worth the memory in the log. */
const floatCharactersMax = 256

function integer(value: number): Reply {
  return { kind: 'integer', value }
}

function first(words: readonly Buffer[]): Buffer {
  return at(words, 0)
}
