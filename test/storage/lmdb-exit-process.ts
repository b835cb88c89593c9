/**
 * A process of its own for the tests: ends in the midst of a checkpoint, with code 3, without having closed the
 * table. How many milliseconds after the checkpoint began is its second argument.
 */
import { openLmdbTable } from '../../src/storage/lmdb-table.js'

const rows = 60_000
const table = openLmdbTable(process.argv[2] ?? '')
const value = Buffer.alloc(256, 'x')
for (let row = 1; row <= rows; row++) table.set(`key ${row}`, { value, version: row, expiresAt: undefined })
table.checkpoint(Buffer.from('meta'), () => {})
setTimeout(() => process.exit(3), Number(process.argv[3]))
