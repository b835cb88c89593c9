/**
 * What one node of a ring knows and owes: its records, the members, who of them can be reached, what is under
 * way, and what waits for the disk. What is done with it stands in files of their own, by subject.
 *
 * What must always hold:
 * - nothing leaves that speaks for a row (an acknowledgement, an answer) before that row is durable;
 * - a record that came from another node was sent behind this node's present fence.
 */
import { present } from '../base/assert.js'
import type { Member, NodeId, RequestId } from '../base/ids.js'
import { pathOf, rangeOf } from '../base/placement.js'
import type { Random } from '../base/random.js'
import { Batches } from './batches.js'
import { Coverage } from './coverage.js'
import { Leading, type Mark } from './leading.js'
import {
  digestOfList,
  emptyList,
  entryOf,
  foundingList,
  mergeLists,
  nextJoined,
  readList,
  unreleasedMembers,
  withEntry,
} from './members.js'
import type { RingMessage } from './messages.js'
import { digestOf } from './record-code.js'
import { Records, type Row } from './records.js'
import { Shares } from './shares.js'
import type {
  MemberList,
  RingAnswer,
  RingEvent,
  RingMember,
  RingOptions,
  RingOutgoing,
  RingRows,
  RingStart,
} from './types.js'
import { Unfetched } from './unfetched.js'
import { type Dot, joinRecords, type KeyRecord } from './versions.js'

/** The world of a ring node, as far as it has one. */
export interface RingSurroundings {
  /** Must differ at every start: the names of this start's writes are made from it. */
  readonly random: Random
  readonly options: RingOptions
  readonly rows: RingRows
}

/** What is known of another node since this start. */
export interface Peer {
  /** When it last said that it lives; -Infinity for never. */
  heardAtTick: number
  /** It answers, as far as is known. */
  isReachable: boolean
  /** What messages to it must name; '' until it said so. */
  fence: string
  isFull: boolean
  /** The start of it that it was last told to be heard. */
  toldStart: string
  /** Since when this node has known of it, and when contact with it was last lost. */
  readonly knownSinceTick: number
  lostAtTick: number | undefined
  /** With a leader: it can have taken part in no write that is above this, since then it was not met again. */
  lostAtMark: Mark | undefined
  /** Writes that were acknowledged by this node without it, and by it without this node, as it says. */
  skipped: number
  skippedUs: number
  /** It has yet to get what others hold, as it says. */
  isBehind: boolean
}

/** Something under way that waits for messages or for time. */
export interface Operation {
  /** The keys of which it holds records in memory. */
  readonly key: string | undefined
  receive(from: NodeId, message: RingMessage): void
  tick(): void
  /** That node cannot be reached any more. */
  lost(node: NodeId): void
}

const listRow = 'mlist'
const fetchRow = 'mfetch'

export class Core {
  readonly self: Member
  readonly options: RingOptions
  readonly random: Random
  readonly records: Records
  /** Names this start of the node, among all starts of all nodes. */
  readonly start: string
  readonly peers = new Map<NodeId, Peer>()
  readonly operations = new Map<number, Operation>()
  /** What waits for the disk. */
  readonly batches: Batches

  list: MemberList = emptyList
  listDigest = digestOfList(emptyList)
  /** Who has what, by the list. */
  readonly shares: Shares
  /** Ranges of its own that this node has yet to fetch from others. */
  readonly unfetched: Unfetched
  /** While this node leaves: what it has yet to hand over (see handover.ts). */
  leaving:
    | { left: number; readonly of: number; readonly changed: Set<string>; isClosing: boolean }
    | undefined

  tick = 0
  /** For people only: it decides nothing. */
  wallMs = 0
  /** Until then, nodes that were lost just now (or not met yet) may be heard again: a reconnection, a stall. */
  graceUntilTick: number
  isDiskFull = false
  isStopping = false
  #fences = 0
  #births = 0
  #lastId: number
  sendNowQueue: RingOutgoing[] = []
  answers: { id: RequestId; answer: RingAnswer }[] = []
  events: RingEvent[] = []
  more = false
  /** Both are there where all requests go through a leader. */
  readonly leading: Leading | undefined
  readonly coverage: Coverage | undefined
  /** Told of every record that is taken in, before it is (see collect.ts). */
  onRecord: (key: string, record: KeyRecord) => void = () => {}
  /** Whether that is a tombstone which everybody dropped a moment ago (see collect.ts). */
  isForgotten: (key: string, record: KeyRecord) => boolean = () => false

