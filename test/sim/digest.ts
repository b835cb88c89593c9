/** A few digits that stand for the contents of a table: equal for equal ones, and hardly ever for others. */
import { crc32 } from 'node:zlib'
import { present } from '../../src/base/assert.js'
import type { Table } from '../../src/kv/table.js'

/** More keys than any simulated run has. */
const keysMax = 1_000_000

export function digestOf(table: Table): string {
  let digest = 0
  for (const key of table.keys('', '', keysMax)) {
    const { value, version, expiresAt } = present(table.get(key), 'the record of a key')
    digest = crc32(`${key} ${version} ${expiresAt} ${value.length} `, digest)
    digest = crc32(value, digest)
  }
  return digest.toString(16)
}
