/**
 * What is going to happen, in order. A binary heap by time, and by order of entry among events of one time, so
 * that the same entries always leave in the same order.
 */

/** Something that happens at a moment. Cancelled events stay in the heap without a task. */
export interface QueuedEvent {
  readonly timeMs: number
  readonly sequence: number
  task: (() => void) | undefined
}

export class EventQueue {
  readonly #heap: QueuedEvent[] = []
  #nextSequence = 0

  /** How many events wait, cancelled ones included. */
  get size(): number {
    return this.#heap.length
  }

  /** The next event, which stays in the queue; undefined if there is none. */
  peek(): QueuedEvent | undefined {
    return this.#heap[0]
  }

  /** Adds an event behind all those that were added for the same time before. */
  push(timeMs: number, task: () => void): QueuedEvent {
    const event: QueuedEvent = { timeMs, sequence: this.#nextSequence++, task }
    const heap = this.#heap
    let hole = heap.length
    heap.push(event)
    while (hole > 0) {
      const parent = (hole - 1) >> 1
      const above = heap[parent]
      if (above === undefined || isBefore(above, event)) break
      heap[hole] = above
      hole = parent
    }
    heap[hole] = event
    return event
  }

  /** Takes the next event out; undefined if there is none. */
  pop(): QueuedEvent | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let hole = 0
    for (;;) {
      const left = 2 * hole + 1
      const right = heap[left + 1]
      let child = left
      let below = heap[left]
      if (below === undefined) break
      if (right !== undefined && isBefore(right, below)) {
        child = left + 1
        below = right
      }
      if (isBefore(last, below)) break
      heap[hole] = below
      hole = child
    }
    heap[hole] = last
    return first
  }
}

function isBefore(one: QueuedEvent, other: QueuedEvent): boolean {
  return one.timeMs < other.timeMs || (one.timeMs === other.timeMs && one.sequence < other.sequence)
}
