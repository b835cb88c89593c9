/**
 * How one record stands in a journal segment.
 *
 *     offset  size
 *          0     4  checksum of the 20 bytes that follow, mixed with the segment's life and this offset
 *          4     4  checksum of the body
 *          8     4  length of the body in bytes
 *         12     4  offset in the segment at which the record's save begins; the top bit marks its last record
 *         16     7  index
 *         23     1  kind
 *         24        the body; the next record begins at the next multiple of 8
 *
 * Numbers are little-endian, checksums CRC-32. A record belongs to one save (what one flush made durable), and
 * saves follow one another: the next is written only when the last is durable. So a record of a save that
 * began behind a damaged place proves that the damaged place was once durable, and recovery can tell damage
 * from a torn write. The header has its own checksum so that this proof never needs the (long) bodies.
 */
import zlib from 'node:zlib'
import { assert } from '../base/assert.js'

/** What is saved; the journal looks at `index` only, the rest is the engine's. */
export interface JournalRecord {
  /** 0 to 255: what the body is. */
  readonly kind: number
  /** What compaction counts by: a safe integer, or 0 for what `head` carries over to each new segment. */
  readonly index: number
  /** The body, in parts that are written one after the other. They must not change until the save is done. */
  readonly parts: readonly Uint8Array[]
}

/** The header before each record's body, in bytes. */
export const recordHeaderBytes = 24
/** Records begin at multiples of this. */
export const recordAlignment = 8
const lastOfSave = 0x8000_0000

/** A record's header as it was read; the body may be damaged still. */
export interface RecordHeader {
  readonly offset: number
  readonly bodyOffset: number
  /** Where the next record begins. */
  readonly end: number
  readonly length: number
  readonly bodyChecksum: number
  readonly saveStart: number
  readonly isLastOfSave: boolean
  readonly kind: number
  readonly index: number
}

/**
 * The number that a segment's life contributes to the checksums of its records. Two lives that differ by less
 * than 2^32 never contribute the same.
 */
export function lifeSeed(life: number): number {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(life))
  return zlib.crc32(bytes)
}

/** How many bytes of a segment these records take. */
export function savedBytes(records: readonly JournalRecord[]): number {
  let bytes = 0
  for (const record of records) bytes += aligned(recordHeaderBytes + bodyBytes(record))
  return bytes
}

/** The length of a record's body. */
export function bodyBytes(record: JournalRecord): number {
  let bytes = 0
  for (const part of record.parts) bytes += part.length
  return bytes
}

/** The bytes of one save that begins at `saveStart`, as parts; bodies are not copied. */
export function encodeSave(records: readonly JournalRecord[], saveStart: number, seed: number): Uint8Array[] {
  const parts: Uint8Array[] = []
  // Headers and the gaps before them; gaps are shorter than the alignment, and zero.
  const headers = Buffer.alloc(records.length * (recordHeaderBytes + recordAlignment))
  let used = 0
  let offset = saveStart
  let gap = 0
  for (const [position, record] of records.entries()) {
    assert(record.kind >= 0 && record.kind <= 255, 'a record kind fits in a byte')
    assert(Number.isSafeInteger(record.index) && record.index >= 0, 'a record index is a safe integer')
    const header = headers.subarray(used + gap, used + gap + recordHeaderBytes)
    let checksum = 0
    let length = 0
    for (const part of record.parts) {
      checksum = zlib.crc32(part, checksum)
      length += part.length
    }
    const isLast = position === records.length - 1
    header.writeUInt32LE(checksum, 4)
    header.writeUInt32LE(length, 8)
    header.writeUInt32LE((isLast ? saveStart | lastOfSave : saveStart) >>> 0, 12)
    header.writeUInt32LE(record.index >>> 0, 16)
    header.writeUInt32LE((Math.floor(record.index / 0x1_0000_0000) | (record.kind << 24)) >>> 0, 20)
    header.writeUInt32LE(headerChecksum(header, offset, seed), 0)
    parts.push(headers.subarray(used, used + gap + recordHeaderBytes), ...record.parts)
    used += gap + recordHeaderBytes
    const end = offset + recordHeaderBytes + length
    offset = aligned(end)
    gap = offset - end
  }
  return parts
}

/**
 * The header at `offset` of a segment whose first `size` bytes count, or undefined when no record of this life
 * was written there.
 */
export function readHeader(
  segment: Buffer,
  size: number,
  offset: number,
  seed: number,
): RecordHeader | undefined {
  const bodyOffset = offset + recordHeaderBytes
  if (bodyOffset > size) return undefined
  const start = segment.readUInt32LE(offset + 12)
  const saveStart = (start & ~lastOfSave) >>> 0
  // Zeros and most other bytes end here, before the checksum. No save begins at offset 0.
  if (saveStart === 0 || saveStart > offset) return undefined
  const length = segment.readUInt32LE(offset + 8)
  if (bodyOffset + length > size) return undefined
  const header = segment.subarray(offset, bodyOffset)
  if (header.readUInt32LE(0) !== headerChecksum(header, offset, seed)) return undefined
  const high = header.readUInt32LE(20)
  return {
    offset,
    bodyOffset,
    end: aligned(bodyOffset + length),
    length,
    bodyChecksum: header.readUInt32LE(4),
    saveStart,
    isLastOfSave: start >= lastOfSave,
    kind: high >>> 24,
    index: (high & 0xff_ffff) * 0x1_0000_0000 + header.readUInt32LE(16),
  }
}

/**
 * Whether a header may stand at `offset`, at least a header's length before the end: a look at one number, for those
 * who look at millions of places. {@link readHeader} knows for certain.
 */
export function mayBeHeader(segment: DataView, offset: number): boolean {
  const saveStart = segment.getUint32(offset + 12, true) & ~lastOfSave
  return saveStart !== 0 && saveStart <= offset && saveStart % recordAlignment === 0
}

/** The record's body, as a view of the segment's bytes; undefined if it is damaged. */
export function readBody(segment: Buffer, header: RecordHeader): Uint8Array | undefined {
  const body = segment.subarray(header.bodyOffset, header.bodyOffset + header.length)
  return zlib.crc32(body) === header.bodyChecksum ? body : undefined
}

/** The first place at or behind `offset` where a record may begin. */
export function aligned(offset: number): number {
  return Math.ceil(offset / recordAlignment) * recordAlignment
}

// The checksum's starting value decides its result one to one, so for given bytes another offset or another
// life (a leftover of the file's earlier use, a write that went astray) always gives another checksum.
function headerChecksum(header: Buffer, offset: number, seed: number): number {
  return zlib.crc32(header.subarray(4, recordHeaderBytes), (seed ^ offset) >>> 0)
}
