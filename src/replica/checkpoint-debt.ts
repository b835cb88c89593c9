/**
 * What checkpoints owe, in either engine: bytes that were written and that none holds, and the one that is under way.
 *
 * What must always hold: one checkpoint at a time is under way.
 */
import { assert } from '../base/assert.js'

export class CheckpointDebt {
  #bytes: number
  /** Of these bytes, what the checkpoint holds that is under way. */
  #underWay: number | undefined
  /** None is begun before this, because there was no room for the last one. */
  #notBeforeTick = 0

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  /** Bytes that no durable checkpoint holds. */
  get bytes(): number {
    return this.#bytes
  }

  add(bytes: number): void {
    this.#bytes += bytes
  }

  /** Nothing is owed any more, whatever is under way. */
  clear(): void {
    this.#bytes = 0
  }

  /** Whether a checkpoint may be begun now. */
  mayBegin(tick: number): boolean {
    return tick >= this.#notBeforeTick && this.#underWay === undefined
  }

  begin(): void {
    assert(this.#underWay === undefined, 'one checkpoint at a time')
    this.#underWay = this.#bytes
  }

  /** There was no room for it; another is not begun before this tick. */
  fail(notBeforeTick: number): void {
    this.#underWay = undefined
    this.#notBeforeTick = notBeforeTick
  }

  /** It is durable. */
  finish(): void {
    // What was owed when it began may have been cleared meanwhile.
    this.#bytes = Math.max(0, this.#bytes - (this.#underWay ?? 0))
    this.#underWay = undefined
  }
}
