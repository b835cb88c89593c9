/**
 * The cluster as Redis clients are shown it: one shard that has all slots, its leader the master, the others replicas.
 * So cluster clients talk to the leader, and find the next one by asking again.
 */
import { displayAddress, parseAddress } from '../address.js'
import type { ConsensusStatus, MemberStatus } from '../request.js'
import { arrayReply, errorReply, integerReply, mapReply, type RespReply, textReply } from './reply.js'
import { slotCount } from './slot.js'

const lastSlot = slotCount - 1

/** Nobody leads: a cluster client asks again, here or elsewhere. */
export const clusterDown = errorReply('CLUSTERDOWN The cluster is down: there is no leader')

/** A member's identity in the form of Redis's, which have 40 digits: the 32 of the UUID, and its first 8 again. */
export function shownId(id: string): string {
  const digits = id.replaceAll('-', '')
  return digits + digits.slice(0, 8)
}

/**
 * The member that leads, as far as the asked node knows. One whose connection has closed is not named: clients that
 * are sent to a dead leader go the long way round.
 */
export function leaderOf({ leader, leaderGone, members }: ConsensusStatus): MemberStatus | undefined {
  if (leader === undefined || leaderGone === true) return undefined
  return members.find(({ address }) => address === leader)
}

/** The members that a client may read from: those that follow and are in sync. */
export function replicasOf(status: ConsensusStatus): readonly MemberStatus[] {
  const { members, leader } = status
  return members.filter(({ address, role, inSync }) => address !== leader && role === 'follower' && inSync)
}

/** CLUSTER SLOTS. */
export function slotsReply(status: ConsensusStatus): RespReply {
  const leader = leaderOf(status)
  if (leader === undefined) return clusterDown
  const nodes = [leader, ...replicasOf(status)].map(member => {
    const { host, port } = addressOf(member)
    return arrayReply([textReply(host), integerReply(port), textReply(shownId(member.id)), mapReply([])])
  })
  return arrayReply([arrayReply([integerReply(0), integerReply(lastSlot), ...nodes])])
}

/** CLUSTER SHARDS. */
export function shardsReply(status: ConsensusStatus): RespReply {
  const leader = leaderOf(status)
  if (leader === undefined) return clusterDown
  const others = status.members.filter(member => member !== leader)
  const nodes = [leader, ...others].map(member => {
    const { host, port } = addressOf(member)
    const health = !member.active && member !== leader ? 'failed' : member.inSync ? 'online' : 'loading'
    return mapReply([
      ['id', textReply(shownId(member.id))],
      ['port', integerReply(port)],
      ['ip', textReply(host)],
      ['endpoint', textReply(host)],
      ['role', textReply(member === leader ? 'master' : 'replica')],
      ['replication-offset', integerReply(member.lastIndex ?? 0)],
      ['health', textReply(health)],
    ])
  })
  const slots = arrayReply([integerReply(0), integerReply(lastSlot)])
  return arrayReply([
    mapReply([
      ['slots', slots],
      ['nodes', arrayReply(nodes)],
    ]),
  ])
}

/** A line of CLUSTER NODES: see {@link nodesText}. */
export function nodeLine(member: MemberStatus, status: ConsensusStatus, self: string): string {
  const leader = leaderOf(status)
  const isLeader = member === leader
  const { host, port } = addressOf(member)
  const flags = [isLeader ? 'master' : 'slave']
  if (member.address === self) flags.unshift('myself')
  else if (!member.active) flags.push('fail')
  const master = isLeader ? '-' : leader === undefined ? '-' : shownId(leader.id)
  const isConnected = member.active || member.address === self
  const words = [
    shownId(member.id),
    // The port of nodes among themselves is no concern of clients.
    `${host}:${port}@0`,
    flags.join(','),
    master,
    '0',
    '0',
    String(termOf(status)),
    isConnected ? 'connected' : 'disconnected',
  ]
  if (isLeader) words.push(`0-${lastSlot}`)
  return words.join(' ')
}

/** CLUSTER NODES, with the asked node marked as `myself`. */
export function nodesText(status: ConsensusStatus, self: string): string {
  return status.members.map(member => `${nodeLine(member, status, self)}\n`).join('')
}

/** CLUSTER INFO. */
export function clusterInfoText(status: ConsensusStatus): string {
  const isUp = leaderOf(status) !== undefined
  const fields = {
    cluster_state: isUp ? 'ok' : 'fail',
    cluster_slots_assigned: slotCount,
    cluster_slots_ok: isUp ? slotCount : 0,
    cluster_slots_pfail: 0,
    cluster_slots_fail: isUp ? 0 : slotCount,
    cluster_known_nodes: status.members.length,
    cluster_size: 1,
    cluster_current_epoch: termOf(status),
    cluster_my_epoch: termOf(status),
  }
  return fieldLines(fields)
}

/** `name:value` lines, as in INFO. */
export function fieldLines(fields: Readonly<Record<string, string | number>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join('')
}

/** The largest term that any member is known to be in. */
export function termOf({ members }: ConsensusStatus): number {
  return members.reduce((most, { term }) => Math.max(most, term ?? 0), 0)
}

/** Host and port of a member. */
export function addressOf({ address }: { readonly address: string }): { host: string; port: number } {
  return parseAddress(address) ?? { host: displayAddress(address), port: 0 }
}
