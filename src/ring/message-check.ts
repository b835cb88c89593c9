/**
 * Reads what came over the wire: plain JSON from outside, checked whole before anything relies on it. Records and
 * values within are checked where they are read (record-code.ts).
 */
import { type NodeId, nodeId } from '../base/ids.js'
import { type PlainEpoch, plainEpoch, readEpoch } from './epochs.js'
import { readList } from './members.js'
import type {
  CarriedRow,
  OrderedVerb,
  PlainAnswer,
  PlainRecord,
  PlainServed,
  RingMessage,
  Settle,
} from './messages.js'
import type { Refusal } from './types.js'

/** Thrown within, where something is not what it must be. */
class Malformed extends Error {}

const keyLengthMax = 2000
const wordLengthMax = 2_000_000
const itemsMax = 100_000
const refusals: readonly Refusal[] = [
  'not-a-member',
  'invalid-quorum',
  'invalid-context',
  'too-many-versions',
  'value-too-large',
  'disk-full',
  'busy',
  'stopping',
  'no-leader',
]
const verbs: readonly OrderedVerb[] = ['get', 'put', 'update', 'set', 'delete']
/** Longer names of writes are not kept. */
const identityLengthMax = 100
const steps: readonly Settle['step'][] = ['watch', 'close', 'finish', 'forget']

