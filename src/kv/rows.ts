/** Rows of the table as they travel in a snapshot: one JSON array without a newline. */

import type { TableRecord } from './table.js'
import { decodeValue, encodeValue } from './value-codec.js'

/** A key and what is stored under it. */
export type Row = readonly [key: string, record: TableRecord]

/**
 * The bytes of rows, in the order given: JSON in UTF-8, each row as `[key, value, version, expiresAt]`, where
 * `expiresAt` is null for a row that does not expire.
 */
export function encodeRows(rows: readonly Row[]): Uint8Array {
  const plain = rows.map(([key, { value, version, expiresAt }]) => [
    key,
    encodeValue(value),
    version,
    expiresAt ?? null,
  ])
  return Buffer.from(JSON.stringify(plain))
}

/** Reads what {@link encodeRows} made; undefined if the bytes are anything else. */
export function decodeRows(data: Uint8Array): Row[] | undefined {
  try {
    const plain: unknown = JSON.parse(Buffer.from(data).toString())
    if (!Array.isArray(plain)) return undefined
    const rows: Row[] = []
    for (const row of plain as unknown[]) {
      if (!Array.isArray(row)) return undefined
      const [key, encoded, version, expiresAt] = row as unknown[]
      const value = decodeValue(encoded)
      if (typeof key !== 'string' || value === undefined || typeof version !== 'number') return undefined
      rows.push([key, { value, version, expiresAt: typeof expiresAt === 'number' ? expiresAt : undefined }])
    }
    return rows
  } catch {
    return undefined
  }
}
