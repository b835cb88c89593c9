/** Where things end in bytes of JSON, for those who know what has to stand there. */

/** The byte of `"`. */
export const quote = 0x22
/** The byte of `,`. */
export const comma = 0x2c
/** The byte of `[`. */
export const openingBracket = 0x5b
/** The byte of `\`. */
export const backslash = 0x5c
/** The byte of `]`. */
export const closingBracket = 0x5d
const zero = 0x30
const nine = 0x39
/** No whole number of more digits is exact. */
const digitsMax = 16

/** Where the short text that begins at `start` ends; -1 if it has an escape, or no end. */
export function endOfText(bytes: Buffer, start: number): number {
  for (let end = start; end < bytes.length; end++) {
    if (bytes[end] === quote) return end
    if (bytes[end] === backslash) return -1
  }
  return -1
}

/** Where the whole number that begins at `start` ends; -1 if it is none that JSON has, or cannot be exact. */
export function endOfCount(bytes: Buffer, start: number): number {
  let end = start
  while (isDigit(bytes[end])) end++
  if (end === start || end - start > digitsMax) return -1
  return bytes[start] === zero && end - start > 1 ? -1 : end
}

/** Whether it is the byte of a digit. */
export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= zero && byte <= nine
}

/** The whole number whose digits these bytes are. */
export function readCount(bytes: Buffer, start: number, end: number): number {
  let count = 0
  for (let position = start; position < end; position++) {
    count = count * 10 + ((bytes[position] ?? zero) - zero)
  }
  return count
}
