/** What may be a key, in every dialect: one word of valid UTF-8, so that each can be named in each. */
import { type Failure, failure } from './request.js'
import { isUtf8 } from './utf8.js'

/** The longest key, in bytes of UTF-8. */
export const keyBytesMax = 1024

/** Checks a key that came as a string; undefined if it may be one, else what to answer. */
export function checkKey(key: string): Failure | undefined {
  if (key === '' || /[\t-\r ]/.test(key)) return failure('INVALID_KEY')
  // A surrogate without its other half has no UTF-8 form.
  if (/\p{Surrogate}/u.test(key)) return failure('NOT_UTF8')
  // The length in UTF-16 units is a lower bound, which spares most keys the counting.
  const isTooLong =
    key.length > keyBytesMax || (key.length * 3 > keyBytesMax && Buffer.byteLength(key) > keyBytesMax)
  return isTooLong ? failure('KEY_TOO_LONG', { limit: keyBytesMax }) : undefined
}

/** Reads the key that stands in `line` from `start` to `end`, where a word of it was found. */
export function readKey(line: Buffer, start: number, end: number): string | Failure {
  if (end - start > keyBytesMax) return failure('KEY_TOO_LONG', { limit: keyBytesMax })
  let isAscii = true
  for (let position = start; position < end; position++) {
    const byte = line[position] ?? 0
    if (byte >= 0x80) isAscii = false
    // In text a word ends at a blank, yet rarer whitespace may stand in it.
    else if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)) return failure('INVALID_KEY')
  }
  if (isAscii) return line.toString('latin1', start, end)
  return isUtf8(line, start, end) ? line.toString('utf8', start, end) : failure('NOT_UTF8')
}
