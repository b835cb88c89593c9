/**
 * Where walks by SCAN stand. A cursor is a number that any client can keep exactly: 52 bits made of the key at which
 * the last page ended. It says all there is to say: the key is found again by walking over the keys until
 * one has that number. So that this is rarely needed, the latest cursors are remembered with their keys; a
 * cursor that is forgotten, or was given by another node, costs time and nothing else. If the key was deleted
 * meanwhile and is not remembered, the walk begins again: no key is missed, some come twice.
 */

/** How many cursors are remembered; the oldest are forgotten. */
const rememberedMax = 10_000

export class ScanCursors {
  readonly #keys = new Map<string, string>()
  /** Behind which key RANDOMKEY picks next; not among what is remembered of any client. */
  pickedTo = ''

  /** The cursor behind a key. */
  cursorBehind(key: string): string {
    const cursor = cursorOf(key)
    this.#keys.delete(cursor)
    this.#keys.set(cursor, key)
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size <= rememberedMax) break
      this.#keys.delete(oldest)
    }
    return cursor
  }

  /** The key behind which the cursor stands, if it is remembered. */
  keyOf(cursor: string): string | undefined {
    return this.#keys.get(cursor)
  }
}

/** The number of a key, in decimal; never 0, which stands for beginning and end. */
export function cursorOf(key: string): string {
  let low = 0x811c9dc5
  let high = 0x9747b28c
  for (let position = 0; position < key.length; position++) {
    const unit = key.charCodeAt(position)
    low = Math.imul(low ^ unit, 0x01000193)
    high = Math.imul(high ^ unit, 0x5bd1e995)
    high ^= high >>> 15
  }
  const upper = (mixed(high) & 0xfffff) * 2 ** 32
  return String(upper + mixed(low ^ key.length) || 1)
}

/** Spreads every bit over all of them. */
function mixed(value: number): number {
  let bits = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
