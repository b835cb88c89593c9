/** What people are told of a cluster under consensus as it happens: members, leaders, snapshots, who is in sync. */
import type { LogIndex, NodeId } from '../base/ids.js'
import type { ClusterEvent } from '../protocol/request.js'
import { findMember } from '../raft/configuration.js'
import type { RaftEvent } from '../raft/core.js'
import type { Raft } from '../raft/raft.js'
import type { Configuration } from '../raft/types.js'
import { HealthWatch } from './status.js'

export class ClusterNews {
  readonly #health = new HealthWatch()
  /** The end of the log at the start: of members that came or went up to there, people were told before. */
  readonly #toldUpTo: LogIndex
  /** A change of leader that nobody was told of yet. */
  #untoldLeader: Extract<RaftEvent, { kind: 'leader' }> | undefined
  #events: ClusterEvent[] = []

  constructor(toldUpTo: LogIndex) {
    this.#toldUpTo = toldUpTo
  }

  /** What there is to tell since this was asked last. */
  take(): readonly ClusterEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }

  add(event: ClusterEvent): void {
    this.#events.push(event)
  }

  /** A configuration was applied. */
  addMembers(index: LogIndex, before: Configuration, now: Configuration): void {
    if (index <= this.#toldUpTo) return
    for (const { id, address, voter } of now.members) {
      if (voter && findMember(before, id)?.voter !== true) this.add({ kind: 'member-added', address })
    }
    for (const { id, address } of before.members) {
      if (findMember(now, id) === undefined) this.add({ kind: 'member-removed', address })
    }
  }

  /** What Raft has told in a turn, and what became of its members meanwhile. */
  addTurn(events: readonly RaftEvent[], view: Raft['view']): void {
    for (const event of events) this.#addRaft(event, view.configuration)
    this.#tellLeader(view.configuration)
    for (const event of this.#health.changes(view)) this.add(event)
  }

  #addRaft(event: RaftEvent, configuration: Configuration): void {
    const addressOf = (id: NodeId): string => findMember(configuration, id)?.address ?? id
    switch (event.kind) {
      case 'leader':
        this.#untoldLeader = event
        this.#tellLeader(configuration)
        break
      case 'snapshot-sending':
      case 'snapshot-sent':
        this.add({ kind: event.kind, address: addressOf(event.to), index: event.index })
        break
      default:
        this.add(event)
    }
  }

  /** A node that was just added hears its leader before it learns who that is: then the news has to wait. */
  #tellLeader(configuration: Configuration): void {
    if (this.#untoldLeader === undefined) return
    const { leader, term } = this.#untoldLeader
    const address = leader && findMember(configuration, leader)?.address
    if (leader !== undefined && address === undefined) return
    this.#untoldLeader = undefined
    this.add({ kind: 'leader', address, term })
  }
}
