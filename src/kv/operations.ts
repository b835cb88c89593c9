/** What each operation of Redis does to the data, and what it answers. */
import { unreachable } from '../base/assert.js'
import { isInteger64, parseInteger64 } from '../base/integer64.js'
import {
  type Expiry,
  isRead,
  type Operation,
  type ReadOperation,
  type Reply,
  valueBytesMax,
} from '../base/operation.js'
import type { Draft } from './draft.js'
import { addDecimals } from './long-double.js'
import type { TableRecord } from './table.js'

/** What operations that are carried out together may answer and write, each in bytes. */
export const togetherBytesMax = 2 * valueBytesMax

/** What reads need of the data. */
export interface Readable {
  /** Undefined where there is no such key, or it has expired. */
  get(key: string): TableRecord | undefined
  count(): number
  /** How many of them expire at some time. */
  expiring(): number
  /** The time that is told: when a key was set to expire is compared with it. */
  readonly nowMs: number
}

/** The operation of that name, which may share its shape with others. */
type Of<Name, Any = Operation> = Any extends { readonly op: infer Op }
  ? Name extends Op
    ? Any
    : never
  : never

/** Carries out one operation. */
export function carryOut(operation: Operation, draft: Draft): Reply {
  if (isRead(operation)) return read(operation, draft)
  switch (operation.op) {
    case 'set':
      return set(operation, draft)
    case 'getdel': {
      const record = draft.get(operation.key)
      if (record !== undefined) draft.delete(operation.key)
      return storedValue(record)
    }
    case 'getex': {
      const record = draft.get(operation.key)
      const { key, expiry } = operation
      if (record !== undefined) {
        draft.set(key, record.value, expiry === 'never' ? undefined : timeOf(expiry, draft.nowMs))
      }
      return storedValue(record)
    }
    case 'delete':
      return integer(operation.keys.filter(key => remove(key, draft)).length)
    case 'mset':
      return setAll(operation, draft)
    case 'append':
      return append(operation, draft)
    case 'setrange':
      return setRange(operation, draft)
    case 'increment':
      return increment(operation, draft)
    case 'increment-float':
      return incrementFloat(operation, draft)
    case 'expire':
      return expire(operation, draft)
    case 'persist': {
      const record = draft.get(operation.key)
      if (record?.expiresAt === undefined) return integer(0)
      draft.set(operation.key, record.value, undefined)
      return integer(1)
    }
    case 'rename':
      return rename(operation, draft)
    case 'flush':
      draft.clear()
      return ok
    default:
      return unreachable(operation)
  }
}

/** Carries out an operation that only reads; those that walk over all keys are in walk.ts. */
export function read(operation: ReadOperation, data: Readable): Reply {
  switch (operation.op) {
    case 'get':
      return storedValue(data.get(operation.key))
    case 'strlen':
      return integer(data.get(operation.key)?.value.length ?? 0)
    case 'type':
      return { kind: 'status', text: data.get(operation.key) === undefined ? 'none' : 'string' }
    case 'getrange':
      return { kind: 'bytes', value: range(operation, data.get(operation.key)?.value ?? noBytes) }
    case 'exists':
      return integer(operation.keys.filter(key => data.get(key) !== undefined).length)
    case 'mget':
      return { kind: 'list', items: operation.keys.map(key => storedValue(data.get(key))) }
    case 'ttl':
      return integer(lifetime(operation, data))
    case 'dbsize':
      return integer(data.count())
    case 'expiring':
      return integer(data.expiring())
    case 'time':
      return time(data.nowMs)
    case 'keys':
    case 'scan':
    case 'randomkey':
      return error(`ERR '${operation.op}' is not allowed in transactions`)
    default:
      return unreachable(operation)
  }
}

/** About how many bytes of memory and of a message a reply takes. */
export function replyBytes(reply: Reply): number {
  switch (reply.kind) {
    case 'bytes':
      return reply.value.length + replyOverhead
    case 'list':
      return reply.items.reduce((total, item) => total + replyBytes(item), replyOverhead)
    default:
      return replyOverhead
  }
}

const replyOverhead = 32
const noBytes = new Uint8Array(0)
const nil: Reply = { kind: 'nil' }
const ok: Reply = { kind: 'status', text: 'OK' }

function integer(value: number | bigint): Reply {
  return { kind: 'integer', value }
}

function error(text: string): Reply {
  return { kind: 'error', text }
}

function storedValue(record: TableRecord | undefined): Reply {
  return record === undefined ? nil : { kind: 'bytes', value: record.value }
}

function timeOf(expiry: Expiry, nowMs: number): number {
  return 'at' in expiry ? expiry.at : nowMs + expiry.after
}

function set({ key, value, condition, expiry, previous }: Of<'set'>, draft: Draft): Reply {
  const record = draft.get(key)
  const isRefused = condition !== undefined && (record === undefined) !== (condition === 'absent')
  if (!isRefused) {
    const at = expiry === 'keep' ? record?.expiresAt : expiry && timeOf(expiry, draft.nowMs)
    draft.set(key, value, at)
  }
  if (previous) return storedValue(record)
  return isRefused ? nil : ok
}

