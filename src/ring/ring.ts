/**
 * The leaderless engine: an always-writable store after Amazon's Dynamo, as a pure machine.
 *
 * What this answers: where a key belongs, which versions of it there are, who has which copies, who is a
 * member. What it leaves to others: how clients speak (src/replica, src/protocol), disks and sockets
 * (src/storage, src/net). Time comes in as ticks, chance from a seeded source, and everything that must outlive
 * it goes through rows.
 *
 * A reader new to it may go through versions.ts, src/base/placement.ts, core.ts, requests.ts, writing.ts, reading.ts,
 * handover.ts, moving.ts and collect.ts in this order; what must always hold stands at the top of each.
 */
import { unreachable } from '../base/assert.js'
import type { Member, NodeId, RequestId } from '../base/ids.js'
import { Collector } from './collect.js'
import { Core, type RingSurroundings } from './core.js'
import { onGather } from './gathering.js'
import { Gossip } from './gossip.js'
import { Handover } from './handover.js'
import { Keeper } from './keeper.js'
import { entryOf } from './members.js'
import { onCompare, onList, onWant } from './merkle.js'
import type { RingMessage } from './messages.js'
import { Moving } from './moving.js'
import { replyToRead } from './reading.js'
import { Requests } from './requests.js'
import { Serving } from './serving.js'
import type { MemberList, RingMember, RingOutput, RingRequest, RingStart, RingStatus } from './types.js'

export type { RingSurroundings } from './core.js'

export class Ring {
  readonly #core: Core
  readonly #requests: Requests
  readonly #serving: Serving | undefined
  readonly #keeper: Keeper
  readonly #gossip: Gossip
  readonly #moving: Moving
  readonly #handover: Handover
  readonly #collector: Collector

  constructor(start: RingStart, surroundings: RingSurroundings) {
    const core = new Core(start, surroundings)
    this.#core = core
    this.#serving = core.leading && new Serving(core, core.leading)
    this.#requests = new Requests(core, this.#serving)
    this.#keeper = new Keeper(core)
    this.#gossip = new Gossip(core)
    this.#moving = new Moving(core)
    this.#handover = new Handover(core)
    this.#collector = new Collector(core, () => this.#gossip.beat())
  }

  /** The state as it is, to look at: for those who check what must always hold. */
  get view(): Readonly<Core> {
    return this.#core
  }

  /**
   * Time passes; with 0, nothing but background work that was left. The wall time is kept with what is written, for
   * people, and decides nothing.
   */
  tick(count: number, wallMs = 0): void {
    const core = this.#core
    core.wallMs = Math.floor(wallMs)
    core.tick += count
    if (!core.records.isCounted) core.records.countOn()
    this.#gossip.tick()
    core.leading?.tick()
    for (const operation of [...core.operations.values()]) operation.tick()
    this.#keeper.tick()
    this.#serving?.tick()
    this.#moving.tick()
    this.#handover.tick()
    this.#collector.tick()
  }

