/**
 * Configurations: who is a member, who votes, and the single steps from one to the next. Only one member is
 * changed at a time, so that any two successive majorities share a voter (dissertation, section 4.1).
 */
import { type Member, type NodeId, nodeId } from '../base/ids.js'
import type { Configuration, ConfiguredMember, ReadMode } from './types.js'

/** How many removed identities a configuration remembers; the oldest are forgotten. */
const removedMax = 100

/** The configuration of a new cluster whose members all vote. */
export function firstConfiguration(members: readonly Member[], reads: ReadMode): Configuration {
  return { members: members.map(member => ({ ...member, voter: true })), removed: [], reads }
}

/** A configuration without members: that of a node that waits to be told. */
export const emptyConfiguration: Configuration = { members: [], removed: [], reads: 'linearizable' }

/** The bytes of a configuration, for a log entry or a snapshot: JSON in UTF-8, without a newline. */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  return Buffer.from(JSON.stringify(configuration))
}

/** Reads what {@link encodeConfiguration} made; undefined if the bytes are anything else. */
export function decodeConfiguration(data: Uint8Array): Configuration | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(data).toString())
    if (typeof value !== 'object' || value === null) return undefined
    const { members, removed, reads } = value as Record<string, unknown>
    if (!Array.isArray(members) || !Array.isArray(removed)) return undefined
    if (reads !== 'linearizable' && reads !== 'lease') return undefined
    const checked: ConfiguredMember[] = []
    for (const member of members as unknown[]) {
      if (typeof member !== 'object' || member === null) return undefined
      const { id, address, peerAddress, voter } = member as Record<string, unknown>
      if (typeof id !== 'string' || typeof address !== 'string' || typeof peerAddress !== 'string')
        return undefined
      if (typeof voter !== 'boolean') return undefined
      checked.push({ id: nodeId(id), address, peerAddress, voter })
    }
    return { members: checked, removed: removed.map(id => nodeId(String(id))), reads }
  } catch {
    return undefined
  }
}

/** The member of that identity, voter or learner; undefined if there is none. */
export function findMember(configuration: Configuration, id: NodeId): ConfiguredMember | undefined {
  return configuration.members.find(member => member.id === id)
}

/** Whether that node counts in majorities; false for learners and for strangers. */
export function isVoter(configuration: Configuration, id: NodeId): boolean {
  return findMember(configuration, id)?.voter === true
}

/** The members that count in majorities, in the order in which they joined. */
export function voters(configuration: Configuration): NodeId[] {
  return configuration.members.filter(member => member.voter).map(member => member.id)
}

/** How many voters make a majority. */
export function majority(voterCount: number): number {
  return Math.floor(voterCount / 2) + 1
}

/**
 * The greatest value that a majority of the voters has reached, given what each has: what is committed,
 * of what each holds; which read round is confirmed, of what each has answered.
 */
export function reachedByMajority(configuration: Configuration, reached: (voter: NodeId) => number): number {
  // The greatest first. They are few, and this is asked with every answer of a follower.
  const values: number[] = []
  for (const { id, voter } of configuration.members) {
    if (!voter) continue
    const value = reached(id)
    let place = values.push(value) - 1
    for (let before = values[place - 1]; before !== undefined && before < value; before = values[place - 1]) {
      values[place] = before
      place--
    }
    values[place] = value
  }
  return values[majority(values.length) - 1] ?? 0
}

/**
 * The member receives the log and has no vote yet, so that catching up delays no commit (dissertation,
 * section 4.2.1). It must not be a member already.
 */
export function withLearner(configuration: Configuration, member: Member): Configuration {
  return { ...configuration, members: [...configuration.members, { ...member, voter: false }] }
}

/**
 * The learner votes from now on (dissertation, section 4.2.1); nothing changes if there is no such member.
 */
export function withVoter(configuration: Configuration, id: NodeId): Configuration {
  const members = configuration.members.map(member =>
    member.id === id ? { ...member, voter: true } : member,
  )
  return { ...configuration, members }
}

/** The member listens elsewhere now; its identity and vote stay. */
export function withMoved(configuration: Configuration, moved: Member): Configuration {
  const members = configuration.members.map(member =>
    member.id === moved.id ? { ...member, address: moved.address, peerAddress: moved.peerAddress } : member,
  )
  return { ...configuration, members }
}

/**
 * The member is gone (dissertation, section 4.2.2), and its identity is remembered, so that it can be told when
 * it calls again.
 */
export function without(configuration: Configuration, id: NodeId): Configuration {
  return {
    ...configuration,
    members: configuration.members.filter(member => member.id !== id),
    removed: [...configuration.removed, id].slice(-removedMax),
  }
}
