import { expect } from 'chai'
import { logIndex } from '../../src/base/ids.js'
import {
  decodeRowsMeta,
  encodeRowsMeta,
  readRowRecord,
  rowRecord,
  type SavedRow,
} from '../../src/replica/saved-rows.js'

/** A row, written to a record and read back. */
function through(row: SavedRow): unknown {
  const { kind, parts } = rowRecord(row)
  return readRowRecord(kind, Buffer.concat(parts))
}

describe('rows in the journal', () => {
  it('come back as they were, removals too', () => {
    const value = Buffer.of(0, 255, 10)
    expect(through({ rowKey: 'r/ключ', value, index: logIndex(7) })).to.deep.equal({
      rowKey: 'r/ключ',
      value,
    })
    expect(through({ rowKey: '', value: Buffer.alloc(0), index: logIndex(7) })).to.deep.equal({
      rowKey: '',
      value: Buffer.alloc(0),
    })
    expect(through({ rowKey: 'a', value: undefined, index: logIndex(8) })).to.deep.equal({
      rowKey: 'a',
      value: undefined,
    })
  })

  it('stand under their own number, by which the journal is compacted', () => {
    expect(rowRecord({ rowKey: 'a', value: undefined, index: logIndex(9) }).index).to.equal(9)
  })

  it('are not read from what is none', () => {
    const { kind, parts } = rowRecord({ rowKey: 'abc', value: undefined, index: logIndex(1) })
    const whole = Buffer.concat(parts)
    for (let length = 0; length < whole.length; length++) {
      expect(readRowRecord(kind, whole.subarray(0, length)), `${length} bytes`).to.equal(undefined)
    }
    for (const other of [1, 2, 3, 4, 5]) expect(readRowRecord(other, whole)).to.equal(undefined)
  })
})

describe('what stands beside a checkpoint of rows', () => {
  it('says up to which row the table holds them', () => {
    expect(decodeRowsMeta(encodeRowsMeta(logIndex(12)))).to.deep.equal({ index: 12 })
  })

  it('is not read from that of the other engine, or from anything else', () => {
    for (const text of ['', '{}', '[]', 'null', '{"engine":"raft","index":3}', '{"index":3,"term":1}']) {
      expect(decodeRowsMeta(Buffer.from(text)), text).to.equal(undefined)
    }
  })
})
