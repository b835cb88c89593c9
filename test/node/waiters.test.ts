import { expect } from 'chai'
import fc from 'fast-check'
import { type RequestId, requestId } from '../../src/base/ids.js'
import { Waiters } from '../../src/node/waiters.js'
import type { Receiver } from '../../src/protocol/request.js'

const somebody = (): Receiver => ({ answered: () => {} })

describe('those who wait for answers', () => {
  it('are found by their numbers, once each, however many others came and went meanwhile', () => {
    // How many come at a time, and which of those who wait are answered, by place.
    const step = fc.record({ come: fc.nat(1500), answered: fc.array(fc.nat(5000), { maxLength: 20 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), fc.nat(40), (steps, left) => {
        const waiters = new Waiters()
        const waiting = new Map<RequestId, Receiver>()
        const take = (number: RequestId) => {
          const isRight = waiters.take(number) === waiting.get(number) && waiters.take(number) === undefined
          if (!isRight) expect.fail(`${number} was to be found, once`)
          waiting.delete(number)
        }
        for (const { come, answered } of steps) {
          for (let count = 0; count < come; count++) {
            const receiver = somebody()
            waiting.set(waiters.add(receiver), receiver)
          }
          const numbers = [...waiting.keys()]
          for (const place of answered) {
            const number = numbers[place % Math.max(1, numbers.length)]
            if (number !== undefined) take(number)
          }
          // Most are answered before others come; a few stay behind.
          for (const number of numbers.slice(left)) take(number)
        }
        const receivers = waiters.takeAll()
        const expected = [...waiting.values()]
        expect(receivers.length).to.equal(expected.length)
        expect(receivers.every((receiver, at) => receiver === expected[at])).to.equal(true)
        expect([...waiting.keys()].some(number => waiters.take(number) !== undefined)).to.equal(false)
        expect(waiters.takeAll()).to.deep.equal([])
      }),
      { numRuns: 60 },
    )
  })

  it('have numbers that go up and are never used again', () => {
    const waiters = new Waiters()
    const first = waiters.add(somebody())
    waiters.take(first)
    expect(waiters.add(somebody())).to.be.above(first)
    expect(waiters.take(requestId(first + 1024))).to.equal(undefined)
  })
})
