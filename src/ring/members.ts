/**
 * The list of members as a value (Dynamo paper, section 4.8). Every node holds all of it, changes its own entry
 * or lets others in, and passes it on; lists that meet are merged entry by entry.
 *
 * What must always hold:
 * - merging is commutative, associative and idempotent, so all nodes come to the same list whatever they hear
 *   first;
 * - of two entries the one of the higher generation counts, but `gone` is for ever: such an identity may have
 *   slept through things that were forgotten on the strength of its going, and must not come back with its data.
 */
import { hash } from 'node:crypto'
import { type Member, type NodeId, nodeId } from '../base/ids.js'
import type { MemberList, RingMember, Standing } from './types.js'

/** That of a node which waits for one. */
export const emptyList: MemberList = { copies: 0, members: [] }

/** Entries at most; of those who are gone the first are forgotten before there are more. */
const membersMax = 1000
const copiesMax = 100
/** Between entries of one generation, which only nodes that do not know of each other make. */
const standings: readonly Standing[] = ['joining', 'member', 'leaving', 'evicted', 'gone']

/** The list of a new cluster, which has its members in the order of joining. */
export function foundingList(members: readonly Member[], copies: number): MemberList {
  return {
    copies,
    members: members.map((member, place) => ({
      id: member.id,
      address: member.address,
      peerAddress: member.peerAddress,
      standing: 'member',
      joined: place + 1,
      generation: 1,
    })),
  }
}

/** The entry of that identity, if there is one. */
export function entryOf(list: MemberList, id: NodeId): RingMember | undefined {
  return list.members.find(member => member.id === id)
}

/** The list with that entry in the place of the member's former one. */
export function withEntry(list: MemberList, entry: RingMember): MemberList {
  return inOrder(list.copies, [...list.members.filter(({ id }) => id !== entry.id), entry])
}

/** Both lists in one; the first one itself where the other has nothing that it lacks. */
export function mergeLists(one: MemberList, other: MemberList): MemberList {
  const members = new Map(one.members.map(member => [member.id, member]))
  let hasNews = one.copies === 0 && other.copies > 0
  for (const entry of other.members) {
    const known = members.get(entry.id)
    if (known !== undefined && compareEntries(known, entry) >= 0) continue
    members.set(entry.id, entry)
    hasNews = true
  }
  return hasNews ? inOrder(one.copies === 0 ? other.copies : one.copies, [...members.values()]) : one
}

/** Equal for equal lists. */
export function digestOfList({ copies, members }: MemberList): string {
  return hash('sha1', JSON.stringify([copies, members.map(plainEntry)])).slice(0, 16)
}

/** Whoever holds data now: members, also while they leave; in a cluster of none, those who are coming. */
export function currentMembers({ members }: MemberList): NodeId[] {
  const current = idsOf(members, ['member', 'leaving'])
  return current.length > 0 ? current : idsOf(members, ['joining'])
}

/** Whoever will hold data when all that come and go have done so. */
export function futureMembers({ members }: MemberList): NodeId[] {
  return idsOf(members, ['member', 'joining'])
}

/** Everybody whose disk may hold something that counts. */
export function unreleasedMembers({ members }: MemberList): NodeId[] {
  return members.filter(({ standing }) => standing !== 'gone').map(({ id }) => id)
}

/** The number of the next one to join. */
export function nextJoined({ members }: MemberList): number {
  return Math.max(0, ...members.map(({ joined }) => joined)) + 1
}

/** Reads a list from plain JSON; undefined if it is anything else. */
export function readList(plain: unknown): MemberList | undefined {
  if (typeof plain !== 'object' || plain === null) return undefined
  const { copies, members } = plain as Record<string, unknown>
  if (!isCount(copies, 0, copiesMax) || !Array.isArray(members) || members.length > membersMax)
    return undefined
  const entries: RingMember[] = []
  for (const member of members as unknown[]) {
    const entry = readEntry(member)
    if (entry === undefined || entries.some(({ id }) => id === entry.id)) return undefined
    entries.push(entry)
  }
  return inOrder(copies, entries)
}

function readEntry(plain: unknown): RingMember | undefined {
  if (typeof plain !== 'object' || plain === null) return undefined
  const { id, address, peerAddress, standing, joined, generation } = plain as Record<string, unknown>
  if (!isShort(id) || !isShort(address) || !isShort(peerAddress)) return undefined
  const known = standings.find(one => one === standing)
  if (known === undefined || !isCount(joined, 1, 2 ** 40) || !isCount(generation, 1, 2 ** 40))
    return undefined
  return { id: nodeId(id), address, peerAddress, standing: known, joined, generation }
}

function isShort(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= 300
}

function isCount(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
}

function idsOf(members: readonly RingMember[], wanted: readonly Standing[]): NodeId[] {
  return members.filter(({ standing }) => wanted.includes(standing)).map(({ id }) => id)
}

/** Which of two entries of one member counts: the greater one. */
function compareEntries(left: RingMember, right: RingMember): number {
  const isGone = Number(left.standing === 'gone') - Number(right.standing === 'gone')
  if (isGone !== 0) return isGone
  if (left.generation !== right.generation) return left.generation - right.generation
  const order = standings.indexOf(left.standing) - standings.indexOf(right.standing)
  if (order !== 0) return order
  const [one, other] = [JSON.stringify(plainEntry(left)), JSON.stringify(plainEntry(right))]
  return one === other ? 0 : one < other ? -1 : 1
}

function plainEntry({ id, address, peerAddress, standing, joined, generation }: RingMember): unknown {
  return [joined, id, address, peerAddress, standing, generation]
}

function inOrder(copies: number, members: readonly RingMember[]): MemberList {
  const sorted = [...members].sort(
    (left, right) => left.joined - right.joined || (left.id < right.id ? -1 : 1),
  )
  const excess = sorted.length - membersMax
  if (excess <= 0) return { copies, members: sorted }
  const forgotten = new Set(sorted.filter(({ standing }) => standing === 'gone').slice(0, excess))
  return { copies, members: sorted.filter(member => !forgotten.has(member)) }
}
