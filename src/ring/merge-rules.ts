/**
 * How concurrent versions of some keys become one, by the beginning of the key (Dynamo paper, section 4.4: the
 * shopping cart). One row of {@link mergeRules} a rule; whoever wants another adds a row.
 *
 * Values of these keys are items with commas between them. A value that was never merged comes back byte for
 * byte; a merged one has its items in order, each once.
 */
import {
  type BornItem,
  compareDots,
  contextOf,
  covers,
  coversAll,
  type Dot,
  historyOf,
  type KeyRecord,
  type Past,
  type Removal,
  type Version,
} from './versions.js'

/** One way to make one value of several versions. */
export interface MergeRule {
  /** The keys it is for are those that begin so. */
  readonly prefix: string
  /** Whether versions keep which write put each item in. */
  readonly keepsBirths: boolean
  /** The items of the merged value. At least one version of the record has a value; others may be tombstones. */
  merge(record: KeyRecord): readonly BornItem[]
}

/** The rules; the first one that fits a key is used. */
export const mergeRules: readonly MergeRule[] = [
  /** Union: nothing that somebody put in is lost, and what was taken out may come back. */
  { prefix: 'cart', keepsBirths: false, merge: union },
  /** Observed-remove set: what was taken out by somebody who saw it stays out, unless it was put in again. */
  { prefix: 'xcart', keepsBirths: true, merge: observedRemove },
]

/** A value and what is kept with it. */
export interface MergedValue {
  readonly value: Uint8Array
  readonly items: readonly BornItem[] | undefined
}

/** Removals that one version remembers of an item at most. */
const removalsMax = 20
/** Items that are out and still remembered at most. */
const itemsOutMax = 500

/** The rule for a key, if there is one. */
export function ruleFor(key: string): MergeRule | undefined {
  return mergeRules.find(({ prefix }) => key.startsWith(prefix))
}

/** What the versions of a record come to under a rule; undefined for no value at all. */
export function mergedValue(rule: MergeRule, record: KeyRecord): MergedValue | undefined {
  const versions = record.filter(version => version.value !== undefined)
  const [first] = versions
  if (first?.value === undefined) return undefined
  if (record.length === 1) return { value: first.value, items: first.items }
  const items = rule.merge(record)
  const standing = items.filter(({ births }) => births.length > 0).map(({ item }) => item)
  // Where a tombstone stands beside what it saw, nothing may be left: that is a deletion, not an empty value.
  if (standing.length === 0 && versions.length < record.length) return undefined
  // A write that was made twice is still one that was never merged.
  const bytes = Buffer.from(first.value)
  const isOne = versions.every(({ value }) => value !== undefined && bytes.equals(value))
  const isFirst = isOne && standing.length === itemsOf(first.value).length
  const value = isFirst ? first.value : valueOfItems(standing)
  return { value, items: rule.keepsBirths ? items : undefined }
}

/**
 * The items of a value that a writer who saw `past` puts in the place of what it saw. An item that it had seen
 * keeps its births, also where somebody took it out meanwhile: then it stays out. Any other item is born now.
 *
 * Where not all is known here that the writer had seen (at a stand-in that reaches no copy, say), nobody can tell
 * which of the births stood in it, so every item is born now: it may come back then, but is not lost.
 */
export function bornItems(value: Uint8Array, dot: Dot, past: Past, record: KeyRecord): readonly BornItem[] {
  const known = new Map<string, BornItem>()
  for (const { items } of record) for (const item of items ?? []) known.set(item.item, joinItem(item, known))
  const values = new Set(itemsOf(value))
  const replaced = new Map<string, BornItem>()
  const seen = record.filter(version => covers(past, version.dot))
  const stands = standsIn(seen)
  for (const version of seen) {
    for (const item of version.items ?? []) replaced.set(item.item, joinItem(item, replaced))
  }
  const items: BornItem[] = []
  const isInformed = coversAll(contextOf(record), past)
  for (const item of values) {
    const births = seenBirths(known.get(item), past).filter(birth => stands(item, birth))
    const removals = replaced.get(item)?.removals ?? []
    items.push({ item, births: births.length > 0 && isInformed ? births : [dot], removals })
  }
  for (const { item, births } of known.values()) {
    if (values.has(item)) continue
    // Also births that a version holds by now which the writer did not see. Where not all is known that it saw, nobody
    // can tell whether it took the item out, or one whom it had read.
    const now = isInformed
      ? births.filter(birth => covers(past, birth)).map(birth => ({ birth, by: dot }))
      : []
    const removals = withRemovals(replaced.get(item)?.removals ?? [], now)
    if (removals.length > 0) items.push({ item, births: [], removals })
  }
  return bounded(items)
}

