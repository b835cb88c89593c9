/** Short texts are written as UTF-8 would write them, or not at all. */
import { expect } from 'chai'
import fc from 'fast-check'
import { writeAscii, writeText } from '../../src/base/ascii.js'

describe('writing text character by character', () => {
  it('writes plain characters as UTF-8 does, and nothing beside them', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), fc.nat(5), (text, start) => {
        const bytes = Buffer.alloc(start + text.length + 2, 0xff)
        expect(writeAscii(bytes, start, text)).to.equal(start + text.length)
        const around = [Buffer.alloc(start, 0xff), Buffer.from(text), Buffer.alloc(2, 0xff)]
        expect(bytes.equals(Buffer.concat(around))).to.equal(true)
      }),
    )
  })

  it('writes any text as UTF-8, short or long', () => {
    for (const text of ['', 'key1', 'k\u00e9y', 'x'.repeat(41), `${'x'.repeat(60)}\u20ac`, '\u{1f600}']) {
      const bytes = Buffer.alloc(300)
      const end = writeText(bytes, 3, text)
      expect(bytes.subarray(3, end).toString(), JSON.stringify(text)).to.equal(text)
    }
  })

  it('says no to text that has any other character', () => {
    for (const other of ['\u0080', '\u00e9', '\u20ac', '\u{1f600}', '\ud800', '\uffff']) {
      for (const text of [other, `a${other}`, `${other}a`, `ab${other}cd`])
        expect(writeAscii(Buffer.alloc(10), 0, text), JSON.stringify(text)).to.equal(-1)
    }
  })
})
