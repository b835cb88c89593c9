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

/** The same bytes, as a buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