/** Births that the writer saw, and whose removal it did not see. */
function seenBirths(item: BornItem | undefined, past: Past): readonly Dot[] {
  if (item === undefined) return []
  const { births, removals } = item
  const isOut = (birth: Dot): boolean =>
    removals.some(removal => compareDots(removal.birth, birth) === 0 && covers(past, removal.by))
  const all = withDots(
    births,
    removals.map(({ birth }) => birth),
  )
  return all.filter(birth => covers(past, birth) && !isOut(birth))
}

/** The items of a value, in order, each once. One whose bytes are no text has a name that {@link valueOfItems} reads. */
function itemsOf(value: Uint8Array): string[] {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  const text = bytes.toString()
  const isText = Buffer.from(text).equals(bytes)
  const items = isText ? text.split(',') : bytes.toString('latin1').split(',').map(nameOfBytes)
  return [...new Set(items)].filter(item => item !== '').sort()
}

/** Stands before bytes that are no text, a character each; no text has half of a surrogate pair in it. */
const bytesMark = '\udfff'

function nameOfBytes(latin1: string): string {
  const bytes = Buffer.from(latin1, 'latin1')
  const text = bytes.toString()
  return Buffer.from(text).equals(bytes) ? text : bytesMark + latin1
}

/** The value that has these items. */
function valueOfItems(items: readonly string[]): Uint8Array {
  if (!items.some(item => item.startsWith(bytesMark))) return Buffer.from(items.join(','))
  const latin1 = items.map(item =>
    item.startsWith(bytesMark) ? item.slice(bytesMark.length) : Buffer.from(item).toString('latin1'),
  )
  return Buffer.from(latin1.join(','), 'latin1')
}

/** The births of the union mean nothing but that the item is in. */
function union(record: KeyRecord): readonly BornItem[] {
  const items = new Map<string, Dot>()
  for (const { value, dot } of record) {
    for (const item of value === undefined ? [] : itemsOf(value)) items.set(item, dot)
  }
  return [...items].map(([item, dot]) => ({ item, births: [dot], removals: [] })).sort(byItem)
}

/** Whether none of those versions knows of a birth and has it no more. */
function standsIn(record: KeyRecord): (item: string, birth: Dot) => boolean {
  const sights = record.map(version => ({ history: historyOf(version), held: birthsOf(version) }))
  return (item, birth) =>
    sights.every(({ history, held }) => held.has(nameOf(item, birth)) || !covers(history, birth))
}

/**
 * A birth stands unless some version knows of the write and has the item no more ("An optimized conflict-free
 * replicated set", Bieniusa et al., 2012).
 */
function observedRemove(record: KeyRecord): readonly BornItem[] {
  const stands = standsIn(record)
  const items = new Map<string, BornItem>()
  for (const version of record) {
    for (const item of version.items ?? []) items.set(item.item, joinItem(item, items))
  }
  return bounded(
    [...items.values()].map(({ item, births, removals }) => ({
      item,
      births: births.filter(birth => stands(item, birth)),
      removals,
    })),
  )
}

function byItem(left: BornItem, right: BornItem): number {
  return left.item < right.item ? -1 : 1
}

function birthsOf({ items }: Version): ReadonlySet<string> {
  return new Set((items ?? []).flatMap(({ item, births }) => births.map(birth => nameOf(item, birth))))
}

function nameOf(item: string, { actor, count }: Dot): string {
  return `${actor} ${count} ${item}`
}

function joinItem(item: BornItem, known: ReadonlyMap<string, BornItem>): BornItem {
  const other = known.get(item.item)
  if (other === undefined) return item
  return {
    item: item.item,
    births: withDots(other.births, item.births),
    removals: withRemovals(other.removals, item.removals),
  }
}

function withDots(some: readonly Dot[], others: readonly Dot[]): readonly Dot[] {
  const all = new Map([...some, ...others].map(dot => [`${dot.actor} ${dot.count}`, dot]))
  return [...all.values()].sort(compareDots)
}

function withRemovals(some: readonly Removal[], others: readonly Removal[]): readonly Removal[] {
  const all = new Map(
    [...some, ...others].map(removal => {
      const { birth, by } = removal
      return [`${birth.actor} ${birth.count} ${by.actor} ${by.count}`, removal]
    }),
  )
  return [...all.keys()].sort().flatMap(name => all.get(name) ?? [])
}

/** In order, and without more memory of what is out than is of use. */
function bounded(items: readonly BornItem[]): readonly BornItem[] {
  const sorted = [...items].sort(byItem)
  const out = sorted.filter(({ births }) => births.length === 0)
  const forgotten = new Set(out.slice(0, Math.max(0, out.length - itemsOutMax)))
  return sorted
    .filter(item => !forgotten.has(item))
    .map(item => ({ ...item, removals: item.removals.slice(-removalsMax) }))
}