function remove(key: string, draft: Draft): boolean {
  if (draft.get(key) === undefined) return false
  draft.delete(key)
  return true
}

function setAll({ pairs, ifNone }: Of<'mset'>, draft: Draft): Reply {
  if (ifNone && pairs.some(([key]) => draft.get(key) !== undefined)) return integer(0)
  for (const [key, value] of pairs) draft.set(key, value, undefined)
  return ifNone ? integer(1) : ok
}

const tooLong = error('ERR string exceeds maximum allowed size (proto-max-bulk-len)')

function append({ key, value }: Of<'append'>, draft: Draft): Reply {
  const record = draft.get(key)
  const before = record?.value ?? noBytes
  if (before.length + value.length > valueBytesMax) return tooLong
  draft.set(key, Buffer.concat([before, value]), record?.expiresAt)
  return integer(before.length + value.length)
}

function setRange({ key, offset, value }: Of<'setrange'>, draft: Draft): Reply {
  const record = draft.get(key)
  const before = record?.value ?? noBytes
  if (value.length === 0) return integer(before.length)
  if (offset + value.length > valueBytesMax) return tooLong
  const after = Buffer.alloc(Math.max(before.length, offset + value.length))
  after.set(before)
  after.set(value, offset)
  draft.set(key, after, record?.expiresAt)
  return integer(after.length)
}

function increment({ key, by }: Of<'increment'>, draft: Draft): Reply {
  const record = draft.get(key)
  const before = record === undefined ? 0n : parseInteger64(textOf(record.value, 21))
  const step = parseInteger64(by)
  if (before === undefined || step === undefined) return error('ERR value is not an integer or out of range')
  const after = before + step
  if (!isInteger64(after)) return error('ERR increment or decrement would overflow')
  draft.set(key, Buffer.from(after.toString()), record?.expiresAt)
  const isExact = after >= -exactMax && after <= exactMax
  return integer(isExact ? Number(after) : after)
}

const exactMax = BigInt(Number.MAX_SAFE_INTEGER)

function incrementFloat({ key, by }: Of<'increment-float'>, draft: Draft): Reply {
  const record = draft.get(key)
  const sum = addDecimals(record === undefined ? '0' : textOf(record.value, 5120), by)
  if (sum.kind === 'not-a-number') return error('ERR value is not a valid float')
  if (sum.kind === 'infinite') return error('ERR increment would produce NaN or Infinity')
  const value = Buffer.from(sum.text)
  draft.set(key, value, record?.expiresAt)
  return { kind: 'bytes', value }
}

function expire({ key, expiry, condition }: Of<'expire'>, draft: Draft): Reply {
  const record = draft.get(key)
  if (record === undefined) return integer(0)
  const at = timeOf(expiry, draft.nowMs)
  if (!isWanted(condition, record.expiresAt, at)) return integer(0)
  // What lies in the past removes the key.
  draft.set(key, record.value, at)
  return integer(1)
}

function isWanted(condition: Of<'expire'>['condition'], before: number | undefined, at: number): boolean {
  switch (condition) {
    case undefined:
      return true
    case 'nx':
      return before === undefined
    case 'xx':
      return before !== undefined
    case 'gt':
      return before !== undefined && at > before
    case 'lt':
      return before === undefined || at < before
    case 'xx-lt':
      return before !== undefined && at < before
    default:
      return unreachable(condition)
  }
}

function rename({ from, to, ifNone }: Of<'rename'>, draft: Draft): Reply {
  const record = draft.get(from)
  if (record === undefined) return error('ERR no such key')
  if (from === to) return integer(ifNone ? 0 : 1)
  if (ifNone && draft.get(to) !== undefined) return integer(0)
  draft.delete(from)
  draft.set(to, record.value, record.expiresAt)
  return integer(1)
}

function range({ start, end }: Of<'getrange'>, value: Uint8Array): Uint8Array {
  const { length } = value
  if (start < 0 && end < 0 && start > end) return noBytes
  const first = Math.max(0, start < 0 ? length + start : start)
  const last = Math.min(length - 1, Math.max(0, end < 0 ? length + end : end))
  return first > last ? noBytes : value.subarray(first, last + 1)
}

function lifetime({ key, form, unit }: Of<'ttl'>, data: Readable): number {
  const record = data.get(key)
  if (record === undefined) return -2
  if (record.expiresAt === undefined) return -1
  const ms = form === 'until' ? record.expiresAt : Math.max(0, record.expiresAt - data.nowMs)
  return unit === 'ms' ? ms : Math.floor((ms + 500) / 1000)
}

function time(nowMs: number): Reply {
  const seconds = Math.floor(nowMs / 1000)
  const parts = [seconds, Math.floor((nowMs - seconds * 1000) * 1000)]
  return {
    kind: 'list',
    items: parts.map(part => ({ kind: 'bytes', value: Buffer.from(String(part)) })),
  }
}

/** A value as text whose characters stand for bytes; of one that is too long to be a number, enough to tell. */
function textOf(value: Uint8Array, charactersMax: number): string {
  const { buffer, byteOffset } = value
  return Buffer.from(buffer, byteOffset, Math.min(value.length, charactersMax)).toString('latin1')
}
