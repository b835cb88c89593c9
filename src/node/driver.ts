/**
 * The driver: the only loop. It steps every input that is waiting, makes what must be durable durable with
 * one flush, sends, replies, and starts again. It decides nothing; the replica does.
 *
 * It runs on ports (clock, store, wire), so that the simulator runs the very same driver.
 */
import type { Clock } from '../base/clock.js'
import type { NodeId, RequestId } from '../base/ids.js'
import {
  type ClusterEvent,
  failure,
  type Receiver,
  type Request,
  type Response,
} from '../protocol/request.js'
import type { Effects, Input, Replica } from '../replica/contract.js'
import { Gathering } from './gathering.js'
import { Waiters } from './waiters.js'

/** Where a save may wait for the disk; see the journal. */
export type SaveMode = 'inline' | 'overlap'

/** What is durable, as the driver uses it. */
export interface Store<Saved> {
  /** Makes the records durable, in order, then calls `done`, perhaps before it returns. One at a time. */
  save(records: readonly Saved[], mode: SaveMode, done: (error: Error | undefined) => void): void
  /** Makes the table durable as it is now, with `meta`. One at a time. */
  checkpoint(meta: Uint8Array, done: (error: Error | undefined) => void): void
  /** Forgets journal records up to `index`. */
  compact(index: number): void
}

/** The world of a driver. */
export interface DriverPorts<Message, Saved> {
  readonly clock: Clock
  readonly tickMs: number
  readonly store: Store<Saved>
  /** Sends a message; it may be lost. */
  send(to: NodeId, message: Message): void
  /** What was sent leaves now: others can work while this node waits for its disk. */
  flush(): void
  /** Events, as they happen, for the log and for watchers. */
  onEvent(event: ClusterEvent): void
  /** Called after every turn: what depends on the replica's state is looked at here. */
  onTurn(): void
  /** The disk or our own reasoning failed: the node must stop. Called once; nothing is stepped afterwards. */
  onFailure(error: Error): void
}

export class Driver<Message, Saved> {
  readonly #replica: Replica<Message, Saved>
  readonly #ports: DriverPorts<Message, Saved>
  readonly #waiters = new Waiters()
  readonly #gathering = new Gathering()
  #inputs: Input<Message>[] = []
  #isScheduled = false
  #isStepping = false
  #isStopped = false
  #tickedAtMs: number
  #cancelTimer: (() => void) | undefined
  /** When the timer is due, on the monotonic clock. */
  #timerAtMs = Number.POSITIVE_INFINITY

  constructor(replica: Replica<Message, Saved>, ports: DriverPorts<Message, Saved>) {
    this.#replica = replica
    this.#ports = ports
    this.#tickedAtMs = ports.clock.monotonicMs()
  }

  /** Begins to run. The first turn knows the time already. */
  start(): void {
    this.#inputs.push({ kind: 'tick', count: 0, wallMs: this.#ports.clock.wallMs() })
    this.#schedule()
  }

  /** Asks the replica; `receiver` is told the answer, in a later turn, unless it is abandoned before. */
  request(request: Request, receiver: Receiver): RequestId {
    const id = this.#waiters.add(receiver)
    this.#gathering.noteRequest(request)
    this.input({ kind: 'request', id, request })
    return id
  }

