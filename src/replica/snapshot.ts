/** A checkpoint of the table as Raft sends it: pieces of rows, and at the end what belongs beside them. */
import { encodeRows } from '../kv/rows.js'
import type { Table } from '../kv/table.js'
import type { OutgoingSnapshot } from '../raft/types.js'
import { decodeMeta } from './checkpoint.js'

/** Opens the table's last checkpoint for sending; undefined if it has none. */
export function outgoingSnapshot(table: Table): OutgoingSnapshot | undefined {
  const view = table.view()
  if (view === undefined) return undefined
  const meta = decodeMeta(view.meta)
  if (meta === undefined) {
    view.close()
    return undefined
  }
  let last: string | undefined
  return {
    ...meta.position,
    next: bytesMax => {
      const rows = view.rows(last, bytesMax)
      last = rows.at(-1)?.[0] ?? last
      return { data: encodeRows(rows), meta: rows.length === 0 ? view.meta : undefined }
    },
    close: () => view.close(),
  }
}
