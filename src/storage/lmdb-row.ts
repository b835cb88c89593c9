/**
 * How rows of the table stand in LMDB, and how they travel to the thread that writes them.
 *
 * In LMDB the key of a row is the byte 1 and the key's UTF-8 bytes; its value is a checksum (CRC-32 of the
 * whole key and of what follows), the version (8 bytes), when it expires (8 bytes, NaN for never) and the value
 * itself. The one row with the key 0 holds a checkpoint's `meta`, behind a checksum as well. Numbers are
 * little-endian. LMDB has no checksums of its own.
 *
 * For each row that expires there is one more, whose key is the byte 2 and a word of expiry-order.ts, with
 * nothing to say in its value; the row with the key 3 counts them (8 bytes).
 *
 * A *slab* is a run of rows in one piece of memory that can be handed to another thread: for each row the
 * length of its key (2 bytes), of its value (4 bytes, all ones for a removal), the key and the value, with
 * room where the checksum goes.
 */
import zlib from 'node:zlib'
import { present } from '../base/assert.js'
import type { RecordHead, TableRecord } from '../kv/table.js'

/** The key of the row that holds `meta`. */
export const metaRowKey = Buffer.of(0)
/** How many rows tell what expires. */
export const expiryCountKey = Buffer.of(3)
const keyTag = 1
const expiryTag = 2
/** Behind the last row of a key, and before the first that tells what expires. */
export const rowsEnd = Buffer.of(expiryTag)
/** Behind the last row that tells what expires. */
export const expiriesEnd = Buffer.of(expiryTag + 1)
/** The value of a row that has nothing to say. */
export const nothing = Buffer.of(0)
const checksumBytes = 4
const rowHeaderBytes = 20
const slabRowBytes = 6
const removal = 0xffff_ffff

/** Thrown when what was stored cannot be what was written. The message names file and key, and what to do. */
export class TableDamaged extends Error {
  override readonly name = 'TableDamaged'

  constructor(file: string, what: string) {
    super(
      `The table is damaged: file ${file}, ${what}. If the other members of the cluster live: remove this node ` +
        'there, empty its data directory and add it again. Otherwise restore the data directory from a back-up.',
    )
  }
}

/** The key of a row, from a key of the table. */
export function rowKey(key: string): Buffer {
  const bytes = Buffer.allocUnsafe(1 + Buffer.byteLength(key))
  bytes[0] = keyTag
  bytes.write(key, 1)
  return bytes
}

/** The key of the table, from the key of a row; or the word, from the key of a row that tells what expires. */
export function keyOfRow(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8', 1)
}

/** The key of the row that says when a key expires, from a word of expiry-order.ts. */
export function expiryRowKey(word: string): Buffer {
  const bytes = Buffer.allocUnsafe(1 + Buffer.byteLength(word))
  bytes[0] = expiryTag
  bytes.write(word, 1)
  return bytes
}

/** When the row of this value expires, undefined for never. */
export function expiryOfRow(bytes: Uint8Array): number | undefined {
  const row = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const expiresAt = row.readDoubleLE(12)
  return Number.isNaN(expiresAt) ? undefined : expiresAt
}

/** Reads a row; `bytes` is kept as part of the result. Throws {@link TableDamaged}. */
export function decodeRow(key: Uint8Array, bytes: Uint8Array, file: string): TableRecord {
  const row = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (row.length < rowHeaderBytes || row.readUInt32LE(0) !== rowChecksum(key, row)) {
    throw new TableDamaged(file, `key ${JSON.stringify(keyOfRow(key))}: its checksum does not match`)
  }
  return {
    value: row.subarray(rowHeaderBytes),
    version: row.readUInt32LE(8) * 0x1_0000_0000 + row.readUInt32LE(4),
    expiresAt: expiryOfRow(row),
  }
}

/** Reads of a row all but its value, which is not looked at. Throws {@link TableDamaged}. */
export function decodeHead(key: Uint8Array, bytes: Uint8Array, byteCount: number, file: string): RecordHead {
  if (byteCount < rowHeaderBytes)
    throw new TableDamaged(file, `key ${JSON.stringify(keyOfRow(key))}: it is cut off`)
  const numbers = new DataView(bytes.buffer, bytes.byteOffset, rowHeaderBytes)
  return { version: versionAt(numbers, 0), expiresAt: expiryAt(numbers, 0) }
}

/** The value of the row that holds `meta`: a checksum and then the bytes, which are copied. */
export function encodeMeta(meta: Uint8Array): Buffer {
  const row = Buffer.concat([Buffer.alloc(checksumBytes), meta])
  row.writeUInt32LE(rowChecksum(metaRowKey, row), 0)
  return row
}

/** Throws {@link TableDamaged}. */
export function decodeMeta(bytes: Uint8Array, file: string): Uint8Array {
  const row = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (row.length < checksumBytes || row.readUInt32LE(0) !== rowChecksum(metaRowKey, row)) {
    throw new TableDamaged(file, 'the state of its last checkpoint: its checksum does not match')
  }
  return row.subarray(checksumBytes)
}

function rowChecksum(key: Uint8Array, row: Buffer): number {
  return zlib.crc32(row.subarray(checksumBytes), zlib.crc32(key))
}

/** Puts rows into a slab. The memory belongs to the caller, who may transfer it. */
export function encodeSlab(rows: readonly (readonly [key: string, record: TableRecord])[]): ArrayBuffer {
  let bytesMax = 0
  for (const [key, record] of rows) bytesMax += slabRowBytesMax(key, record)
  const memory = slabMemory(bytesMax)
  let end = 0
  for (const [key, record] of rows) end = writeSlabRow(memory, end, key, record)
  const { buffer, byteOffset } = memory.bytes
  return buffer.slice(byteOffset, byteOffset + end)
}

