/** What every {@link TableStore} must do. */
import { expect } from 'chai'
import type { TableRecord, TableStore, TableView } from '../../src/kv/table.js'

/** How the suite gets at a body of the port. */
export interface TableUnderTest {
  readonly table: TableStore
  /** Ends the process of the table, as kill -9 would, and opens what is durable. */
  reopen(): TableUnderTest
  close(): void
}

export function tableContract(open: () => TableUnderTest): void {
  let under: TableUnderTest
  let table: TableStore
  beforeEach(() => {
    under = open()
    table = under.table
  })
  afterEach(() => under.close())

  const reopen = (): void => {
    under = under.reopen()
    table = under.table
  }
  const set = (key: string, value: string, version = 1): void =>
    table.set(key, { value: Buffer.from(value), version, expiresAt: undefined })
  const get = (key: string): string | undefined => text(table.get(key))
  const checkpoint = (meta: string): Promise<void> =>
    new Promise((resolve, reject) => {
      table.checkpoint(Buffer.from(meta), error => (error === undefined ? resolve() : reject(error)))
    })
  const finishSnapshot = (meta: string): Promise<void> =>
    new Promise((resolve, reject) => {
      table.finishSnapshot(Buffer.from(meta), error => (error === undefined ? resolve() : reject(error)))
    })
  const meta = (): string | undefined => {
    const bytes = table.meta()
    return bytes && Buffer.from(bytes).toString()
  }
  const all = (): string[] => table.keys('', '', 1_000_000)
  const row = (key: string, value: string): [string, TableRecord] => [
    key,
    { value: Buffer.from(value), version: 7, expiresAt: undefined },
  ]

  it('begins empty, without a meta and without a view', () => {
    expect([table.count(), table.meta(), table.view(), all(), table.pendingBytes()]).to.deep.equal([
      0,
      undefined,
      undefined,
      [],
      0,
    ])
  })

  it('reads every write at once', () => {
    set('a', '1')
    set('b', '2')
    set('a', '3')
    table.delete('b')
    table.delete('never there')
    expect([get('a'), get('b'), table.count(), all()]).to.deep.equal(['3', undefined, 1, ['a']])
  })

  it('keeps values byte by byte, versions and expiry, over a checkpoint and a restart', async () => {
    const records: Record<string, TableRecord> = {
      every: { value: Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)), version: 1, expiresAt: 5 },
      empty: { value: Buffer.alloc(0), version: Number.MAX_SAFE_INTEGER, expiresAt: undefined },
      'a "key" \u{1f600}\n\0': { value: Buffer.from('odd'), version: 3, expiresAt: 1.7e12 },
      ['k'.repeat(1024)]: { value: Buffer.from('a long key'), version: 4, expiresAt: undefined },
      large: { value: Buffer.alloc(20 * 1024 * 1024, 'large'), version: 5, expiresAt: undefined },
    }
    for (const [key, record] of Object.entries(records)) table.set(key, record)
    await checkpoint('meta')
    const check = (): void => {
      for (const [key, { value, version, expiresAt }] of Object.entries(records)) {
        const found = table.get(key)
        expect(found && Buffer.compare(found.value, value), key.slice(0, 20)).to.equal(0)
        expect([found?.version, found?.expiresAt]).to.deep.equal([version, expiresAt])
      }
      expect(table.count()).to.equal(5)
    }
    check()
    reopen()
    check()
    expect(meta()).to.equal('meta')
  })

  it('is after a restart exactly the last checkpoint', async () => {
    set('kept', '1')
    set('changed', '1')
    set('deleted', '1')
    await checkpoint('first')
    set('changed', '2')
    table.delete('deleted')
    set('new', '2')
    reopen()
    expect([meta(), all(), get('changed'), table.count()]).to.deep.equal([
      'first',
      ['changed', 'deleted', 'kept'],
      '1',
      3,
    ])
  })

  it('holds in a checkpoint the moment at which it was begun, and reads later writes over it', async () => {
    for (let index = 0; index < 3000; index++) set(`key ${index}`, 'before')
    const done = checkpoint('first')
    for (let index = 0; index < 3000; index += 2) set(`key ${index}`, 'after')
    table.delete('key 1')
    set('new', 'after')
    expect([get('key 0'), get('key 1'), get('key 3'), table.count()]).to.deep.equal([
      'after',
      undefined,
      'before',
      3000,
    ])
    await done
    expect([get('key 0'), get('key 1'), get('key 3'), table.count()]).to.deep.equal([
      'after',
      undefined,
      'before',
      3000,
    ])
    reopen()
    expect([get('key 0'), get('key 1'), get('key 3'), get('new'), table.count()]).to.deep.equal([
      'before',
      'before',
      'before',
      undefined,
      3000,
    ])
  })

  it('takes checkpoints one after the other, empty ones too', async () => {
    set('a', '1')
    await checkpoint('first')
    await checkpoint('second')
    table.delete('a')
    await checkpoint('third')
    reopen()
    expect([meta(), all(), table.count()]).to.deep.equal(['third', [], 0])
  })

  describe('what expires', () => {
    const expiring = (key: string, expiresAt: number | undefined): void =>
      table.set(key, { value: Buffer.from(key), version: 1, expiresAt })

    it('is told in the order of time and then of keys, from memory and from the disk together', async () => {
      for (const [key, at] of [
        ['d', 40],
        ['b', 20],
        ['never', undefined],
        ['c', 20],
      ] as const)
        expiring(key, at)
      await checkpoint('first')
      for (const [key, at] of [
        ['a', 20],
        ['e', 50],
        ['z', 5],
      ] as const)
        expiring(key, at)
      expect(table.expired(4, 10)).to.deep.equal([])
      expect(table.expired(20, 10)).to.deep.equal(['z', 'a', 'b', 'c'])
      expect(table.expired(20, 2)).to.deep.equal(['z', 'a'])
      await checkpoint('second')
      reopen()
      expect(table.expired(100, 10)).to.deep.equal(['z', 'a', 'b', 'c', 'd', 'e'])
      expect(table.count()).to.equal(7)
    })

    it('is told no more of what was deleted, written again or made to live for ever', async () => {
      for (const key of ['a', 'b', 'c', 'd', 'e']) expiring(key, 10)
      await checkpoint('first')
      table.delete('a')
      expiring('b', 30)
      expiring('c', undefined)
      expiring('d', 5)
      expect(table.expired(20, 10)).to.deep.equal(['d', 'e'])
      const done = checkpoint('second')
      expiring('e', 40)
      expect([table.expired(20, 10), table.expired(50, 10)]).to.deep.equal([['d'], ['d', 'b', 'e']])
      await done
      expect(table.expired(50, 10)).to.deep.equal(['d', 'b', 'e'])
      await checkpoint('third')
      reopen()
      expect([table.expired(50, 10), table.count()]).to.deep.equal([['d', 'b', 'e'], 4])
    })

    it('is counted, wherever it stands and whatever becomes of it', async () => {
      const counts = (): readonly number[] => [table.count(), table.expiring()]
      expect(counts()).to.deep.equal([0, 0])
      for (const key of ['a', 'b', 'c', 'd']) expiring(key, 10)
      expiring('never', undefined)
      expect(counts()).to.deep.equal([5, 4])
      await checkpoint('first')
      expect(counts()).to.deep.equal([5, 4])
      // What is replaced is on the disk only; it was looked up before, or not.
      expiring('a', undefined)
      table.head('b')
      expiring('b', undefined)
      table.get('c')
      table.delete('c')
      table.get('d')
      table.delete('not there')
      expiring('d', 20)
      expiring('never', 30)
      expect(counts()).to.deep.equal([4, 2])
      // The same in memory, while what was there is being written.
      const done = checkpoint('second')
      table.delete('d')
      expiring('a', 10)
      expiring('a', 11)
      expiring('never', undefined)
      expect(counts()).to.deep.equal([3, 1])
      await done
      await checkpoint('third')
      reopen()
      expect(counts()).to.deep.equal([3, 1])
      table.clear()
      expect(counts()).to.deep.equal([0, 0])
      expiring('a', 10)
      expect(counts()).to.deep.equal([1, 1])
      await checkpoint('fourth')
      reopen()
      expect(counts()).to.deep.equal([1, 1])
      table.delete('a')
      expect(counts()).to.deep.equal([0, 0])
    })

    it('comes with a snapshot, and goes with the table that it replaces', async () => {
      expiring('old', 10)
      await checkpoint('first')
      table.beginSnapshot()
      table.addSnapshotRows([['new', { value: Buffer.from('new'), version: 1, expiresAt: 20 }]])
      await finishSnapshot('snapshot')
      expect([table.expired(100, 10), table.count(), table.expiring()]).to.deep.equal([['new'], 1, 1])
      const view = table.view()
      expect(view?.rows(undefined, 1000).map(([key, { expiresAt }]) => [key, expiresAt])).to.deep.equal([
        ['new', 20],
      ])
      view?.close()
    })
  })

  describe('removed as a whole', () => {
    it('is empty at once, and after a checkpoint and a restart holds only what was written since', async () => {
      for (const key of ['a', 'b']) table.set(key, { value: Buffer.from('1'), version: 1, expiresAt: 10 })
      await checkpoint('first')
      set('c', '1')
      table.clear()
      expect([all(), table.count(), get('a'), get('c'), table.expired(100, 10)]).to.deep.equal([
        [],
        0,
        undefined,
        undefined,
        [],
      ])
      set('b', '2')
      expect([all(), table.count(), get('b'), get('a')]).to.deep.equal([['b'], 1, '2', undefined])
      await checkpoint('second')
      expect([all(), table.count(), table.expired(100, 10)]).to.deep.equal([['b'], 1, []])
      reopen()
      expect([all(), table.count(), get('b'), table.expired(100, 10), meta()]).to.deep.equal([
        ['b'],
        1,
        '2',
        [],
        'second',
      ])
    })

    it('may happen while a checkpoint is under way, which still holds the moment at which it began', async () => {
      for (let index = 0; index < 3000; index++) set(`key ${index}`, 'before')
      const done = checkpoint('first')
      table.clear()
      set('new', 'after')
      expect([all(), table.count()]).to.deep.equal([['new'], 1])
      await done
      expect([all(), table.count()]).to.deep.equal([['new'], 1])
      reopen()
      expect(table.count()).to.equal(3000)
    })
  })

  it('is walked over in bounded steps, and finds every key that is there', async () => {
    for (let index = 0; index < 100; index++) set(`key ${String(index).padStart(3, '0')}`, 'x')
    await checkpoint('first')
    for (let index = 100; index < 150; index++) set(`key ${index}`, 'x')
    for (let index = 10; index < 80; index++) table.delete(`key 0${index}`)
    const found: string[] = []
    let steps = 0
    let after: string | undefined = ''
    while (after !== undefined) {
      const step = table.walk(after, 7)
      expect(step.keys.length).to.be.at.most(7)
      found.push(...step.keys)
      after = step.next
      expect(++steps).to.be.below(100)
    }
    expect(found).to.deep.equal(all())
    expect(found.length).to.equal(80)
  })

  it('tells how much was written since the last checkpoint began', async () => {
    set('key', 'x'.repeat(1000))
    expect(table.pendingBytes()).to.be.within(1003, 1100)
    const done = checkpoint('first')
    expect(table.pendingBytes()).to.equal(0)
    set('key', 'y'.repeat(500))
    await done
    expect(table.pendingBytes()).to.be.within(503, 600)
  })

  describe('its keys', () => {
    const names = [
      'a',
      'aa',
      'ab',
      'b',
      '\uffff',
      '\u{10000}',
      'zebra',
      'Zebra',
      'é',
      '\u07ff',
      '\u0800',
      '\ue000',
    ]
    const sorted = names.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))

    it('come in the order of their UTF-8 bytes, from memory and from the disk together', async () => {
      for (const name of names.slice(0, 4)) set(name, 'durable')
      await checkpoint('first')
      for (const name of names.slice(4, 8)) set(name, 'being written')
      const done = checkpoint('second')
      for (const name of names.slice(8)) set(name, 'recent')
      expect(all()).to.deep.equal(sorted)
      await done
      expect(all()).to.deep.equal(sorted)
    })

    it('come by a longer beginning, too, whatever was written, deleted and kept before somebody asked', async () => {
      for (const key of ['k0a1:x', 'k0a1:y', 'k0a2:x', 'k0a', 'k0a1']) set(key, '1')
      await checkpoint('meta')
      table.delete('k0a1:y')
      expect(table.keys('k0a1', '', 9)).to.deep.equal(['k0a1', 'k0a1:x'])
      for (const key of ['k0a1:z', 'k0a1:y', 'k0a2:y']) set(key, '2')
      table.delete('k0a1:x')
      table.delete('k0a1:z')
      const check = (): void => {
        expect(table.keys('k0a1', '', 9)).to.deep.equal(['k0a1', 'k0a1:y'])
        expect(table.keys('k0a1:', '', 9)).to.deep.equal(['k0a1:y'])
        expect(table.keys('k0a2:', 'k0a2:x', 9)).to.deep.equal(['k0a2:y'])
        expect(table.keys('k0a3', '', 9)).to.deep.equal([])
      }
      check()
      await checkpoint('meta')
      check()
    })

    it('come page by page, by prefix, without those that were deleted on the way', async () => {
      for (let index = 0; index < 100; index++) set(`in/${String(index).padStart(2, '0')}`, 'x')
      set('im', 'x')
      set('in', 'x')
      set('io', 'x')
      await checkpoint('first')
      for (let index = 0; index < 100; index += 3) table.delete(`in/${String(index).padStart(2, '0')}`)
      set('in/10+', 'x')
      const pages: string[][] = []
      for (let after = ''; ; ) {
        const page = table.keys('in/', after, 7)
        if (page.length === 0) break
        pages.push(page)
        after = page.at(-1) ?? ''
      }
      const expected = Array.from({ length: 100 }, (_, index) => index)
        .filter(index => index % 3 !== 0)
        .map(index => `in/${String(index).padStart(2, '0')}`)
      expected.splice(expected.indexOf('in/11'), 0, 'in/10+')
      expect(pages.flat()).to.deep.equal(expected)
      expect(pages.slice(0, -1).every(page => page.length === 7)).to.equal(true)
      expect(table.keys('in', 'in/98', 10)).to.deep.equal([])
      expect(table.keys('in', 'a', 2)).to.deep.equal(['in', 'in/01'])
      expect(table.keys('nothing', '', 10)).to.deep.equal([])
    })
  })

  describe('a view', () => {
    const read = (view: TableView, bytesMax: number): [string, string | undefined][][] => {
      const pages: [string, string | undefined][][] = []
      for (let after: string | undefined; ; ) {
        const page = view.rows(after, bytesMax)
        if (page.length === 0) return pages
        pages.push(page.map(([key, record]) => [key, text(record)]))
        after = page.at(-1)?.[0]
      }
    }

    it('shows the last checkpoint, in order and in bounded pages, and stays as it is', async () => {
      for (let index = 0; index < 50; index++) set(`key ${String(index).padStart(2, '0')}`, `value ${index}`)
      set('key 05', 'x'.repeat(5000))
      await checkpoint('first')
      const view = table.view()
      if (view === undefined) throw new Error('there is a view')
      set('key 00', 'changed')
      table.delete('key 01')
      await checkpoint('second')
      set('key 02', 'changed')
      await checkpoint('third')
      const pages = read(view, 100)
      expect(Buffer.from(view.meta).toString()).to.equal('first')
      expect(pages.flat().map(([key]) => key)).to.deep.equal(
        Array.from({ length: 50 }, (_, index) => `key ${String(index).padStart(2, '0')}`),
      )
      expect(pages.flat()[0]).to.deep.equal(['key 00', 'value 0'])
      expect(pages.flat()[2]).to.deep.equal(['key 02', 'value 2'])
      expect(pages.length).to.be.greaterThan(5)
      expect(read(view, 1).every(page => page.length === 1)).to.equal(true)
      view.close()
      const later = table.view()
      expect(later && Buffer.from(later.meta).toString()).to.equal('third')
      expect(later && read(later, 1000).flat()[0]).to.deep.equal(['key 00', 'changed'])
      later?.close()
    })
  })

  describe('a snapshot', () => {
    it('is invisible until it is finished, and then replaces everything', async () => {
      set('old', '1')
      await checkpoint('old')
      set('recent', '1')
      table.beginSnapshot()
      table.addSnapshotRows([row('a', '1'), row('b', '2')])
      table.addSnapshotRows([row('c', '3')])
      expect([all(), meta()]).to.deep.equal([['old', 'recent'], 'old'])
      await finishSnapshot('snapshot')
      const check = (): void => {
        expect([all(), meta(), table.count(), get('b')]).to.deep.equal([['a', 'b', 'c'], 'snapshot', 3, '2'])
        expect([table.get('a')?.version, table.pendingBytes()]).to.deep.equal([7, 0])
      }
      check()
      reopen()
      check()
    })

    it('is gone when the process ends before it is finished', async () => {
      set('old', '1')
      await checkpoint('old')
      table.beginSnapshot()
      table.addSnapshotRows([row('a', '1')])
      reopen()
      expect([all(), meta()]).to.deep.equal([['old'], 'old'])
      table.beginSnapshot()
      table.addSnapshotRows([row('b', '1')])
      await finishSnapshot('snapshot')
      expect(all()).to.deep.equal(['b'])
    })

    it('is begun anew when another begins', async () => {
      table.beginSnapshot()
      table.addSnapshotRows([row('a', '1')])
      table.beginSnapshot()
      table.addSnapshotRows([row('b', '1')])
      await finishSnapshot('second')
      expect([all(), table.count()]).to.deep.equal([['b'], 1])
    })

    it('is written on like any other table', async () => {
      table.beginSnapshot()
      table.addSnapshotRows([row('a', '1'), row('b', '1')])
      await finishSnapshot('snapshot')
      set('a', '2')
      table.delete('b')
      set('c', '2')
      await checkpoint('after')
      reopen()
      expect([all(), get('a'), meta(), table.count()]).to.deep.equal([['a', 'c'], '2', 'after', 2])
    })

    it('waits for a checkpoint that is under way', async () => {
      const told: string[] = []
      table.beginSnapshot()
      table.addSnapshotRows([row('a', '1')])
      set('old', '1')
      const checkpointed = checkpoint('checkpoint').then(() => told.push('checkpoint'))
      const finished = finishSnapshot('snapshot').then(() => told.push('snapshot'))
      await Promise.all([checkpointed, finished])
      expect(told).to.deep.equal(['checkpoint', 'snapshot'])
      reopen()
      expect([all(), meta()]).to.deep.equal([['a'], 'snapshot'])
    })

    it('leaves an open view of what it replaced as it was', async () => {
      set('old', '1')
      await checkpoint('old')
      const view = table.view()
      table.beginSnapshot()
      table.addSnapshotRows([row('new', '1')])
      await finishSnapshot('snapshot')
      expect(view?.rows(undefined, 1000).map(([key]) => key)).to.deep.equal(['old'])
      view?.close()
    })

    it('takes no rows when none was begun', () => {
      expect(() => table.addSnapshotRows([row('a', '1')])).to.throw('a snapshot was begun')
    })
  })
}

function text(record: TableRecord | undefined): string | undefined {
  return record && Buffer.from(record.value).toString()
}
