/**
 * A simulated machine and the lives of the process on it. The machine has the clocks, which drift and jump; a
 * process sees the world only through its {@link Life}: timers and inputs, which wait while it is paused and
 * never come once it is dead.
 */
import type { Clock } from '../../src/base/clock.js'
import type { Random } from '../../src/base/random.js'
import type { Cancel, World } from './world.js'

export interface MachineOptions {
  /** How fast its monotonic clock runs against true time: 1 is right, 1.01 gains a hundredth. */
  readonly clockRate: number
  /** Its wall clock minus the true wall time. */
  readonly wallOffsetMs: number
  /** Timers come at most this much too late, as they do on a loaded machine. */
  readonly timerLatenessMaxMs: number
}

/** The wall time at which every run starts: nothing depends on it, it only has to look like one. */
const wallStartMs = 1_700_000_000_000
/** How long a turn of the event loop takes: what comes within it is seen by the next turn together. */
const turnMs = 0.02

/** One run of a process, from its start to its end. */
export interface Life {
  /** The machine's name, for the log. */
  readonly name: string
  readonly clock: Clock
  /** Hands the process an input: at once, when it wakes up, or never. */
  deliver(input: () => void): void
  isAlive(): boolean
  isPaused(): boolean
  /** The process stops where it is; its timers and inputs wait. */
  pause(): void
  /** It goes on, and what waited comes late. */
  resume(): void
  /** It is gone: nothing of it will ever run again. */
  end(): void
}

export class Machine {
  readonly name: string
  readonly #world: World
  readonly #random: Random
  readonly #options: MachineOptions
  readonly #monotonicStartMs: number
  #wallOffsetMs: number

  constructor(world: World, name: string, options: MachineOptions) {
    this.name = name
    this.#world = world
    this.#random = world.random.fork(`machine ${name}`)
    this.#options = options
    this.#monotonicStartMs = this.#random.between(1000, 1_000_000)
    this.#wallOffsetMs = options.wallOffsetMs
  }

  /** Somebody set the machine's wall clock. */
  jumpWallClock(byMs: number): void {
    this.#wallOffsetMs += byMs
    this.#world.note(this.name, `wall clock jumps by ${byMs} ms`)
  }

  /**
   * Starts a process. The caller ends the life before it. What the process throws out of a timer or an input
   * goes to `onError`.
   */
  start(onError: (error: unknown) => void): Life {
    const world = this.#world
    const { clockRate, timerLatenessMaxMs } = this.#options
    const random = this.#random
    const name = this.name
    const waitingTimers: (() => void)[] = []
    const waitingInputs: (() => void)[] = []
    let alive = true
    let paused = false

    function run(task: () => void, waiting: (() => void)[]): void {
      if (!alive) return
      if (paused) {
        waiting.push(task)
        return
      }
      try {
        task()
      } catch (error) {
        onError(error)
      }
    }

    function schedule(delayMs: number, task: () => void): Cancel {
      let cancelled = false
      const cancelEvent = world.after(delayMs, () => {
        run(() => {
          if (!cancelled) task()
        }, waitingTimers)
      })
      return () => {
        cancelled = true
        cancelEvent()
      }
    }

    const clock: Clock = {
      monotonicMs: () => this.#monotonicStartMs + world.nowMs() * clockRate,
      wallMs: () => Math.round(wallStartMs + world.nowMs() + this.#wallOffsetMs),
      after: (delayMs, task) =>
        schedule(Math.max(0, delayMs) / clockRate + random.float() * timerLatenessMaxMs, task),
      soon: task => {
        schedule(turnMs, task)
      },
    }

    return {
      name,
      clock,
      deliver: input => run(input, waitingInputs),
      isAlive: () => alive,
      isPaused: () => alive && paused,
      pause() {
        if (!alive || paused) return
        paused = true
        world.note(name, 'paused')
      },
      resume() {
        if (!alive || !paused) return
        paused = false
        world.note(name, `goes on, ${waitingTimers.length} timers and ${waitingInputs.length} inputs late`)
        // Which of the two a loop looks at first depends on where it was stopped.
        const timers = waitingTimers.splice(0)
        const inputs = waitingInputs.splice(0)
        const wakeTimers = (): void => wake(timers, waitingTimers)
        const wakeInputs = (): void => wake(inputs, waitingInputs)
        if (random.chance(0.5)) {
          wakeTimers()
          wakeInputs()
        } else {
          wakeInputs()
          wakeTimers()
        }
      },
      end() {
        alive = false
        waitingTimers.length = 0
        waitingInputs.length = 0
      },
    }

    function wake(tasks: readonly (() => void)[], waiting: (() => void)[]): void {
      for (const task of tasks) world.after(0, () => run(task, waiting))
    }
  }
}
