/**
 * The segments that are ready before they are needed.
 *
 * At least one file full of zeros, or with leftovers of an earlier life, always stands ready under the name of
 * the next life, so that a save never needs new space and its flush changes no metadata. This is also where a
 * full disk is noticed: when the *next* spare cannot be made, while a whole one is still in hand.
 *
 * What must always hold:
 * - spares have the lives that follow the current segment's, without gaps, the next one first;
 * - a spare's name and zeros are durable before it is given out.
 */
import { assert } from '../base/assert.js'
import type { Clock } from '../base/clock.js'
import type { Disk, DiskError } from './disk.js'
import { type OpenSegment, openSegment, segmentName, unfinishedName } from './journal-segment.js'

/** How long to wait before a spare is tried again on a full disk. */
const retryDelayMs = 1000
/** Compacted segments are kept as spares up to this many, and removed beyond. */
const sparesMax = 4

/**
 * What the spares tell the journal: each change between a full disk and one with room, and any other failure of
 * the disk, after which no spare is to be expected.
 */
export interface SpareEvents {
  onDiskState(state: 'full' | 'ok'): void
  onFailure(error: Error): void
}

/** A save that waits for a segment of at least `bytes` bytes. */
interface Taker {
  readonly bytes: number
  readonly use: (segment: OpenSegment) => void
}

/**
 * Makes, keeps and hands out the spare segments. On a full disk it goes on trying; whoever waits for a segment
 * waits until there is room.
 */
export class Spares {
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #segmentBytes: number
  readonly #events: SpareEvents
  #nextLife: number
  readonly #ready: OpenSegment[] = []
  #taker: Taker | undefined
  #isMaking = false
  #isFull = false
  #isClosed = false
  #cancelRetry: (() => void) | undefined

  /** An earlier run left `found` spares, with the lives from `nextLife` on. */
  constructor(
    disk: Disk,
    clock: Clock,
    segmentBytes: number,
    nextLife: number,
    found: number,
    events: SpareEvents,
  ) {
    this.#disk = disk
    this.#clock = clock
    this.#segmentBytes = segmentBytes
    this.#events = events
    this.#nextLife = nextLife
    for (let count = 0; count < found; count++) this.#ready.push(this.#openNext())
    this.#prepare()
  }

  /** Bytes of the files that stand ready. */
  bytes(): number {
    return this.#ready.reduce((sum, segment) => sum + segment.size, 0)
  }

  /**
   * Gives the next segment, of at least `bytes` bytes, to `use`: at once if it is ready, else as soon as it is.
   * One at a time.
   */
  take(bytes: number, use: (segment: OpenSegment) => void): void {
    assert(this.#taker === undefined, 'one save at a time takes a segment')
    this.#taker = { bytes, use }
    this.#serve()
    this.#prepare()
  }

  /** Keeps a segment file that nobody needs any more as a spare, or removes it; durable when this returns. */
  recycle(path: string, size: number): void {
    const isWanted = this.#ready.length < sparesMax && size === this.#segmentBytes
    if (!isWanted) {
      this.#disk.remove(path)
      this.#disk.flushDirectory()
      return
    }
    this.#disk.rename(path, segmentName(this.#nextLife))
    this.#disk.flushDirectory()
    this.#ready.push(this.#openNext())
    this.#noteSpace()
    this.#serve()
  }

  close(): void {
    this.#isClosed = true
    this.#taker = undefined
    this.#cancelRetry?.()
    for (const segment of this.#ready) segment.file.close()
    this.#ready.length = 0
  }

  #serve(): void {
    const taker = this.#taker
    const segment = this.#ready[0]
    if (taker === undefined || segment === undefined || segment.size < taker.bytes) return
    this.#taker = undefined
    this.#ready.shift()
    taker.use(segment)
  }

  /** Begins to make the spare that is lacking, if one is. */
  #prepare(): void {
    if (this.#isMaking || this.#isClosed) return
    const bytes =
      this.#taker === undefined ? this.#segmentBytes : Math.max(this.#taker.bytes, this.#segmentBytes)
    if (this.#taker === undefined && this.#ready.length > 0) return
    this.#isMaking = true
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    this.#disk.makeZeroFile(unfinishedName, bytes, error => {
      this.#isMaking = false
      if (this.#isClosed) return
      if (error !== undefined) this.#notMade(error)
      else this.#made(bytes)
    })
  }

  #made(bytes: number): void {
    try {
      // A save too large for an ordinary segment gets one of its own, which takes the place of the next spare.
      const replaced = bytes > this.#segmentBytes ? this.#ready.shift() : undefined
      if (replaced === undefined) {
        this.#disk.rename(unfinishedName, segmentName(this.#nextLife))
        this.#disk.flushDirectory()
        this.#ready.push(this.#openNext())
      } else {
        replaced.file.close()
        this.#disk.rename(unfinishedName, replaced.path)
        this.#disk.flushDirectory()
        this.#ready.unshift(openSegment(this.#disk, replaced.life, 0, 0))
      }
    } catch (error) {
      this.#failed(error)
      return
    }
    this.#noteSpace()
    this.#serve()
    this.#prepare()
  }

  #notMade(error: DiskError): void {
    if (error.code !== 'ENOSPC' && error.code !== 'EDQUOT') {
      this.#failed(error)
      return
    }
    // One was recycled while this one could not be made: nothing is lacking, and the next one is made in its turn.
    if (this.#taker === undefined && this.#ready.length > 0) return
    if (!this.#isFull) {
      this.#isFull = true
      this.#events.onDiskState('full')
    }
    this.#cancelRetry = this.#clock.after(retryDelayMs, () => {
      this.#cancelRetry = undefined
      this.#prepare()
    })
  }

  #noteSpace(): void {
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    if (!this.#isFull) return
    this.#isFull = false
    this.#events.onDiskState('ok')
  }

  #failed(error: unknown): void {
    if (!isDiskError(error)) throw error
    this.#events.onFailure(error)
  }

  #openNext(): OpenSegment {
    const segment = openSegment(this.#disk, this.#nextLife, 0, 0)
    this.#nextLife++
    return segment
  }
}

/** Whether the operating system reported this; anything else is a mistake of ours and must not pass as one. */
export function isDiskError(error: unknown): error is DiskError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
}
