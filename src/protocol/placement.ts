/** Which nodes keep a key: one function, for nodes and clients alike, so that both give the same answer. */
import type { NodeId } from '../base/ids.js'
import { pathOf, rangeOf, placementOf as ringPlacementOf } from '../base/placement.js'
import type { Engine } from './commands.js'
import type { ClusterStatus } from './request.js'

/** What placement depends on. Addresses are in full form, in the order in which the nodes joined. */
export interface Topology {
  readonly engine: Engine
  /** Under consensus every voter keeps every key. */
  readonly voters: readonly string[]
  /** On a ring: the members among whom the keys are divided, by their identities. */
  readonly keepers: readonly Keeper[]
  /** On a ring: how many of them keep each key. */
  readonly replicationFactor: number
}

/** One of the nodes among whom a ring divides its keys. */
export interface Keeper {
  readonly id: NodeId
  readonly address: string
}

/** The addresses of the nodes that keep `key`, in a fixed order. */
export function placementOf(key: string, topology: Topology): readonly string[] {
  if (topology.engine === 'raft') return topology.voters
  const { keepers, replicationFactor } = topology
  const addresses = new Map(keepers.map(({ id, address }) => [id, address]))
  const owners = ringPlacementOf([...addresses.keys()], replicationFactor).owners(rangeOf(pathOf(key)))
  return owners.flatMap(id => addresses.get(id) ?? [])
}

/** What placement depends on, as the status says it. */
export function topologyOf(status: ClusterStatus): Topology {
  if (status.engine === 'raft') {
    const voters = status.members.filter(({ role }) => role !== 'learner').map(({ address }) => address)
    return {
      engine: 'raft',
      voters,
      keepers: [],
      replicationFactor: status.replicationFactor ?? voters.length,
    }
  }
  const { members, replicationFactor } = status
  // One who joins has to fetch its share first, and others have taken over that of the evicted.
  const settled = members.filter(({ role }) => role !== 'joining' && role !== 'evicted')
  // In a ring of none, those who come keep what there is.
  const keeping = settled.length > 0 ? settled : members.filter(({ role }) => role === 'joining')
  const keepers = keeping.map(({ id, address }) => ({ id, address }))
  return { engine: 'ring', voters: [], keepers, replicationFactor }
}