  constructor(begin: RingStart, surroundings: RingSurroundings) {
    this.self = begin.self
    this.options = surroundings.options
    this.random = surroundings.random
    this.batches = new Batches(surroundings.rows)
    this.shares = new Shares(this.id)
    this.graceUntilTick = 2 * this.options.gossipTicks
    const word = (): string => this.random.uint32().toString(36).padStart(7, '0')
    this.start = word() + word()
    // Answers must not be taken for those to questions of an earlier start, so numbers begin at random.
    this.#lastId = this.random.uint32() * 2 ** 20
    const { batches } = this
    this.records = new Records(surroundings.rows, ({ rowKey, value }) => batches.noteRow(rowKey, value))
    const { ordered } = this.options
    this.leading = ordered ? new Leading(this) : undefined
    this.coverage = ordered ? new Coverage(this) : undefined
    const saved = batches.readRow(listRow)
    const list = saved === undefined ? undefined : readList(saved)
    if (list !== undefined) {
      this.list = list
    } else if (begin.founding !== undefined) {
      this.list = foundingList(begin.founding.members, begin.founding.copies)
      batches.saveRow(listRow, this.list)
    }
    this.#divide()
    const left = list === undefined ? undefined : batches.readRow(fetchRow)
    const isMine = (range: number): boolean => this.shares.isMine(range)
    this.unfetched = new Unfetched(Array.isArray(left) ? left.map(Number).filter(isMine) : [], ranges =>
      batches.saveRow(fetchRow, ranges),
    )
    if (this.list.members.length > 0) this.#correctOwnEntry()
  }

  get id(): NodeId {
    return this.self.id
  }

  /** This node's own entry in the list. */
  get entry(): RingMember | undefined {
    return entryOf(this.list, this.id)
  }

  /** Whether this node takes part: it is on the list, and not gone. */
  get isPart(): boolean {
    const standing = this.entry?.standing
    return standing !== undefined && standing !== 'gone'
  }

  /** What others must name in messages to this node that carry records. */
  get fence(): string {
    return `${this.start}.${this.#fences}`
  }

  /** From now on, no record is taken that was sent behind an older fence. */
  raiseFence(): void {
    this.#fences++
  }

  /** Takes no records: there is no room, or it is about to be gone. */
  get isFull(): boolean {
    return this.isDiskFull || this.leaving?.isClosing === true
  }

  /** Whether nothing is under way, with this node or with what it knows of others: only their next turn can change that. */
  get isCalm(): boolean {
    if (this.operations.size > 0 || this.isStopping || this.isFull || !this.records.isCounted) return false
    const standing = this.entry?.standing
    if (standing === 'gone') return this.records.isEmpty
    if (standing === undefined) return true
    if (standing !== 'member' || this.unfetched.size > 0 || this.coverage?.isBehind === true) return false
    return unreleasedMembers(this.list).every(id => this.isUsable(id))
  }

  /** How many copies there are of a key at present. */
  get copies(): number {
    return Math.min(this.list.copies, this.shares.current.members.length)
  }

  rangeOf(key: string): number {
    return rangeOf(pathOf(key))
  }

  /** Rows here that are for others. */
  get foreignRows(): number {
    let rows = 0
    const { records } = this
    for (let range = records.nextOccupied(0); range !== undefined; range = records.nextOccupied(range + 1)) {
      if (!this.shares.isMine(range)) rows += records.inRange(range)
    }
    return rows
  }

  /** Whether reads here see all that was written to the range. */
  isWhole(range: number): boolean {
    return !this.unfetched.has(range)
  }

  /** A number for a question: none of this start or, as good as certainly, of an earlier one has it. */
  nextId(): number {
    return ++this.#lastId
  }

  /** An actor to write as where this node has none of its own. */
  newActor(): string {
    return `${this.start}.${(this.#births++).toString(36)}`
  }

  /** Whether that dot was given out by this start of the node. */
  isOwnDot(dot: Dot): boolean {
    return dot.actor.startsWith(`${this.start}.`)
  }

  /** Sends in this turn, whatever is durable. */
  sendNow(to: NodeId, message: RingMessage): void {
    this.sendNowQueue.push({ to, message })
  }

  // Records.

  /**
   * Joins a record that came from elsewhere with what is here. `owed` are the owners in whose place it is kept, if
   * this node is none. Returns what is held now.
   */
  keep(key: string, record: KeyRecord, owed: readonly NodeId[]): Row {
    this.onRecord(key, record)
    const former = this.records.get(key)
    if (former.record.length === 0 && this.isForgotten(key, record)) return former
    const joint = joinRecords(former.record, record)
    const joined = digestOf(key, joint) === former.digest ? former.record : joint
    const next = this.shares.isMine(this.rangeOf(key)) ? [] : [...new Set([...former.owed, ...owed])].sort()
    // What waits here for all owners goes to all owners.
    const isForAll = (former.record.length > 0 && former.owed.length === 0) || owed.length === 0
    return this.put(key, { record: joined, own: former.own, owed: isForAll ? [] : next }, former)
  }

