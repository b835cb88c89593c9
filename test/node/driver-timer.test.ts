/** When a driver tells its replica of the time: when the replica has something to do, and with everything else. */
import { expect } from 'chai'
import { nodeId } from '../../src/base/ids.js'
import { Driver } from '../../src/node/driver.js'
import type { Effects, Input, Replica } from '../../src/replica/contract.js'
import { World } from '../sim/world.js'

const tickMs = 10

/** Notes its inputs, and says that it is quiet for as long as the test wants. */
class Sleeper implements Replica<string, never> {
  quietTicks = 1
  readonly seen: { readonly atMs: number; readonly input: string }[] = []
  readonly #nowMs: () => number
  /** What an input makes of {@link quietTicks}. */
  readonly #after: (input: Input<string>) => number

  constructor(nowMs: () => number, after: (input: Input<string>) => number) {
    this.#nowMs = nowMs
    this.#after = after
  }

  step(input: Input<string>): void {
    this.seen.push({
      atMs: this.#nowMs(),
      input: input.kind === 'tick' ? `${input.count} ticks` : input.kind,
    })
    this.quietTicks = this.#after(input)
  }

  takeEffects(): Effects<string, never> {
    return {
      sendNow: [],
      save: [],
      send: [],
      reply: [],
      checkpoint: undefined,
      compactTo: undefined,
      more: false,
      events: [],
    }
  }
}

describe('the timer of a driver', () => {
  /** Runs a driver from time 0; `disturb` gives it inputs. Returns what its replica saw, but for the first turn. */
  function run(
    untilMs: number,
    after: (input: Input<string>) => number,
    disturb: (driver: Driver<string, never>, world: World) => void = () => {},
  ): readonly unknown[] {
    const world = new World('timer')
    const sleeper = new Sleeper(() => world.nowMs(), after)
    const driver = new Driver<string, never>(sleeper, {
      clock: {
        monotonicMs: () => world.nowMs(),
        wallMs: () => 1_700_000_000_000 + world.nowMs(),
        after: (delayMs, task) => world.after(delayMs, task),
        soon: task => void world.after(0, task),
      },
      tickMs,
      store: { save: () => {}, checkpoint: () => {}, compact: () => {} },
      send: () => {},
      flush: () => {},
      onEvent: () => {},
      onTurn: () => {},
      onFailure: error => {
        throw error
      },
    })
    driver.start()
    disturb(driver, world)
    world.runUntil(untilMs)
    driver.stop({ kind: 'done' })
    return sleeper.seen.slice(1).map(({ atMs, input }) => `${atMs}: ${input}`)
  }
  const disconnected: Input<string> = { kind: 'disconnected', node: nodeId('a') }

  it('ticks all the time for a replica that always has something to do', () => {
    expect(run(35, () => 1)).to.deep.equal(['10: 1 ticks', '20: 1 ticks', '30: 1 ticks'])
  })

  it('lets a replica sleep for as long as it is quiet, and then tells how much time has passed', () => {
    expect(run(110, () => 5)).to.deep.equal(['50: 5 ticks', '100: 5 ticks'])
  })

  it('tells of the time before anything else that comes', () => {
    const seen = run(
      70,
      () => 5,
      (driver, world) => void world.after(23, () => driver.input(disconnected)),
    )
    expect(seen).to.deep.equal(['23: 2 ticks', '23: disconnected', '50: 3 ticks'])
  })

  it('wakes a replica earlier that was quiet and is not any more', () => {
    const seen = run(
      75,
      input => (input.kind === 'disconnected' ? 2 : 5),
      (driver, world) => void world.after(23, () => driver.input(disconnected)),
    )
    expect(seen).to.deep.equal(['23: 2 ticks', '23: disconnected', '40: 2 ticks'])
  })
})
