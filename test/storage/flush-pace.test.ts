/** When a flush is waited for on the spot: told by what the disk needs, and not by how busy the machine is. */
import { expect } from 'chai'
import { FlushPace } from '../../src/storage/flush-pace.js'
import { SteppedClock } from './stepped-clock.js'

describe('the pace of flushes', () => {
  let clock: SteppedClock
  let pace: FlushPace

  beforeEach(() => {
    clock = new SteppedClock()
    pace = new FlushPace(clock, 1)
  })

  /** A flush on the spot that takes so long. */
  const flush = (ms: number): void => pace.measure(() => clock.advance(ms))

  it('waits on the spot while flushes are short', () => {
    expect(pace.mayWait()).to.equal(true)
    for (let count = 0; count < 40; count++) {
      flush(0.3)
      expect(pace.mayWait()).to.equal(true)
    }
  })

  it('goes on waiting when most flushes are long because the machine is busy, as long as some are short', () => {
    for (let count = 0; count < 40; count++) {
      flush(count % 3 === 0 ? 0.3 : 5)
      expect(pace.mayWait(), `after ${count + 1} flushes`).to.equal(true)
    }
  })

  it('stops waiting when the disk itself is slow', () => {
    for (let count = 0; count < 40; count++) flush(0.3)
    let long = 0
    while (pace.mayWait()) {
      flush(3)
      long++
      expect(long, 'long flushes that held the loop').to.be.at.most(16)
    }
    expect(long).to.be.at.least(8)
  })

  it('stops at once when the first flush ever is long, and tries one again each second', () => {
    flush(8)
    expect(pace.mayWait()).to.equal(false)
    clock.advance(999)
    expect(pace.mayWait()).to.equal(false)
    clock.advance(1)
    expect(pace.mayWait()).to.equal(true)
    flush(8)
    expect(pace.mayWait()).to.equal(false)
  })

  it('waits on the spot again as soon as one that it tried was short', () => {
    for (let count = 0; count < 40 && pace.mayWait(); count++) flush(8)
    expect(pace.mayWait()).to.equal(false)
    clock.advance(1000)
    flush(0.2)
    expect(pace.mayWait()).to.equal(true)
  })

  it('never waits where that is forbidden', () => {
    expect(new FlushPace(clock, 0).mayWait()).to.equal(false)
  })
})
