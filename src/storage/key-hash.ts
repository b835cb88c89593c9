/**
 * Hashes of keys for tables in memory (row-index.ts): HalfSipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input
 * PRF", 2012, in its form for words of 32 bits), under a secret of this process. Whoever chooses keys does not know it,
 * and so cannot choose many that come to lie in one place of a table.
 */
import { randomBytes } from 'node:crypto'

const secret = randomBytes(8)
const secretLow = secret.readInt32LE(0)
const secretHigh = secret.readInt32LE(4)

/**
 * The hash of the first `length` bytes of `words`, which are read as numbers in the order of the machine. The bytes behind
 * them, up to the end of a word that begins there or before, must be 0. Any number of 32 bits, with its sign.
 */
export function keyHash(words: Int32Array, length: number): number {
  let a = secretLow
  let b = secretHigh
  let c = 0x6c796765 ^ secretLow
  let d = 0x74656462 ^ secretHigh
  const whole = length >> 2
  for (let step = 0; step < whole + 4; step++) {
    // The words, then the bytes that are left with the length, then three rounds that only stir.
    let word = 0
    if (step < whole) word = words[step] ?? 0
    else if (step === whole) word = (words[step] ?? 0) | (length << 24)
    else if (step === whole + 1) c ^= 0xff
    d ^= word
    a = (a + b) | 0
    b = ((b << 5) | (b >>> 27)) ^ a
    a = (a << 16) | (a >>> 16)
    c = (c + d) | 0
    d = ((d << 8) | (d >>> 24)) ^ c
    a = (a + d) | 0
    d = ((d << 7) | (d >>> 25)) ^ a
    c = (c + b) | 0
    b = ((b << 13) | (b >>> 19)) ^ c
    c = (c << 16) | (c >>> 16)
    a ^= word
  }
  return b ^ d
}
