/** How operations of Redis stand in the log and in messages: plain data for JSON, values as in command.ts. */
import type { Operation, Watched } from '../base/operation.js'
import { decodeValue, encodeValue } from './value-codec.js'

/** What a field of an operation is. */
type Field =
  | 'text'
  | 'texts'
  | 'count'
  | 'integer'
  | 'flag'
  | 'value'
  | 'pairs'
  | 'expiry'
  | readonly (string | undefined)[]

/** What each operation consists of, beside its name. A list names the words that may stand there. */
const shapes: { readonly [Op in Operation['op']]: Readonly<Record<string, Field>> } = {
  get: { key: 'text' },
  strlen: { key: 'text' },
  type: { key: 'text' },
  getrange: { key: 'text', start: 'integer', end: 'integer' },
  exists: { keys: 'texts' },
  mget: { keys: 'texts' },
  ttl: { key: 'text', form: ['left', 'until'], unit: ['s', 'ms'] },
  keys: { pattern: 'text' },
  scan: { cursor: 'text', pattern: 'text', count: 'count', isOfType: 'flag' },
  randomkey: {},
  dbsize: {},
  expiring: {},
  time: {},
  set: {
    key: 'text',
    value: 'value',
    condition: [undefined, 'absent', 'present'],
    expiry: 'expiry',
    previous: 'flag',
  },
  getdel: { key: 'text' },
  persist: { key: 'text' },
  getex: { key: 'text', expiry: 'expiry' },
  delete: { keys: 'texts' },
  mset: { pairs: 'pairs', ifNone: 'flag' },
  append: { key: 'text', value: 'value' },
  setrange: { key: 'text', offset: 'count', value: 'value' },
  increment: { key: 'text', by: 'text' },
  'increment-float': { key: 'text', by: 'text' },
  expire: { key: 'text', expiry: 'expiry', condition: [undefined, 'nx', 'xx', 'gt', 'lt', 'xx-lt'] },
  rename: { from: 'text', to: 'text', ifNone: 'flag' },
  flush: {},
}

/** Plain data for JSON. */
export function encodeOperation(operation: Operation): unknown {
  switch (operation.op) {
    case 'set':
    case 'append':
    case 'setrange':
      return { ...operation, value: encodeValue(operation.value) }
    case 'mset':
      return { ...operation, pairs: operation.pairs.map(([key, value]) => [key, encodeValue(value)]) }
    default:
      return operation
  }
}

/** Reads what {@link encodeOperation} made, as it comes out of JSON; undefined if it is anything else. */
export function decodeOperation(plain: unknown): Operation | undefined {
  if (typeof plain !== 'object' || plain === null) return undefined
  const given = plain as Readonly<Record<string, unknown>>
  const { op } = given
  if (typeof op !== 'string' || !Object.hasOwn(shapes, op)) return undefined
  const operation: Record<string, unknown> = { op }
  for (const [name, field] of Object.entries(shapes[op as Operation['op']])) {
    const value = readField(field, given[name])
    if (value === invalid) return undefined
    operation[name] = value
  }
  // Every field was read as its operation's shape says.
  return operation as unknown as Operation
}

/** Reads a list of operations; undefined if it is anything else. */
export function decodeOperations(plain: unknown): readonly Operation[] | undefined {
  if (!Array.isArray(plain)) return undefined
  const operations = plain.map(decodeOperation).filter(operation => operation !== undefined)
  return operations.length === plain.length ? operations : undefined
}

/** Reads a list of watched keys; undefined if it is anything else. */
export function decodeWatched(plain: unknown): readonly Watched[] | undefined {
  if (!Array.isArray(plain)) return undefined
  const watched: Watched[] = []
  for (const one of plain as readonly unknown[]) {
    if (typeof one !== 'object' || one === null) return undefined
    const { key, version } = one as { readonly key?: unknown; readonly version?: unknown }
    if (typeof key !== 'string' || typeof version !== 'number') return undefined
    watched.push({ key, version })
  }
  return watched
}

const invalid = Symbol('invalid')

function readField(field: Field, given: unknown): unknown {
  if (typeof field !== 'string') return field.some(word => word === given) ? given : invalid
  switch (field) {
    case 'text':
      return typeof given === 'string' ? given : invalid
    case 'texts':
      return Array.isArray(given) && given.every(one => typeof one === 'string') ? given : invalid
    case 'integer':
      return Number.isSafeInteger(given) ? given : invalid
    case 'count':
      return typeof given === 'number' && Number.isSafeInteger(given) && given >= 0 ? given : invalid
    case 'flag':
      return typeof given === 'boolean' ? given : invalid
    case 'value':
      return decodeValue(given) ?? invalid
    case 'pairs':
      return readPairs(given)
    case 'expiry':
      return readExpiry(given)
  }
}

function readPairs(given: unknown): unknown {
  if (!Array.isArray(given)) return invalid
  const pairs: [string, Uint8Array][] = []
  for (const pair of given as readonly unknown[]) {
    if (!Array.isArray(pair)) return invalid
    const [key, encoded] = pair as readonly unknown[]
    const value = decodeValue(encoded)
    if (typeof key !== 'string' || value === undefined) return invalid
    pairs.push([key, value])
  }
  return pairs
}

function readExpiry(given: unknown): unknown {
  if (given === undefined || given === 'keep' || given === 'never') return given
  if (typeof given !== 'object' || given === null) return invalid
  const { after, at } = given as { readonly after?: unknown; readonly at?: unknown }
  if (Number.isSafeInteger(after)) return { after }
  return Number.isSafeInteger(at) ? { at } : invalid
}
