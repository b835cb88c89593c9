/** What a node says of its cluster while that changes. */
import { expect } from 'chai'
import type { ClusterStatus } from '../../src/protocol/request.js'
import { type Third, Trio } from './trio.js'

describe('the status of a cluster under consensus', () => {
  it('never says that a node more can be lost while nobody leads', () => {
    const trio = new Trio(1_700_000_000_000)
    const leader = trio.leader()
    trio.tick(100)
    expect(statusAt(trio, leader)).to.include({ leader: leader.address, canLose: 1 })
    for (const one of trio.thirds) one.isCutOff = one !== leader
    const without: ClusterStatus[] = []
    for (let passed = 0; passed < 100; passed++) {
      trio.tick(1)
      const status = statusAt(trio, leader)
      if (status.leader === undefined) without.push(status)
    }
    expect(without).to.not.have.length(0)
    for (const { canLose } of without) expect(canLose).to.equal(0)
  })
})

function statusAt(trio: Trio, one: Third): ClusterStatus {
  const answer = trio.ask(one, { op: 'status' })
  if (answer.kind !== 'status') throw new Error(`a node gave ${answer.kind} for its status`)
  return answer.status
}
