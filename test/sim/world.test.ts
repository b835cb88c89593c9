import { expect } from 'chai'
import { seededRandom } from '../../src/base/random.js'
import { EventLog } from './event-log.js'
import { EventQueue } from './event-queue.js'
import { Machine } from './machine.js'
import { World } from './world.js'

const rightClock = { clockRate: 1, wallOffsetMs: 0, timerLatenessMaxMs: 0 }

function fail(error: unknown): void {
  throw error
}

describe('the simulated world', () => {
  it('lets events happen in the order of time, and of entry among those of one time', () => {
    const random = seededRandom('queue')
    const queue = new EventQueue()
    const entered = Array.from({ length: 500 }, (_, number) => ({ number, timeMs: random.below(20) }))
    for (const { timeMs } of entered) queue.push(timeMs, () => {})
    const expected = [...entered].sort((one, other) => one.timeMs - other.timeMs || one.number - other.number)
    const left = entered.map(() => queue.pop()?.sequence)
    expect(left).to.deep.equal(expected.map(({ number }) => number))
    expect(queue.pop()).to.equal(undefined)
  })

  it('runs up to a time, until a condition holds, and not at all once it is halted', () => {
    const world = new World(1)
    const happened: number[] = []
    for (const delayMs of [5, 1, 3, 9]) world.after(delayMs, () => happened.push(world.nowMs()))
    const cancel = world.after(2, () => happened.push(-1))
    cancel()
    expect(world.runUntil(4)).to.equal(false)
    expect(happened).to.deep.equal([1, 3])
    expect(world.nowMs()).to.equal(4)
    expect(world.runUntil(100, () => happened.length === 3)).to.equal(true)
    expect(world.nowMs()).to.equal(5)
    world.halt()
    expect(world.runUntil(100)).to.equal(false)
    expect(happened).to.deep.equal([1, 3, 5])
  })

  it('keeps the last lines of its log, and a checksum that depends on every line and byte', () => {
    const logOf = (lines: readonly string[], bytes?: Uint8Array): EventLog => {
      const log = new EventLog(undefined, 3)
      for (const line of lines) log.add(line, bytes)
      return log
    }
    expect(logOf(['a', 'b', 'c', 'd']).tail()).to.deep.equal(['b', 'c', 'd'])
    expect(logOf(['a'], Buffer.from('bytes')).tail()).to.deep.equal(['a bytes'])
    const same = logOf(['a', 'b', 'c', 'd']).checksum()
    expect(logOf(['a', 'b', 'c', 'd']).checksum()).to.equal(same)
    expect(logOf(['x', 'b', 'c', 'd']).checksum()).to.not.equal(same)
    expect(logOf(['a'], Buffer.from('1')).checksum()).to.not.equal(logOf(['a'], Buffer.from('2')).checksum())
  })
})

describe('a simulated machine', () => {
  it('has clocks of its own, which drift and jump', () => {
    const world = new World(1)
    const machine = new Machine(world, 'm', { clockRate: 1.1, wallOffsetMs: 500, timerLatenessMaxMs: 0 })
    const { clock } = machine.start(fail)
    const monotonic = clock.monotonicMs()
    const wall = clock.wallMs()
    let firedAtMs = 0
    clock.after(110, () => {
      firedAtMs = world.nowMs()
    })
    world.runUntil(100)
    expect(clock.monotonicMs() - monotonic).to.be.closeTo(110, 0.001)
    expect(firedAtMs).to.be.closeTo(100, 0.001)
    machine.jumpWallClock(-5000)
    expect(clock.wallMs() - wall).to.equal(100 - 5000)
    expect(clock.monotonicMs() - monotonic).to.be.closeTo(110, 0.001)
  })

  it('lets timers and inputs of a paused process come late, and those of a dead one never', () => {
    const world = new World(1)
    const life = new Machine(world, 'm', rightClock).start(fail)
    const happened: string[] = []
    life.clock.after(10, () => happened.push('timer'))
    world.runUntil(5)
    life.pause()
    life.deliver(() => happened.push('input 1'))
    life.deliver(() => happened.push('input 2'))
    world.runUntil(50)
    expect(happened).to.deep.equal([])
    life.resume()
    world.runUntil(50)
    expect(happened).to.have.members(['timer', 'input 1', 'input 2'])
    expect(happened.indexOf('input 1')).to.be.lessThan(happened.indexOf('input 2'))
    life.clock.after(10, () => happened.push('too late'))
    life.pause()
    life.deliver(() => happened.push('too late'))
    life.end()
    life.resume()
    life.deliver(() => happened.push('too late'))
    world.runUntil(100)
    expect(happened).to.have.length(3)
  })

  it('hands over what a process throws, and a cancelled timer does nothing', () => {
    const world = new World(1)
    const errors: unknown[] = []
    const life = new Machine(world, 'm', rightClock).start(error => errors.push(error))
    life.clock.soon(() => {
      throw new Error('of the process')
    })
    const cancel = life.clock.after(1, () => errors.push('cancelled'))
    life.pause()
    world.runUntil(5)
    cancel()
    life.resume()
    world.runUntil(10)
    expect(errors.map(String)).to.deep.equal(['Error: of the process'])
  })
})
