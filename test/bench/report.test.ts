import { expect } from 'chai'
import type { Measurement } from './bench.js'
import type { LoadResult } from './generator.js'
import type { Machine } from './machine.js'
import { markdownReport, median, medianRatio, serverCpuMicros } from './report.js'

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

const machine: Machine = {
  date: '2026-01-01',
  processor: 'a processor',
  cores: 2,
  memoryGb: 8,
  kernel: '6.1',
  fileSystem: 'ext4',
  flushesPerSecond: 1000,
  growingFlushesPerSecond: 500,
  loadBefore: 0.1,
  versions: { quorate: '1', node: '20', etcd: '3', redis: '7', go: '1.19' },
}

const settings = {
  rounds: 3,
  seconds: 5,
  warmUpSeconds: 1,
  clients: [1],
  keys: 1,
  manyKeys: 1,
  fewKeys: 1,
  kills: 1,
  memorySeconds: 1,
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

  it('shows what was measured, compared, timed, and gone wrong', () => {
    const findings = {
      measurements: [
        ...rounds('etcd', 1000, 100, 900),
        ...rounds('Quorate', 2000, 200, 2700).map(one => ({
          ...one,
          result: { ...one.result, errors: { 'Server busy.': 2 } },
        })),
      ],
      durations: [10, 30, 20].map(ms => ({ what: 'a failover', system: 'Quorate', ms })),
      rates: [{ what: 'SET', system: 'Redis', round: 0, perSecond: 1234 }],
      memory: [{ seconds: 10, node: 1, residentMb: 100.4, heapMb: 20 }],
      notes: ['Something to know.'],
    }
    const report = markdownReport(findings, machine, 'npm run bench', settings)
    // Whoever stands first in the run, Quorate stands first in the table.
    expect(report).to.include('| clients | Quorate: requests/s | etcd: requests/s | ratio |')
    expect(report).to.include('| 1 | 2,000 | 900 | 2.00 |')
    expect(report).to.include('Errors: 6 x Quorate: Server busy.')
    expect(report).to.include('| Quorate | 3 | 20 | 10 | 30 |')
    expect(report).to.include('| Redis | 1,234 |')
    expect(report).to.include('| 10 | 100, 20 |')
    expect(report).to.include('- Something to know.')
    expect(report).to.include('- Command: `npm run bench`; 3 rounds of 5 s, medians.')
    expect(report).to.not.match(/NaN|undefined/)
  })
})
