/**
 * Versions of a key as values: dotted version vectors (Preguica et al., "Dotted Version Vectors", 2010). Each
 * write makes one version, named by a *dot*; its *past* is what its writer had read, and is thereby replaced.
 *
 * What must always hold:
 * - a dot names one write for ever: an actor counts its writes of one key from 1, and is made anew with a
 *   random name at every start of a node and for every record that begins there (see records.ts);
 * - a past covers exactly the dots its writer saw. It is kept as one counter an actor, for the dots that follow
 *   each other from 1, and single dots beyond, so that it never covers a write that nobody saw;
 * - {@link joinRecords} is commutative, associative and idempotent: replicas that have joined the same versions,
 *   in whatever order, hold equal records.
 */

/** Names one write: the `count`-th of that actor. */
export interface Dot {
  readonly actor: string
  readonly count: number
}

/** A set of dots: those up to a counter for each actor, and single ones beyond it, in order and without a gap. */
export interface Past {
  readonly counters: ReadonlyMap<string, number>
  readonly dots: readonly Dot[]
}

/** What is known of an item of an observed-remove set. */
export interface BornItem {
  readonly item: string
  /** The writes that put it in; none where it is not in. */
  readonly births: readonly Dot[]
  /** The writes that took it out again. */
  readonly removals: readonly Removal[]
}

/** The write `by` took out what `birth` had put in. */
export interface Removal {
  readonly birth: Dot
  readonly by: Dot
}

/** What one write made. It never changes; only what is over is pruned from its past (see collect.ts). */
export interface Version {
  readonly dot: Dot
  readonly past: Past
  /** Undefined for a tombstone. */
  readonly value: Uint8Array | undefined
  /** The wall time of its coordinator, in milliseconds since 1970: for people; it decides nothing here. */
  readonly writtenMs: number
  /** Names the request that wrote it, if it has a name, so that a repeat is recognised. */
  readonly identity: string | undefined
  /** Where the key's merge rule keeps removals: which write put each item in, or out (see merge-rules.ts). */
  readonly items: readonly BornItem[] | undefined
  /** Where writes have one order for all: its place in it. Its past is then empty. */
  readonly order?: Order | undefined
}

/**
 * The place of a version among all versions of a cluster whose writes go through a leader: by the epoch of the
 * leader that made it, then by the count and the actor of its dot.
 */
export interface Order {
  readonly epoch: number
  /** Whether the key had a value before: what a repeat of this write is answered. */
  readonly existed: boolean
}

/** All versions of one key that stand beside each other, in the order of their dots; empty for nothing. */
export type KeyRecord = readonly Version[]

/** Covers nothing. */
export const noPast: Past = { counters: new Map(), dots: [] }

/** Orders dots the same on every node; 0 for equal ones. */
export function compareDots(left: Dot, right: Dot): number {
  if (left.actor !== right.actor) return left.actor < right.actor ? -1 : 1
  return left.count - right.count
}

/** Whether the write of that name was seen. */
export function covers(past: Past, { actor, count }: Dot): boolean {
  if ((past.counters.get(actor) ?? 0) >= count) return true
  return past.dots.some(dot => dot.actor === actor && dot.count === count)
}

/** Whether every write that the one covers is covered by the other. */
export function coversAll(past: Past, { counters, dots }: Past): boolean {
  const isCounted = [...counters].every(([actor, count]) => covers(past, { actor, count }))
  return isCounted && dots.every(dot => covers(past, dot))
}

/** All that any of them covers. */
export function joinPasts(pasts: readonly Past[]): Past {
  const counters = new Map<string, number>()
  const dots: Dot[] = []
  for (const past of pasts) {
    for (const [actor, count] of past.counters) {
      if (count > (counters.get(actor) ?? 0)) counters.set(actor, count)
    }
    dots.push(...past.dots)
  }
  return compacted(counters, dots)
}

/** That one dot only. */
export function pastOf(dot: Dot): Past {
  return compacted(new Map(), [dot])
}

/** What a version covers: its past and itself. */
export function historyOf({ past, dot }: Version): Past {
  return joinPasts([past, pastOf(dot)])
}

/** What whoever saw the record has seen: the context of a read. */
export function contextOf(record: KeyRecord): Past {
  return joinPasts(record.flatMap(({ past, dot }) => [past, pastOf(dot)]))
}

