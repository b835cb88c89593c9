/** What nodes of one cluster must have in common, and what is said to one that has not. */
import type { Engine } from '../protocol/commands.js'
import type { PresetName } from './config.js'

/** What a node was started as; of a cluster, what its nodes were. */
export interface Likeness {
  readonly engine: Engine
  readonly preset: PresetName
  /** Undefined where it was not said. */
  readonly replicationFactor: number | undefined
}

/** Why a node does not fit into a cluster, in a sentence to be put after a colon; undefined if it does. */
export function whyUnlike(cluster: Likeness, node: Likeness): string | undefined {
  if (cluster.engine !== node.engine) {
    return `it runs the ${node.engine} engine, and this cluster the ${cluster.engine} engine.`
  }
  if (cluster.preset !== node.preset) {
    return `it was started as ${node.preset}, and this cluster is one of ${cluster.preset}.`
  }
  const [has, wants] = [cluster.replicationFactor, node.replicationFactor]
  if (has === wants || has === undefined || wants === undefined) return undefined
  const what = cluster.engine === 'ring' && cluster.preset === 'quorate' ? 'ring' : 'cluster'
  return `it was started with --replication-factor ${wants}, and this ${what} has ${has}.`
}

/** Why two nodes cannot form a cluster, in a sentence for the first; undefined if they can. */
export function whyNotTogether(ours: Likeness, address: string, theirs: Likeness): string | undefined {
  if (ours.engine !== theirs.engine) {
    return (
      `${address} was started with --engine ${theirs.engine}, this node with --engine ${ours.engine}: ` +
      'give all of them the same.'
    )
  }
  const mismatch = whyUnlike(theirs, ours)
  if (mismatch !== undefined) return `This node does not fit to ${address}: ${mismatch}`
  if (ours.engine === 'raft' || ours.replicationFactor === theirs.replicationFactor) return undefined
  // One of them founds the ring, and where it was told no number it takes another than the other was told.
  const shown = ({ replicationFactor: copies }: Likeness) =>
    copies === undefined ? 'without --replication-factor' : `with --replication-factor ${copies}`
  return `${address} was started ${shown(theirs)}, this node ${shown(ours)}: give all of them the same.`
}
