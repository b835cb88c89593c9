/** Changes of the members, asked of a leader that has only just taken over, and of the node that they are about. */
import { expect } from 'chai'
import { type Third, Trio } from './trio.js'

const hasRemoved = (one: Third, id: string): boolean =>
  one.replica.appliedConfiguration.members.every(member => member.id !== id)

/** Three nodes that have worked together for a while. */
function settledTrio(): { trio: Trio; leader: Third; others: readonly [Third, Third] } {
  const trio = new Trio(1_700_000_000_000)
  const leader = trio.leader()
  trio.tick(100)
  const [one, other] = trio.thirds.filter(third => third !== leader)
  if (one === undefined || other === undefined) throw new Error('there are two others')
  return { trio, leader, others: [one, other] }
}

describe('a leader that is to be removed', () => {
  for (const asked of [0, 1] as const) {
    it(`is removed by the next one, which has not heard everybody yet (asked at follower ${asked})`, () => {
      const { trio, leader, others } = settledTrio()
      const response = trio.ask(others[asked], { op: 'remove-member', address: leader.address })
      expect(response).to.deep.equal({ kind: 'done' })
      expect(hasRemoved(trio.leader(), leader.id)).to.equal(true)
    })
  }

  it('stays where a majority of the others was silent for an election timeout', () => {
    const { trio, leader, others } = settledTrio()
    const [silent, other] = others
    silent.isCutOff = true
    trio.tick(15)
    // Of the silent one the next leader knows nothing: it waits until it could have heard it.
    const response = trio.ask(other, { op: 'remove-member', address: leader.address })
    expect(response).to.have.property('code', 'REMOVE_REFUSED')
    expect(hasRemoved(trio.leader(), leader.id)).to.equal(false)
  })

  it('does not say that nothing was done when it was asked itself', () => {
    const { trio, leader } = settledTrio()
    const response = trio.ask(leader, { op: 'remove-member', address: leader.address })
    expect(response).not.to.have.property('code', 'NODE_REMOVED')
    expect(hasRemoved(trio.leader(), leader.id)).to.equal(true)
  })

  it('hands over to a node that the next leader has not heard yet', () => {
    const { trio, leader, others } = settledTrio()
    const [one, other] = others
    for (const next of [one, other, leader, other, one, leader]) {
      const response = trio.ask(leader, { op: 'transfer-leader', address: next.address })
      expect(response).to.deep.equal({ kind: 'done' })
      expect(trio.leader()).to.equal(next)
    }
  })
})
