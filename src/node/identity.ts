/**
 * Who this node is and where it stands, as kept in its data directory. The name a node goes by is its
 * address; its identity is not: that is a UUID4 made at first start, and a node whose disk was wiped is a new
 * node, which cannot vote with a memory it lost.
 */
import { v4 as uuid, validate } from 'uuid'
import { type ClusterId, clusterId, type NodeId, nodeId } from '../base/ids.js'
import type { Engine } from '../protocol/commands.js'
import type { PresetName } from './config.js'

/** Where a node stands between its first start and its removal. */
export type Standing =
  /**
   * It is one of `nodes`, who will form a cluster once all of them are there. With `cluster` set it has begun,
   * as the first of the list, to gather the promises of the others.
   */
  | { readonly kind: 'forming'; readonly nodes: readonly string[]; readonly cluster: ClusterId | undefined }
  /** It waits to be added by the cluster that it was told to join. */
  | { readonly kind: 'joining' }
  /** It belongs to a cluster: it runs, or waits for that cluster's leader to bring it up. */
  | { readonly kind: 'member'; readonly cluster: ClusterId }
  /** It was removed from the cluster. */
  | { readonly kind: 'removed'; readonly cluster: ClusterId }

/**
 * Whether a node that stands here is bound to nobody: no other node counts on it, and it holds nothing. What it is
 * told at its next start counts as at its first.
 */
export function isUnbound(standing: Standing): boolean {
  if (standing.kind === 'joining') return true
  // Who has begun to gather promises has told others its cluster, save where there are no others.
  return standing.kind === 'forming' && (standing.cluster === undefined || standing.nodes.length === 1)
}

export interface Identity {
  readonly node: NodeId
  /** What it runs, from its first start to its end. */
  readonly engine: Engine
  readonly standing: Standing
}

/** An identity with what the node must be started as to go on with it. */
export interface KeptIdentity extends Identity {
  /** Which program it is. */
  readonly preset: PresetName
  /** The replication factor it was last started with, where it was told one. */
  readonly replicationFactor: number | undefined
}

/**
 * A random UUID4 that no node has had. A node takes one at its first start, and another when a cluster adopts
 * it, so that nobody mistakes it for the one it was.
 */
export function newNodeId(): NodeId {
  return nodeId(uuid())
}

/**
 * A random UUID4 for a cluster that is being formed: it keeps apart clusters whose nodes reach each other.
 */
export function newClusterId(): ClusterId {
  return clusterId(uuid())
}

/** The plain form that is kept on the disk. */
export function plainIdentity(identity: KeptIdentity): unknown {
  return { format: 1, ...identity }
}

/** Reads {@link plainIdentity}; undefined if it is anything else. */
export function readIdentity(plain: unknown): KeptIdentity | undefined {
  if (typeof plain !== 'object' || plain === null) return undefined
  const {
    format,
    node,
    engine = 'raft',
    standing,
    preset: program,
    replicationFactor: factor,
  } = plain as Record<string, unknown>
  if (format !== 1 || typeof node !== 'string' || !validate(node)) return undefined
  // The first identities did not say, because there was one engine.
  if (engine !== 'raft' && engine !== 'ring') return undefined
  if (typeof standing !== 'object' || standing === null) return undefined
  const read = readStanding(standing as Record<string, unknown>)
  const replicationFactor = typeof factor === 'number' ? factor : undefined
  const preset = program === 'warehouse' ? program : 'quorate'
  return read && { node: nodeId(node), engine, standing: read, preset, replicationFactor }
}

function readStanding({ kind, nodes, cluster }: Record<string, unknown>): Standing | undefined {
  const id = typeof cluster === 'string' && validate(cluster) ? clusterId(cluster) : undefined
  switch (kind) {
    case 'forming':
      return Array.isArray(nodes) ? { kind, nodes: nodes.map(String), cluster: id } : undefined
    case 'joining':
      return { kind }
    case 'member':
    case 'removed':
      return id && { kind, cluster: id }
    default:
      return undefined
  }
}
