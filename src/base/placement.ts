/**
 * Where keys belong: consistent hashing with virtual points (Dynamo paper, sections 4.2 and 4.3).
 *
 * A key's hash, in hexadecimal digits, is its *path*; the first three name its *range*, of which there are 4096.
 * Each member stands at many points of the ring that the hashes form. The *preference list* of a range is the
 * members in the order in which their points come, from the begin of the range on: the first `copies` of them own
 * its keys, the next ones stand in for owners that cannot be reached. It depends on nothing but the identities
 * of the members, so every node with the same list of members has the same placement.
 */
import { hash } from 'node:crypto'
import { present } from './assert.js'
import type { NodeId } from './ids.js'

/** How many ranges of keys there are. */
export const rangeCount = 4096
/** Digits of a key's path that are used: the range, and a leaf of the tree of digests (see merkle.ts). */
export const pathDigits = 5
/** So many points even the shares of six members out to a few in a hundred. */
const pointsPerMember = 512
const pointsPerHash = 5

/** Most questions are about the key that the last one was about. */
let lastKey = ''
let lastPath = hash('sha1', '').slice(0, pathDigits)

/** The path of a key: the first digits of its hash. */
export function pathOf(key: string): string {
  if (key !== lastKey) {
    lastPath = hash('sha1', key).slice(0, pathDigits)
    lastKey = key
  }
  return lastPath
}

/** The range that a path lies in. */
export function rangeOf(path: string): number {
  return Number.parseInt(path.slice(0, 3), 16)
}

/** The path of a whole range. */
export function rangePath(range: number): string {
  return range.toString(16).padStart(3, '0')
}

/** Placements that are remembered at most: each costs some milliseconds to make. */
const rememberedMax = 16
const remembered = new Map<string, Placement>()

/** The placement for those members: the same one for the same members, as long as it is remembered. */
export function placementOf(members: readonly NodeId[], copies: number): Placement {
  const name = `${copies} ${[...members].sort().join(' ')}`
  const known = remembered.get(name)
  if (known !== undefined) return known
  const made = new Placement(members, copies)
  for (const oldest of remembered.keys()) {
    if (remembered.size < rememberedMax) break
    remembered.delete(oldest)
  }
  remembered.set(name, made)
  return made
}

/** It never changes; what it has worked out it keeps. */
export class Placement {
  readonly copies: number
  readonly #members: readonly NodeId[]
  /** The places of all points, ascending: the point times the number of members, plus the member's place. */
  readonly #points: Float64Array
  readonly #preference: (readonly NodeId[] | undefined)[] = []
  readonly #owned = new Map<NodeId, Uint8Array>()
  readonly #shared = new Map<string, readonly number[]>()

  constructor(members: readonly NodeId[], copies: number) {
    this.copies = copies
    this.#members = [...members].sort()
    const points = new Float64Array(this.#members.length * pointsPerMember)
    for (const [place, id] of this.#members.entries()) {
      for (const [number, point] of pointsOf(id).entries()) {
        points[place * pointsPerMember + number] = point * this.#members.length + place
      }
    }
    this.#points = points.sort()
  }

  get members(): readonly NodeId[] {
    return this.#members
  }

  /** All members, in the order of their claim to the keys of the range. */
  preference(range: number): readonly NodeId[] {
    const known = this.#preference[range]
    if (known !== undefined) return known
    const found = this.#walk(range)
    this.#preference[range] = found
    return found
  }

  /** Those who own the range, in order; all members where there are fewer than copies. */
  owners(range: number): readonly NodeId[] {
    return this.preference(range).slice(0, this.copies)
  }

  isOwner(id: NodeId, range: number): boolean {
    return this.owned(id)[range] === 1
  }

  /** Which ranges a node owns: 1 for each of them. */
  owned(id: NodeId): Uint8Array {
    const known = this.#owned.get(id)
    if (known !== undefined) return known
    const owned = new Uint8Array(rangeCount)
    for (let range = 0; range < rangeCount; range++) {
      const place = this.preference(range).indexOf(id)
      if (place >= 0 && place < this.copies) owned[range] = 1
    }
    this.#owned.set(id, owned)
    return owned
  }

  /** The ranges that both of them own, ascending. */
  sharedRanges(one: NodeId, other: NodeId): readonly number[] {
    const name = `${one} ${other}`
    const known = this.#shared.get(name)
    if (known !== undefined) return known
    const shared: number[] = []
    for (let range = 0; range < rangeCount; range++) {
      if (this.isOwner(one, range) && this.isOwner(other, range)) shared.push(range)
    }
    this.#shared.set(name, shared)
    return shared
  }

  #walk(range: number): readonly NodeId[] {
    const count = this.#members.length
    if (count === 0) return []
    const found = new Set<NodeId>()
    const start = (range / rangeCount) * 2 ** 32 * count
    const first = this.#firstFrom(start)
    for (let step = 0; step < this.#points.length && found.size < count; step++) {
      const point = present(this.#points[(first + step) % this.#points.length], 'a point within bounds')
      found.add(present(this.#members[point % count], 'the member of a point'))
    }
    return [...found]
  }

  /** The place of the first point at or behind `start`, by halving. */
  #firstFrom(start: number): number {
    let low = 0
    let high = this.#points.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#points[middle] ?? 0) < start) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The points of a member on the ring of 32-bit numbers. */
function pointsOf(id: NodeId): number[] {
  const points: number[] = []
  for (let block = 0; points.length < pointsPerMember; block++) {
    const digits = hash('sha1', `${id}/${block}`)
    for (let part = 0; part < pointsPerHash && points.length < pointsPerMember; part++) {
      points.push(Number.parseInt(digits.slice(part * 8, part * 8 + 8), 16))
    }
  }
  return points
}
