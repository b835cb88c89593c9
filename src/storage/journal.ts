/**
 * The journal: what was saved is on the disk, in order, and comes back after any crash. It knows nothing of
 * what the records mean.
 *
 * A *save* is a batch of records that is made durable by one write and one flush, and that is recovered whole
 * or not at all. Saves go into *segments*, files of a fixed size that are zero-filled ahead and used again once
 * their records are no longer needed, so that a flush changes no metadata. A save never spans two segments: one
 * that does not fit in what is left begins the next, and one that is larger than a segment gets a file of its
 * own size (which costs it the wait for zero-filling).
 *
 * What must always hold:
 * - at most one save is under way; the next is written only when the last is durable;
 * - every segment begins with what `head` gave, so any number of segments in front of it can go;
 * - a failed flush is final: what the disk holds is then unknown, and no later flush can tell.
 *
 * What recovery can and cannot tell is said in journal-recovery.ts.
 */
import { assert } from '../base/assert.js'
import type { Clock } from '../base/clock.js'
import type { Disk } from './disk.js'
import { FlushPace } from './flush-pace.js'
import { bodyBytes, encodeSave, type JournalRecord, savedBytes } from './journal-record.js'
import { type Recovered, type Replay, recoverJournal, zeros } from './journal-recovery.js'
import {
  encodeSegmentHeader,
  highestIndex,
  type OpenSegment,
  openSegment,
  type Segment,
  segmentBytesMax,
  segmentHeaderBytes,
  segmentName,
} from './journal-segment.js'
import { isDiskError, Spares } from './journal-spares.js'

export type { JournalRecord } from './journal-record.js'
export { JournalDamaged } from './journal-recovery.js'
export { JournalFormatUnknown } from './journal-segment.js'

export interface JournalOptions {
  readonly clock: Clock
  /** Size of an ordinary segment; 16 MiB by default. A multiple of 4096 keeps flushes cheap. */
  readonly segmentBytes?: number
  /** The longest body a record may have; 256 MiB by default. A longer one is a mistake of the caller. */
  readonly recordBytesMax?: number
  /** While the disk needs up to this long for a flush, it may hold the loop in mode `inline`; 1 by default, 0 for never. */
  readonly inlineFlushMsMax?: number
  /**
   * Gives what must be known whichever older records are gone (a term and a vote, say): it is written at the
   * start of each segment, in front of the save that begins it, and should carry index 0. Called within
   * `save`, so that it is never ahead of the state that save belongs to.
   */
  head(): readonly JournalRecord[]
  /**
   * `full`: no further segment can be made, but a whole one is still in hand, less what was saved since. Stop
   * taking writes. `ok`: there is room again. Never the same twice in a row; begins as `ok`.
   */
  onDiskState(state: 'full' | 'ok'): void
  /** The disk failed; told once. The node must stop: every later save fails. */
  onFailure(error: Error): void
}

/** Where a flush may be waited for: on the spot while flushes are short, or beside other work. */
export type SaveMode = 'inline' | 'overlap'

export interface Journal {
  /**
   * Appends the records and makes them durable, then calls `done`; with an error if the disk failed, and then
   * nobody knows whether they are there. In mode `inline`, `done` may be called before this returns. Only one
   * save at a time. When neither this segment nor a spare has room, it waits until one is made, however long
   * that takes.
   */
  save(records: readonly JournalRecord[], mode: SaveMode, done: (error: Error | undefined) => void): void
  /**
   * Gives up segments at the front whose records all have an index of at most `upTo`; never the current one.
   * Returns {@link bytes} afterwards.
   */
  compact(upTo: number): number
  /** Bytes of the segments that hold records, as far as they are used. */
  bytes(): number
  /** Bytes of all the journal's files, spares too. */
  fileBytes(): number
  /** Closes the files. A save that is under way may or may not become durable; its `done` is not called. */
  close(): void
}

const defaultSegmentBytes = 16 * 1024 * 1024
const defaultRecordBytesMax = 256 * 1024 * 1024
const defaultInlineFlushMsMax = 1

/**
 * Opens the journal on `disk`, making it if there is none, and replays every record in the order it was saved.
 * Throws `JournalDamaged` if records that were durable cannot be read, `JournalFormatUnknown` if a later
 * program wrote it, or what the disk throws (`ENOSPC` when not even the first segment can be made).
 */
export function openJournal(disk: Disk, options: JournalOptions, replay: Replay): Journal {
  const segmentBytes = options.segmentBytes ?? defaultSegmentBytes
  assert(segmentBytes > segmentHeaderBytes && segmentBytes <= segmentBytesMax, 'a segment size that fits')
  const recovered = recoverJournal(disk, segmentBytes, replay)
  if (recovered.segments.length > 0 || recovered.spares > 0) {
    return new SegmentedJournal(disk, options, segmentBytes, recovered)
  }
  makeFirstSegment(disk, recovered.nextLife, segmentBytes)
  return new SegmentedJournal(disk, options, segmentBytes, { ...recovered, spares: 1 })
}

function makeFirstSegment(disk: Disk, life: number, segmentBytes: number): void {
  const path = segmentName(life)
  const file = disk.open(path, true)
  try {
    file.write(0, zeros(segmentBytes))
    file.flushSync()
  } catch (error) {
    disk.remove(path)
    throw error
  } finally {
    file.close()
  }
  disk.flushDirectory()
}

class SegmentedJournal implements Journal {
  readonly #options: JournalOptions
  readonly #pace: FlushPace
  readonly #spares: Spares
  /** Segments before the current one, the oldest first. */
  readonly #older: Segment[]
  /** Undefined until the first save of a new journal. */
  #current: OpenSegment | undefined
  /** Whether the current segment's first save is durable. */
  #currentIsBegun = true
  #isSaving = false
  #isFlushing = false
  /** Ends the save that waits for a segment. */
  #endWaiting: ((error: Error) => void) | undefined
  #failure: Error | undefined
  #isClosed = false

