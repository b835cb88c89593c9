/**
 * A process of its own for the tests: writes the table it is given round after round, until it is killed. In
 * each round every key changes, one appears and one goes; it ends in a checkpoint, or in a snapshot that takes
 * the place of the table. It says the number of the round once that is durable.
 */
import { openLmdbTable } from '../../src/storage/lmdb-table.js'

const keys = 3000
const table = openLmdbTable(process.argv[2] ?? '')
const first = Number(process.argv[3])

for (let round = first; ; round++) {
  const record = { value: Buffer.from(`${round} `.repeat(40)), version: round, expiresAt: undefined }
  const meta = Buffer.from(String(round))
  await new Promise<void>((resolve, reject) => {
    const done = (error: Error | undefined): void => (error === undefined ? resolve() : reject(error))
    if (round % 3 === 2) {
      table.beginSnapshot()
      for (let key = 0; key < keys; key++) table.addSnapshotRows([[`key ${key}`, record]])
      table.addSnapshotRows([[`only in ${round}`, record]])
      table.finishSnapshot(meta, done)
      return
    }
    for (let key = 0; key < keys; key++) table.set(`key ${key}`, record)
    table.set(`only in ${round}`, record)
    table.delete(`only in ${round - 1}`)
    table.checkpoint(meta, done)
  })
  console.log(round)
}
