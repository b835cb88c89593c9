/**
 * The key that is at hand, as UTF-8 bytes and with its hash. A write looks its key up in several maps and then writes it
 * into one; the bytes and the hash are made once for all of that.
 */
import { writeText } from '../base/ascii.js'
import { keyHash } from './key-hash.js'

/** Room for bytes of keys, and one word more for the zeros behind them. */
let memory = Buffer.alloc(4096)
let words = wordsOf(memory)
let last = ''

/** What {@link takeKey} found; it holds until the next call. */
export const keyAtHand: { bytes: Uint8Array; length: number; hash: number } = {
  bytes: memory,
  length: 0,
  hash: 0,
}
hashIt(0)

/** Makes `key` the key at hand. A lone surrogate, which no key has that came from outside, is written as U+FFFD. */
export function takeKey(key: string): void {
  if (key === last) return
  if (3 * key.length + 4 > memory.length) makeRoom(3 * key.length + 4)
  last = key
  hashIt(writeText(memory, 0, key))
}

function hashIt(length: number): void {
  memory[length] = 0
  memory[length + 1] = 0
  memory[length + 2] = 0
  memory[length + 3] = 0
  keyAtHand.length = length
  keyAtHand.hash = keyHash(words, length)
}

function makeRoom(byteCount: number): void {
  memory = Buffer.alloc(Math.max(byteCount, 2 * memory.length))
  words = wordsOf(memory)
  keyAtHand.bytes = memory
}

function wordsOf({ buffer, byteOffset, length }: Buffer): Int32Array {
  return new Int32Array(buffer, byteOffset, length >> 2)
}
