/**
 * Who could win an election, given nothing but what is on the disks. That is what all promises come down to when
 * every process is killed at this moment: nobody who lacks what is committed may be able to win (Raft paper, 5.4).
 * Asking it at each commit finds in one step what otherwise takes just the right crashes to show.
 */
import type { NodeId } from '../../src/base/ids.js'

/** The log on a disk, as far as elections look at it. */
export interface DurableLog {
  readonly lastIndex: number
  readonly lastTerm: number
  /** The voters of the newest configuration in it. */
  readonly voters: readonly NodeId[]
}

/** Whether this node would get the votes of a majority of those whom it takes for the voters. */
export function couldBeElected(candidate: NodeId, logs: ReadonlyMap<NodeId, DurableLog>): boolean {
  const own = logs.get(candidate)
  if (own === undefined || !own.voters.includes(candidate)) return false
  const granting = own.voters.filter(voter => {
    const other = logs.get(voter)
    return other === undefined || isUpToDate(own, other)
  })
  return 2 * granting.length > own.voters.length
}

function isUpToDate(one: DurableLog, other: DurableLog): boolean {
  if (one.lastTerm !== other.lastTerm) return one.lastTerm > other.lastTerm
  return one.lastIndex >= other.lastIndex
}
