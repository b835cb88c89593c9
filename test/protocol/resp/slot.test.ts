import { expect } from 'chai'
import { slotOf } from '../../../src/protocol/resp/slot.js'

describe('The slot of a key', () => {
  it('is the one that Redis Cluster gives it', () => {
    // What a real redis-server answers to CLUSTER KEYSLOT.
    const slots = { '': 0, foo: 12182, bar: 5061, '123456789': 12739, user1000: 3443, ü: 9552 }
    for (const [key, slot] of Object.entries(slots)) expect(slotOf(Buffer.from(key)), key).to.equal(slot)
  })

  it('is that of the part in the first braces, unless it is empty', () => {
    const slot = (key: string) => slotOf(Buffer.from(key))
    expect(slot('{user1000}.following')).to.equal(slot('user1000'))
    expect(slot('foo{{bar}}zap')).to.equal(slot('{bar'))
    expect(slot('foo{bar}{zap}')).to.equal(slot('bar'))
    expect(slot('foo{}{bar}')).not.to.equal(slot('bar'))
    expect(slot('foo{bar')).not.to.equal(slot('bar'))
  })
})
