import { expect } from 'chai'
import fc from 'fast-check'
import type { TableRecord } from '../../src/kv/table.js'
import { decodeRow, RowEncoder } from '../../src/storage/lmdb-row.js'
import { RowCache } from '../../src/storage/row-cache.js'
import { deleted, type Layered, RowMap, type SharedRows } from '../../src/storage/row-map.js'
import { rowsInOrder } from '../../src/storage/rows-in-order.js'

const record = (value: string, version = 1, expiresAt?: number): TableRecord => ({
  value: Buffer.from(value),
  version,
  expiresAt,
})
const plain = (row: Layered | undefined): unknown =>
  row === undefined || row === deleted
    ? row
    : { version: row.version, expiresAt: row.expiresAt, value: Buffer.from(row.value).toString('latin1') }

/** What the writer makes of rows: their keys as they stand in LMDB, and what a reader finds under them. */
function written(parts: readonly SharedRows[]): [key: Buffer, row: Layered][] {
  const { rows, places } = rowsInOrder(parts)
  const encoder = new RowEncoder()
  return [...places].map(place => {
    const row = rows.keyAndValue(place)
    if (rows.isRemoval(place)) {
      encoder.encodeKey(row)
      return [Buffer.from(encoder.key), deleted]
    }
    encoder.encode(row, rows.keyLength(place))
    const key = Buffer.from(encoder.key)
    // The memory of one row is that of the next.
    return [key, decodeRow(key, Buffer.from(encoder.value), 'a file')]
  })
}

interface WrittenRow {
  readonly length: number
  readonly version: number
  readonly expiresAt: number | undefined
}

describe('rows in memory', () => {
  const key = fc.oneof(
    fc.constantFrom('', 'a', 'ä', '\u{1f600}', 'k'.repeat(1024)),
    fc.string({ unit: 'grapheme' }),
  )
  // Of a value only the length, so that a counterexample can be read; undefined for a removal.
  const change = fc.option(
    fc.record({
      length: fc.oneof(
        fc.constantFrom(0, 1, 700_000, 2 ** 20 - 30, 2 ** 20, 2 ** 21),
        fc.integer({ min: 0, max: 300 }),
      ),
      version: fc.oneof(fc.nat(), fc.maxSafeNat()),
      expiresAt: fc.option(fc.maxSafeNat(), { nil: undefined }),
    }),
    { nil: undefined },
  )

  it('come back as they were written, whatever was written before and after them', () => {
    const check = (writes: readonly (readonly [string, WrittenRow | undefined])[]): void => {
      const rows = new RowMap()
      const expected = new Map<string, Layered>()
      for (const [key, one] of writes) {
        const row = one === undefined ? deleted : { ...one, value: Buffer.alloc(one.length, `${key} `) }
        expect(rows.set(key, row)).to.equal(!expected.has(key))
        expected.delete(key)
        expected.set(key, row)
      }
      for (const [key, row] of expected) {
        expect(plain(rows.get(key))).to.deep.equal(plain(row))
        expect(rows.has(key)).to.equal(row !== deleted)
        const head = rows.head(key)
        expect(head === deleted ? head : [head?.version, head?.expiresAt]).to.deep.equal(
          row === deleted ? row : [row.version, row.expiresAt],
        )
      }
      expect([rows.size, rows.get('not there'), rows.has('not there')]).to.deep.equal([
        expected.size,
        undefined,
        undefined,
      ])
      expect([...rows.rows()].map(([key]) => key)).to.deep.equal([...expected.keys()])
      const order = [...expected.keys()].sort((one, other) =>
        Buffer.compare(Buffer.from(one), Buffer.from(other)),
      )
      const found = written([rows.shared()])
      expect(found.map(([key]) => key.toString('hex'))).to.deep.equal(
        order.map(key => Buffer.from(`\u0001${key}`).toString('hex')),
      )
      for (const [key, row] of found)
        expect(plain(row)).to.deep.equal(plain(expected.get(key.toString('utf8', 1))))
    }
    fc.assert(fc.property(fc.array(fc.tuple(key, change), { maxLength: 40 }), check), { numRuns: 30 })
  })

  it('keep a value that was read as it was, whatever is written afterwards', () => {
    const rows = new RowMap()
    rows.set('key', record('first'))
    const first = rows.get('key')
    rows.set('key', record('other'))
    expect(plain(first)).to.deep.equal(plain(record('first')))
    expect(plain(rows.get('key'))).to.deep.equal(plain(record('other')))
  })

  it('are written into memory of rows that were forgotten, but never over a value that somebody has read', () => {
    const fill = (rows: RowMap, value: string): void => {
      for (let key = 0; key < 3000; key++) rows.set(`key${key}`, record(value.repeat(1000)))
    }
    const lent: Layered[] = []
    const memories = new Set<SharedArrayBuffer>()
    let isAgain = false
    for (const value of 'abcdefgh') {
      const rows = new RowMap()
      fill(rows, value)
      for (const memory of rows.shared().slabs) {
        isAgain ||= memories.has(memory)
        memories.add(memory)
      }
      const read = rows.get(`key${value.charCodeAt(0)}`)
      lent.push(read ?? deleted)
      rows.release()
    }
    expect(isAgain, 'memory was used again').to.equal(true)
    expect(lent.map(plain)).to.deep.equal([...'abcdefgh'].map(value => plain(record(value.repeat(1000)))))
  })

  it('are written in the order of their bytes when several parts have them, the last of each', () => {
    const parts = [
      [
        ['b', record('old', 1)],
        ['\u{1f600}', record('face', 2)],
      ],
      [
        ['\uffff', record('end', 3)],
        ['b', record('new', 4)],
        ['a', record('first', 5)],
      ],
    ] as const
    const shared = parts.map(part => {
      const rows = new RowMap()
      for (const [key, row] of part) rows.set(key, row)
      return rows.shared()
    })
    const found = written(shared).map(([key, row]) => [
      key.toString('utf8', 1),
      row === deleted ? row : Buffer.from(row.value).toString(),
    ])
    expect(found).to.deep.equal([
      ['a', 'first'],
      ['b', 'new'],
      ['\uffff', 'end'],
      ['\u{1f600}', 'face'],
    ])
  })
})

