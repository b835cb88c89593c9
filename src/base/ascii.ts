/**
 * Writing short texts of plain characters. One by one they take a third of the time that a call out of JavaScript does,
 * up to some forty of them.
 */

/** Up to this length it costs less to write the characters one by one. */
const shortTextMax = 40

/** Writes text as UTF-8 at `start`, where there must be room; returns its end. Made for text that is short and ASCII. */
export function writeText(bytes: Buffer, start: number, text: string): number {
  const end = text.length > shortTextMax ? -1 : writeAscii(bytes, start, text)
  return end < 0 ? start + bytes.write(text, start) : end
}

/**
 * Writes text that is ASCII at `start`, where there must be room; returns its end. Returns -1 if the text is anything
 * else, and then some of it may have been written.
 */
export function writeAscii(bytes: Uint8Array, start: number, text: string): number {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code > 0x7f) return -1
    bytes[start + at] = code
  }
  return start + text.length
}
