import { expect } from 'chai'
import { Crowding } from '../../src/ring/crowding.js'

describe('the warning of a key with many versions', () => {
  it('comes at the bound, and each time that they have doubled, also where a count was jumped over', () => {
    const crowding = new Crowding(10)
    const counts = [1, 9, 10, 11, 19, 23, 24, 39, 100, 159, 160]
    expect(counts.filter(count => crowding.written('key', count))).to.deep.equal([10, 23, 100, 160])
  })

  it('comes again once fewer were written or seen, and not before', () => {
    const crowding = new Crowding(10)
    expect(crowding.written('key', 10)).to.equal(true)
    crowding.seen('key', 10)
    expect(crowding.written('key', 11)).to.equal(false)
    crowding.seen('key', 9)
    expect(crowding.written('key', 11)).to.equal(true)
    expect(crowding.written('key', 1)).to.equal(false)
    expect(crowding.written('key', 11)).to.equal(true)
  })

  it('is remembered of a bounded number of keys, the last ones', () => {
    const crowding = new Crowding(10)
    for (let number = 0; number <= 1024; number++) crowding.written(`key${number}`, 10)
    expect(crowding.written('key1', 11)).to.equal(false)
    expect(crowding.written('key1024', 11)).to.equal(false)
    expect(crowding.written('key0', 11)).to.equal(true)
  })
})