/**
 * What is left when the versions of both meet: those that no other one has replaced. A record that lacks a
 * version has either never heard of it, or holds one whose past covers it. Of versions that have an order, the
 * highest is left.
 */
export function joinRecords(left: KeyRecord, right: KeyRecord): KeyRecord {
  if (left.length === 0) return right
  if (right.length === 0) return left
  const [one, other] = [highest(left), highest(right)]
  if (one !== undefined && other !== undefined) return compareOrder(one, other) >= 0 ? left : right
  const versions = new Map<string, Version>()
  for (const version of [...left, ...right]) {
    const name = `${version.dot.actor} ${version.dot.count}`
    const known = versions.get(name)
    versions.set(name, known === undefined ? version : asPruned(known, version))
  }
  // Replaced is what either side saw replaced, whatever has been pruned from the other's copy since.
  const isReplaced = ({ dot }: Version): boolean =>
    left.some(other => covers(other.past, dot)) || right.some(other => covers(other.past, dot))
  return inOrder([...versions.values()].filter(version => !isReplaced(version)))
}

/** Orders versions that have an order, the same on every node; 0 for one and the same. */
export function compareOrder(left: Version, right: Version): number {
  const epochs = (left.order?.epoch ?? 0) - (right.order?.epoch ?? 0)
  if (epochs !== 0) return epochs
  return left.dot.count - right.dot.count || compareDots(left.dot, right.dot)
}

/** The one version of a record that has an order; undefined for other records. */
export function highest(record: KeyRecord): Version | undefined {
  const [version, ...more] = record
  return more.length === 0 && version?.order !== undefined ? version : undefined
}

/** The record after a write that saw what `past` covers: exactly that is replaced. */
export function replaceCovered(record: KeyRecord, past: Past): KeyRecord {
  return record.filter(version => !covers(past, version.dot))
}

/** A record with one more version beside the others. */
export function withVersion(record: KeyRecord, version: Version): KeyRecord {
  return inOrder([...record, version])
}

/** Whether the record says that everything it ever held is deleted. */
export function isDeleted(record: KeyRecord): boolean {
  return record.length > 0 && record.every(version => version.value === undefined)
}

/** Whether there is a value among the versions. */
export function hasValue(record: KeyRecord): boolean {
  return record.some(version => version.value !== undefined)
}

/** Canonical: single dots that follow a counter are counted by it, and what a counter covers is dropped. */
export function compacted(counters: Map<string, number>, dots: readonly Dot[]): Past {
  const beyond: Dot[] = []
  for (const dot of inDotOrder(dots)) {
    const counted = counters.get(dot.actor) ?? 0
    if (dot.count === counted + 1) counters.set(dot.actor, dot.count)
    else if (dot.count > counted && !isLast(beyond, dot)) beyond.push(dot)
  }
  return { counters, dots: beyond }
}

function isLast(dots: readonly Dot[], dot: Dot): boolean {
  const last = dots.at(-1)
  return last !== undefined && compareDots(last, dot) === 0
}

function inDotOrder(dots: readonly Dot[]): readonly Dot[] {
  return dots.length < 2 ? dots : [...dots].sort(compareDots)
}

function inOrder(versions: readonly Version[]): KeyRecord {
  return [...versions].sort((left, right) => compareDots(left.dot, right.dot))
}

/** One write, of whose past some copies have been pruned: what is pruned anywhere is over everywhere. */
function asPruned(left: Version, right: Version): Version {
  const past = intersection(left.past, right.past)
  return past === left.past ? left : { ...left, past }
}

function intersection(left: Past, right: Past): Past {
  if (left === right) return left
  const counters = new Map<string, number>()
  for (const [actor, count] of left.counters) {
    const other = right.counters.get(actor)
    if (other !== undefined) counters.set(actor, Math.min(count, other))
  }
  const dots = left.dots.filter(dot => right.dots.some(other => compareDots(dot, other) === 0))
  const isWhole = counters.size === left.counters.size && dots.length === left.dots.length
  const isSame = isWhole && [...counters].every(([actor, count]) => left.counters.get(actor) === count)
  return isSame ? left : { counters, dots }
}
