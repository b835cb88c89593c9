/**
 * The tree of digests by which two nodes find where their records differ (Dynamo paper, section 4.7), and the
 * answers of the one that is asked. Its root is all ranges that both own, below are these ranges, then sixteenths
 * of ranges, then sixteenths of those, each named by the digits that its paths begin with (the root: `@`); the digest of a part is the exclusive-or of the
 * digests of its records. Those of ranges are kept up to date in memory, those below are made when somebody asks.
 */
import type { NodeId } from '../base/ids.js'
import { pathDigits, pathOf, rangeOf } from '../base/placement.js'
import type { Core } from './core.js'
import { unreleasedMembers } from './members.js'
import type { CarriedRow, Compare, Compared, List, PlainRecord, Want } from './messages.js'
import { plainRecord } from './record-code.js'
import { joinDigests } from './records.js'
import type { KeyRecord } from './versions.js'

/** All ranges that two nodes share, as a part. */
export const root = '@'

const hexDigits = [...'0123456789abcdef']
const wholePart = 1_000_000
/** The digest of no records. */
const nothing = joinDigests([])

/** The parts that a part consists of. */
export function partsOf(path: string): string[] {
  return hexDigits.map(digit => path + digit)
}

/** Whether a part is not divided any further. */
export function isLeaf(path: string): boolean {
  return path.length >= pathDigits
}

/**
 * The digests of parts that are shared with another node, or (after a `=`) of single keys; undefined where a range
 * is not counted yet.
 */
export function digestsOfParts(
  core: Core,
  other: NodeId,
  paths: readonly string[],
): Map<string, string | undefined> {
  const digests = new Map<string, string | undefined>()
  const deep = new Map<number, string[]>()
  for (const path of paths) {
    if (path.startsWith('=')) digests.set(path, core.records.digest(path.slice(1)))
    else if (path === root)
      digests.set(path, core.records.digestOfRanges(core.shares.current.sharedRanges(core.id, other)))
    else if (path.length === 3) digests.set(path, core.records.digestOfRanges([rangeOf(path)]))
    else deep.set(rangeOf(path), [...(deep.get(rangeOf(path)) ?? []), path])
  }
  for (const parts of deep.values()) {
    for (const [path, digest] of digestsBelow(core, parts)) digests.set(path, digest)
  }
  return digests
}

/** Parts of one range, of one length, with one look at the records. */
function digestsBelow(core: Core, parts: readonly string[]): Map<string, string> {
  const [first] = parts
  const length = first?.length ?? 0
  const found = new Map<string, string[]>(parts.map(path => [path, []]))
  const common = (first ?? '').slice(0, length - 1)
  const isTogether = parts.every(path => path.startsWith(common))
  for (const key of core.records.keys(isTogether ? common : common.slice(0, 3), '', wholePart)) {
    found.get(pathOf(key).slice(0, length))?.push(core.records.digest(key))
  }
  return new Map([...found].map(([path, digests]) => [path, joinDigests(digests)]))
}

/** Says in which of the parts this node has something else; all it has is durable when it says so. */
export function onCompare(core: Core, from: NodeId, { id, nodes, fetching }: Compare): void {
  const digests = digestsOfParts(
    core,
    from,
    nodes.map(([path]) => path),
  )
  const isDiffering = ([path, digest]: Compare['nodes'][number]): boolean => {
    const own = digests.get(path)
    return own !== digest && !(fetching === true && own === nothing)
  }
  const differing = nodes.filter(isDiffering).map(([path]) => path)
  if (fetching !== true) {
    core.batches.sendWhenSaved(from, { kind: 'compared', id, differing })
    return
  }
  const { listed, entries } = entriesIn(core, differing)
  const rest = differing.filter(path => !listed.has(path))
  core.batches.sendWhenSaved(from, {
    kind: 'compared',
    id,
    differing: rest,
    covered: coveredIn(core, nodes),
    entries,
  })
}

/** What there is in the first of those parts, as much as one message should carry, and which parts these are. */
function entriesIn(
  core: Core,
  paths: readonly string[],
): { readonly listed: ReadonlySet<string>; readonly entries: [key: string, digest: string][] } {
  const limit = 4 * core.options.rowsPerMessage
  const listed = new Set<string>()
  const entries: [key: string, digest: string][] = []
  for (const path of paths) {
    const keys = path.startsWith('=') ? [] : core.records.keys(path, '', limit - entries.length + 1)
    if (path.startsWith('=') || entries.length + keys.length > limit) break
    for (const key of keys) entries.push([key, core.records.digest(key)])
    listed.add(path)
  }
  return { listed, entries }
}

/** Of which of some ranges this node has got all that others hold. */
function coveredIn(core: Core, nodes: Compare['nodes']): Compared['covered'] {
  const ranges = nodes.map(([path]) => (path.length === 3 ? rangeOf(path) : undefined))
  if (core.coverage === undefined || ranges.includes(undefined)) return undefined
  const places = new Map<NodeId, number[]>()
  for (const [place, range] of ranges.entries()) {
    const lacking = range === undefined ? undefined : core.coverage.lacking(range)
    if (lacking === undefined) continue
    for (const id of unreleasedMembers(core.list)) {
      if (id === core.id || lacking.includes(id)) continue
      const known = places.get(id)
      if (known === undefined) places.set(id, [place])
      else known.push(place)
    }
  }
  return [...places]
}

/** Says which records there are in a part. */
export function onList(core: Core, from: NodeId, { id, path, after }: List): void {
  const limit = 4 * core.options.rowsPerMessage
  const keys = core.records.keys(path, after, limit)
  const entries = keys.map(key => [key, core.records.digest(key)] as const)
  core.sendNow(from, { kind: 'listed', id, entries, more: keys.length === limit })
}

/** Gives records. */
export function onWant(core: Core, from: NodeId, { id, fence, keys }: Want): void {
  const rows: [key: string, record: PlainRecord][] = []
  for (const { key, record } of carriedRows(core, keys, () => [])) rows.push([key, record])
  core.sendNow(from, { kind: 'wanted', id, fence, rows })
}

/** The records of the first of those keys, as many as one message should carry; keys without one are left out. */
export function carriedRows(
  core: Core,
  keys: readonly string[],
  owedFor: (key: string) => readonly NodeId[],
): CarriedRow[] {
  const { rowsPerMessage, bytesPerMessage } = core.options
  const rows: CarriedRow[] = []
  let bytes = 0
  for (const key of keys) {
    if (rows.length >= rowsPerMessage || bytes >= bytesPerMessage) break
    const { record } = core.records.get(key)
    if (record.length === 0) continue
    bytes += key.length + bytesOf(record)
    rows.push({ key, record: plainRecord(record), owed: owedFor(key) })
  }
  return rows
}

/** About how many bytes a record has. */
export function bytesOf(record: KeyRecord): number {
  return record.reduce((bytes, { value }) => bytes + 100 + (value?.length ?? 0), 0)
}
