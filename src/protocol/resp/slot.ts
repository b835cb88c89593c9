/** The slot of a key, as cluster clients compute it: CRC-16 (XMODEM) of the key, or of the part of it in braces. */

/** Slots that there are. */
export const slotCount = 16384

/** The slot of a key, from 0. */
export function slotOf(key: Uint8Array): number {
  const open = key.indexOf(openingBrace)
  const close = open === -1 ? -1 : key.indexOf(closingBrace, open + 1)
  // An empty pair of braces marks nothing.
  const hashed = close > open + 1 ? key.subarray(open + 1, close) : key
  return crc16(hashed) % slotCount
}

const openingBrace = 0x7b
const closingBrace = 0x7d
const polynomial = 0x1021

const crcOfByte = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc & 0x8000 ? polynomial : 0)
  return crc
})

function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ (crcOfByte[(crc >> 8) ^ byte] ?? 0)
  return crc
}
