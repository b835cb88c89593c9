import { expect } from 'chai'
import type { Measurement } from './bench.js'
import type { LoadResult } from './generator.js'
import { median, medianRatio, serverCpuMicros } from './report.js'

const nothing = { count: 0, p50: 0, p99: 0, p999: 0, max: 0 }

function result(perSecond: number): LoadResult {
  return {
    seconds: 1,
    operations: perSecond,
    perSecond,
    all: nothing,
    reads: nothing,
    writes: nothing,
    errors: {},
    serverCpuSeconds: { 1: 0.25, 2: 0.75 },
    ownCpuSeconds: 0,
    otherCpuSeconds: 0,
    checked: 0,
    missing: 0,
  }
}

function rounds(system: string, ...rates: readonly number[]): Measurement[] {
  return rates.map((rate, round) => ({ table: 't', system, clients: 1, round, result: result(rate) }))
}

describe('the report of a comparison', () => {
  it('takes the middle one of what was measured', () => {
    expect(median([3, 1, 2])).to.equal(2)
    expect(median([4, 1, 2, 3])).to.equal(2.5)
    expect(median([])).to.be.NaN
  })

  it('compares within each round, so that a slow moment of the machine falls on both', () => {
    // The machine was ten times slower in the second round: the ratio was 2 in each of them.
    const ours = rounds('ours', 2000, 200, 1800)
    const theirs = rounds('theirs', 1000, 100, 900)
    expect(medianRatio(ours, theirs, ({ perSecond }) => perSecond)).to.equal(2)
  })

  it('leaves out rounds that only one of them had', () => {
    expect(medianRatio(rounds('ours', 30, 40), rounds('theirs', 10), ({ perSecond }) => perSecond)).to.equal(
      3,
    )
    expect(medianRatio(rounds('ours', 30), [], ({ perSecond }) => perSecond)).to.be.NaN
  })

  it('divides the time of all servers by the requests', () => {
    expect(serverCpuMicros(result(1000))).to.equal(1000)
  })
})