/** The message that a parsed line is; undefined if it is none. */
export function readMessage(value: unknown): RingMessage | undefined {
  try {
    return read(new Fields(value))
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

function read(fields: Fields): RingMessage {
  const kind = fields.word('kind')
  switch (kind) {
    case 'heartbeat':
      return {
        kind,
        fence: fields.word('fence'),
        hears: fields.word('hears'),
        list: fields.word('list'),
        isFull: fields.flag('isFull'),
        epoch: fields.any('epoch') === undefined ? undefined : epochIn(fields.any('epoch')),
        skipped: fields.any('skipped') === undefined ? undefined : fields.count('skipped'),
        isBehind: fields.any('isBehind') === undefined ? undefined : fields.flag('isBehind'),
      }
    case 'members': {
      const list = readList({ copies: fields.any('copies'), members: fields.any('members') })
      return { kind, ...(list ?? malformed()) }
    }
    case 'read':
      return { kind, id: fields.count('id'), key: fields.key('key'), fence: fields.word('fence') }
    case 'read-reply':
      return {
        kind,
        id: fields.count('id'),
        fence: fields.word('fence'),
        record: recordIn(fields.any('record')),
        isWhole: fields.flag('isWhole'),
      }
    case 'write':
      return {
        kind,
        id: fields.count('id'),
        start: fields.word('start'),
        lowest: fields.count('lowest'),
        fence: fields.word('fence'),
        key: fields.key('key'),
        value: fields.any('value'),
        context: fields.word('context'),
        quorum: fields.count('quorum'),
        identity: fields.word('identity'),
        isRepeat: fields.flag('isRepeat'),
        ticks: fields.count('ticks'),
      }
    case 'write-reply': {
      const answer = fields.any('answer')
      return {
        kind,
        id: fields.count('id'),
        answer: answer === null ? null : readPlainAnswer(new Fields(answer)),
      }
    }
    case 'store':
      return {
        kind,
        id: fields.count('id'),
        fence: fields.word('fence'),
        rows: fields.list('rows').map(readCarriedRow),
      }
    case 'stored':
      return { kind, id: fields.count('id'), kept: fields.flag('kept') }
    case 'stale':
      return { kind, id: fields.count('id'), fence: fields.word('fence') }
    case 'compare': {
      const nodes = fields.list('nodes').map(pair => wordsIn(pair, 2))
      return {
        kind,
        id: fields.count('id'),
        nodes: nodes.map(([path, digest]) => [pathIn(path), digest ?? '']),
        fetching: fields.any('fetching') === true ? true : undefined,
      }
    }
    case 'compared':
      return {
        kind,
        id: fields.count('id'),
        differing: fields.list('differing').map(pathIn),
        covered: fields.any('covered') === undefined ? undefined : fields.list('covered').map(coveredIn),
        entries: fields.any('entries') === undefined ? undefined : fields.list('entries').map(entryIn),
      }
    case 'list':
      return {
        kind,
        id: fields.count('id'),
        path: pathIn(fields.word('path')),
        after: fields.word('after').slice(0, keyLengthMax),
      }
    case 'listed': {
      return {
        kind,
        id: fields.count('id'),
        entries: fields.list('entries').map(entryIn),
        more: fields.flag('more'),
      }
    }
    case 'want':
      return {
        kind,
        id: fields.count('id'),
        fence: fields.word('fence'),
        keys: fields.list('keys').map(keyIn),
      }
    case 'wanted':
      return {
        kind,
        id: fields.count('id'),
        fence: fields.word('fence'),
        rows: fields.list('rows').map(readKeyedRecord),
      }
    case 'settle':
      return {
        kind,
        id: fields.count('id'),
        step: fields.oneOf('step', steps),
        list: fields.word('list'),
        fine: fields.list('fine').map(countIn),
        over: fields.list('over').map(wordIn),
        rows: fields.list('rows').map(readKeyedRecord),
      }
    case 'settled':
      return {
        kind,
        id: fields.count('id'),
        step: fields.oneOf('step', steps),
        fine: fields.list('fine').map(countIn),
      }
    case 'gather':
      return {
        kind,
        id: fields.count('id'),
        key: fields.key('key'),
        fence: fields.word('fence'),
        epoch: epochIn(fields.any('epoch')),
      }
    case 'gathered':
      return {
        kind,
        id: fields.count('id'),
        fence: fields.word('fence'),
        record: recordIn(fields.any('record')),
        lacking: fields.any('lacking') === null ? null : fields.list('lacking').map(nodeIn),
        epoch: epochIn(fields.any('epoch')),
      }
    case 'ask':
      return {
        kind,
        id: fields.count('id'),
        start: fields.word('start'),
        lowest: fields.count('lowest'),
        fence: fields.word('fence'),
        verb: fields.oneOf('verb', verbs),
        key: fields.key('key'),
        value: fields.any('value'),
        identity: fields.word('identity').slice(0, identityLengthMax),
        ticks: fields.count('ticks'),
      }
    case 'asked': {
      const answer = fields.any('answer')
      return { kind, id: fields.count('id'), answer: answer === null ? null : readServed(new Fields(answer)) }
    }
    default:
      return malformed()
  }
}

function readServed(fields: Fields): PlainServed {
  const kind = fields.word('kind')
  switch (kind) {
    case 'entry':
      return { kind, value: fields.any('value'), version: fields.count('version') }
    case 'changed':
      return {
        kind,
        existed: fields.flag('existed'),
        copies: fields.count('copies'),
        version: fields.count('version'),
      }
    case 'refused':
      return { kind, reason: fields.oneOf('reason', refusals) }
    case 'absent':
    case 'present':
    case 'unavailable':
    case 'unknown':
    case 'again':
      return { kind }
    default:
      return malformed()
  }
}

function readPlainAnswer(fields: Fields): PlainAnswer {
  const kind = fields.word('kind')
  switch (kind) {
    case 'written':
      return { kind, record: recordIn(fields.any('record')), copies: fields.count('copies') }
    case 'quorum-not-met':
      return {
        kind,
        reached: fields.count('reached'),
        needed: fields.count('needed'),
        maybe: fields.flag('maybe'),
      }
    case 'refused':
      return { kind, reason: fields.oneOf('reason', refusals) }
    default:
      return malformed()
  }
}

function readCarriedRow(value: unknown): CarriedRow {
  const fields = new Fields(value)
  const owed: NodeId[] = fields.list('owed').map(nodeIn)
  return { key: fields.key('key'), record: recordIn(fields.any('record')), owed }
}

function readKeyedRecord(value: unknown): readonly [key: string, record: PlainRecord] {
  if (!Array.isArray(value) || value.length !== 2) return malformed()
  return [keyIn(value[0]), recordIn(value[1])]
}

function recordIn(value: unknown): PlainRecord {
  return Array.isArray(value) ? value : malformed()
}

function nodeIn(value: unknown): NodeId {
  return nodeId(wordIn(value))
}

function epochIn(value: unknown): PlainEpoch {
  const epoch = readEpoch(value)
  return epoch === undefined ? malformed() : plainEpoch(epoch)
}

function coveredIn(value: unknown): readonly [node: NodeId, places: readonly number[]] {
  if (!Array.isArray(value) || value.length !== 2) return malformed()
  const [node, places] = value as unknown[]
  if (!Array.isArray(places) || places.length > itemsMax) return malformed()
  return [nodeIn(node), places.map(countIn)]
}

function wordIn(value: unknown): string {
  return typeof value === 'string' && value.length <= wordLengthMax ? value : malformed()
}

function entryIn(value: unknown): readonly [key: string, digest: string] {
  const [key, digest = ''] = wordsIn(value, 2)
  return [keyIn(key), digest]
}

function wordsIn(value: unknown, count: number): string[] {
  return Array.isArray(value) && value.length === count ? value.map(wordIn) : malformed()
}

function keyIn(value: unknown): string {
  const key = wordIn(value)
  return key !== '' && key.length <= keyLengthMax ? key : malformed()
}

function pathIn(value: unknown): string {
  const path = wordIn(value)
  return /^(@|[0-9a-f]{3,5})$/.test(path) || (path.startsWith('=') && path.length <= keyLengthMax)
    ? path
    : malformed()
}

function countIn(value: unknown): number {
  const isCount = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
  return isCount ? value : malformed()
}

function malformed(): never {
  throw new Malformed('not a message')
}

/** The fields of an object, each read as what it must be. */
class Fields {
  readonly #fields: Readonly<Record<string, unknown>>

  constructor(value: unknown) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) malformed()
    // An object's fields may be anything, which is what this says of them.
    this.#fields = value as Record<string, unknown>
  }

  any(name: string): unknown {
    return this.#fields[name]
  }

  word(name: string): string {
    return wordIn(this.any(name))
  }

  key(name: string): string {
    return keyIn(this.any(name))
  }

  count(name: string): number {
    return countIn(this.any(name))
  }

  flag(name: string): boolean {
    const value = this.any(name)
    return typeof value === 'boolean' ? value : malformed()
  }

  list(name: string): unknown[] {
    const value = this.any(name)
    return Array.isArray(value) && value.length <= itemsMax ? value : malformed()
  }

  oneOf<Word extends string>(name: string, words: readonly Word[]): Word {
    const value = this.any(name)
    return words.find(word => word === value) ?? malformed()
  }
}
