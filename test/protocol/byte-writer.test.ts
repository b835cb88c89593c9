import { expect } from 'chai'
import fc from 'fast-check'
import { ByteWriter } from '../../src/protocol/byte-writer.js'

describe('gathering the replies of a turn', () => {
  it('gives text as UTF-8 and bytes as they are, in their order, whatever their lengths', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 100, size: 'max' }),
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      // Halves of characters have no UTF-8 form, and are written as the language writes them.
      fc.string({ unit: fc.constantFrom('a', '\u0080', '\uffff', '\ud800', '\udc00'), maxLength: 60 }),
    )
    const piece = fc.oneof(text, fc.uint8Array({ maxLength: 100, size: 'max' }))
    fc.assert(
      fc.property(fc.array(fc.array(piece, { maxLength: 8 }), { maxLength: 4 }), takes => {
        const writer = new ByteWriter()
        for (const pieces of takes) {
          for (const each of pieces) {
            if (typeof each === 'string') writer.text(each)
            else writer.bytes(each)
          }
          const expected = Buffer.concat(
            pieces.map(each => (typeof each === 'string' ? Buffer.from(each) : each)),
          )
          expect(writer.length).to.equal(expected.length)
          expect(writer.take().toString('hex')).to.equal(expected.toString('hex'))
          expect(writer.length).to.equal(0)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('leaves its memory to whoever keeps a view of it', () => {
    const writer = new ByteWriter()
    const kept = writer.text('kept').view()
    writer.clear(true)
    writer.text('another')
    expect(kept.toString()).to.equal('kept')
    expect(writer.view().toString()).to.equal('another')
    writer.clear()
    expect(writer.text('third').take().toString()).to.equal('third')
  })

  it('takes what is larger than the memory it begins with', () => {
    const writer = new ByteWriter()
    const large = 'ä'.repeat(40_000)
    writer.text('a').text(large).bytes(Buffer.from(large)).text('z')
    expect(writer.take().toString()).to.equal(`a${large}${large}z`)
  })
})
