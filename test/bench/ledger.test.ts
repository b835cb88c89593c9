import { expect } from 'chai'
import { Ledger } from '../../bin/bench/ledger.js'

const run = 'abcdef01'

describe('the ledger of a load', () => {
  it('knows what a key may hold: the last acknowledged write, or one sent after it', () => {
    const ledger = new Ledger(3, 40, run)
    const [first, second, third] = [ledger.begin(1), ledger.begin(1), ledger.begin(1)]
    ledger.acknowledge(1, second)
    expect(ledger.mayHold(1, ledger.value(first)), 'a write that was overwritten').to.equal(false)
    expect(ledger.mayHold(1, ledger.value(second)), 'the acknowledged one').to.equal(true)
    expect(ledger.mayHold(1, ledger.value(third)), 'one that is still on its way').to.equal(true)
    expect(ledger.mayHold(1, ledger.value(third + 1)), 'one that was never sent').to.equal(false)
    expect(ledger.mayHold(1, undefined), 'nothing').to.equal(false)
  })

  it('does not take the value of another run, or a damaged one, for its own', () => {
    const ledger = new Ledger(1, 40, run)
    const number = ledger.begin(0)
    ledger.acknowledge(0, number)
    expect(ledger.mayHold(0, new Ledger(1, 40, 'ffffffff').value(number))).to.equal(false)
    expect(ledger.mayHold(0, ledger.value(number).slice(0, -1))).to.equal(false)
    expect(ledger.mayHold(0, `${ledger.value(number).slice(0, -1)}x`)).to.equal(false)
  })

  it('makes values of the length that was asked for', () => {
    for (const length of [20, 21, 100]) {
      const ledger = new Ledger(1, length, run)
      expect(ledger.value(ledger.begin(0))).to.have.length(length)
    }
  })

  it('samples acknowledged keys only, without those whose outcome is not known, and spread over all', () => {
    const ledger = new Ledger(1000, 20, run)
    for (let key = 0; key < 1000; key += 2) ledger.acknowledge(key, ledger.begin(key))
    ledger.doubt(0)
    expect(ledger.doubted).to.equal(1)
    const all = ledger.sample(1000)
    expect(all).to.have.length(499)
    expect(all.every(key => key % 2 === 0 && key > 0)).to.equal(true)
    const some = ledger.sample(10)
    expect(new Set(some).size).to.equal(10)
    expect(some.some(key => key > 800)).to.equal(true)
  })
})
