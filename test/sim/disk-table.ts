/**
 * The table of a simulated node whose checkpoints and snapshots are a file of the simulated disk, replaced whole.
 * LMDB does it in another way; what stands in every order between this file and the journal is the same.
 */

import type { TableRecord } from '../../src/kv/table.js'
import type { Disk } from '../../src/storage/disk.js'
import type { HeldTable } from '../../src/storage/memory-table.js'
import { type OnSet, WatchedTable } from './watched-table.js'

const fileName = 'table'
const unfinishedName = 'table.unfinished'

/** A row as it stands in the file: key, value in base64, version, when it expires. */
type PlainRow = readonly [key: string, value: string, version: number, expiresAt: number | null]
interface PlainTable {
  readonly meta: string
  readonly rows: readonly PlainRow[]
}

/** Opens the table on `disk` as its last checkpoint or snapshot left it; `onSet` is as for {@link WatchedTable}. */
export function openDiskTable(disk: Disk, onSet: OnSet): WatchedTable {
  let isLoading = true
  const table = new WatchedTable(onSet, {
    complete: (finish, held) => {
      if (isLoading) finish()
      else store(disk, held, finish)
    },
  })
  const bytes = disk.read(fileName)
  if (bytes !== undefined) {
    // What this very program wrote and flushed; anything else fails here, and with it the run.
    const { meta, rows } = JSON.parse(Buffer.from(bytes).toString()) as PlainTable
    table.beginSnapshot()
    table.addSnapshotRows(rows.map(fromPlain))
    table.finishSnapshot(Buffer.from(meta, 'base64'), () => {})
  }
  isLoading = false
  return table
}

function store(disk: Disk, { meta, rows }: HeldTable, finish: () => void): void {
  const plain: PlainTable = { meta: base64(meta), rows: [...rows].map(toPlain) }
  disk.remove(unfinishedName)
  const file = disk.open(unfinishedName, true)
  file.write(0, [Buffer.from(JSON.stringify(plain))])
  file.flush(error => {
    file.close()
    if (error !== undefined) throw error
    disk.rename(unfinishedName, fileName)
    disk.flushDirectory()
    finish()
  })
}

function toPlain([key, { value, version, expiresAt }]: readonly [string, TableRecord]): PlainRow {
  return [key, base64(value), version, expiresAt ?? null]
}

function fromPlain([key, value, version, expiresAt]: PlainRow): [key: string, record: TableRecord] {
  return [key, { value: Buffer.from(value, 'base64'), version, expiresAt: expiresAt ?? undefined }]
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
