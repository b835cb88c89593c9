/**
 * What waits to be written to one connection.
 *
 * What must always hold:
 * - lines leave in the order in which they were taken, whole, each followed by a newline;
 * - the system is called once for all lines of a turn of the loop, not once for each;
 * - no more than the bound waits, save one line that found nothing waiting;
 * - if nothing of what waits moves for the stated time, that is told.
 *
 * The flush of a turn is a microtask. Waiting for the end of the turn instead (`setImmediate`) gathered no more,
 * since whoever sends does it all in one go, and let the lines wait for the input of another turn.
 */
import type { Socket } from 'node:net'
import { batchBytesMax, blockBytes, copiedPartBytesMax, type PeerLimits } from './peer-limits.js'

const newline = Buffer.from('\n')

export class PeerQueue {
  readonly #socket: Socket
  readonly #limits: PeerLimits
  /** Whole pieces to be written, in order; what was copied into the block since follows them. */
  #pieces: Uint8Array[] = []
  #piecesBytes = 0
  #block = Buffer.alloc(0)
  /** The block holds what was already made a piece up to `#sealed`, and what follows the pieces up to `#filled`. */
  #sealed = 0
  #filled = 0
  /** What was handed to the system and not taken by it yet. */
  #writingBytes = 0
  #isFlushDue = false
  #isEnding = false
  #hasMoved = false
  readonly #stallTimer: NodeJS.Timeout

  /** Calls `onStalled` when what waits has not moved for too long. */
  constructor(socket: Socket, limits: PeerLimits, onStalled: () => void) {
    this.#socket = socket
    this.#limits = limits
    this.#stallTimer = setTimeout(() => {
      if (this.#writingBytes > 0) onStalled()
    }, limits.stalledMs)
    socket.once('close', () => clearTimeout(this.#stallTimer))
  }

  /** Bytes that were taken and that the system has not taken yet. */
  get bytes(): number {
    return this.#piecesBytes + this.#filled - this.#sealed + this.#writingBytes
  }

  /**
   * Takes a line, or answers false if there is no room for it. Short parts are copied, longer ones are written
   * from where they are.
   */
  push(line: readonly Uint8Array[]): boolean {
    const waiting = this.bytes
    if (waiting > 0 && waiting + lineBytes(line) > this.#limits.queueBytesMax) return false
    for (const part of line) this.#add(part)
    this.#add(newline)
    if (!this.#isFlushDue) {
      this.#isFlushDue = true
      queueMicrotask(() => this.flush())
    }
    return true
  }

  /** Hands over now what was taken in this turn. */
  flush(): void {
    if (!this.#isFlushDue) return
    this.#isFlushDue = false
    this.#flush()
  }

  /** Whether the system took anything since this was asked last. */
  takeMoved(): boolean {
    const hasMoved = this.#hasMoved
    this.#hasMoved = false
    return hasMoved
  }

  /** Ends our side of the connection once everything has left. */
  end(): void {
    this.#isEnding = true
    this.#flush()
  }

  #add(part: Uint8Array): void {
    if (part.length >= copiedPartBytesMax) {
      this.#seal()
      // In slices, because only between batches can it be seen that something moves.
      for (let start = 0; start < part.length; start += batchBytesMax) {
        this.#pieces.push(part.subarray(start, start + batchBytesMax))
      }
      this.#piecesBytes += part.length
      return
    }
    if (this.#filled + part.length > this.#block.length) {
      this.#seal()
      // Not from the shared pool, and not filled with zeros: it is only read where it was written.
      this.#block = Buffer.allocUnsafeSlow(blockBytes)
      this.#sealed = 0
      this.#filled = 0
    }
    this.#block.set(part, this.#filled)
    this.#filled += part.length
  }

  /** Makes a piece of what was copied into the block. */
  #seal(): void {
    if (this.#filled === this.#sealed) return
    this.#pieces.push(this.#block.subarray(this.#sealed, this.#filled))
    this.#piecesBytes += this.#filled - this.#sealed
    this.#sealed = this.#filled
  }

  /** Hands the next batch to the system, unless it is still busy with the last one. */
  #flush(): void {
    if (this.#writingBytes > 0 || this.#socket.destroyed) return
    this.#seal()
    const batch = this.#takeBatch()
    const last = batch.pop()
    if (last === undefined) {
      if (this.#isEnding) this.#socket.end()
      return
    }
    this.#stallTimer.refresh()
    this.#socket.cork()
    for (const piece of batch) this.#socket.write(piece)
    this.#socket.write(last, error => {
      // After an error the socket closes, and whoever owns it learns it from there.
      if (error) return
      this.#writingBytes = 0
      this.#hasMoved = true
      this.#flush()
    })
    this.#socket.uncork()
  }

  #takeBatch(): Uint8Array[] {
    let count = 0
    let bytes = 0
    for (const piece of this.#pieces) {
      if (bytes > 0 && bytes + piece.length > batchBytesMax) break
      bytes += piece.length
      count++
    }
    this.#piecesBytes -= bytes
    this.#writingBytes = bytes
    if (count < this.#pieces.length) return this.#pieces.splice(0, count)
    const all = this.#pieces
    this.#pieces = []
    return all
  }
}

/** Bytes of a line together with its newline. */
export function lineBytes(line: readonly Uint8Array[]): number {
  let bytes = 1
  for (const part of line) bytes += part.length
  return bytes
}
