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

/** Four 32-bit words that depend on every character of `text` (the cyrb128 construction). */
function spread(text: string): [number, number, number, number] {
  let [h1, h2, h3, h4] = [1779033703, 3144134277, 1013904242, 2773480762]
  for (let position = 0; position < text.length; position++) {
    const code = text.charCodeAt(position)
    h1 = h2 ^ Math.imul(h1 ^ code, 597399067)
    h2 = h3 ^ Math.imul(h2 ^ code, 2869860233)
    h3 = h4 ^ Math.imul(h3 ^ code, 951274213)
    h4 = h1 ^ Math.imul(h4 ^ code, 2716044179)
  }
  h1 = Math.imul(h3 ^ (h1 >>> 18), 597399067)
  h2 = Math.imul(h4 ^ (h2 >>> 22), 2869860233)
  h3 = Math.imul(h1 ^ (h3 >>> 17), 951274213)
  h4 = Math.imul(h2 ^ (h4 >>> 19), 2716044179)
  return [h1 | 0, h2 | 0, h3 | 0, h4 | 0]
}
