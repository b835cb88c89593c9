/**
 * How rows of the table stand in LMDB.
 *
 * In LMDB the key of a row is the byte 1 and the key's UTF-8 bytes; its value is a checksum (CRC-32 of the
 * whole key and of what follows), the version (8 bytes), when it expires (8 bytes, NaN for never) and the value
 * itself. The one row with the key 0 holds a checkpoint's `meta`, behind a checksum as well. Numbers are
 * little-endian. LMDB has no checksums of its own.
 *
 * For each row that expires there is one more, whose key is the byte 2 and a word of expiry-order.ts, with
 * nothing to say in its value; the row with the key 3 counts them (8 bytes).
 */
import zlib from 'node:zlib'
import type { RecordHead, TableRecord } from '../kv/table.js'
import { keyAtHand, takeKey } from './key-bytes.js'

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
/** Bytes of a row between its checksum and its value. */
export const rowHeadBytes = 16
const rowHeaderBytes = checksumBytes + rowHeadBytes

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

/** Writes the key of a row, from a key of the table; returns its end. Throws a RangeError where there is no room. */
export function writeRowKey(key: string, target: Uint8Array, start: number): number {
  takeKey(key)
  const { bytes, length } = keyAtHand
  if (start + 1 + length > target.length) throw new RangeError('the key is too long')
  target[start] = keyTag
  for (let position = 0; position < length; position++) target[start + 1 + position] = bytes[position] ?? 0
  return start + 1 + length
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

/**
 * Reads a row that is to be copied: the first `byteCount` bytes. Key and row are copied as one piece, of which the value
 * is a part, because one checksum is over both. Throws {@link TableDamaged}.
 */
export function copyRow(key: string, bytes: Uint8Array, byteCount: number, file: string): TableRecord {
  if (byteCount < rowHeaderBytes) throw new TableDamaged(file, `key ${JSON.stringify(key)}: it is cut off`)
  takeKey(key)
  const restStart = 1 + keyAtHand.length
  const copy = Buffer.allocUnsafe(restStart + byteCount - checksumBytes)
  writeRowKey(key, copy, 0)
  copy.set(
    new Uint8Array(bytes.buffer, bytes.byteOffset + checksumBytes, byteCount - checksumBytes),
    restStart,
  )
  const numbers = new DataView(bytes.buffer, bytes.byteOffset, rowHeaderBytes)
  if (numbers.getUint32(0, true) !== zlib.crc32(copy))
    throw new TableDamaged(file, `key ${JSON.stringify(key)}: its checksum does not match`)
  return {
    value: copy.subarray(restStart + rowHeadBytes),
    version: versionAt(numbers, checksumBytes),
    expiresAt: expiryAt(numbers, checksumBytes),
  }
}

/** Reads of a row all but its value, which is not looked at. Throws {@link TableDamaged}. */
export function decodeHead(key: string, bytes: Uint8Array, byteCount: number, file: string): RecordHead {
  if (byteCount < rowHeaderBytes) throw new TableDamaged(file, `key ${JSON.stringify(key)}: it is cut off`)
  const numbers = new DataView(bytes.buffer, bytes.byteOffset, rowHeaderBytes)
  return { version: versionAt(numbers, checksumBytes), expiresAt: expiryAt(numbers, checksumBytes) }
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

/** Writes what stands between the checksum of a row, which ends at `start`, and its value. */
export function writeRowHead(numbers: DataView, start: number, { version, expiresAt }: RecordHead): void {
  numbers.setUint32(start, version >>> 0, true)
  numbers.setUint32(start + 4, Math.floor(version / 0x1_0000_0000), true)
  numbers.setFloat64(start + 8, expiresAt ?? Number.NaN, true)
}

/** The version of a row, whose checksum ends at `start`. */
export function versionAt(numbers: DataView, start: number): number {
  return numbers.getUint32(start + 4, true) * 0x1_0000_0000 + numbers.getUint32(start, true)
}

/** When a row expires, whose checksum ends at `start`; undefined for never. */
export function expiryAt(numbers: DataView, start: number): number | undefined {
  const expiresAt = numbers.getFloat64(start + 8, true)
  return Number.isNaN(expiresAt) ? undefined : expiresAt
}

function rowChecksum(key: Uint8Array, row: Buffer): number {
  return zlib.crc32(row.subarray(checksumBytes), zlib.crc32(key))
}

/**
 * Makes rows of LMDB of rows in memory (row-slabs.ts), one at a time and always in the same memory: key and value are to
 * be used before the next one is made.
 */
export class RowEncoder {
  /** Room for the checksum of a row whose key is empty, the tag, the key, and the rest of the row. */
  #memory = Buffer.allocUnsafeSlow(64 * 1024)
  readonly #keyMemory = Buffer.allocUnsafeSlow(4096)
  #keyBytes = -1
  #bytes = -1
  #keyAndRest = this.#memory
  key = this.#keyMemory
  value = this.#memory

  /** `row` is a key of `keyBytes` bytes and all that follows it in memory. */
  encode(row: Uint8Array, keyBytes: number): void {
    this.#makeViews(keyBytes, row.length)
    const memory = this.#memory
    memory[checksumBytes] = keyTag
    memory.set(row, checksumBytes + 1)
    for (let position = 0; position <= keyBytes; position++)
      this.#keyMemory[position] = memory[checksumBytes + position] ?? 0
    // The checksum is that of the key and of the rest in one piece. Then it takes the place of the end of that key.
    this.value.writeUInt32LE(zlib.crc32(this.#keyAndRest), 0)
  }

  /** Only the key, for a removal. */
  encodeKey(key: Uint8Array): void {
    this.#makeViews(key.length, key.length)
    this.#keyMemory[0] = keyTag
    this.#keyMemory.set(key, 1)
  }

  /** Rows of the same lengths are frequent, and views are dear beside the rest. */
  #makeViews(keyBytes: number, bytes: number): void {
    if (keyBytes === this.#keyBytes && bytes === this.#bytes) return
    const end = checksumBytes + 1 + bytes
    if (end > this.#memory.length) this.#memory = Buffer.allocUnsafeSlow(2 * end)
    this.#keyBytes = keyBytes
    this.#bytes = bytes
    this.key = this.#keyMemory.subarray(0, 1 + keyBytes)
    this.#keyAndRest = this.#memory.subarray(checksumBytes, end)
    this.value = this.#memory.subarray(1 + keyBytes, end)
  }
}