describe('the cache of rows', () => {
  /** As much as a few generations hold. */
  const many = 20_000
  const value = 'v'.repeat(8000)

  it('never contradicts what it was told last, however much it is told', () => {
    const cache = new RowCache()
    const latest = new Map<string, number | undefined>()
    let hits = 0
    const look = (key: string): void => {
      const found = cache.get(key)
      if (found === undefined) return
      hits++
      expect(found === deleted ? undefined : found.version).to.equal(latest.get(key))
    }
    for (let turn = 0; turn < many; turn++) {
      const key = `key${(turn * 7919) % 9000}`
      if (turn % 5000 === 4999) {
        const written = new RowMap()
        for (let other = 0; other < 100; other++) {
          const isRemoved = other % 3 === 0
          written.set(`key${other}`, isRemoved ? deleted : record('written', turn))
          latest.set(`key${other}`, isRemoved ? undefined : turn)
        }
        cache.take(written)
      }
      look(`key${turn % 9000}`)
      if (cache.has(key) === undefined) {
        // What is found in the environment is what was written there.
        if (!latest.has(key)) latest.set(key, turn % 4 === 0 ? undefined : turn)
        const version = latest.get(key)
        for (let times = 0; times < 2; times++)
          cache.note(key, version === undefined ? undefined : record(value, version))
      }
      look(key)
    }
    expect(hits).to.be.above(many / 2)
  })

  it('keeps what is read twice, forgets what was not read lately, and keeps no long values', () => {
    const cache = new RowCache()
    // Keys are told apart by their hashes, under a secret of each run: two of so many may share one, not five pairs.
    let keptAtOnce = 0
    const note = (key: string, found: TableRecord): void => {
      cache.note(key, found)
      if (cache.has(key) !== undefined) keptAtOnce++
      cache.note(key, found)
    }
    note('long', record('v'.repeat(8193)))
    note('once', record('1'))
    note('again', record('2'))
    expect(cache.get('long')).to.equal(undefined)
    for (let key = 0; key < many; key++) {
      note(`key${key}`, record(value))
      cache.get('again')
    }
    expect(keptAtOnce).to.be.below(5)
    expect([cache.has('once'), cache.has('again')]).to.deep.equal([undefined, true])
    cache.clear()
    expect(cache.has('again')).to.equal(undefined)
  })
})
