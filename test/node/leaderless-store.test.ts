import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { logIndex, term } from '../../src/base/ids.js'
import { openConsensusStore } from '../../src/node/consensus-store.js'
import { type OpenedRows, openLeaderlessStore } from '../../src/node/leaderless-store.js'
import { realClock } from '../../src/node/real-world.js'
import { RecoveryError } from '../../src/replica/saved.js'
import { encodeRowsMeta, type SavedRow } from '../../src/replica/saved-rows.js'
import { MemoryTable } from '../../src/storage/memory-table.js'
import { realDisk } from '../../src/storage/real-disk.js'

const told = {
  clock: realClock,
  segmentBytes: 4096,
  onDiskState: () => {},
  onFailure: (error: Error) => {
    throw error
  },
}

/** Retried, because segments are still being made ahead when a journal is closed. */
function removeAll(directory: string): Promise<void> {
  return rm(directory, { recursive: true, maxRetries: 20, retryDelay: 20 })
}

describe('the store of a leaderless replica', () => {
  let directory: string
  let table: MemoryTable

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'quorate-rows-'))
    table = new MemoryTable()
  })
  afterEach(() => removeAll(directory))

  const open = (): OpenedRows => openLeaderlessStore(realDisk(directory), table, told)

  /** Opens what a crash leaves: the table as it was checkpointed, the journal as it was saved. */
  function reopened({ store }: OpenedRows): OpenedRows {
    store.close()
    table.crash()
    return open()
  }

  function save(
    { store, rows }: OpenedRows,
    from: number,
    ...pairs: [string, string | undefined][]
  ): Promise<void> {
    const saved: SavedRow[] = pairs.map(([rowKey, text], at) => {
      const value = text === undefined ? undefined : Buffer.from(text)
      if (value === undefined) rows.delete(rowKey)
      else rows.set(rowKey, value)
      return { rowKey, value, index: logIndex(from + at) }
    })
    return new Promise((resolve, reject) => {
      store.save(saved, 'inline', error => (error === undefined ? resolve() : reject(error)))
    })
  }

  function checkpoint({ store }: OpenedRows, index: number): Promise<void> {
    return new Promise((resolve, reject) => {
      store.checkpoint(encodeRowsMeta(logIndex(index)), error => (error ? reject(error) : resolve()))
    })
  }

  const held = ({ rows }: OpenedRows): Record<string, string> =>
    Object.fromEntries(rows.keys('', '', 100).map(key => [key, String(rows.get(key))]))

  it('holds after a crash what was saved, in its last state, and goes on counting', async () => {
    const first = open()
    expect([first.saved, held(first)]).to.deep.equal([0, {}])
    await save(first, 1, ['a', '1'], ['b', '1'], ['a', '2'], ['b', undefined])
    const second = reopened(first)
    expect([second.saved, held(second)]).to.deep.equal([4, { a: '2' }])
    await save(second, 5, ['c', '1'])
    const third = reopened(second)
    expect([third.saved, held(third)]).to.deep.equal([5, { a: '2', c: '1' }])
    third.store.close()
  })

  it('needs no more of the journal than what the checkpoint does not hold', async () => {
    const first = open()
    const large = 'x'.repeat(3000)
    for (let index = 1; index <= 8; index++) await save(first, index, [`k${index}`, large])
    await checkpoint(first, 7)
    first.store.compact(7)
    await save(first, 9, ['k1', undefined])
    const second = reopened(first)
    expect(second.saved).to.equal(9)
    expect(Object.keys(held(second))).to.deep.equal(['k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8'])
    expect(second.uncheckpointedBytes).to.be.within(3000, 4000)
    second.store.close()
  })

  it('takes up its count from a checkpoint that is ahead of the journal', async () => {
    const first = open()
    await save(first, 1, ['a', '1'])
    // The table holds rows whose save a crash has cut short.
    first.rows.set('b', Buffer.from('1'))
    await checkpoint(first, 3)
    const second = reopened(first)
    expect([second.saved, held(second)]).to.deep.equal([3, { a: '1', b: '1' }])
    second.store.close()
  })

  it('refuses the journal of the other engine, which refuses this one', async () => {
    const first = open()
    await save(first, 1, ['a', '1'])
    first.store.close()
    expect(() => openConsensusStore(realDisk(directory), new MemoryTable(), told)).to.throw(RecoveryError)
    const other = mkdtempSync(join(tmpdir(), 'quorate-rows-'))
    try {
      const { store } = openConsensusStore(realDisk(other), new MemoryTable(), told)
      const state = { kind: 'state', state: { term: term(1), votedFor: undefined } } as const
      await new Promise<void>(resolve => store.save([state], 'inline', () => resolve()))
      store.close()
      expect(() => openLeaderlessStore(realDisk(other), new MemoryTable(), told)).to.throw(RecoveryError)
    } finally {
      await removeAll(other)
    }
  })
})