  /** Nobody waits for the answer to this request any more. */
  abandon(id: RequestId): void {
    if (this.#waiters.take(id) !== undefined) this.input({ kind: 'abandoned', id })
  }

  /** Takes an input; it is stepped in the next turn, in the order of arrival; see gathering.ts for when that is. */
  input(input: Input<Message>): void {
    this.#inputs.push(input)
    this.#schedule()
  }

  /** Ends the loop for good; requests that wait are answered with `response`. */
  stop(response: Response): void {
    this.#isStopped = true
    this.#cancelTimer?.()
    for (const receiver of this.#waiters.takeAll()) receiver.answered(response)
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isStepping || this.#isStopped) return
    this.#isScheduled = true
    this.#ports.clock.soon(() => {
      this.#isScheduled = false
      if (this.#gathering.wantsMore()) this.#schedule()
      else this.#turn()
    })
  }

  /**
   * Sees to it that a turn runs when the replica has something to do by itself. A timer that is due earlier than that is
   * left alone: turns that run for other reasons take the time along, so that this is so nearly always while there is
   * work.
   */
  #startTimer(): void {
    if (this.#isStopped) return
    const { clock, tickMs } = this.#ports
    const dueAtMs = this.#tickedAtMs + this.#replica.quietTicks * tickMs
    if (this.#timerAtMs <= dueAtMs) return
    this.#cancelTimer?.()
    this.#timerAtMs = dueAtMs
    this.#cancelTimer = clock.after(Math.ceil(Math.max(0, dueAtMs - clock.monotonicMs())), () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY
      if (this.#isStopped) return
      if (this.#ticksDue() > 0) this.#turn()
      this.#startTimer()
    })
  }

  /** How many ticks have passed of which the replica knows nothing. */
  #ticksDue(): number {
    const { clock, tickMs } = this.#ports
    return Math.max(0, Math.floor((clock.monotonicMs() - this.#tickedAtMs) / tickMs))
  }

  #turn(): void {
    if (this.#isStopped) return
    this.#gathering.noteTurn()
    this.#isStepping = true
    try {
      this.#stepTime()
      let more: boolean
      do {
        const inputs = this.#inputs
        this.#inputs = []
        for (const input of inputs) this.#replica.step(input)
        more = this.#perform(this.#replica.takeEffects())
        // A save that ended on the spot is an input of this turn, so that what waits for it leaves with it.
      } while (this.#inputs.some(input => input.kind === 'saved') && !this.#isStopped)
      this.#ports.onTurn()
      this.#isStepping = false
      this.#startTimer()
      if (more || this.#inputs.length > 0) this.#schedule()
    } catch (error) {
      this.#isStepping = false
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Time passes before anything else is looked at, so that nothing is decided by an old clock. */
  #stepTime(): void {
    const { clock, tickMs } = this.#ports
    const count = this.#ticksDue()
    if (count === 0) return
    this.#tickedAtMs += count * tickMs
    this.#replica.step({ kind: 'tick', count, wallMs: clock.wallMs() })
  }

  #perform(effects: Effects<Message, Saved>): boolean {
    const { store } = this.#ports
    for (const { to, message } of effects.sendNow) this.#ports.send(to, message)
    if (effects.checkpoint !== undefined) this.#checkpoint(effects.checkpoint)
    if (effects.save.length === 0) {
      for (const { to, message } of effects.send) this.#ports.send(to, message)
    } else {
      // Whoever has sent something has others working meanwhile, and should not keep its loop waiting.
      const mode = effects.sendNow.length > 0 ? 'overlap' : 'inline'
      if (mode === 'overlap') this.#ports.flush()
      store.save(effects.save, mode, error => {
        if (this.#isStopped) return
        if (error !== undefined) {
          this.#fail(error)
          return
        }
        for (const { to, message } of effects.send) this.#ports.send(to, message)
        this.input({ kind: 'saved' })
      })
    }
    if (effects.compactTo !== undefined) store.compact(effects.compactTo)
    for (const event of effects.events) this.#ports.onEvent(event)
    for (const { id, response } of effects.reply) this.#waiters.take(id)?.answered(response)
    return effects.more
  }

  #checkpoint(checkpoint: NonNullable<Effects<Message, Saved>['checkpoint']>): void {
    this.#ports.store.checkpoint(checkpoint.meta, error => {
      if (this.#isStopped) return
      if (error === undefined) this.input({ kind: 'checkpointed', index: checkpoint.index })
      // The journal still holds everything: the checkpoint is tried again when there may be room.
      else if ('code' in error && error.code === 'ENOSPC') this.input({ kind: 'checkpoint-failed' })
      else this.#fail(error)
    })
  }

  #fail(error: Error): void {
    if (this.#isStopped) return
    // What was under way may be on the disk, or on others'.
    this.stop(failure('OUTCOME_UNKNOWN'))
    this.#ports.onFailure(error)
  }
}
