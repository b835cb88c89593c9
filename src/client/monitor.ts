/**
 * Watches one node over a connection of its own: asks for a heartbeat again and again, and says when the node is
 * gone or silent. A connection of its own, because the requests of one connection wait for each other, and a write
 * may wait for an election while the node is perfectly well.
 */
import { Connection, type Fields, type Outcome } from './connection.js'
import { type Heartbeat, readError, readHeartbeat } from './results.js'

/** Times in milliseconds. */
export interface MonitorTiming {
  readonly connectTimeoutMs: number
  readonly silenceMs: number
}

/** What a monitor tells. */
export interface MonitorEvents {
  onHeartbeat(heartbeat: Heartbeat): void
  /** The node cannot be reached, is silent, or is not fit for use; told once, and nothing after it. */
  onLost(reason: string): void
  /** What the node tells those who watch the cluster. */
  onNews?(fields: Fields): void
}

/** See the head of this file. Connects as soon as it is made. */
export class Monitor {
  readonly #timing: MonitorTiming
  readonly #connection: Connection
  #events: MonitorEvents
  #intervalMs: number
  #next: NodeJS.Timeout | undefined
  #silence: NodeJS.Timeout | undefined
  #latest: Heartbeat | undefined
  #wantsNews = false
  #isClosed = false

  constructor(address: string, intervalMs: number, timing: MonitorTiming, events: MonitorEvents) {
    this.#intervalMs = intervalMs
    this.#timing = timing
    this.#events = events
    this.#connection = new Connection(address, timing.connectTimeoutMs, {
      onOpen: () => {
        this.#beat()
        if (this.#wantsNews) this.#askForNews()
      },
      onClosed: reason => this.#lose(reason),
      onNews: fields => this.#events.onNews?.(fields),
    })
  }

  /** In full `host:port` form. */
  get address(): string {
    return this.#connection.address
  }

  /** The last heartbeat, if there was one. */
  get latest(): Heartbeat | undefined {
    return this.#latest
  }

  /** From now on this listener is told, and heartbeats come at this interval. */
  takeOver(intervalMs: number, events: MonitorEvents): void {
    this.#events = events
    this.#intervalMs = intervalMs
  }

  /** Asks to be told what happens to the cluster. */
  watch(): void {
    if (this.#wantsNews) return
    this.#wantsNews = true
    if (this.#connection.isOpen) this.#askForNews()
  }

  /** Ends it without a word. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#next)
    clearTimeout(this.#silence)
    this.#connection.close('it was closed here')
  }

  #beat(): void {
    // A process that was held up finds its timers due before it has read what came meanwhile: another turn first.
    this.#silence = setTimeout(
      () =>
        setImmediate(() =>
          setImmediate(() => {
            if (this.#silence !== undefined) this.#lose(`it was silent for ${this.#timing.silenceMs} ms`)
          }),
        ),
      this.#timing.silenceMs,
    )
    this.#connection.ask({ op: 'heartbeat' }, outcome => this.#onAnswer(outcome))
  }

  #onAnswer(outcome: Outcome): void {
    clearTimeout(this.#silence)
    this.#silence = undefined
    // The loss is told by the connection as well.
    if (this.#isClosed || outcome.kind === 'lost') return
    try {
      const error = readError(outcome.fields)
      if (error !== undefined) throw error
      this.#latest = readHeartbeat(outcome.fields)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.#lose(message.replace(/\.$/, ''))
      return
    }
    this.#next = setTimeout(() => this.#beat(), this.#intervalMs)
    this.#events.onHeartbeat(this.#latest)
  }

  #askForNews(): void {
    this.#connection.ask({ op: 'watch', cluster: true }, () => {})
  }

  #lose(reason: string): void {
    if (this.#isClosed) return
    this.close()
    this.#events.onLost(reason)
  }
}
