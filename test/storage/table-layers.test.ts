import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import type { TableStore } from '../../src/kv/table.js'
import { KeyRuns } from '../../src/storage/key-runs.js'
import { openLmdbTable } from '../../src/storage/lmdb-table.js'
import { MemoryTable } from '../../src/storage/memory-table.js'
import { deleted, RowMap } from '../../src/storage/row-map.js'
import { SortedKeys } from '../../src/storage/sorted-keys.js'

const keys = ['', 'a', 'b', 'ba', 'c', '\uffff', '\u{1f600}', 'k'.repeat(40)].map(end => `key${end}`)

type Step =
  | { readonly kind: 'set'; readonly key: string; readonly expiresAt: number | undefined }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'clear' | 'begin' | 'wait' }

const key = fc.constantFrom(...keys)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      key,
      expiresAt: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('clear' as const, 'wait' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('begin' as const) }) },
)

/** All that can be read. */
function readAll(table: TableStore): unknown {
  return [
    table.count(),
    table.keys('', '', 100),
    table.keys('key', 'keyb', 2),
    table.walk('keya', 100),
    [0, 3, 6, 9].map(nowMs => table.expired(nowMs, 100)),
    table.expired(9, 2),
    keys.map(one => {
      const found = table.get(one)
      return found && [found.version, found.expiresAt]
    }),
    keys.map(one => {
      const head = table.head(one)
      return head && [head.version, head.expiresAt]
    }),
  ]
}

describe('the layers of the table', () => {
  it('read like a table without layers, whatever is written, removed and checkpointed', async function () {
    this.timeout(60_000)
    const run = async (steps: readonly Step[]): Promise<void> => {
      const directory = mkdtempSync(join(tmpdir(), 'quorate-layers-'))
      const layered = openLmdbTable(directory)
      const plain = new MemoryTable()
      let underWay: Promise<void> | undefined
      try {
        for (const [version, one] of steps.entries()) {
          for (const table of [layered, plain]) {
            if (one.kind === 'set') {
              table.set(one.key, { value: Buffer.from(one.key), version, expiresAt: one.expiresAt })
            } else if (one.kind === 'delete') table.delete(one.key)
            else if (one.kind === 'clear') table.clear()
          }
          if (one.kind === 'wait' || one.kind === 'begin') {
            await underWay
            underWay = undefined
          }
          if (one.kind === 'begin') {
            underWay = new Promise((resolve, reject) =>
              layered.checkpoint(Buffer.from('meta'), error => (error ? reject(error) : resolve())),
            )
          }
          expect(readAll(layered)).to.deep.equal(readAll(plain))
        }
        await underWay
        expect(readAll(layered)).to.deep.equal(readAll(plain))
      } finally {
        layered.close()
        rmSync(directory, { recursive: true })
      }
    }
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 250, size: 'max' }), run), { numRuns: 8 })
  })

  it('read in order what was gathered in any order, also when it is asked again and again', () => {
    for (const [unit, every] of [
      ['key', 40_000],
      ['\u{1f600}\uffff', 1700],
      ['', 900],
    ] as const) {
      const rows = new RowMap()
      const runs = new KeyRuns(rows.slabs)
      const all = Array.from({ length: 40_000 }, (_, index) => {
        const key = `${unit}${(index * 7919) % 40_000}`
        return index % 3 === 0 ? key : `${key}\uffff`
      })
      for (const [index, one] of all.entries()) {
        const row = index % 5 === 0 ? deleted : { value: Buffer.of(1), version: index, expiresAt: undefined }
        if (rows.set(one, row)) runs.noteNewKey()
        if (index % 7 === 0 && rows.set(all[index >> 1] ?? '', deleted)) runs.noteNewKey()
        if (index % every === 0) expect(runs.from(one).next().value).to.equal(one)
      }
      const expected = [...all].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
      expect([...runs.from('')]).to.deep.equal(expected)
      const start = expected[30_000] ?? ''
      expect(runs.from(start).next().value).to.equal(start)
      expect([...runs.from(start)].length).to.equal(10_000)
      expect(runs.from(`${start}\u0000`).next().value).to.equal(expected[30_001])
    }
  })

  it('never have more than a part of them sorted for one question', () => {
    const rows = new RowMap()
    const { slabs } = rows
    let wordsRead = 0
    const keyWord = slabs.keyWord.bind(slabs)
    slabs.keyWord = (place, position) => {
      wordsRead++
      return keyWord(place, position)
    }
    const runs = new KeyRuns(slabs)
    const count = 60_000
    for (let index = 0; index < count; index++) {
      const key = `key${String((index * 7919) % count).padStart(8, '0')}`
      if (rows.set(key, { value: Buffer.of(1), version: index, expiresAt: undefined })) runs.noteNewKey()
    }
    const wordsOfAll = 2 * count
    expect(wordsRead, 'words read while keys were written').to.be.at.least(wordsOfAll * 0.9)
    for (let asked = 0; asked < 5; asked++) {
      wordsRead = 0
      expect(runs.from('').next().value).to.equal('key00000000')
      expect(wordsRead, `words read for question ${asked + 1}`).to.be.below(wordsOfAll * 0.7)
    }
  })

  it('keep any keys in order, whatever is added and removed', () => {
    const some = fc.array(fc.tuple(fc.boolean(), fc.string({ maxLength: 3 })), { maxLength: 3000 })
    const check = (changes: readonly (readonly [boolean, string])[]): void => {
      const sorted = new SortedKeys()
      const plain = new Set<string>()
      for (const [isAdded, word] of changes) {
        if (isAdded) {
          sorted.add(word)
          plain.add(word)
        } else {
          sorted.remove(word)
          plain.delete(word)
        }
      }
      const expected = [...plain].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
      expect([...sorted.from('')]).to.deep.equal(expected)
      expect(sorted.first()).to.equal(expected[0])
      const middle = expected[expected.length >> 1] ?? ''
      expect([...sorted.from(middle)]).to.deep.equal(expected.slice(expected.length >> 1))
    }
    fc.assert(fc.property(some, check), { numRuns: 50 })
    check(Array.from({ length: 5000 }, (_, index) => [true, String((index * 7919) % 5000)]))
  })
})
