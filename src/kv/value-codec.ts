/** How bytes of any kind stand in JSON. */

/** The JSON form of a value: text if it is UTF-8, else base64. */
export function encodeValue(value: Uint8Array): string | { readonly base64: string } {
  const bytes = asBuffer(value)
  const text = bytes.toString()
  // Bytes that are not UTF-8 decode to the replacement character; so does that character itself.
  if (text.includes('\ufffd') && !Buffer.from(text).equals(bytes)) return { base64: bytes.toString('base64') }
  return text
}

/** Reads what {@link encodeValue} made; undefined if it is anything else. */
export function decodeValue(encoded: unknown): Uint8Array | undefined {
  if (typeof encoded === 'string') return Buffer.from(encoded)
  if (typeof encoded !== 'object' || encoded === null) return undefined
  const { base64 } = encoded as { readonly base64?: unknown }
  return typeof base64 === 'string' ? Buffer.from(base64, 'base64') : undefined
}

/** Whether the bytes may stand between quotes in JSON as they are: ASCII without quotes, backslashes and controls. */
export function isPlainText(bytes: Uint8Array): boolean {
  const { length } = bytes
  let escapes = 0
  let position = 0
  // Four at a time, and a look at what was found only at the end: it costs half.
  for (; position + 4 <= length; position += 4) {
    escapes |= escapeAt(bytes, position) | escapeAt(bytes, position + 1)
    escapes |= escapeAt(bytes, position + 2) | escapeAt(bytes, position + 3)
  }
  for (; position < length; position++) escapes |= escapeAt(bytes, position)
  return escapes === 0
}

function escapeAt(bytes: Uint8Array, position: number): number {
  return mustEscape[bytes[position] ?? 0] ?? 1
}

/** The text as a string of JSON. */
export function quoted(text: string): string {
  return needsEscape.test(text) ? JSON.stringify(text) : `"${text}"`
}

const needsEscape = /[^\x20\x21\x23-\x5b\x5d-\x7e]/
/** By byte: 0 if it stands for itself in a string of JSON. */
const mustEscape = Uint8Array.from({ length: 256 }, (_, byte) =>
  needsEscape.test(String.fromCharCode(byte)) ? 1 : 0,
)

/** The same bytes, as a buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** The list that the bytes are in JSON; undefined if they are anything else. */
export function parseArray(bytes: Buffer): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    return Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
