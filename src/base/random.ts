/** Chance as a value: seeded, so that a run can be repeated. */

/** A source of pseudo-random numbers. Not for secrets. */
export interface Random {
  /** A 32-bit unsigned integer. */
  uint32(): number
  /** A number in [0, 1). */
  float(): number
  /** An integer in [0, limit); `limit` is at least 1. */
  below(limit: number): number
  /** An integer in [low, high], both ends included. */
  between(low: number, high: number): number
  /** True with the given probability (0 to 1). */
  chance(probability: number): boolean
  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T
  /** An independent source that depends only on this one's state and `label`. */
  fork(label: string): Random
}

/** A {@link Random} (the sfc32 generator) that gives the same numbers for the same seed on every machine. */
export function seededRandom(seed: number | string): Random {
  let [a, b, c, counter] = spread(String(seed))

  function uint32(): number {
    const t = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + t
    c = c | 0
    return t >>> 0
  }
  // The first outputs still show the seed's structure.
  for (let round = 0; round < 12; round++) uint32()

  const random: Random = {
    uint32,
    float: () => uint32() / 4294967296,
    below: limit => Math.floor((uint32() / 4294967296) * limit),
    between: (low, high) => low + random.below(high - low + 1),
    chance: probability => random.float() < probability,
    pick: items => items[random.below(items.length)] as (typeof items)[number],
    fork: label => seededRandom(`${label}/${uint32()}/${uint32()}`),
  }
  return random
}

/** Four 32-bit words, each of which depends on every character of `text`. */
function spread(text: string): [number, number, number, number] {
  const word = (salt: number): number => {
    let state = salt
    for (let position = 0; position < text.length; position++) {
      state = scramble((state ^ text.charCodeAt(position)) + position)
    }
    return scramble(state ^ text.length)
  }
  return [word(0x243f6a88), word(0x85a308d3), word(0x13198a2e), word(0x03707344)]
}

/** A one-to-one mixing of 32 bits in which every input bit reaches every output bit (Murmur3's last step). */
function scramble(word: number): number {
  let mixed = word ^ (word >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