  /** Writes a row, if it is not there already. */
  put(key: string, row: Omit<Row, 'digest'>, former: Row): Row {
    if (row.record === former.record && row.own === former.own && isSame(row.owed, former.owed)) return former
    this.leaving?.changed.add(key)
    return this.records.write(key, row, former)
  }

  // Peers.

  peer(id: NodeId): Peer {
    const known = this.peers.get(id)
    if (known !== undefined) return known
    const peer: Peer = {
      heardAtTick: -Infinity,
      isReachable: false,
      fence: '',
      isFull: false,
      toldStart: '',
      knownSinceTick: this.tick,
      lostAtTick: undefined,
      lostAtMark: undefined,
      skipped: 0,
      skippedUs: 0,
      isBehind: false,
    }
    this.peers.set(id, peer)
    peer.lostAtMark = this.leading?.mark
    return peer
  }

  /** Whether a node can be asked for records. */
  isUsable(id: NodeId): boolean {
    return id === this.id || this.peers.get(id)?.isReachable === true
  }

  /** Whether a node can be given records. */
  isWritable(id: NodeId): boolean {
    return id === this.id ? !this.isFull : this.isUsable(id) && this.peers.get(id)?.isFull === false
  }

  /** What was learnt of a failure is kept until the node says that it lives. */
  markUnreachable(id: NodeId): void {
    const peer = this.peers.get(id)
    if (peer === undefined || !peer.isReachable) return
    peer.isReachable = false
    peer.lostAtTick = this.tick
    peer.lostAtMark = this.leading?.mark
    this.graceUntilTick = this.tick + 2 * this.options.gossipTicks
    const member = entryOf(this.list, id)
    // Of whom is gone people were told that.
    if (member !== undefined && member.standing !== 'gone') this.events.push({ kind: 'unreachable', member })
    for (const operation of [...this.operations.values()]) operation.lost(id)
  }

  // Members.

  /** Takes what another list has that this one lacks. */
  learn(list: MemberList): void {
    this.changeList(mergeLists(this.list, list))
  }

  changeList(list: MemberList): void {
    if (list === this.list) return
    const former = this.list
    const { placements } = this.shares
    this.list = list
    this.batches.saveRow(listRow, list)
    for (const member of list.members) {
      const known = entryOf(former, member.id)
      if (known?.standing !== member.standing) this.events.push({ kind: 'member', member })
      if (member.standing === 'gone' && member.id !== this.id) this.markUnreachable(member.id)
    }
    const gained = this.#divide()
    this.coverage?.begin(gained)
    this.unfetched.change(gained, range => this.shares.isMine(range))
    // Whoever comes to own anything has missed what this node wrote without knowing that, and may have compared before.
    if (this.leading?.hasWritten === true)
      for (const id of this.shares.gainers(list, placements)) this.peer(id).skipped++
    this.#correctOwnEntry()
  }

  /** The list is another one; returns the ranges that were not this node's before. */
  #divide(): number[] {
    this.listDigest = digestOfList(this.list)
    return this.shares.divide(this.list)
  }

  /** Changes this node's own entry. */
  changeOwnEntry(change: Partial<Pick<RingMember, 'standing' | 'joined' | 'address' | 'peerAddress'>>): void {
    const entry = present(this.entry, 'the entry of this node')
    this.changeList(withEntry(this.list, { ...entry, ...change, generation: entry.generation + 1 }))
  }

  /** Where the list is wrong about this node, this node says so. */
  #correctOwnEntry(): void {
    const { entry, self } = this
    if (entry === undefined || entry.standing === 'gone') return
    const isMoved = entry.address !== self.address || entry.peerAddress !== self.peerAddress
    if (entry.standing === 'evicted') {
      // Others have copied its share meanwhile. What it has it brings along, at the end of the line.
      this.changeOwnEntry({ standing: 'joining', joined: nextJoined(this.list), ...addressesOf(self) })
    } else if (isMoved) {
      this.changeOwnEntry(addressesOf(self))
    }
  }
}

function addressesOf({ address, peerAddress }: Member): Pick<RingMember, 'address' | 'peerAddress'> {
  return { address, peerAddress }
}

function isSame<Item>(left: readonly Item[], right: readonly Item[]): boolean {
  return left.length === right.length && left.every((item, place) => item === right[place])
}
