import { expect } from 'chai'
import fc from 'fast-check'
import { logIndex, nodeId, term } from '../../src/base/ids.js'
import { encodeConfiguration, firstConfiguration } from '../../src/raft/configuration.js'
import type { Log, LogPosition } from '../../src/raft/log.js'
import { beginning } from '../../src/raft/raft.js'
import type { Entry } from '../../src/raft/types.js'
import {
  entryRecords,
  Recovery,
  RecoveryError,
  resetRecord,
  type SavedRecord,
  stateRecord,
} from '../../src/replica/saved.js'

function recover(records: readonly SavedRecord[]): Recovery {
  const recovery = new Recovery()
  for (const { kind, index, parts } of records) recovery.replay(kind, index, Buffer.concat(parts))
  return recovery
}

function entry(index: number, entryTerm: number, data = `${index}@${entryTerm}`): Entry {
  return { index: logIndex(index), term: term(entryTerm), kind: 'command', data: Buffer.from(data) }
}

function entries(...places: [index: number, entryTerm: number][]): SavedRecord[] {
  return places.flatMap(([index, entryTerm]) => entryRecords([entry(index, entryTerm)]))
}

function at(index: number, positionTerm: number): LogPosition {
  return { index: logIndex(index), term: term(positionTerm) }
}

/** What a log holds, as text. */
function contents(log: Log): string[] {
  const all = log.slice(logIndex(log.base.index + 1), Number.POSITIVE_INFINITY)
  return all.map(({ data }) => Buffer.from(data).toString())
}

function contentsAfter(base: LogPosition, records: readonly SavedRecord[]): string[] {
  return contents(recover(records).log(base, undefined))
}

describe('the recovery of what a consensus replica saved', () => {
  it('starts with nothing where nothing was saved', () => {
    const recovery = recover([])
    expect(recovery.state).to.deep.equal({ term: 0, votedFor: undefined })
    const log = recovery.log(beginning, undefined)
    expect([log.lastIndex, log.configuration.members]).to.deep.equal([0, []])
  })

  it('gives back entries of every kind, durable, and the last term and vote', () => {
    const configuration = firstConfiguration(
      [{ id: nodeId('a'), address: 'h:1', peerAddress: 'h:2' }],
      'linearizable',
    )
    const saved: Entry[] = [
      { index: logIndex(1), term: term(1), kind: 'no-op', data: Buffer.alloc(0) },
      { index: logIndex(2), term: term(1), kind: 'configuration', data: encodeConfiguration(configuration) },
      { index: logIndex(3), term: term(2 ** 40), kind: 'command', data: Buffer.from([0, 255, 10]) },
    ]
    const recovery = recover([
      stateRecord({ term: term(1), votedFor: nodeId('a') }),
      ...entryRecords(saved),
      stateRecord({ term: term(2), votedFor: undefined }),
    ])
    const log = recovery.log(beginning, undefined)
    expect(log.slice(logIndex(1), Number.POSITIVE_INFINITY)).to.deep.equal(saved)
    expect([log.stable, log.configuration]).to.deep.equal([3, configuration])
    expect(recovery.state).to.deep.equal({ term: 2, votedFor: undefined })
  })

  it('lets a later entry replace the one at its place, and all that followed that one', () => {
    const records = entries([1, 1], [2, 1], [3, 1], [2, 2])
    expect(contentsAfter(beginning, records)).to.deep.equal(['1@1', '2@2'])
    expect(contentsAfter(beginning, [...records, ...entries([1, 3])])).to.deep.equal(['1@3'])
  })

  it('leaves out what the table holds already', () => {
    const records = entries([1, 1], [2, 1], [3, 2])
    expect(contentsAfter(at(2, 1), records)).to.deep.equal(['3@2'])
    expect(contentsAfter(at(3, 2), records)).to.deep.equal([])
    expect(contentsAfter(at(9, 2), records), 'a snapshot took the table further').to.deep.equal([])
  })

  it('follows a snapshot over the entries that it covers', () => {
    expect(contentsAfter(at(9, 2), [...entries([1, 1], [2, 1]), ...entries([10, 2], [11, 2])])).to.deep.equal(
      ['10@2', '11@2'],
    )
    const contradicted = [...entries([8, 1], [9, 1], [10, 1]), resetRecord(at(9, 2)), ...entries([10, 2])]
    expect(contentsAfter(at(9, 2), contradicted)).to.deep.equal(['10@2'])
  })

  it('drops entries that contradict the table', () => {
    expect(contentsAfter(at(2, 2), entries([1, 1], [2, 1], [3, 1]))).to.deep.equal([])
  })

  it('refuses to start where entries between the table and the log are missing', () => {
    expect(() => contentsAfter(at(2, 1), entries([4, 1]))).to.throw(RecoveryError, 'begins at entry 4')
    expect(contentsAfter(at(2, 1), entries([3, 1]))).to.deep.equal(['3@1'])
  })

  it('refuses records of a kind that it does not know, instead of passing over them', () => {
    expect(() => recover([{ kind: 99, index: 1, parts: [Buffer.alloc(8)] }])).to.throw(
      RecoveryError,
      'kind 99',
    )
  })

  it('finds the log as it was after each batch, whatever was truncated and written anew', () => {
    const steps = fc.array(fc.record({ back: fc.nat(5), count: fc.integer({ min: 1, max: 4 }) }), {
      maxLength: 20,
    })
    fc.assert(
      fc.property(steps, batches => {
        const records: SavedRecord[] = []
        let model: string[] = []
        batches.forEach(({ back, count }, position) => {
          model = model.slice(0, Math.max(0, model.length - back))
          const batch = Array.from({ length: count }, (_, added) =>
            entry(model.length + 1 + added, position + 1),
          )
          records.push(...entryRecords(batch))
          model.push(...batch.map(({ data }) => Buffer.from(data).toString()))
          expect(contentsAfter(beginning, records)).to.deep.equal(model)
        })
      }),
    )
  })
})
