/**
 * How versions stand as plain JSON, on the disk and on the wire, and as the opaque contexts that clients carry.
 * Both are canonical: equal versions give equal text on every node.
 *
 * A past is `[[actor, count, ...], [actor, count, ...]]` (counters, then single dots), a version
 * `[actor, count, past, value, writtenMs, identity, items, order]`; absent things at its end are left out. An order
 * is `[epoch, existed]`.
 */
import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { present } from '../base/assert.js'
import type { PlainRecord } from './messages.js'
import {
  type BornItem,
  compacted,
  compareDots,
  type Dot,
  type KeyRecord,
  noPast,
  type Order,
  type Past,
  type Removal,
  type Version,
} from './versions.js'

/** Entries of one past at most; beyond, nothing that came from outside is believed. */
const pastEntriesMax = 10_000
const actorPattern = /^[0-9a-z]{1,20}\.[0-9a-z]{1,12}$/
const countMax = 2 ** 48
/** So that an epoch and a count together fit into one safe integer for as long as anybody may care. */
const epochMax = 2 ** 40
/** A value is text where its bytes are UTF-8; else its base64 stands in an array. */
type PlainValue = string | readonly [base64: string] | null

/** What was made last: a write needs the same for the digest, the row and a message to each copy. */
let last: { readonly record: KeyRecord; readonly plain: PlainRecord; text: string | undefined } | undefined

/** The record as plain JSON. */
export function plainRecord(record: KeyRecord): PlainRecord {
  if (last?.record !== record) last = { record, plain: record.map(plainVersion), text: undefined }
  return last.plain
}

/** The text of {@link plainRecord}. */
export function textOfRecord(record: KeyRecord): string {
  const plain = plainRecord(record)
  if (last === undefined || last.record !== record) return JSON.stringify(plain)
  last.text ??= JSON.stringify(plain)
  return last.text
}

/** Reads what {@link plainRecord} made; undefined if it is anything else. */
export function readRecord(plain: unknown): KeyRecord | undefined {
  if (!Array.isArray(plain)) return undefined
  const record: Version[] = []
  for (const item of plain as unknown[]) {
    const version = readVersion(item)
    const last = record.at(-1)
    if (version === undefined) return undefined
    if (last !== undefined && compareDots(last.dot, version.dot) >= 0) return undefined
    record.push(version)
  }
  return record
}

/** Whether something from outside may be the number of an epoch. */
export function isEpochNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= epochMax
}

/** A digest of a key's record, in 16 hexadecimal digits; '' for no record. */
export function digestOf(key: string, record: KeyRecord): string {
  if (record.length === 0) return ''
  return hash('sha1', `${key}\n${textOfRecord(record)}`).slice(0, 16)
}

/** The value of a version (null for a tombstone) as plain JSON. */
export function plainValue(value: Uint8Array | undefined): PlainValue {
  if (value === undefined) return null
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  const text = bytes.toString()
  return Buffer.from(text).equals(bytes) ? text : [bytes.toString('base64')]
}

/** Reads what {@link plainValue} made; undefined if it is anything else. */
export function readValue(plain: unknown): { readonly value: Uint8Array | undefined } | undefined {
  if (plain === null) return { value: undefined }
  if (typeof plain === 'string') return { value: Buffer.from(plain) }
  if (!Array.isArray(plain) || plain.length !== 1) return undefined
  const base64: unknown = plain[0]
  return typeof base64 === 'string' ? { value: Buffer.from(base64, 'base64') } : undefined
}

/**
 * A past of that key as clients carry it: one word, which means nothing to them. '' covers nothing. A checksum
 * tells a damaged one, and one that belongs to another key.
 */
export function encodeContext(key: string, past: Past): string {
  const [counters, dots] = plainPast(past)
  if (counters.length === 0 && dots.length === 0) return ''
  const text = dots.length === 0 ? words(counters) : `${words(counters)}~${words(dots)}`
  return `${crc32(`${key}\n${text}`).toString(16).padStart(8, '0')}${text}`
}

/** Reads what {@link encodeContext} made for that key; undefined if it is anything else. */
export function decodeContext(key: string, context: string): Past | undefined {
  if (context === '') return noPast
  const text = context.slice(8)
  const [counters, dots, ...more] = text.split('~')
  if (counters === undefined || more.length > 0) return undefined
  const past = readPast([readWords(counters), readWords(dots ?? '')])
  return past !== undefined && encodeContext(key, past) === context ? past : undefined
}

/** The past as plain JSON. */
export function plainPast({ counters, dots }: Past): [(string | number)[], (string | number)[]] {
  // In loops: of all that a write costs, this was the most when it was put more shortly.
  const counted: (string | number)[] = []
  const actors = [...counters.keys()]
  if (actors.length > 1) actors.sort()
  for (const actor of actors) counted.push(actor, counters.get(actor) ?? 0)
  return [counted, plainDots(dots)]
}

