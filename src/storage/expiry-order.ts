/**
 * The order in which keys expire: one word for each key that does, the time before the key, so that these words in
 * the order of keys are in the order of time, and then of keys.
 */

/** Digits that hold every time there can be, in milliseconds since 1970. */
const timeDigits = 16

/** The word of a key that expires then. */
export function expiryWord(expiresAt: number, key: string): string {
  return String(expiresAt).padStart(timeDigits, '0') + key
}

/** The key of a word. */
export function keyOfExpiryWord(word: string): string {
  return word.slice(timeDigits)
}

/** When the key of a word expires. */
export function timeOfExpiryWord(word: string): number {
  return Number(word.slice(0, timeDigits))
}
