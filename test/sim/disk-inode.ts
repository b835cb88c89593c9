/**
 * The contents of a simulated file: as the running process sees them, and what would have to be undone to get
 * back to what is durable.
 *
 * Contents exist only in chunks that something was written to. For every write that was not flushed, the bytes
 * it replaced are kept: that is one copy of as much as was written, and nothing else until a crash.
 */
import type { Random } from '../../src/base/random.js'
import { type Loss, survivors } from './loss.js'

/** A write is torn only between sectors of this size. */
const sectorBytes = 512
const chunkBytes = 4096
const zeroChunk = new Uint8Array(chunkBytes)

/** A write, or a change of size, that a crash may undo. */
interface Unflushed {
  readonly number: number
  readonly offset: number
  readonly before: Uint8Array
  /** Undefined once a flush of it failed: the size stays. */
  readonly sizeBefore: number | undefined
  /** A flush of it failed: later flushes do not make it durable, only writing it again does. */
  readonly isForgotten: boolean
}

export class Inode {
  size = 0
  /** The number of the latest write. */
  lastWrite = 0
  /** The size it is being filled to, while it is being made full of zeros. */
  filling: number | undefined
  readonly #chunks: (Uint8Array | undefined)[] = []
  #unflushed: Unflushed[] = []

  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    let done = 0
    while (done < length) {
      const position = offset + done
      const inChunk = position % chunkBytes
      const count = Math.min(length - done, chunkBytes - inChunk)
      const chunk = this.#chunks[(position - inChunk) / chunkBytes]
      if (chunk !== undefined) bytes.set(chunk.subarray(inChunk, inChunk + count), done)
      done += count
    }
    return bytes
  }

  /** Writes `parts`, `length` bytes together, one after the other. */
  write(offset: number, length: number, parts: readonly Uint8Array[]): void {
    this.#remember(offset, length)
    this.size = Math.max(this.size, offset + length)
    let position = offset
    for (const part of parts) {
      this.put(position, part)
      position += part.length
    }
  }

  truncate(size: number): void {
    const cut = Math.max(0, this.size - size)
    this.#remember(size, cut)
    this.size = size
    this.put(size, new Uint8Array(cut))
  }

  /** Makes durable what was written up to the write `upTo`; or, if that fails, never by a later flush. */
  flush(upTo: number, fails: boolean): void {
    if (this.#unflushed.length === 0) return
    const isCovered = (write: Unflushed): boolean => write.number <= upTo && !write.isForgotten
    const covered = this.#unflushed.filter(isCovered)
    const rest = this.#unflushed.filter(write => !isCovered(write))
    if (fails) {
      const forgotten = covered.map(write => ({ ...write, sizeBefore: undefined, isForgotten: true }))
      this.#unflushed = [...forgotten, ...rest]
    } else {
      this.#unflushed = rest.flatMap(write => (write.isForgotten ? withoutRanges(write, covered) : [write]))
    }
  }

  /** The power went: undoes what was not flushed, and does a part of it again, sector by sector. */
  settle(random: Random, loss: Loss): void {
    if (this.filling !== undefined) this.size = random.below(this.filling)
    this.filling = undefined
    if (this.#unflushed.length === 0) return
    const writes = this.#undo()
    const pieces = writes.reduce((sum, { offset, after }) => sum + sectorsOf(offset, after.length), 0)
    // Often nothing or everything reached the disk; else each sector did by chance.
    const survives = survivors(loss, random, pieces, () => {
      const survival = random.pick([0, 0, 1, 0.1, 0.5, 0.9])
      return () => random.chance(survival)
    })
    for (const { offset, after, sizeAfter } of writes) {
      if (after.length === 0 && survives()) this.size = sizeAfter
      for (let from = 0; from < after.length; ) {
        const sectorEnd = (Math.floor((offset + from) / sectorBytes) + 1) * sectorBytes
        const to = Math.min(after.length, sectorEnd - offset)
        if (survives()) {
          this.put(offset + from, after.subarray(from, to))
          const isCut = sizeAfter < offset + to
          this.size = isCut ? sizeAfter : Math.max(this.size, offset + to)
        }
        from = to
      }
    }
  }

  /** Changes contents without any trace. */
  put(offset: number, bytes: Uint8Array): void {
    let done = 0
    while (done < bytes.length) {
      const position = offset + done
      const inChunk = position % chunkBytes
      const count = Math.min(bytes.length - done, chunkBytes - inChunk)
      const number = (position - inChunk) / chunkBytes
      const piece = bytes.subarray(done, done + count)
      done += count
      let chunk = this.#chunks[number]
      if (chunk === undefined) {
        // A file that is filled with zeros by writing them takes no memory either.
        if (count === chunkBytes && Buffer.compare(piece, zeroChunk) === 0) continue
        chunk = new Uint8Array(chunkBytes)
        this.#chunks[number] = chunk
      }
      chunk.set(piece, inChunk)
    }
  }

  #remember(offset: number, length: number): void {
    this.#unflushed.push({
      number: ++this.lastWrite,
      offset,
      before: this.read(offset, length),
      sizeBefore: this.size,
      isForgotten: false,
    })
  }

  /** Goes back to what is durable; returns what was undone, the oldest first. */
  #undo(): { offset: number; after: Uint8Array; sizeAfter: number }[] {
    const undone = this.#unflushed.toReversed().map(({ offset, before, sizeBefore }) => {
      const after = this.read(offset, before.length)
      const sizeAfter = this.size
      this.put(offset, before)
      this.size = sizeBefore ?? this.size
      return { offset, after, sizeAfter }
    })
    this.#unflushed = []
    return undone.reverse()
  }
}

/** What is left to undo of `write` after the ranges of `flushed` were written over it and made durable. */
function withoutRanges(write: Unflushed, flushed: readonly Unflushed[]): Unflushed[] {
  let pieces = [write]
  for (const { offset, before } of flushed) {
    const end = offset + before.length
    pieces = pieces.flatMap(piece => {
      const pieceEnd = piece.offset + piece.before.length
      if (end <= piece.offset || offset >= pieceEnd) return [piece]
      const front = piece.before.subarray(0, Math.max(0, offset - piece.offset))
      const back = piece.before.subarray(Math.min(piece.before.length, end - piece.offset))
      const behind = { ...piece, before: back, offset: pieceEnd - back.length }
      return [{ ...piece, before: front }, behind].filter(rest => rest.before.length > 0)
    })
  }
  return pieces
}

/** In how many pieces a write reaches the disk; a change of size alone is one. */
function sectorsOf(offset: number, length: number): number {
  if (length === 0) return 1
  return Math.floor((offset + length - 1) / sectorBytes) - Math.floor(offset / sectorBytes) + 1
}
