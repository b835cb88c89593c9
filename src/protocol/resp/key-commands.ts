/** The Redis commands on keys, whatever is stored under them, and on all of them together. */
import type { Operation, Reply } from '../../base/operation.js'
import {
  at,
  boundedIntegerOf,
  expiryOf,
  keyOf,
  nameOf,
  Refused,
  refusing,
  syntaxError,
  type TimeForm,
} from './arguments.js'
import type { DataCommandRow } from './command-row.js'

const none = [0, 0, 0] as const
const one = [1, 1, 1] as const
const two = [1, 2, 1] as const
const all = [1, -1, 1] as const
const readsFast = ['readonly', 'fast'] as const
const writesFast = ['write', 'fast'] as const

/** By name, in lower case. */
export const keyCommands: Readonly<Record<string, DataCommandRow>> = {
  del: deletion('1.0.0', ['write']),
  unlink: deletion('4.0.0', writesFast),
  exists: counting('1.0.0', 'Count the keys that exist'),
  touch: counting('3.2.1', 'Count the keys that exist'),
  type: {
    ...row(2, readsFast, one, '1.0.0', 'Tell the type of a key, which is string or none'),
    parse: words => refusing(() => ({ op: 'type', key: keyOf(at(words, 0)) })),
  },
  expire: expiring('expire', { from: 'now', unit: 's' }, '1.0.0'),
  pexpire: expiring('pexpire', { from: 'now', unit: 'ms' }, '2.6.0'),
  expireat: expiring('expireat', { from: '1970', unit: 's' }, '1.2.0'),
  pexpireat: expiring('pexpireat', { from: '1970', unit: 'ms' }, '2.6.0'),
  ttl: lifetime('left', 's', '1.0.0', 'Tell how many seconds a key has left'),
  pttl: lifetime('left', 'ms', '2.6.0', 'Tell how many milliseconds a key has left'),
  expiretime: lifetime('until', 's', '7.0.0', 'Tell when a key expires, in seconds since 1970'),
  pexpiretime: lifetime('until', 'ms', '7.0.0', 'Tell when a key expires, in milliseconds since 1970'),
  persist: {
    ...row(2, writesFast, one, '2.2.0', 'Let a key live for ever'),
    parse: words => refusing(() => ({ op: 'persist', key: keyOf(at(words, 0)) })),
  },
  rename: renaming(false, ['write'], 'Rename a key, replacing the one of that name'),
  renamenx: renaming(true, writesFast, 'Rename a key if there is none of that name'),
  keys: {
    ...row(2, ['readonly'], none, '1.0.0', 'List the keys that match a pattern'),
    walks: true,
    parse: words => refusing(() => ({ op: 'keys', pattern: patternOf(at(words, 0)) })),
  },
  scan: {
    ...row(-2, ['readonly'], none, '2.8.0', 'Walk over the keys, a page at a time'),
    walks: true,
    parse: words => refusing(() => readScan(words)),
  },
  randomkey: {
    ...row(1, ['readonly'], none, '1.0.0', 'Give some key'),
    walks: true,
    parse: () => ({ op: 'randomkey' }),
  },
  dbsize: {
    ...server(1, readsFast, '1.0.0', 'Count the keys'),
    parse: () => ({ op: 'dbsize' }),
  },
  flushall: flushing('Remove all keys'),
  flushdb: flushing('Remove all keys: there is one database'),
  time: {
    ...server(1, ['loading', 'stale', 'fast'], '2.6.0', 'Tell the time in seconds and microseconds'),
    parse: () => ({ op: 'time' }),
  },
}

function row(
  arity: number,
  flags: readonly string[],
  keys: DataCommandRow['keys'],
  since: string,
  summary: string,
): Omit<DataCommandRow, 'parse'> {
  return { arity, flags, keys, group: 'generic', since, summary }
}

function server(
  arity: number,
  flags: readonly string[],
  since: string,
  summary: string,
): Omit<DataCommandRow, 'parse'> {
  return { arity, flags, keys: none, group: 'server', since, summary }
}

function deletion(since: string, flags: readonly string[]): DataCommandRow {
  return {
    ...row(-2, flags, all, since, 'Delete keys'),
    parse: words => refusing(() => ({ op: 'delete', keys: words.map(keyOf) })),
  }
}

function counting(since: string, summary: string): DataCommandRow {
  return {
    ...row(-2, readsFast, all, since, summary),
    parse: words => refusing(() => ({ op: 'exists', keys: words.map(keyOf) })),
  }
}

