/** The table of a simulated node, which tells what is written to it. */
import type { TableRecord } from '../../src/kv/table.js'
import { MemoryTable, type MemoryTableOptions } from '../../src/storage/memory-table.js'

export class WatchedTable extends MemoryTable {
  readonly #onSet: (version: number) => void

  /** `onSet` is told the version of each record that is stored. */
  constructor(onSet: (version: number) => void, options: MemoryTableOptions) {
    super(options)
    this.#onSet = onSet
  }

  override set(key: string, record: TableRecord): void {
    super.set(key, record)
    this.#onSet(record.version)
  }
}