  constructor(disk: Disk, options: JournalOptions, segmentBytes: number, recovered: Recovered) {
    this.#options = options
    this.#pace = new FlushPace(options.clock, options.inlineFlushMsMax ?? defaultInlineFlushMsMax)
    this.#older = recovered.segments.slice(0, -1)
    const last = recovered.segments.at(-1)
    if (last !== undefined) this.#current = openSegment(disk, last.life, last.end, last.indexMax)
    this.#spares = new Spares(disk, options.clock, segmentBytes, recovered.nextLife, recovered.spares, {
      onDiskState: state => options.onDiskState(state),
      onFailure: error => this.#fail(error),
    })
  }

  save(records: readonly JournalRecord[], mode: SaveMode, done: (error: Error | undefined) => void): void {
    assert(!this.#isSaving, 'one save at a time')
    assert(!this.#isClosed, 'a closed journal saves nothing')
    assert(records.length > 0, 'a save has records')
    for (const record of records) {
      assert(
        bodyBytes(record) <= (this.#options.recordBytesMax ?? defaultRecordBytesMax),
        'a record in bounds',
      )
    }
    this.#isSaving = true
    const finish = (error: Error | undefined): void => {
      this.#isSaving = false
      done(error)
    }
    const current = this.#current
    if (this.#failure !== undefined) {
      this.#reportLater(this.#failure, finish)
    } else if (current !== undefined && current.end + savedBytes(records) <= current.size) {
      this.#append(current, records, [], current.end, mode, finish)
    } else {
      this.#beginSegment(records, mode, finish)
    }
  }

  compact(upTo: number): number {
    if (this.#failure !== undefined || this.#isClosed) return this.bytes()
    try {
      // One after the other, each durable before the next, so that a crash never leaves a gap.
      for (;;) {
        const segment = this.#older[0]
        // Until the current segment's head is durable, the segment before it is where that is known from.
        const isNeeded = this.#older.length === 1 && !this.#currentIsBegun
        if (segment === undefined || isNeeded || segment.indexMax > upTo) break
        this.#older.shift()
        // This may let a waiting save go on, and its `done` may compact again.
        this.#spares.recycle(segment.path, segment.size)
      }
    } catch (error) {
      if (!isDiskError(error)) throw error
      this.#fail(error)
    }
    return this.bytes()
  }

  bytes(): number {
    return this.#older.reduce((sum, segment) => sum + segment.end, this.#current?.end ?? 0)
  }

  fileBytes(): number {
    const older = this.#older.reduce((sum, segment) => sum + segment.size, 0)
    return older + (this.#current?.size ?? 0) + this.#spares.bytes()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#spares.close()
    // A flush that is under way holds the file and closes it when it ends.
    if (!this.#isFlushing) this.#current?.file.close()
  }

  /** Saves in the next segment, behind its header and what `head` gives; waits for it if need be. */
  #beginSegment(
    records: readonly JournalRecord[],
    mode: SaveMode,
    finish: (error: Error | undefined) => void,
  ): void {
    // Taken now and not when the segment is there: by then the caller may know of a later state, and older
    // records behind it would undo it at replay.
    const all = [...this.#options.head(), ...records]
    const bytes = segmentHeaderBytes + savedBytes(all)
    assert(bytes <= segmentBytesMax, 'a save fits in a segment of the largest size')
    this.#endWaiting = finish
    this.#spares.take(bytes, next => {
      this.#endWaiting = undefined
      const previous = this.#current
      if (previous !== undefined) this.#older.push(closedSegment(previous))
      this.#current = next
      this.#currentIsBegun = false
      const header = encodeSegmentHeader(next.life, previous?.end ?? 0)
      this.#append(next, all, [header], segmentHeaderBytes, mode, finish)
    })
  }

  /** Writes `before` and then the records, which begin at `saveStart`, with one write, and flushes. */
  #append(
    segment: OpenSegment,
    records: readonly JournalRecord[],
    before: readonly Uint8Array[],
    saveStart: number,
    mode: SaveMode,
    finish: (error: Error | undefined) => void,
  ): void {
    const complete = (): void => {
      segment.end = saveStart + savedBytes(records)
      segment.indexMax = highestIndex(records, segment.indexMax)
      this.#currentIsBegun = true
      finish(undefined)
    }
    const inline = mode === 'inline' && this.#pace.mayWait()
    try {
      const parts = encodeSave(records, saveStart, segment.seed)
      segment.file.write(before.length > 0 ? 0 : saveStart, [...before, ...parts])
      if (inline) this.#pace.measure(() => segment.file.flushSync())
    } catch (error) {
      if (!isDiskError(error)) throw error
      this.#fail(error)
      this.#reportLater(error, finish)
      return
    }
    if (inline) {
      complete()
      return
    }
    this.#isFlushing = true
    segment.file.flush(error => {
      this.#isFlushing = false
      if (this.#isClosed) {
        segment.file.close()
      } else if (error === undefined) {
        complete()
      } else {
        this.#fail(error)
        finish(error)
      }
    })
  }

  #reportLater(error: Error, finish: (error: Error) => void): void {
    this.#options.clock.soon(() => {
      if (!this.#isClosed) finish(error)
    })
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#options.onFailure(error)
    this.#endWaiting?.(error)
    this.#endWaiting = undefined
  }
}

/** A segment that is no longer written to: its file is closed, only its bounds are kept. */
function closedSegment(segment: OpenSegment): Segment {
  segment.file.close()
  const { life, path, size, end, indexMax } = segment
  return { life, path, size, end, indexMax }
}
