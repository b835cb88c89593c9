/**
 * The desk for changes of the membership: it sets them going, and answers when they are done. What it waits for
 * goes on whether anybody waits or not.
 */
import type { NodeId, RequestId } from '../base/ids.js'
import { failure, type Request, type Response } from '../protocol/request.js'
import type { Ring } from '../ring/ring.js'
import type { RingMember, RingMemberStatus } from '../ring/types.js'
import type { LeaderlessMessage } from './leaderless-messages.js'

/** A request that takes its time. */
export type DeskRequest = Extract<Request, { op: 'leave' | 'add-member' | 'remove-member' }>

/** What the desk needs of the ring. */
export type DeskRing = Pick<Ring, 'list' | 'status' | 'addMember' | 'leave' | 'remove'>

interface Errand {
  readonly id: RequestId
  readonly node: NodeId
  readonly address: string
  readonly aim: 'added' | 'gone'
  readonly expiresAtTick: number
}

/** See the head of this file. */
export class RingDesk {
  readonly #ring: DeskRing
  readonly #self: NodeId
  readonly #send: (to: NodeId, message: LeaderlessMessage) => void
  readonly #answer: (id: RequestId, response: Response) => void
  #errands: Errand[] = []
  /** The tick at which the errands were last worked on. */
  #workedAt = -1

  constructor(
    ring: DeskRing,
    self: NodeId,
    send: (to: NodeId, message: LeaderlessMessage) => void,
    answer: (id: RequestId, response: Response) => void,
  ) {
    this.#ring = ring
    this.#self = self
    this.#send = send
    this.#answer = answer
  }

  /** Whether nobody waits. */
  get isIdle(): boolean {
    return this.#errands.length === 0
  }

  /** Begins a change; it is answered when it is done, refused, or unfinished at that tick. */
  take(id: RequestId, request: DeskRequest, expiresAtTick: number): void {
    if (this.#errands.length >= errandsMax) {
      this.#answer(id, failure('BUSY'))
      return
    }
    if (request.op === 'add-member') {
      const { member } = request
      if (!this.#ring.addMember(member)) {
        const reason =
          'its identity has left this ring for good. Empty its data directory and start it again.'
        this.#answer(id, failure('NODE_REFUSED', { node: member.address, reason }))
        return
      }
      const { id: node, address } = member
      this.#errands.push({ id, node, address, aim: 'added', expiresAtTick })
      return
    }
    const member = request.op === 'leave' ? this.#find(this.#self) : this.#findAt(request.address)
    if (member === undefined) {
      const node = request.op === 'leave' ? '' : request.address
      this.#answer(id, request.op === 'leave' ? failure('NOT_A_MEMBER') : failure('NODE_UNKNOWN', { node }))
      return
    }
    const { id: node, address } = member
    if (this.#present.length === 1 || (node === this.#self && !this.#ring.leave())) {
      this.#answer(id, failure('REMOVE_REFUSED', { node: address, reason: 'it is the last member.' }))
      return
    }
    this.#errands.push({ id, node, address, aim: 'gone', expiresAtTick })
  }

  /** Looks after what is under way, once a tick. */
  work(tick: number): void {
    if (this.#errands.length === 0 || tick === this.#workedAt) return
    this.#workedAt = tick
    const { members } = this.#ring.status()
    this.#errands = this.#errands.filter(errand => {
      const found = members.find(({ member }) => member.id === errand.node)
      const response = progress(errand, found?.member, tick)
      if (response !== undefined) this.#answer(errand.id, response)
      else if (errand.aim === 'gone' && found !== undefined) this.#urge(found)
      return response === undefined
    })
  }

  get #present(): readonly RingMember[] {
    return this.#ring.list.members.filter(({ standing }) => standing !== 'gone')
  }

  #find(id: NodeId): RingMember | undefined {
    return this.#present.find(member => member.id === id)
  }

  #findAt(address: string): RingMember | undefined {
    return this.#present.find(member => member.address === address)
  }

  /** A node that runs is told to hand over and leave; one that is dead is declared gone. */
  #urge({ member, reachable, dead }: RingMemberStatus): void {
    if (member.id === this.#self || member.standing === 'gone') return
    // Not at the first silence: what only this node has would be lost, and it may be back in a moment.
    if (dead || (member.standing === 'evicted' && !reachable)) this.#ring.remove(member.id)
    else if (reachable && member.standing !== 'leaving') this.#send(member.id, { kind: 'desk-leave' })
  }
}

/** People who wait for changes, at most. */
const errandsMax = 100

/** What to answer an errand, if it is over. */
function progress(errand: Errand, member: RingMember | undefined, tick: number): Response | undefined {
  const isGone = member === undefined || member.standing === 'gone'
  if (errand.aim === 'gone' && isGone) return { kind: 'done' }
  if (errand.aim === 'added' && isGone) return failure('ADD_CANCELLED', { node: errand.address })
  if (errand.aim === 'added' && member?.standing === 'member') return { kind: 'done' }
  return tick >= errand.expiresAtTick ? failure('OUTCOME_UNKNOWN') : undefined
}
