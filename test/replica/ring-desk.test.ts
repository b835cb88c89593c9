import { expect } from 'chai'
import { type Member, type NodeId, nodeId, requestId } from '../../src/base/ids.js'
import type { Response } from '../../src/protocol/request.js'
import { type DeskRequest, type DeskRing, RingDesk } from '../../src/replica/ring-desk.js'
import type { RingMemberStatus, RingStatus, Standing } from '../../src/ring/types.js'

/** A ring whose members stand as the test says, and the desk of its node `a`. */
class Office implements DeskRing {
  readonly answers: string[] = []
  /** What the desk did to the ring and said to others. */
  readonly done: string[] = []
  readonly desk: RingDesk
  readonly #members: RingMemberStatus[] = []

  constructor(...names: readonly string[]) {
    for (const name of names) this.stand(name, 'member')
    const send = (to: NodeId, message: { readonly kind: string }) =>
      void this.done.push(`${message.kind} to ${to}`)
    const answer = (id: number, response: Response) => {
      this.answers.push(`${id} ${response.kind === 'error' ? response.code : response.kind}`)
    }
    this.desk = new RingDesk(this, nodeId('a'), send, answer)
  }

  stand(name: string, standing: Standing, more: Partial<RingMemberStatus> = {}): void {
    const member = { ...memberOf(name), standing, joined: 1, generation: 1 }
    const status = { member, reachable: true, dead: false, silentTicks: 0, hints: 0, ...more }
    const at = this.#members.findIndex(one => one.member.id === member.id)
    if (at < 0) this.#members.push(status)
    else this.#members[at] = status
  }

  ask(request: DeskRequest, expiresAtTick = 100): void {
    this.desk.take(requestId(1), request, expiresAtTick)
  }

  get list() {
    return { copies: 3, members: this.#members.map(({ member }) => member) }
  }

  status(): RingStatus {
    const nothing = { records: 0, hints: 0, hintsMax: 0, moving: undefined, tombstones: 0, counting: false }
    return { copies: 3, members: this.#members, ...nothing }
  }

  addMember(member: Member): boolean {
    this.done.push(`add ${member.id}`)
    return this.#members.every(one => one.member.id !== member.id || one.member.standing !== 'gone')
  }

  leave(): boolean {
    this.done.push('leave')
    return true
  }

  remove(id: NodeId): boolean {
    this.done.push(`remove ${id}`)
    return true
  }
}

function memberOf(name: string): Member {
  return { id: nodeId(name), address: `${name}:5000`, peerAddress: `${name}:6000` }
}

describe('the desk for changes of a ring', () => {
  it('answers an add when the node has fetched its share', () => {
    const office = new Office('a', 'b')
    office.ask({ op: 'add-member', member: memberOf('c') })
    office.stand('c', 'joining')
    office.desk.work(1)
    expect([office.done, office.answers]).to.deep.equal([['add c'], []])
    office.stand('c', 'member')
    office.desk.work(2)
    expect(office.answers).to.deep.equal(['1 done'])
  })

  it('says that an add was cancelled by a removal, and that an identity is gone for good', () => {
    const office = new Office('a', 'b')
    office.ask({ op: 'add-member', member: memberOf('c') })
    office.stand('c', 'gone')
    office.desk.work(1)
    office.ask({ op: 'add-member', member: memberOf('c') })
    expect(office.answers).to.deep.equal(['1 ADD_CANCELLED', '1 NODE_REFUSED'])
  })

  it('tells a node that runs to leave, until it does, and answers when it is gone', () => {
    const office = new Office('a', 'b', 'c')
    office.ask({ op: 'remove-member', address: 'b:5000' })
    office.desk.work(1)
    office.desk.work(1)
    office.desk.work(2)
    expect(office.done).to.deep.equal(['desk-leave to b', 'desk-leave to b'])
    office.stand('b', 'leaving')
    office.desk.work(3)
    expect(office.done, 'once it leaves').to.have.length(2)
    office.stand('b', 'gone')
    office.desk.work(4)
    expect(office.answers).to.deep.equal(['1 done'])
  })

  it('declares a node gone only when it is dead: one that is silent may be back in a moment', () => {
    const office = new Office('a', 'b', 'c')
    office.stand('b', 'member', { reachable: false })
    office.ask({ op: 'remove-member', address: 'b:5000' })
    office.desk.work(1)
    expect(office.done).to.deep.equal([])
    office.stand('b', 'member', { reachable: false, dead: true })
    office.desk.work(2)
    expect(office.done).to.deep.equal(['remove b'])
  })

  it('has this node leave, and says so when it has', () => {
    const office = new Office('a', 'b')
    office.ask({ op: 'leave' })
    office.desk.work(1)
    expect([office.done, office.answers]).to.deep.equal([['leave'], []])
    office.stand('a', 'gone')
    office.desk.work(2)
    expect(office.answers).to.deep.equal(['1 done'])
  })

  it('refuses what cannot be: a stranger, and the last member', () => {
    const office = new Office('a')
    office.ask({ op: 'remove-member', address: 'x:5000' })
    office.ask({ op: 'leave' })
    office.ask({ op: 'remove-member', address: 'a:5000' })
    expect(office.answers).to.deep.equal(['1 NODE_UNKNOWN', '1 REMOVE_REFUSED', '1 REMOVE_REFUSED'])
    expect(office.done).to.deep.equal([])
  })

  it('says at the deadline that nobody knows, because it goes on', () => {
    const office = new Office('a', 'b')
    office.ask({ op: 'remove-member', address: 'b:5000' }, 10)
    office.desk.work(9)
    expect(office.answers).to.deep.equal([])
    office.desk.work(10)
    expect(office.answers).to.deep.equal(['1 OUTCOME_UNKNOWN'])
  })
})
