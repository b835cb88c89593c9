/** What the writer writes: rows that were handed over, one for each key, in the order in which LMDB keeps them. */
import { placesIn } from './row-index.js'
import type { SharedRows } from './row-map.js'
import { compareRowKeys, sortByKey } from './row-order.js'
import { placesPerSlab, RowSlabs } from './row-slabs.js'

/** Rows, and the places of those that count. */
export interface OrderedRows {
  readonly rows: RowSlabs
  readonly places: Int32Array
}

/** The latest row of each key, in the order of the keys' bytes; of several parts that know a key the last one counts. */
export function rowsInOrder(parts: readonly SharedRows[]): OrderedRows {
  const rows = RowSlabs.from(parts.flatMap(part => part.slabs))
  const each = parts.map(part => placesIn(part.index))
  const places = new Int32Array(each.reduce((count, some) => count + some.length, 0))
  let count = 0
  let slabsBefore = 0
  for (const [part, some] of each.entries()) {
    for (const place of some) places[count++] = place + slabsBefore * placesPerSlab
    slabsBefore += parts[part]?.slabs.length ?? 0
  }
  sortByKey(places, rows)
  return { rows, places: parts.length > 1 ? lastOfEachKey(places, rows) : places }
}

function lastOfEachKey(places: Int32Array, rows: RowSlabs): Int32Array {
  return places.filter((place, at) => {
    const next = places[at + 1]
    return next === undefined || compareRowKeys(rows, place, next, 0) !== 0
  })
}
