/**
 * The conversation between nodes over the client port, before they are peers: who are you, will you promise
 * yourself to this cluster, please add me. JSON objects; what comes from outside is checked here, once.
 */
import { validate } from 'uuid'
import { type ClusterId, clusterId, type Member, nodeId } from '../base/ids.js'
import type { Engine } from '../protocol/commands.js'
import type { PresetName } from './config.js'

/** Where a node stands, as it tells others. */
export type ToldStanding =
  /** A cluster of one that no client has written to. */
  | 'pristine'
  | 'forming'
  | 'joining'
  /** Promised to a cluster whose leader has not brought it up yet. */
  | 'promised'
  | 'member'
  | 'removed'

/** The answer to `hello`. */
export interface Introduction {
  readonly protocol: number
  readonly engine: Engine
  readonly member: Member
  readonly standing: ToldStanding
  readonly cluster: ClusterId | undefined
  /** The list of `--cluster` while it is forming, that of `--join` while it joins. */
  readonly nodes: readonly string[]
  /** Which program it is. */
  readonly preset: PresetName
  /** The replication factor it was started with, where it was told one. */
  readonly replicationFactor: number | undefined
  /** How it knows the asked address, if it knows it: which identity the member at that address has. */
  readonly knownAs: string | undefined
}

/** The JSON object that answers `hello`; {@link readIntroduction} reads it. */
export function plainIntroduction(introduction: Introduction): Record<string, unknown> {
  const { member, ...rest } = introduction
  const { id, address, peerAddress } = member
  return { ...rest, node: id, address, peerAddress }
}

/** Reads an answer to `hello`; undefined if it is none. */
export function readIntroduction(plain: Readonly<Record<string, unknown>>): Introduction | undefined {
  const { protocol, engine = 'raft', preset, replicationFactor, standing, cluster, nodes, knownAs } = plain
  const member = readMember(plain)
  if (typeof protocol !== 'number' || member === undefined || !isStanding(standing)) return undefined
  if (engine !== 'raft' && engine !== 'ring') return undefined
  return {
    protocol,
    engine,
    member,
    standing,
    cluster: readClusterId(cluster),
    nodes: Array.isArray(nodes) ? nodes.map(String) : [],
    preset: preset === 'warehouse' ? preset : 'quorate',
    replicationFactor: typeof replicationFactor === 'number' ? replicationFactor : undefined,
    knownAs: typeof knownAs === 'string' ? knownAs : undefined,
  }
}

/**
 * Reads a member from the fields `node`, `address` and `peerAddress`; undefined if one is missing or `node` is
 * not a UUID. Whether anybody listens at the addresses is not looked at.
 */
export function readMember(plain: Readonly<Record<string, unknown>>): Member | undefined {
  const { node, address, peerAddress } = plain
  if (typeof node !== 'string' || !validate(node)) return undefined
  if (typeof address !== 'string' || typeof peerAddress !== 'string') return undefined
  return { id: nodeId(node), address, peerAddress }
}

/** Reads the identity of a cluster; undefined for anything but a UUID. */
export function readClusterId(plain: unknown): ClusterId | undefined {
  return typeof plain === 'string' && validate(plain) ? clusterId(plain) : undefined
}

function isStanding(value: unknown): value is ToldStanding {
  return (
    value === 'pristine' ||
    value === 'forming' ||
    value === 'joining' ||
    value === 'promised' ||
    value === 'member' ||
    value === 'removed'
  )
}
