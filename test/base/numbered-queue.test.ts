import { expect } from 'chai'
import fc from 'fast-check'
import { NumberedQueue } from '../../src/base/numbered-queue.js'

type Step =
  | { readonly kind: 'push'; readonly count: number }
  | { readonly kind: 'remove' | 'drop'; readonly ahead: number }
  | { readonly kind: 'clear' }

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('push' as const), count: fc.nat(400) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('drop' as const), ahead: fc.nat(500) }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('remove' as const), ahead: fc.nat(500) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
)

describe('a numbered queue', () => {
  it('holds what a map by number would, whatever is taken out in which order', () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 40 }), all => {
        const queue = new NumberedQueue<string>(1)
        const model = new Map<number, string>()
        let next = 1
        for (const step of all) {
          const first = model.keys().next().value ?? next
          if (step.kind === 'push') {
            for (let added = 0; added < step.count; added++) {
              model.set(next, `item ${next}`)
              expect(queue.push(`item ${next}`)).to.equal(next)
              next++
            }
          } else if (step.kind === 'remove') {
            expect(queue.remove(first + step.ahead)).to.equal(model.get(first + step.ahead))
            model.delete(first + step.ahead)
          } else if (step.kind === 'drop') {
            queue.dropBelow(first + step.ahead)
            for (const number of [...model.keys()]) if (number < first + step.ahead) model.delete(number)
          } else {
            next += 7
            model.clear()
            queue.clear(next)
          }
          expect(queue.size).to.equal(model.size)
          expect(queue.next).to.equal(next)
          if (model.size > 0) expect(queue.first).to.equal(model.keys().next().value)
          expect([...queue.entries()]).to.deep.equal([...model])
        }
      }),
    )
  })

  it('knows nothing of numbers that were never given', () => {
    const queue = new NumberedQueue<string>(5)
    queue.push('five')
    expect([0, 4, 6, -1, 0.5, Number.NaN].map(number => queue.get(number))).to.deep.equal(
      Array(6).fill(undefined),
    )
    expect(queue.remove(4)).to.equal(undefined)
    expect(queue.get(5)).to.equal('five')
  })
})
