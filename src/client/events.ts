/** What happens to a client and its cluster, and the bounded queues through which programs hear of it. */
import type { Fields } from './connection.js'

/** Something that a client tells whoever iterates over {@link Client.events}. Addresses are in full form. */
export type ClientEvent =
  /** It talks to a node: for the first time, after it had lost another one, or because it followed the leader. */
  | {
      readonly kind: 'connected' | 'reconnected' | 'moved'
      readonly address: string
      /** The members that are not known to be away, in the order in which they joined. */
      readonly nodes: readonly string[]
    }
  /** The node it talked to is gone; it looks for another one. */
  | { readonly kind: 'disconnected'; readonly address: string; readonly reason: string }
  /** Every address that it knows was tried in vain; it goes on trying. */
  | { readonly kind: 'unreachable'; readonly reason: string }
  | { readonly kind: 'leader'; readonly address: string | undefined }
  /** The members that are not known to be away are others than before. */
  | { readonly kind: 'nodes'; readonly nodes: readonly string[] }
  /** Became true, or is true no longer. */
  | { readonly kind: 'warning' | 'warning-over'; readonly text: string }
  /** What the node tells those who watch the cluster, as it says it. */
  | { readonly kind: 'cluster'; readonly event: Fields; readonly message: string }
  /** So many events were dropped, here or by the node, because they were not taken in time. */
  | { readonly kind: 'missed'; readonly count: number }

/** How many events wait for one program at most, unless it says otherwise. */
export const eventsWaitingMax = 1000

/**
 * The events of one program, in order. Beyond the bound new ones are dropped, and a `missed` says how many, in
 * their place. It ends when the client is closed, when its signal is aborted, or when the program stops asking.
 */
export class EventStream implements AsyncIterableIterator<ClientEvent, undefined> {
  readonly #limit: number
  readonly #onEnd: () => void
  #waiting: ClientEvent[] = []
  #missed = 0
  #takers: ((result: IteratorResult<ClientEvent, undefined>) => void)[] = []
  #isOver = false

  /** `onEnd` is called once, when nothing more is to be added. */
  constructor(limit: number, onEnd: () => void) {
    this.#limit = limit
    this.#onEnd = onEnd
  }

  /** Adds an event, or counts it as missed. */
  add(event: ClientEvent): void {
    if (this.#isOver) return
    const taker = this.#takers.shift()
    if (taker !== undefined) taker({ done: false, value: event })
    else if (this.#missed > 0 || this.#waiting.length >= this.#limit) this.#missed++
    else this.#waiting.push(event)
  }

  /** Nothing more comes; what waits can still be taken. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const taker of this.#takers.splice(0)) taker({ done: true, value: undefined })
    this.#onEnd()
  }

  next(): Promise<IteratorResult<ClientEvent, undefined>> {
    const event = this.#waiting.shift() ?? this.#takeMissed()
    if (event !== undefined) return Promise.resolve({ done: false, value: event })
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined })
    return new Promise(resolve => this.#takers.push(resolve))
  }

  return(): Promise<IteratorResult<ClientEvent, undefined>> {
    this.#waiting = []
    this.#missed = 0
    this.end()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #takeMissed(): ClientEvent | undefined {
    if (this.#missed === 0) return undefined
    const count = this.#missed
    this.#missed = 0
    return { kind: 'missed', count }
  }
}
