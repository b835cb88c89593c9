import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { openLmdbTable } from '../../src/storage/lmdb-table.js'
import { MemoryTable } from '../../src/storage/memory-table.js'
import { type TableUnderTest, tableContract } from '../contract/table.js'

const inMemory = (table: MemoryTable): TableUnderTest => ({
  table,
  reopen: () => {
    table.crash()
    return inMemory(table)
  },
  close: () => {},
})

describe('the table in memory', () => {
  tableContract(() => inMemory(new MemoryTable()))
})

describe('the table in memory whose checkpoints take time', () => {
  tableContract(() => inMemory(new MemoryTable({ complete: finish => setImmediate(finish) })))

  it('is after a crash what it was before a checkpoint that was not complete, and never hears of it', () => {
    const due: (() => void)[] = []
    const table = new MemoryTable({ complete: finish => due.push(finish) })
    table.set('key', { value: Buffer.from('value'), version: 1, expiresAt: undefined })
    table.checkpoint(Buffer.from('meta'), () => expect.fail('it was cut off'))
    expect(table.get('key')?.version).to.equal(1)
    table.crash()
    for (const finish of due) finish()
    expect([table.get('key'), table.meta(), table.count()]).to.deep.equal([undefined, undefined, 0])
  })
})

describe('the table in LMDB', () => {
  const under = (directory: string): TableUnderTest => {
    const table = openLmdbTable(directory)
    return {
      table,
      reopen: () => {
        table.close()
        return under(directory)
      },
      close: () => {
        table.close()
        rmSync(directory, { recursive: true })
      },
    }
  }
  tableContract(() => under(mkdtempSync(join(tmpdir(), 'quorate-table-'))))
})
