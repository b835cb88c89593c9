/** Whole numbers of 64 bits with a sign, in the one way in which Redis writes and reads them. */

/** The number of a text without plus sign, leading zero or blank; undefined if it is none, or none of 64 bits. */
export function parseInteger64(text: string): bigint | undefined {
  if (text.length > 20 || !/^(?:0|-?[1-9]\d*)$/.test(text)) return undefined
  const value = BigInt(text)
  return isInteger64(value) ? value : undefined
}

/** Whether the number fits. */
export function isInteger64(value: bigint): boolean {
  return value === BigInt.asIntN(64, value)
}
