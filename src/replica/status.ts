/** What a node can say of the cluster: `status`, and the changes in who is in sync. */
import type { Member, NodeId } from '../base/ids.js'
import type { ClusterEvent, ClusterStatus, MemberStatus } from '../protocol/request.js'
import { findMember, majority, voters } from '../raft/configuration.js'
import type { Core } from '../raft/core.js'
import type { ConfiguredMember, MemberHealth } from '../raft/types.js'

interface Times {
  readonly electionTicks: number
  readonly tickMs: number
}

/** The cluster as this node sees it: by its leader's eyes while it hears one, else by its own. */
export function clusterStatus(view: Readonly<Core>, self: Member, times: Times): ClusterStatus {
  const leader = view.leader && findMember(view.configuration, view.leader)
  const members = view.configuration.members.map(member => {
    const health = view.health.find(candidate => candidate.id === member.id)
    if (member.id === self.id) return ownStatus(view, member, health, leader !== undefined)
    return leader === undefined
      ? statusByOwnEars(view, member, times)
      : statusByLeader(view, member, health, times)
  })
  const status = {
    engine: 'raft',
    leader: leader?.address,
    members,
    // Where nobody leads, too many are lost already, or it is not known yet who is.
    canLose: leader === undefined ? 0 : canLose(view, members),
  } as const
  return view.leaderGone && leader !== undefined ? { ...status, leaderGone: true } : status
}

/** Tells each change of who is in sync once. */
export class HealthWatch {
  #seen: readonly MemberHealth[] | undefined
  readonly #outOfSync = new Set<NodeId>()

  changes(view: Readonly<Core>): ClusterEvent[] {
    const { health, configuration } = view
    if (health === this.#seen) return []
    this.#seen = health
    const events: ClusterEvent[] = []
    for (const { id, inSync } of health) {
      const member = findMember(configuration, id)
      // A learner is told of when it is added; until then it is only catching up.
      if (member === undefined || !member.voter || inSync === !this.#outOfSync.has(id)) continue
      if (inSync) this.#outOfSync.delete(id)
      else this.#outOfSync.add(id)
      events.push({ kind: inSync ? 'in-sync' : 'out-of-sync', address: member.address })
    }
    for (const id of this.#outOfSync) {
      if (findMember(configuration, id) === undefined) this.#outOfSync.delete(id)
    }
    return events
  }
}

function ownStatus(
  view: Readonly<Core>,
  member: ConfiguredMember,
  health: MemberHealth | undefined,
  hasLeader: boolean,
): MemberStatus {
  const role = view.role.kind === 'pre-candidate' ? 'candidate' : view.role.kind
  return {
    id: member.id,
    address: member.address,
    role: role === 'follower' && !member.voter ? 'learner' : role,
    active: true,
    inSync: hasLeader && (health?.inSync ?? true),
    term: view.term,
    lastIndex: view.log.lastIndex,
    appliedIndex: view.appliedIndex,
    lag: Math.max(0, view.commitIndex - view.appliedIndex),
    lastHeardMs: 0,
  }
}

function statusByLeader(
  view: Readonly<Core>,
  member: ConfiguredMember,
  health: MemberHealth | undefined,
  times: Times,
): MemberStatus {
  const { id, address, voter } = member
  const isLeader = id === view.leader
  const role = isLeader ? 'leader' : voter ? 'follower' : 'learner'
  if (health === undefined) {
    // It is new: the leader has not told of it yet.
    const nothing = { term: undefined, lastIndex: undefined, appliedIndex: undefined, lag: undefined }
    return { id, address, role, active: isLeader, inSync: isLeader, ...nothing, lastHeardMs: undefined }
  }
  return {
    id,
    address,
    role: health.heard ? role : 'unknown',
    active: health.heard && (voter || health.inSync),
    inSync: health.inSync,
    // Whoever answers the leader is in its term.
    term: health.heard ? view.term : undefined,
    lastIndex: health.lastIndex,
    appliedIndex: health.appliedIndex,
    lag: health.lag,
    lastHeardMs: health.silentTicks * times.tickMs,
  }
}

/** Without a leader, whoever was heard of late is there; who is in sync nobody knows. */
function statusByOwnEars(view: Readonly<Core>, member: ConfiguredMember, times: Times): MemberStatus {
  const { id, address, voter } = member
  const heardAtTick = view.heardAtTick.get(id)
  const silentTicks = heardAtTick === undefined ? undefined : view.tick - heardAtTick
  // Nodes without a leader speak at least once in two election timeouts, when they start a pre-vote.
  const active = silentTicks !== undefined && silentTicks <= 2 * times.electionTicks
  return {
    id,
    address,
    role: active ? (voter ? 'follower' : 'learner') : 'unknown',
    active,
    inSync: false,
    term: undefined,
    lastIndex: undefined,
    appliedIndex: undefined,
    lag: undefined,
    lastHeardMs: silentTicks === undefined ? undefined : silentTicks * times.tickMs,
  }
}

function canLose(view: Readonly<Core>, members: readonly MemberStatus[]): number {
  const all = voters(view.configuration)
  const living = members.filter(member => member.active && all.includes(member.id))
  return Math.max(0, living.length - majority(all.length))
}
