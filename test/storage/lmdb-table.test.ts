import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type LmdbTable, openLmdbTable, TableDamaged } from '../../src/storage/lmdb-table.js'
import { startChild } from './child-process.js'

describe('the table in LMDB, on the disk', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'quorate-lmdb-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  const set = (table: LmdbTable, key: string, value: string): void =>
    table.set(key, { value: Buffer.from(value), version: 1, expiresAt: undefined })
  const checkpoint = (table: LmdbTable): Promise<void> =>
    new Promise((resolve, reject) => {
      table.checkpoint(Buffer.from('meta'), error => (error === undefined ? resolve() : reject(error)))
    })
  const overwrite = (file: string, offset: number, text: string): void => {
    const descriptor = openSync(join(directory, file), 'r+')
    writeSync(descriptor, text, offset)
    closeSync(descriptor)
  }

  it('shows exactly one checkpoint after the process was killed in the midst of them', async () => {
    let durable = -1
    for (let run = 0; run < 4; run++) {
      const child = startChild('lmdb-table-process.js', directory, String(durable + 1))
      // Some rounds, and then at a moment that has nothing to do with them.
      for (let rounds = 1 + (run % 3); rounds > 0; rounds--) durable = Number(await child.line())
      await new Promise(resolve => setTimeout(resolve, Math.random() * 40))
      await child.kill()
      const table = openLmdbTable(directory)
      const round = Number(Buffer.from(table.meta() ?? []))
      expect(round).to.be.at.least(durable)
      expect(table.count()).to.equal(3001)
      const keys = table.keys('', '', 10_000)
      expect(keys).to.have.length(3001)
      expect(keys).to.include(`only in ${round}`)
      expect(new Set(keys.map(key => table.get(key)?.version))).to.deep.equal(new Set([round]))
      table.close()
      expect(readdirSync(directory), 'the rest was cleaned away').to.have.length(2)
      durable = round
    }
  })

  it('lets the process end in the midst of a checkpoint, though nobody closed it', async () => {
    for (const delayMs of [150, 200, 250, 300, 350, 400, 450, 500]) {
      const child = startChild('lmdb-exit-process.js', directory, String(delayMs))
      expect(await child.exitCode(), `${delayMs} ms into the checkpoint`).to.equal(3)
    }
  })

  it('gives up a checkpoint that is under way when it is closed, and lets go of the files', async () => {
    const table = openLmdbTable(directory)
    set(table, 'kept', '1')
    await checkpoint(table)
    for (let key = 0; key < 5000; key++) set(table, `key ${key}`, 'lost')
    table.checkpoint(Buffer.from('lost'), () => expect.fail('a closed table tells nobody'))
    table.beginSnapshot()
    table.close()
    const again = openLmdbTable(directory)
    expect(again.keys('', '', 10)).to.deep.equal(['kept'])
    expect(again.count()).to.equal(1)
    again.close()
  })

  it('names file and key of a value that is damaged, wherever it is read', async () => {
    const table = openLmdbTable(directory)
    set(table, 'good', 'a value')
    set(table, 'bad', 'a value to be damaged')
    await checkpoint(table)
    const file = 'table.1/data.mdb'
    overwrite(file, readFileSync(join(directory, file)).indexOf('to be damaged'), 'TO')
    const again = openLmdbTable(directory)
    expect(Buffer.from(again.get('good')?.value ?? []).toString()).to.equal('a value')
    const expected = 'file table.1/data.mdb, key "bad": its checksum does not match'
    expect(() => again.get('bad')).to.throw(TableDamaged, expected)
    const view = again.view()
    expect(() => view?.rows(undefined, 1000)).to.throw(TableDamaged, expected)
    view?.close()
    again.close()
    table.close()
  })

  it('does not start on a damaged meta, nor without the files it knows of', async () => {
    const table = openLmdbTable(directory)
    await checkpoint(table)
    table.close()
    const file = 'table.1/data.mdb'
    overwrite(file, readFileSync(join(directory, file)).indexOf('meta'), 'META')
    expect(() => openLmdbTable(directory)).to.throw(
      TableDamaged,
      `file ${file}, the state of its last checkpoint`,
    )
    rmSync(join(directory, 'table.1'), { recursive: true })
    expect(() => openLmdbTable(directory)).to.throw(TableDamaged, `file ${file}, which is missing`)
    rmSync(join(directory, 'table.json'))
    expect(() => openLmdbTable(directory).close()).not.to.throw()
  })
})
