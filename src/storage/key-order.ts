/** Keys in the order of their UTF-8 bytes, in which LMDB keeps them. */

/**
 * Compares two well-formed strings as their UTF-8 bytes would compare: negative, 0 or positive. That differs
 * from comparing them as strings where one has a character beyond U+FFFF: its two surrogates are smaller than
 * the units from U+E000 on, though its code point is larger.
 */
export function compareKeys(one: string, other: string): number {
  const length = Math.min(one.length, other.length)
  for (let position = 0; position < length; position++) {
    const left = one.charCodeAt(position)
    const right = other.charCodeAt(position)
    if (left === right) continue
    const surrogates = Number(isSurrogate(left)) - Number(isSurrogate(right))
    return left >= 0xd800 && right >= 0xd800 && surrogates !== 0 ? surrogates : left - right
  }
  return one.length - other.length
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff
}

/**
 * The first `limit` of those `keys` that begin with `prefix` and follow `after`, in order. Takes time in
 * proportion to the number of keys, and memory in proportion to `limit`.
 */
export function firstKeys(keys: Iterable<string>, prefix: string, after: string, limit: number): string[] {
  const atMost = Math.max(1024, 2 * limit)
  let found: string[] = []
  /** Once enough were found, those behind this one are of no use. */
  let last: string | undefined
  for (const key of keys) {
    if (!key.startsWith(prefix) || compareKeys(key, after) <= 0) continue
    if (last !== undefined && compareKeys(key, last) > 0) continue
    found.push(key)
    if (found.length < atMost) continue
    found = found.sort(compareKeys).slice(0, limit)
    last = found.at(-1)
  }
  return found.sort(compareKeys).slice(0, limit)
}
