import { expect } from 'chai'
import fc from 'fast-check'
import { nodeId } from '../../src/base/ids.js'
import { compareEpochs, noEpoch, plainEpoch, readEpoch } from '../../src/ring/epochs.js'
import { isAbove } from '../../src/ring/leading.js'
import { readMessage } from '../../src/ring/message-check.js'
import { digestOf, plainRecord, readRecord } from '../../src/ring/record-code.js'
import { compareOrder, joinRecords, type KeyRecord, noPast, type Version } from '../../src/ring/versions.js'

/** Two leaders may take one epoch, but a dot names one write. */
const version: fc.Arbitrary<Version> = fc
  .record({
    epoch: fc.integer({ min: 1, max: 3 }),
    actor: fc.constantFrom('a.0', 'b.0', 'b.1'),
    count: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ epoch, actor, count }) => ({
    dot: { actor: `${actor}${epoch}`, count },
    past: noPast,
    value: count === 2 ? undefined : Buffer.from(`${actor} ${epoch} ${count}`),
    writtenMs: 0,
    identity: count === 3 ? `name of ${actor}` : undefined,
    items: undefined,
    order: { epoch, existed: count > 1 },
  }))
const record: fc.Arbitrary<KeyRecord> = fc.oneof(
  fc.constant([]),
  version.map(one => [one]),
)

describe('versions with an order', () => {
  it('join to the highest, in whatever order they meet', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 5 }), records => {
        const forwards = records.reduce(joinRecords)
        const backwards = [...records].reverse().reduce(joinRecords)
        expect(digestOf('key', forwards)).to.equal(digestOf('key', backwards))
        expect(joinRecords(forwards, backwards)).to.deep.equal(forwards)
        const all = records.flat()
        expect(forwards).to.have.length(all.length === 0 ? 0 : 1)
        const [top] = forwards
        for (const one of all) if (top !== undefined) expect(compareOrder(top, one)).to.be.at.least(0)
      }),
    )
  })

  it('come back as they were written', () => {
    fc.assert(
      fc.property(record, one => {
        const plain: unknown = JSON.parse(JSON.stringify(plainRecord(one)))
        expect(readRecord(plain)).to.deep.equal(one)
      }),
    )
  })

  it('are refused with an order that is none', () => {
    const plain = (order: unknown): unknown => [['a.0', 1, [[], []], 'v', 0, null, null, order]]
    expect(readRecord(plain([1, false]))).to.have.length(1)
    for (const order of [null, [], [1], [-1, true], [1.5, true], [2 ** 50, true], [1, 'yes'], 'x']) {
      expect(readRecord(plain(order)), JSON.stringify(order)).to.equal(undefined)
    }
  })

  it('are above a mark by epoch, then by count', () => {
    const one: Version = {
      dot: { actor: 'a.0', count: 5 },
      past: noPast,
      value: undefined,
      writtenMs: 0,
      identity: undefined,
      items: undefined,
      order: { epoch: 3, existed: true },
    }
    expect(isAbove(one, { epoch: 2, count: Number.POSITIVE_INFINITY })).to.equal(true)
    expect(isAbove(one, { epoch: 3, count: 4 })).to.equal(true)
    expect(isAbove(one, { epoch: 3, count: 5 })).to.equal(false)
    expect(isAbove(one, { epoch: 4, count: 0 })).to.equal(false)
  })
})

describe('epochs', () => {
  it('have one order, with the node where the numbers are the same', () => {
    const [one, other] = [nodeId('one'), nodeId('other')]
    expect(compareEpochs({ number: 2, node: one }, { number: 1, node: other })).to.be.above(0)
    expect(compareEpochs({ number: 1, node: one }, { number: 1, node: other })).to.be.below(0)
    expect(compareEpochs({ number: 1, node: one }, { number: 1, node: one })).to.equal(0)
    expect(compareEpochs(noEpoch, { number: 1, node: one })).to.be.below(0)
  })

  it('come back as they were written, and nothing else does', () => {
    const epoch = { number: 7, node: nodeId('one') }
    expect(readEpoch(plainEpoch(epoch))).to.deep.equal(epoch)
    for (const plain of [undefined, null, 7, [7], [7, ''], [-1, 'one'], [2 ** 60, 'one'], ['7', 'one']]) {
      expect(readEpoch(plain), JSON.stringify(plain)).to.equal(undefined)
    }
  })
})

describe('messages to and from a leader', () => {
  const ask = { kind: 'ask', id: 1, start: 's', lowest: 1, fence: 's.0', verb: 'set', key: 'k', value: 'v' }
  const whole = { ...ask, identity: 'name', ticks: 100 }

  it('are taken where they are whole', () => {
    expect(readMessage(whole)).to.deep.equal(whole)
    const gathered = { kind: 'gathered', id: 1, fence: 's.0', record: [], lacking: null, epoch: [1, 'one'] }
    expect(readMessage(gathered)).to.deep.equal(gathered)
    const asked = { kind: 'asked', id: 1, answer: { kind: 'changed', existed: true, copies: 2, version: 7 } }
    expect(readMessage(asked)).to.deep.equal(asked)
  })

  it('are refused where they are not', () => {
    for (const spoilt of [
      { ...whole, verb: 'drop' },
      { ...whole, key: '' },
      { ...whole, ticks: -1 },
      { kind: 'gather', id: 1, key: 'k', fence: 's.0', epoch: 1 },
      { kind: 'gathered', id: 1, fence: 's.0', record: [], lacking: [7], epoch: [1, 'one'] },
      { kind: 'asked', id: 1, answer: { kind: 'changed', existed: 1, copies: 2, version: 7 } },
      { kind: 'asked', id: 1, answer: { kind: 'done' } },
      { kind: 'compared', id: 1, differing: [], covered: [['one', ['x']]] },
    ]) {
      expect(readMessage(spoilt), JSON.stringify(spoilt)).to.equal(undefined)
    }
  })
})