function lifetime(form: 'left' | 'until', unit: 's' | 'ms', since: string, summary: string): DataCommandRow {
  return {
    ...row(2, readsFast, one, since, summary),
    parse: words => refusing(() => ({ op: 'ttl', key: keyOf(at(words, 0)), form, unit })),
  }
}

function expiring(name: string, form: TimeForm, since: string): DataCommandRow {
  return {
    ...row(-3, writesFast, one, since, 'Set when a key expires'),
    parse: words =>
      refusing(() => {
        const condition = readCondition(words.slice(2))
        const expiry = expiryOf(at(words, 1), form, name, 'past-too')
        return { op: 'expire', key: keyOf(at(words, 0)), expiry, condition }
      }),
  }
}

type Condition = Extract<Operation, { op: 'expire' }>['condition']

function readCondition(words: readonly Buffer[]): Condition {
  const names = new Set<string>()
  for (const word of words) {
    const name = nameOf(word)
    if (name !== 'nx' && name !== 'xx' && name !== 'gt' && name !== 'lt') {
      throw new Refused(`ERR Unsupported option ${shownOption(word)}`)
    }
    names.add(name)
  }
  if (names.has('nx') && names.size > 1) {
    throw new Refused('ERR NX and XX, GT or LT options at the same time are not compatible')
  }
  if (names.has('gt') && names.has('lt')) {
    throw new Refused('ERR GT and LT options at the same time are not compatible')
  }
  if (names.has('nx')) return 'nx'
  // What lives for ever lives longer than any time, so that GT asks for an expiry already.
  if (names.has('gt')) return 'gt'
  if (names.has('lt')) return names.has('xx') ? 'xx-lt' : 'lt'
  return names.has('xx') ? 'xx' : undefined
}

function renaming(ifNone: boolean, flags: readonly string[], summary: string): DataCommandRow {
  return {
    ...row(3, flags, two, '1.0.0', summary),
    parse: words =>
      refusing(() => ({ op: 'rename', from: keyOf(at(words, 0)), to: keyOf(at(words, 1)), ifNone })),
    ...(ifNone ? {} : { shape: renamed }),
  }
}

/** Both answer 1 and 0 below; RENAME says OK, as it always renames what is there. */
function renamed(reply: Reply): Reply {
  return reply.kind === 'integer' ? { kind: 'status', text: 'OK' } : reply
}

function flushing(summary: string): DataCommandRow {
  return {
    ...server(-1, ['write'], '1.0.0', summary),
    parse: words =>
      refusing(() => {
        const [how, ...more] = words
        const isKnown = how === undefined || /^(?:async|sync)$/.test(nameOf(how))
        if (!isKnown || more.length > 0) throw new Refused(syntaxError)
        return { op: 'flush' }
      }),
  }
}

function readScan(words: readonly Buffer[]): Operation {
  const cursor = at(words, 0).toString('latin1')
  if (!/^\d{1,20}$/.test(cursor) || BigInt(cursor) >= 2n ** 64n) throw new Refused('ERR invalid cursor')
  let pattern = '*'
  let count = 10
  let isOfType = true
  for (let position = 1; position < words.length; position += 2) {
    const name = nameOf(at(words, position))
    const word = words[position + 1]
    if (word === undefined) throw new Refused(syntaxError)
    if (name === 'match') pattern = patternOf(word)
    else if (name === 'type') isOfType = nameOf(word) === 'string'
    else if (name === 'count') count = boundedIntegerOf(word)
    else throw new Refused(syntaxError)
    if (count < 1) throw new Refused(syntaxError)
  }
  return { op: 'scan', cursor, pattern, count: Math.min(count, scanCountMax), isOfType }
}

/** Pages are no larger, whatever is asked for: the count is a hint. */
const scanCountMax = 1000
/** A longer one could only match by its stars. */
const patternBytesMax = 16 * 1024

/** A pattern, as the bytes it consists of: those of keys are compared with it one by one. */
function patternOf(word: Buffer): string {
  if (word.length > patternBytesMax)
    throw new Refused(`ERR Pattern too long (limit ${patternBytesMax} bytes)`)
  return word.toString('latin1')
}

/** A word of the client's as it is shown in an error. */
function shownOption(word: Buffer): string {
  return word
    .subarray(0, 64)
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, '?')
}