/** Reads what {@link plainPast} made; undefined if it is anything else. */
export function readPast(plain: unknown): Past | undefined {
  if (!Array.isArray(plain) || plain.length !== 2) return undefined
  const counted = readDots(plain[0])
  const dots = readDots(plain[1])
  if (counted === undefined || dots === undefined) return undefined
  const counters = new Map(counted.map(({ actor, count }) => [actor, count]))
  return counters.size === counted.length ? compacted(counters, dots) : undefined
}

function plainVersion({ dot, past, value, writtenMs, identity, items, order }: Version): readonly unknown[] {
  const version: unknown[] = [dot.actor, dot.count, plainPast(past), plainValue(value), writtenMs]
  const isOrdered = order !== undefined
  if (identity !== undefined || items !== undefined || isOrdered) version.push(identity ?? null)
  if (items !== undefined || isOrdered) version.push(items?.map(plainItem) ?? null)
  if (isOrdered) version.push([order.epoch, order.existed])
  return version
}

function readVersion(plain: unknown): Version | undefined {
  if (!Array.isArray(plain) || plain.length < 5 || plain.length > 8) return undefined
  const [actor, count, plainOfPast, plainOfValue, writtenMs, identity, plainItems, plainOrder] =
    plain as unknown[]
  const dots = readDots([actor, count])
  const past = readPast(plainOfPast)
  const value = readValue(plainOfValue)
  const hasItems = plainItems !== undefined && plainItems !== null
  const items = hasItems ? readItems(plainItems) : []
  const order = plainOrder === undefined ? undefined : readOrder(plainOrder)
  if (dots?.[0] === undefined || past === undefined || value === undefined || items === undefined)
    return undefined
  if (typeof writtenMs !== 'number' || !Number.isSafeInteger(writtenMs)) return undefined
  if (identity !== undefined && identity !== null && !isIdentity(identity)) return undefined
  if (plainOrder !== undefined && order === undefined) return undefined
  return {
    dot: dots[0],
    past,
    value: value.value,
    writtenMs,
    identity: identity ?? undefined,
    items: hasItems ? items : undefined,
    ...(order !== undefined && { order }),
  }
}

function isIdentity(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 100
}

function readItems(plain: unknown): BornItem[] | undefined {
  if (!Array.isArray(plain)) return undefined
  const items: BornItem[] = []
  for (const pair of plain as unknown[]) {
    if (!Array.isArray(pair) || pair.length !== 3) return undefined
    const [item, plainBirths, plainRemovals] = pair as unknown[]
    const births = readDots(plainBirths)
    const removals = readDots(plainRemovals)
    if (typeof item !== 'string' || births === undefined || removals === undefined) return undefined
    items.push({ item, births, removals: inPairs(removals) })
  }
  return items
}

function readOrder(plain: unknown): Order | undefined {
  if (!Array.isArray(plain) || plain.length !== 2) return undefined
  const [epoch, existed] = plain as unknown[]
  if (!isEpochNumber(epoch) || typeof existed !== 'boolean') return undefined
  return { epoch, existed }
}

function plainItem({ item, births, removals }: BornItem): readonly unknown[] {
  return [item, plainDots(births), plainDots(removals.flatMap(({ birth, by }) => [birth, by]))]
}

function inPairs(dots: readonly Dot[]): Removal[] {
  const removals: Removal[] = []
  for (let at = 0; at + 1 < dots.length; at += 2) {
    removals.push({ birth: present(dots[at], 'a birth'), by: present(dots[at + 1], 'a removal') })
  }
  return removals
}

function plainDots(dots: readonly Dot[]): (string | number)[] {
  const plain: (string | number)[] = []
  for (const { actor, count } of dots) plain.push(actor, count)
  return plain
}

function readDots(plain: unknown): Dot[] | undefined {
  if (!Array.isArray(plain) || plain.length % 2 !== 0 || plain.length > 2 * pastEntriesMax) return undefined
  const dots: Dot[] = []
  for (let at = 0; at < plain.length; at += 2) {
    const actor: unknown = plain[at]
    const count: unknown = plain[at + 1]
    if (typeof actor !== 'string' || !actorPattern.test(actor)) return undefined
    if (typeof count !== 'number' || !Number.isInteger(count) || count < 1 || count > countMax)
      return undefined
    dots.push({ actor, count })
  }
  return dots
}

/** Dots as one word, `actor-count` each. */
function words(dots: readonly (string | number)[]): string {
  const pairs: string[] = []
  for (let at = 0; at < dots.length; at += 2) pairs.push(`${dots[at]}-${dots[at + 1]}`)
  return pairs.join('_')
}

function readWords(text: string): (string | number)[] {
  if (text === '') return []
  return text.split('_').flatMap(pair => {
    const [actor, count] = pair.split('-')
    return [actor ?? '', Number(count)]
  })
}
