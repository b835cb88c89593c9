/**
 * Epochs of leaders. A node that begins to lead takes one that is higher than all it has heard of, and has it on its
 * disk before it uses it; so an epoch belongs to one reign of one start of one node. The node is part of it: of two
 * sides of a divided cluster each may take the same number.
 */
import { type NodeId, nodeId } from '../base/ids.js'
import { isEpochNumber } from './record-code.js'

/** The reign of a leader. */
export interface Epoch {
  readonly number: number
  readonly node: NodeId
}

/** Before all others. */
export const noEpoch: Epoch = { number: 0, node: nodeId('-') }

/** Which one is higher; 0 for the same one. */
export function compareEpochs(left: Epoch, right: Epoch): number {
  if (left.number !== right.number) return left.number - right.number
  return left.node === right.node ? 0 : left.node < right.node ? -1 : 1
}

/** An epoch as it stands on the disk and on the wire. */
export type PlainEpoch = readonly [number: number, node: NodeId]

/** The epoch as plain JSON. */
export function plainEpoch({ number, node }: Epoch): PlainEpoch {
  return [number, node]
}

/** Reads what {@link plainEpoch} made; undefined if it is anything else. */
export function readEpoch(plain: unknown): Epoch | undefined {
  if (!Array.isArray(plain) || plain.length !== 2) return undefined
  const [number, node] = plain as unknown[]
  if (!isEpochNumber(number) || typeof node !== 'string' || node === '' || node.length > 300) return undefined
  return { number, node: nodeId(node) }
}
