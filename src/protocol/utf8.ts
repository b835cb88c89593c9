/**
 * Whether bytes are UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. Written out,
 * because most values are short, and a call out of JavaScript costs more than looking at their bytes.
 */
export function isUtf8(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
  let position = start
  while (position < end) {
    const first = bytes[position] ?? 0
    if (first < 0x80) {
      // Most text is ASCII, which is passed in a third of the time by eight bytes at once.
      position += position + 8 <= end && isAsciiAt(bytes, position) ? 8 : 1
      continue
    }
    const length = sequenceLength(first)
    if (length === 0 || position + length > end) return false
    // Only the second byte has a range that depends on the first: there the overlong forms, the surrogates and
    // what lies beyond the last code point are excluded.
    const second = bytes[position + 1] ?? 0
    const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
    const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
    if (second < low || second > high) return false
    for (let offset = 2; offset < length; offset++) {
      if (((bytes[position + offset] ?? 0) & 0xc0) !== 0x80) return false
    }
    position += length
  }
  return true
}

/** Whether the eight bytes from here are ASCII, all of which are there. */
function isAsciiAt(bytes: Uint8Array, at: number): boolean {
  const all =
    (bytes[at] ?? 0) |
    (bytes[at + 1] ?? 0) |
    (bytes[at + 2] ?? 0) |
    (bytes[at + 3] ?? 0) |
    (bytes[at + 4] ?? 0) |
    (bytes[at + 5] ?? 0) |
    (bytes[at + 6] ?? 0) |
    (bytes[at + 7] ?? 0)
  return all < 0x80
}

/** How many bytes a character has whose first byte is `first` (not ASCII); 0 if none begins like that. */
function sequenceLength(first: number): number {
  if (first < 0xc2) return 0
  if (first < 0xe0) return 2
  if (first < 0xf0) return 3
  return first < 0xf5 ? 4 : 0
}
