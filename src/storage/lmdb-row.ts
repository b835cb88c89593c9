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
import type { TableRecord } from '../kv/table.js'

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
  const expiresAt = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readDoubleLE(12)
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

/** A row for the thread that writes; `record` undefined removes it. */
export type Change = readonly [key: string, record: TableRecord | undefined]

/** Puts changes into a slab. The memory belongs to the caller, who may transfer it. */
export function encodeSlab(changes: readonly Change[]): ArrayBuffer {
  let size = 0
  for (const [key, record] of changes) size += changeBytes(key, record)
  const memory = new ArrayBuffer(size)
  const slab = Buffer.from(memory)
  let position = 0
  for (const [key, record] of changes) {
    const keyStart = position + slabRowBytes
    slab[keyStart] = keyTag
    const keyLength = 1 + slab.write(key, keyStart + 1)
    slab.writeUInt16LE(keyLength, position)
    slab.writeUInt32LE(record === undefined ? removal : rowHeaderBytes + record.value.length, position + 2)
    position = keyStart + keyLength
    if (record === undefined) continue
    slab.writeUInt32LE(record.version >>> 0, position + 4)
    slab.writeUInt32LE(Math.floor(record.version / 0x1_0000_0000), position + 8)
    slab.writeDoubleLE(record.expiresAt ?? Number.NaN, position + 12)
    slab.set(record.value, position + rowHeaderBytes)
    position += rowHeaderBytes + record.value.length
  }
  return memory
}

/** How many bytes of a slab a change takes. */
export function changeBytes(key: string, record: TableRecord | undefined): number {
  const valueBytes = record === undefined ? 0 : rowHeaderBytes + record.value.length
  return slabRowBytes + 1 + Buffer.byteLength(key) + valueBytes
}

/** A change as it lies in a slab. */
export interface SlabRow {
  /** The key's bytes as a string of characters up to U+00FF: such strings compare as their bytes do. */
  readonly order: string
  readonly key: Buffer
  /** The row's value with its checksum, or undefined for a removal. */
  readonly value: Buffer | undefined
}

/** The changes of a slab, as views of its memory; fills in the checksums. */
export function decodeSlab(memory: ArrayBuffer): SlabRow[] {
  const slab = Buffer.from(memory)
  const rows: SlabRow[] = []
  let position = 0
  while (position < slab.length) {
    const keyLength = slab.readUInt16LE(position)
    const valueLength = slab.readUInt32LE(position + 2)
    const valueStart = position + slabRowBytes + keyLength
    const key = slab.subarray(position + slabRowBytes, valueStart)
    const order = key.toString('latin1')
    if (valueLength === removal) {
      rows.push({ order, key, value: undefined })
      position = valueStart
    } else {
      const value = slab.subarray(valueStart, valueStart + valueLength)
      value.writeUInt32LE(rowChecksum(key, value), 0)
      rows.push({ order, key, value })
      position = valueStart + valueLength
    }
  }
  return rows
}
