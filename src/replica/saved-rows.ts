/**
 * How the rows that a leaderless replica saves stand in the journal. A record holds one row as it is to be, so
 * that replaying records in their order, over a table that may hold some of them already, gives the table again.
 */
import type { LogIndex } from '../base/ids.js'
import type { RingSaved } from '../ring/types.js'
import type { SavedRecord } from './saved.js'

/** A row that must become durable, numbered: checkpoints say up to which number the table has them. */
export interface SavedRow extends RingSaved {
  readonly index: LogIndex
}

/** The kinds of records; none is one of the other engine's, so that neither takes the other's journal for its own. */
const recordKinds = { row: 32, removal: 33 } as const

/** Bytes of a record's body before its key: the length of the key. */
const keyLengthBytes = 2

/** The journal's record of a row. */
export function rowRecord({ index, rowKey, value }: SavedRow): SavedRecord {
  const keyBytes = Buffer.byteLength(rowKey)
  const head = Buffer.allocUnsafe(keyLengthBytes + keyBytes)
  head.writeUInt16LE(keyBytes)
  head.write(rowKey, keyLengthBytes)
  const kind = value === undefined ? recordKinds.removal : recordKinds.row
  return { kind, index, parts: value === undefined ? [head] : [head, value] }
}

/** Reads what {@link rowRecord} made; undefined for a record of another kind or shape. */
export function readRowRecord(kind: number, body: Uint8Array): RingSaved | undefined {
  if (kind !== recordKinds.row && kind !== recordKinds.removal) return undefined
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  if (bytes.length < keyLengthBytes) return undefined
  const valueAt = keyLengthBytes + bytes.readUInt16LE()
  if (bytes.length < valueAt) return undefined
  const rowKey = bytes.toString('utf8', keyLengthBytes, valueAt)
  return { rowKey, value: kind === recordKinds.row ? bytes.subarray(valueAt) : undefined }
}

/** What stands beside the table in a checkpoint: the number of the last row that it holds. */
export function encodeRowsMeta(index: LogIndex): Uint8Array {
  return Buffer.from(JSON.stringify({ engine: 'ring', index }))
}

/** Reads {@link encodeRowsMeta}; undefined if the bytes are anything else. */
export function decodeRowsMeta(bytes: Uint8Array): { readonly index: number } | undefined {
  try {
    const plain: unknown = JSON.parse(Buffer.from(bytes).toString())
    if (typeof plain !== 'object' || plain === null || !('engine' in plain) || !('index' in plain))
      return undefined
    const { engine, index } = plain
    return engine === 'ring' && typeof index === 'number' ? { index } : undefined
  } catch {
    return undefined
  }
}
