import { expect } from 'chai'
import { Trio } from './trio.js'

const value = Buffer.alloc(1000, 'v')

describe('the checkpoints of a consensus replica', () => {
  const limits = { checkpointBytes: 64_000, electionTicks: 20 }
  let trio: Trio
  beforeEach(() => {
    trio = new Trio(0, limits)
  })

  const put = (key: string): void => {
    trio.ask(trio.leader(), { op: 'put', key, value, identity: undefined })
  }
  const taken = (): number[] => trio.thirds.map(({ checkpoints }) => checkpoints.length)

  it('are taken for so many bytes while there are writes', () => {
    for (let key = 0; key < 40; key++) {
      put(`key ${key}`)
      trio.tick(limits.electionTicks / 2)
    }
    expect(taken()).to.deep.equal([0, 0, 0])
    for (let key = 40; key < 70; key++) put(`key ${key}`)
    expect(taken()).to.deep.equal([1, 1, 1])
  })

  it('cover little as well once nobody writes, so that a restart has nothing to apply', () => {
    put('one')
    put('two')
    expect(taken()).to.deep.equal([0, 0, 0])
    trio.tick(2 * limits.electionTicks)
    for (const { checkpoints, replica } of trio.thirds) {
      expect(checkpoints).to.deep.equal([replica.appliedIndex])
    }
    trio.tick(10 * limits.electionTicks)
    expect(taken(), 'there is nothing new').to.deep.equal([1, 1, 1])
  })
})