  /** So many ticks may pass as one: before the last of them there is nothing to do but what is asked or told. */
  get quietTicks(): number {
    const core = this.#core
    const isSettled = core.leading === undefined || core.leading.isSettled
    const isAwaited = this.#keeper.isAwaited || this.#serving?.isAwaited === true
    if (!core.isCalm || !isSettled || isAwaited || core.more) return 1
    const parts = [this.#gossip, this.#moving, this.#handover, this.#collector]
    return Math.max(1, Math.min(...parts.map(({ dueAtTick }) => dueAtTick)) - core.tick)
  }

  /** A message came, which `readMessage` has checked. From whom it is must be certain; what it says need not. */
  receive(from: NodeId, message: RingMessage): void {
    const core = this.#core
    if (message.kind === 'heartbeat') {
      this.#gossip.onHeartbeat(from, message)
      return
    }
    if (message.kind === 'members') {
      this.#gossip.onMembers(from, message)
      return
    }
    const sender = entryOf(core.list, from)
    // Whoever is gone may hold what was forgotten since; whoever is not known may not be counted on.
    if (sender === undefined || sender.standing === 'gone' || !core.isPart) return
    switch (message.kind) {
      case 'read':
        replyToRead(core, from, message.id, message.key, message.fence)
        break
      case 'write':
        this.#keeper.onWrite(from, message)
        break
      case 'store':
        this.#keeper.onStore(from, message)
        break
      case 'compare':
        onCompare(core, from, message)
        break
      case 'list':
        onList(core, from, message)
        break
      case 'want':
        onWant(core, from, message)
        break
      case 'settle':
        this.#collector.onSettle(from, message)
        break
      case 'gather':
        if (core.leading !== undefined) onGather(core, core.leading, from, message)
        break
      case 'ask':
        this.#serving?.onAsk(from, message)
        break
      case 'stale':
        core.peer(from).fence = message.fence
        core.operations.get(message.id)?.receive(from, message)
        break
      case 'read-reply':
      case 'write-reply':
      case 'stored':
      case 'compared':
      case 'listed':
      case 'wanted':
      case 'settled':
      case 'gathered':
      case 'asked':
        core.operations.get(message.id)?.receive(from, message)
        break
      default:
        unreachable(message)
    }
  }

  /** A client asks; one answer with this id follows, after `requestTicks` at the latest. */
  request(id: RequestId, request: RingRequest): void {
    this.#requests.take(id, request)
  }

  /** Nobody waits for that answer any more: none is given. What was begun may still be carried out. */
  abandon(id: RequestId): void {
    this.#requests.abandon(id)
  }

  /** The peer's connection closed: it is taken for unreachable until it is heard again. */
  disconnected(node: NodeId): void {
    this.#core.markUnreachable(node)
  }

  /** Messages to this peer were dropped: whatever waits for an answer asks again or gives up in its own time. */
  slow(_node: NodeId): void {}

  /** With a full disk nothing is written here; reads go on, and others stand in. */
  setDiskFull(full: boolean): void {
    if (this.#core.isDiskFull === full) return
    this.#core.isDiskFull = full
    this.#gossip.beat()
  }

  /** No new requests are taken; those under way are finished. */
  stop(): void {
    this.#core.isStopping = true
  }

  /** The batch of the last output is durable. */
  saved(): void {
    this.#core.batches.saved()
  }

  /** What must be done. `save` and `send` are empty from an output with a non-empty `save` until {@link saved}. */
  takeOutput(): RingOutput {
    const core = this.#core
    const batch = core.batches.take()
    const output: RingOutput = {
      sendNow: core.sendNowQueue,
      save: batch?.save ?? [],
      send: batch?.send ?? [],
      answers: core.answers,
      events: core.events,
      more: core.more || !core.records.isCounted,
    }
    core.sendNowQueue = []
    core.answers = []
    core.events = []
    core.more = false
    return output
  }

  /** The list of members: a new object when anything of it changes; empty while this node waits for one. */
  get list(): MemberList {
    return this.#core.list
  }

  /** How this node stands; undefined while no list names it. */
  get standing(): RingMember['standing'] | undefined {
    return this.#core.entry?.standing
  }

  /** Whether no client's write ever came here: neither records nor tombstones are held. */
  get isPristine(): boolean {
    return this.#core.records.isEmpty
  }

  /** Requests under way. */
  get pending(): number {
    return this.#requests.pending
  }

  /** The owners of a key, in order; with fewer members than copies all of them. */
  owners(key: string): readonly RingMember[] {
    const { shares, list } = this.#core
    return shares.current.owners(this.#core.rangeOf(key)).flatMap(id => entryOf(list, id) ?? [])
  }

  /** For `status`. */
  status(): RingStatus {
    const core = this.#core
    const { unfetched, leaving, records, options } = core
    const members = core.list.members
      .filter(({ standing }) => standing !== 'gone')
      .map(member => {
        const isSelf = member.id === core.id
        const heardAtTick = core.peers.get(member.id)?.heardAtTick ?? -Infinity
        const silentTicks = isSelf ? 0 : core.tick - heardAtTick
        return {
          member,
          reachable: isSelf || core.isUsable(member.id),
          dead: !isSelf && core.tick - Math.max(0, heardAtTick) >= options.deadTicks,
          silentTicks: silentTicks === Infinity ? undefined : silentTicks,
          hints: records.owedTo(member.id),
          behind: isSelf ? core.coverage?.isBehind === true : core.peers.get(member.id)?.isBehind === true,
        }
      })
    const moving =
      leaving !== undefined
        ? ({ kind: 'handing-over', left: leaving.left, of: leaving.of } as const)
        : unfetched.size > 0
          ? ({ kind: 'fetching', left: unfetched.size, of: unfetched.of } as const)
          : undefined
    const leader = core.leading?.leader
    return {
      leader: leader && entryOf(core.list, leader),
      epoch: core.leading?.known.number,
      copies: core.list.copies,
      members,
      records: records.values,
      hints: core.foreignRows,
      hintsMax: options.hintsMax,
      moving,
      tombstones: records.deleted,
      counting: !records.isCounted,
    }
  }

  /**
   * Lets a pristine node in: it joins the list at once, as `joining`, and becomes a `member` (an event) when it
   * has fetched its share. Adding one who is in already changes nothing. False if this node is no member, or that
   * identity is gone for ever.
   */
  addMember(member: Member): boolean {
    return this.#gossip.admit(member)
  }

  /**
   * This node hands over what it has and is then `gone` (an event); `leave` again changes nothing. False if it is
   * no member, or the last one.
   */
  leave(): boolean {
    return this.#handover.leave()
  }

  /**
   * Declares that another node is gone: what only that one has is lost, and it is told so if it comes back. A
   * node that runs should rather be told to {@link leave}. False if this node is no member, or that one is none.
   */
  remove(id: NodeId): boolean {
    return this.#gossip.remove(id)
  }
}
