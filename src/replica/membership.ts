/**
 * The leader's desk for changes of the membership and of the leadership. A change that cannot begin yet waits
 * here; one that has begun goes on whoever leads, because what is left to do is read from the configuration
 * itself: a learner becomes a voter as soon as it has caught up.
 */
import { assert } from '../base/assert.js'
import type { NodeId } from '../base/ids.js'
import { failure, type Request, type Response } from '../protocol/request.js'
import {
  findMember,
  majority,
  voters,
  withLearner,
  withMoved,
  without,
  withVoter,
} from '../raft/configuration.js'
import type { Raft } from '../raft/raft.js'
import type { ConfiguredMember } from '../raft/types.js'

interface Change {
  readonly token: number
  readonly request: Request
  readonly expiresAtTick: number
  /** The member that it is about, once it has begun. */
  begun: NodeId | undefined
}

/** A change that needs no more work, with the answer for whoever asked under this token. */
export interface Finished {
  readonly token: number
  readonly response: Response
}

export class MembershipDesk {
  readonly #raft: Raft
  #changes: Change[] = []

  constructor(raft: Raft) {
    this.#raft = raft
  }

  /** Takes a request to change members or to transfer leadership; `expiresAtTick` bounds a transfer. */
  take(token: number, request: Request, expiresAtTick: number): void {
    this.#changes.push({ token, request, expiresAtTick, begun: undefined })
  }

  /** Does what can be done now; returns the changes that are finished. Called once a turn, by an open leader. */
  work(tick: number): readonly Finished[] {
    this.#promote()
    if (this.#changes.length === 0) return []
    const finished: Finished[] = []
    this.#changes = this.#changes.filter(change => {
      const response = this.#advance(change, tick)
      if (response !== undefined) finished.push({ token: change.token, response })
      return response === undefined
    })
    return finished
  }

  /** Makes voters of the learners that have caught up (dissertation, section 4.2.1). */
  #promote(): void {
    const { configuration, health } = this.#raft.view
    for (const { id, voter } of configuration.members) {
      if (voter || !this.#raft.canChangeConfiguration) continue
      const isReady = health.some(member => member.id === id && member.heard && member.inSync)
      if (isReady) this.#raft.proposeConfiguration(withVoter(configuration, id))
    }
  }

  #advance(change: Change, tick: number): Response | undefined {
    const { request } = change
    switch (request.op) {
      case 'add-member':
        return this.#advanceAdd(change, { ...request.member, voter: false })
      case 'move-member':
        return this.#advanceMove(change, { ...request.member, voter: false })
      case 'remove-member':
        return this.#advanceRemove(change, request.address)
      case 'transfer-leader':
        return this.#advanceTransfer(change, request.address, tick)
      default:
        assert(false, 'only changes come to this desk')
    }
  }

  #advanceAdd(change: Change, member: ConfiguredMember): Response | undefined {
    const { configuration } = this.#raft.view
    const { id, address } = member
    const known = findMember(configuration, id)
    if (known?.voter === true && this.#isSettled) return { kind: 'done' }
    if (known !== undefined) {
      change.begun = id
      return undefined
    }
    if (change.begun !== undefined || configuration.removed.includes(id)) {
      return failure('ADD_CANCELLED', { node: address })
    }
    if (configuration.members.some(other => other.address === address)) {
      return failure('NODE_EXISTS', { node: address })
    }
    if (this.#raft.canChangeConfiguration) this.#raft.proposeConfiguration(withLearner(configuration, member))
    return undefined
  }

  #advanceMove(change: Change, member: ConfiguredMember): Response | undefined {
    const { configuration } = this.#raft.view
    const { id, address, peerAddress } = member
    const known = findMember(configuration, id)
    if (known === undefined) return failure('NODE_UNKNOWN', { node: address })
    if (known.address === address && known.peerAddress === peerAddress) {
      return this.#isSettled ? { kind: 'done' } : undefined
    }
    if (configuration.members.some(other => other.address === address)) {
      return failure('NODE_EXISTS', { node: address })
    }
    if (change.begun === undefined && this.#raft.canChangeConfiguration) {
      change.begun = id
      this.#raft.proposeConfiguration(withMoved(configuration, member))
    }
    return undefined
  }

  #advanceRemove(change: Change, address: string): Response | undefined {
    const { configuration, id: self } = this.#raft.view
    if (change.begun !== undefined) {
      const isGone = findMember(configuration, change.begun) === undefined
      return isGone && this.#isSettled ? { kind: 'done' } : undefined
    }
    const member = configuration.members.find(other => other.address === address)
    if (member === undefined) return failure('NODE_UNKNOWN', { node: address })
    const reason = this.#whyNotRemove(member)
    if (reason === 'not known yet') return undefined
    if (reason !== undefined) return failure('REMOVE_REFUSED', { node: address, reason })
    if (member.id === self) {
      // The next leader removes it: whoever asked will ask there.
      const successor = this.#raft.successor({ withRoom: false })
      if (successor !== undefined) this.#raft.transferTo(successor)
    } else if (this.#raft.canChangeConfiguration) {
      change.begun = member.id
      this.#raft.proposeConfiguration(without(configuration, member.id))
    }
    return undefined
  }

  #advanceTransfer(change: Change, address: string, tick: number): Response | undefined {
    const { configuration, id: self, role } = this.#raft.view
    const member = configuration.members.find(other => other.address === address)
    if (member === undefined) return failure('NODE_UNKNOWN', { node: address })
    if (!member.voter) return failure('TRANSFER_FAILED', { node: address, reason: 'it does not vote yet.' })
    if (member.id === self) return { kind: 'done' }
    if (change.begun === undefined) {
      if (this.#raft.isAwaited(member.id)) return undefined
      if (!this.#raft.isHeard(member.id)) {
        return failure('TRANSFER_FAILED', { node: address, reason: 'it is not reachable.' })
      }
      change.begun = member.id
      this.#raft.transferTo(member.id)
      return undefined
    }
    const isOver = role.kind === 'leader' && role.transfer === undefined
    if (!isOver && tick < change.expiresAtTick) return undefined
    return failure('TRANSFER_FAILED', { node: address, reason: 'it did not take over in time.' })
  }

  /** Why a member must stay, if it must, as a sentence for people; a new leader may not know yet. */
  #whyNotRemove(member: ConfiguredMember): string | undefined {
    if (!member.voter) return undefined
    const left = voters(this.#raft.view.configuration).filter(voter => voter !== member.id)
    if (left.length === 0) return 'it is the last voter.'
    const living = left.filter(voter => this.#raft.isHeard(voter))
    const needed = majority(left.length)
    if (living.length >= needed) return undefined
    // Who asks for the removal of a leader comes to the next one before that has heard from everybody.
    const awaited = left.filter(voter => this.#raft.isAwaited(voter))
    if (living.length + awaited.length >= needed) return 'not known yet'
    return `only ${living.length} of the ${left.length} voters that would be left can be reached.`
  }

  /** Whether the configuration in force is committed. */
  get #isSettled(): boolean {
    const { log, commitIndex } = this.#raft.view
    return log.configurationIndex <= commitIndex
  }
}
