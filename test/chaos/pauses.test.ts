import { expect } from 'chai'
import { longestSilenceMs, pausesByFault } from './pauses.js'

describe('The longest time without an acknowledged write', () => {
  it('is the longest distance between two of them', () => {
    expect(longestSilenceMs([10, 20, 50, 60], 0, 60)).to.equal(30)
  })

  it('counts from the start of the span, and on to the end of it', () => {
    expect(longestSilenceMs([40, 50], 0, 60)).to.equal(40)
    expect(longestSilenceMs([10, 20], 0, 60)).to.equal(40)
    expect(longestSilenceMs([], 0, 60)).to.equal(60)
  })

  it('leaves out what lies outside of the span', () => {
    expect(longestSilenceMs([0, 100, 110, 300, 900], 100, 150)).to.equal(40)
    expect(longestSilenceMs([0, 1000, 1010], 990, 1010)).to.equal(10)
  })

  it('is counted against the fault that struck last before it', () => {
    const faults = [
      { name: 'killed', startedAtMs: 100 },
      { name: 'cut off', startedAtMs: 200 },
      { name: 'killed', startedAtMs: 300 },
    ]
    expect(pausesByFault([90, 130, 190, 260, 310, 390, 400], faults, 400)).to.deep.equal([
      { name: 'killed', silencesMs: [60, 80] },
      { name: 'cut off', silencesMs: [60] },
    ])
  })
})
