/**
 * When a leader gives its leadership away by itself: it stops, or its disk is full. Whoever knows that nobody is left
 * who has room refuses writes at once.
 */
import { isVoter } from '../raft/configuration.js'
import type { Raft } from '../raft/raft.js'

/** Asks for another leader, if this node leads; one that was asked already and may still take over has its time. */
export function handOver(raft: Raft): void {
  const successor = raft.successor({ withRoom: false })
  if (successor !== undefined) raft.transferTo(successor)
}

/** The same, where this node leads with a full disk and another voter has room. */
export function handOverFullDisk(raft: Raft): void {
  if (!raft.view.diskFull) return
  const successor = raft.successor({ withRoom: true })
  if (successor !== undefined) raft.transferTo(successor)
}

/** Whether this node knows that no leader with room on its disk is to be had. */
export function isDiskFullEverywhere(raft: Raft): boolean {
  const { id: self, health, leader, diskFull } = raft.view
  if (leader === self) return diskFull && raft.successor({ withRoom: true }) === undefined
  const isLeaderFull = health.some(member => member.id === leader && member.diskFull)
  // Such a leader hands over to a voter that has room.
  return (
    isLeaderFull &&
    !health.some(other => other.heard && !other.diskFull && isVoter(raft.view.configuration, other.id))
  )
}
