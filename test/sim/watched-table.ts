/** The table of a simulated node, which tells what is written to it. */
import type { TableRecord } from '../../src/kv/table.js'
import { MemoryTable, type MemoryTableOptions } from '../../src/storage/memory-table.js'

/** Told each record that is stored. */
export type OnSet = (key: string, record: TableRecord) => void

export class WatchedTable extends MemoryTable {
  readonly #onSet: OnSet

  constructor(onSet: OnSet, options: MemoryTableOptions) {
    super(options)
    this.#onSet = onSet
  }

  override set(key: string, record: TableRecord): void {
    super.set(key, record)
    this.#onSet(key, record)
  }
}
