import { expect } from 'chai'
import fc from 'fast-check'
import { bornItems, mergedValue, ruleFor } from '../../src/ring/merge-rules.js'
import { plainRecord, readRecord, textOfRecord } from '../../src/ring/record-code.js'
import { type Dot, type KeyRecord, noPast } from '../../src/ring/versions.js'

const comma = 0x2c

describe('Items of a cart that are not text', () => {
  for (const prefix of ['cart', 'xcart']) {
    it(`of ${prefix} come out of a merge as the bytes they were`, () => {
      expect(merged(prefix, [[0, 0xff, comma, 0xfe], [0xff]])).to.deep.equal(['00ff', 'fe', 'ff'])
    })

    it(`of ${prefix} stay apart from each other, and from text`, () => {
      const item = fc
        .uint8Array({ minLength: 1, maxLength: 4 })
        .map(bytes => bytes.filter(at => at !== comma))
      const value = fc.array(item, { maxLength: 3 })
      fc.assert(
        fc.property(value, value, (left, right) => {
          const values = [left, right].map(items => items.flatMap(bytes => [comma, ...bytes]))
          const expected = [...left, ...right].filter(({ length }) => length > 0).map(hexOf)
          expect(merged(prefix, values)).to.deep.equal([...new Set(expected)].sort())
        }),
      )
    })
  }

  it('keep the bytes of text that is not ASCII', () => {
    const values = ['Käse,牛奶', 'œufs'].map(text => [...Buffer.from(text)])
    expect(merged('xcart', values)).to.deep.equal(
      ['Käse', 'œufs', '牛奶'].map(text => hexOf(Buffer.from(text))),
    )
  })
})

/** The items of two values that were written without knowing of each other, each in hexadecimal. */
function merged(prefix: string, values: readonly (readonly number[])[]): string[] {
  const rule = ruleFor(prefix)
  if (rule === undefined) throw new Error('there is a rule for carts')
  const record = values.map((bytes, at) => {
    const dot: Dot = { actor: `r${at}.0`, count: 1 }
    const value = Buffer.from(bytes)
    const items = rule.keepsBirths ? bornItems(value, dot, noPast, []) : undefined
    return { dot, past: noPast, value, writtenMs: 0, identity: undefined, items }
  })
  const kept: KeyRecord | undefined = readRecord(JSON.parse(textOfRecord(record)))
  if (kept === undefined) throw new Error(`not a record: ${JSON.stringify(plainRecord(record))}`)
  const value = Buffer.from(mergedValue(rule, kept)?.value ?? '')
  // One character for each byte.
  const items = value.toString('latin1').split(',')
  return [...new Set(items)]
    .filter(item => item !== '')
    .map(item => hexOf(Buffer.from(item, 'latin1')))
    .sort()
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
