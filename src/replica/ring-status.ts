/** The ring as people are shown it, and what they are told when it changes. */
import { type NodeId, term } from '../base/ids.js'
import type { ClusterEvent, RingMemberStatus, RingStatus } from '../protocol/request.js'
import type * as core from '../ring/types.js'

/** The ring as this node sees it. */
export function ringStatus(status: core.RingStatus, self: NodeId, tickMs: number): RingStatus {
  const present = status.members.filter(({ member }) => member.standing !== 'gone')
  const members = present.map(one => memberStatus(one, status, self, tickMs))
  return {
    engine: 'ring',
    leader: status.leader?.address,
    ...(status.epoch !== undefined && { epoch: status.epoch }),
    members,
    canLose: canLose(members, status.copies, status.epoch !== undefined),
    replicationFactor: status.copies,
    records: status.records,
    hintsMax: status.hintsMax,
    moving: status.moving,
    tombstones: status.tombstones,
  }
}

function memberStatus(
  one: core.RingMemberStatus,
  status: core.RingStatus,
  self: NodeId,
  tickMs: number,
): RingMemberStatus {
  const { member, hints, silentTicks } = one
  const { id, address, standing } = member
  const isSelf = id === self
  const active = isSelf || one.reachable
  const isWhole = standing === 'member' && (!isSelf || status.moving?.kind !== 'fetching')
  return {
    id,
    address,
    role:
      standing === 'member' || standing === 'gone'
        ? active
          ? 'up'
          : one.dead
            ? 'dead'
            : 'silent'
        : standing,
    active,
    inSync: active && hints === 0 && one.behind !== true && (isWhole || standing === 'leaving'),
    hints,
    lastHeardMs: isSelf ? 0 : silentTicks === undefined ? undefined : silentTicks * tickMs,
  }
}

/**
 * With `copies` lost at once, those who are away among them, a key may be gone; with fewer than a majority left the usual
 * quorum is not met, which a ring with a leader does without. Of whom is evicted the others have the share.
 */
function canLose(members: readonly RingMemberStatus[], copies: number, isLed: boolean): number {
  const owners = members.filter(({ role }) => role !== 'joining' && role !== 'evicted')
  const living = owners.filter(({ active }) => active).length
  const copiesKept = Math.min(copies, owners.length)
  const needed = isLed ? 1 : Math.floor(copiesKept / 2) + 1
  const away = owners.length - living
  return Math.max(0, Math.min(living - needed, copiesKept - 1 - away))
}

/** Makes of the ring's events what people are told, each change once. */
export class RingNews {
  readonly #self: NodeId
  readonly #standings: Map<NodeId, core.Standing>
  #hasLeft = false

  /** What the list says at the start is no news. */
  constructor(self: NodeId, list: core.MemberList) {
    this.#self = self
    this.#standings = new Map(list.members.map(({ id, standing }) => [id, standing]))
  }

  of(event: core.RingEvent): ClusterEvent[] {
    switch (event.kind) {
      case 'member':
        return this.#onMember(event.member)
      case 'reachable':
        return [{ kind: 'in-sync', address: event.member.address }]
      case 'unreachable':
        return [{ kind: 'out-of-sync', address: event.member.address }]
      case 'crowded':
        return [{ kind: 'crowded', key: event.key, versions: event.versions }]
      case 'leader':
        return [{ kind: 'leader', address: event.member?.address, term: term(event.epoch) }]
    }
  }

  /** This node is no member any more, as another one says. */
  removed(): ClusterEvent[] {
    if (this.#hasLeft) return []
    this.#hasLeft = true
    return [{ kind: 'removed' }]
  }

  #onMember({ id, address, standing }: core.RingMember): ClusterEvent[] {
    const before = this.#standings.get(id)
    this.#standings.set(id, standing)
    if (before === standing) return []
    switch (standing) {
      case 'joining':
        return [{ kind: 'member-joining', address }]
      case 'member':
        return [{ kind: 'member-added', address }]
      case 'leaving':
        return [{ kind: 'member-leaving', address }]
      case 'evicted':
        return [{ kind: 'member-evicted', address }]
      case 'gone':
        if (id === this.#self) return this.removed()
        return before === undefined ? [] : [{ kind: 'member-removed', address }]
    }
  }
}
