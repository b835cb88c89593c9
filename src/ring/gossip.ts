/**
 * Who lives, and who is a member (Dynamo paper, section 4.8). Every node tells every other one now and then that
 * it lives, with a digest of its list of members; where lists differ they are exchanged and merged. A node that
 * is silent is taken for unreachable until it is heard again, which moves nothing; only a change of the list does.
 *
 * What must always hold: a node is asked for records only while it is known to hear this start of the asking one.
 */
import type { Member, NodeId } from '../base/ids.js'
import type { Core, Peer } from './core.js'
import { plainEpoch, readEpoch } from './epochs.js'
import { digestOfList, entryOf, futureMembers, nextJoined, unreleasedMembers, withEntry } from './members.js'
import type { Heartbeat, Members } from './messages.js'
import type { MemberList } from './types.js'

export class Gossip {
  readonly #core: Core
  #nextTick = 0
  /** Whom this node left behind must still learn that it is gone. */
  #farewells = 0

  constructor(core: Core) {
    this.#core = core
  }

  /** The tick at which it beats next, or somebody will have been silent for too long. */
  get dueAtTick(): number {
    const { peers, options } = this.#core
    let due = this.#nextTick
    for (const { isReachable, heardAtTick } of peers.values()) {
      if (isReachable) due = Math.min(due, heardAtTick + options.silentTicks)
    }
    return due
  }

  tick(): void {
    const core = this.#core
    const { silentTicks, gossipTicks } = core.options
    for (const [id, peer] of core.peers) {
      if (core.tick - peer.heardAtTick >= silentTicks) core.markUnreachable(id)
    }
    if (core.tick < this.#nextTick) return
    this.#nextTick = core.tick + gossipTicks
    this.beat()
    if (core.options.evict && core.isPart) this.#evict()
  }

  /** Tells everybody that this node lives. */
  beat(): void {
    const core = this.#core
    if (core.entry === undefined) return
    if (!core.isPart && this.#farewells++ > 100) return
    for (const id of unreleasedMembers(core.list)) if (id !== core.id) this.#beatTo(id)
  }

  onHeartbeat(from: NodeId, message: Heartbeat): void {
    const core = this.#core
    if (message.list !== core.listDigest) core.sendNow(from, listMessage(core.list))
    const member = entryOf(core.list, from)
    if (member === undefined || member.standing === 'gone' || !core.isPart) return
    const peer = core.peer(from)
    peer.heardAtTick = core.tick
    peer.fence = message.fence
    peer.isFull = message.isFull
    this.#noteLeading(peer, message)
    if (peer.toldStart !== startOf(message.fence)) this.#beatTo(from)
    this.#note(from, peer, message.hears === core.start)
  }

  onMembers(from: NodeId, message: Members): void {
    const core = this.#core
    core.learn(message)
    // What the sender lacks it is told at once; that ends, because lists only grow.
    if (digestOfList(message) !== core.listDigest) core.sendNow(from, listMessage(core.list))
  }

  /** Lets a node in. */
  admit(member: Member): boolean {
    const core = this.#core
    if (!core.isPart) return false
    const known = entryOf(core.list, member.id)
    if (known !== undefined) return known.standing !== 'gone'
    const { id, address, peerAddress } = member
    const joined = nextJoined(core.list)
    core.changeList(
      withEntry(core.list, { id, address, peerAddress, standing: 'joining', joined, generation: 1 }),
    )
    core.sendNow(id, listMessage(core.list))
    this.beat()
    return true
  }

  /** Declares another node gone. */
  remove(id: NodeId): boolean {
    const core = this.#core
    const member = entryOf(core.list, id)
    if (!core.isPart || member === undefined || id === core.id) return false
    if (member.standing !== 'gone') {
      const generation = member.generation + 1
      core.changeList(withEntry(core.list, { ...member, standing: 'gone', generation }))
      core.sendNow(id, listMessage(core.list))
      this.beat()
    }
    return true
  }

  #note(id: NodeId, peer: Peer, isReachable: boolean): void {
    if (!isReachable) {
      this.#core.markUnreachable(id)
    } else if (!peer.isReachable) {
      peer.isReachable = true
      this.#core.coverage?.renew(id)
      const member = entryOf(this.#core.list, id)
      if (member !== undefined) this.#core.events.push({ kind: 'reachable', member })
    }
  }

  #beatTo(id: NodeId): void {
    const core = this.#core
    const peer = core.peer(id)
    const isHeard = core.tick - peer.heardAtTick < core.options.silentTicks
    const hears = isHeard ? startOf(peer.fence) : ''
    peer.toldStart = hears
    const { fence, listDigest: list, isFull, leading } = core
    const beat: Heartbeat = { kind: 'heartbeat', fence, hears, list, isFull }
    if (leading === undefined) core.sendNow(id, beat)
    else {
      const isBehind = core.coverage?.isBehind
      core.sendNow(id, { ...beat, epoch: plainEpoch(leading.known), skipped: peer.skipped, isBehind })
    }
  }

  #noteLeading(peer: Peer, { epoch, skipped, isBehind = false }: Heartbeat): void {
    peer.isBehind = isBehind
    const { leading, coverage } = this.#core
    const known = readEpoch(epoch)
    if (known !== undefined) leading?.note(known)
    if (skipped === undefined || skipped === peer.skippedUs) return
    peer.skippedUs = skipped
    // What was acknowledged without this node may be with anybody.
    if (skipped > 0) coverage?.renewAll()
  }

  /** The first member that lives puts out those who were silent for too long. Nobody does it for a start. */
  #evict(): void {
    const core = this.#core
    const { deadTicks } = core.options
    const isDead = (id: NodeId): boolean =>
      id !== core.id && core.tick - Math.max(0, core.peer(id).heardAtTick) >= deadTicks
    let living = core.shares.current.members.filter(id => !isDead(id))
    // With a leader, those who were about to become members go on where all members are lost.
    if (living.length === 0 && core.leading !== undefined)
      living = [...futureMembers(core.list)].filter(id => !isDead(id))
    const first = core.list.members.find(({ id }) => living.includes(id))
    if (first?.id !== core.id) return
    for (const member of core.list.members) {
      const isIn = member.standing !== 'gone' && member.standing !== 'evicted'
      if (!isIn || !isDead(member.id)) continue
      const generation = member.generation + 1
      core.changeList(withEntry(core.list, { ...member, standing: 'evicted', generation }))
    }
  }
}

function startOf(fence: string): string {
  return fence.split('.')[0] ?? ''
}

function listMessage({ copies, members }: MemberList): Members {
  return { kind: 'members', copies, members }
}