/** More bytes of a slab than a row will take, found without looking at each character of its key. */
export function slabRowBytesMax(key: string, record: TableRecord | undefined): number {
  const valueBytes = record === undefined ? 0 : rowHeaderBytes + record.value.length
  return slabRowBytes + 1 + 3 * key.length + valueBytes
}

/** Memory of a slab, twice: a view of numbers costs a part of what the methods of a buffer do. */
export interface SlabMemory {
  readonly bytes: Buffer<ArrayBuffer>
  readonly numbers: DataView
}

/** Memory for a slab, which holds whatever it held before. */
export function slabMemory(byteCount: number): SlabMemory {
  const bytes = Buffer.allocUnsafeSlow(byteCount)
  return { bytes, numbers: new DataView(bytes.buffer, bytes.byteOffset, byteCount) }
}

/** Writes a row at `start` of a slab that has room for it, `record` undefined for a removal; returns its end. */
export function writeSlabRow(
  { bytes, numbers }: SlabMemory,
  start: number,
  key: string,
  record: TableRecord | undefined,
): number {
  const keyStart = start + slabRowBytes
  bytes[keyStart] = keyTag
  const valueStart = writeKey(bytes, keyStart + 1, key)
  numbers.setUint16(start, valueStart - keyStart, true)
  if (record === undefined) {
    numbers.setUint32(start + 2, removal, true)
    return valueStart
  }
  const { value, version, expiresAt } = record
  numbers.setUint32(start + 2, rowHeaderBytes + value.length, true)
  numbers.setUint32(valueStart + 4, version >>> 0, true)
  numbers.setUint32(valueStart + 8, Math.floor(version / 0x1_0000_0000), true)
  numbers.setFloat64(valueStart + 12, expiresAt ?? Number.NaN, true)
  bytes.set(value, valueStart + rowHeaderBytes)
  return valueStart + rowHeaderBytes + value.length
}

/** Keys of plain characters up to this length are written here: the way to the system's function takes longer. */
const shortKey = 40

/** Writes a key in UTF-8; returns its end. */
function writeKey(bytes: Buffer, start: number, key: string): number {
  if (key.length > shortKey) return start + bytes.write(key, start)
  for (let position = 0; position < key.length; position++) {
    const unit = key.charCodeAt(position)
    if (unit > 0x7f) return start + bytes.write(key, start)
    bytes[start + position] = unit
  }
  return start + key.length
}

/** The record of the row that begins at `start` of a slab and is no removal; its value is a view of the slab. */
export function recordInSlab({ bytes, numbers }: SlabMemory, start: number): TableRecord {
  const valueStart = start + slabRowBytes + numbers.getUint16(start, true)
  const valueEnd = valueStart + numbers.getUint32(start + 2, true)
  return {
    value: bytes.subarray(valueStart + rowHeaderBytes, valueEnd),
    version: versionAt(numbers, valueStart),
    expiresAt: expiryAt(numbers, valueStart),
  }
}

/** The same without the value. */
export function headInSlab({ numbers }: SlabMemory, start: number): RecordHead {
  const valueStart = start + slabRowBytes + numbers.getUint16(start, true)
  return { version: versionAt(numbers, valueStart), expiresAt: expiryAt(numbers, valueStart) }
}

function versionAt(numbers: DataView, valueStart: number): number {
  return numbers.getUint32(valueStart + 8, true) * 0x1_0000_0000 + numbers.getUint32(valueStart + 4, true)
}

function expiryAt(numbers: DataView, valueStart: number): number | undefined {
  const expiresAt = numbers.getFloat64(valueStart + 12, true)
  return Number.isNaN(expiresAt) ? undefined : expiresAt
}

/** A row as it lies in a slab. */
export interface SlabRow {
  readonly key: Buffer
  /** The row's value with its checksum, or undefined for a removal. */
  readonly value: Buffer | undefined
}

/** The rows of several slabs in the order of their keys' bytes; of those that have the same key, the last one. */
export function* rowsInOrder(memories: readonly ArrayBuffer[]): Generator<SlabRow, undefined> {
  const slabs: Buffer[] = []
  const starts: number[] = []
  // By the keys' bytes as strings of characters up to U+00FF: such strings compare as their bytes do.
  const rows = new Map<string, number>()
  for (const memory of memories) {
    const slab = Buffer.from(memory)
    for (let start = 0; start < slab.length; ) {
      const keyStart = start + slabRowBytes
      const keyEnd = keyStart + slab.readUInt16LE(start)
      const valueLength = slab.readUInt32LE(start + 2)
      rows.set(slab.toString('latin1', keyStart, keyEnd), starts.length)
      slabs.push(slab)
      starts.push(start)
      start = valueLength === removal ? keyEnd : keyEnd + valueLength
    }
  }
  for (const order of [...rows.keys()].sort()) {
    const row = present(rows.get(order), 'the row of a key')
    yield rowInSlab(present(slabs[row], 'its slab'), present(starts[row], 'its place'))
  }
  return undefined
}

/** The row that begins at `start`, as views of the slab; fills in the checksum. */
function rowInSlab(slab: Buffer, start: number): SlabRow {
  const keyEnd = start + slabRowBytes + slab.readUInt16LE(start)
  const valueLength = slab.readUInt32LE(start + 2)
  const key = slab.subarray(start + slabRowBytes, keyEnd)
  if (valueLength === removal) return { key, value: undefined }
  const value = slab.subarray(keyEnd, keyEnd + valueLength)
  value.writeUInt32LE(rowChecksum(key, value), 0)
  return { key, value }
}
