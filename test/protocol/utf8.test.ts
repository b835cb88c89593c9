import { expect } from 'chai'
import fc from 'fast-check'
import { isUtf8 } from '../../src/protocol/utf8.js'

function isUtf8ForTheLanguage(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}

describe('recognising UTF-8', () => {
  const refused: Readonly<Record<string, readonly number[]>> = {
    'a lone continuation byte': [0x80],
    'an overlong slash': [0xc0, 0xaf],
    'an overlong three-byte form': [0xe0, 0x9f, 0xbf],
    'a surrogate': [0xed, 0xa0, 0x80],
    'an overlong four-byte form': [0xf0, 0x8f, 0xbf, 0xbf],
    'a character beyond the last': [0xf4, 0x90, 0x80, 0x80],
    'a character cut short': [0x61, 0xe2, 0x82],
    'a byte that never occurs': [0xff],
  }
  for (const [name, bytes] of Object.entries(refused)) {
    it(`refuses ${name}`, () => expect(isUtf8(Uint8Array.from(bytes))).to.equal(false))
  }

  it('takes every character, first and last of each length', () => {
    for (const code of [0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff]) {
      expect(isUtf8(Buffer.from(String.fromCodePoint(code))), code.toString(16)).to.equal(true)
    }
  })

  it('agrees with the decoder of the language on any bytes', () => {
    const telling = fc.constantFrom(0x61, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2, 0xe0, 0xed, 0xf0, 0xf4)
    const short = fc.array(fc.oneof(telling, fc.nat(255)), { maxLength: 8 })
    const ascii = { arbitrary: fc.nat(127), weight: 12 }
    const long = fc.array(fc.oneof(ascii, telling), { maxLength: 60, size: 'max' })
    fc.assert(
      fc.property(fc.oneof(short, long), list => {
        const input = Uint8Array.from(list)
        expect(isUtf8(input)).to.equal(isUtf8ForTheLanguage(input))
      }),
      { numRuns: 5000 },
    )
  })

  it('looks only at the part it is asked about', () => {
    const bytes = Uint8Array.from([0xff, 0x61, 0xc3, 0xa4, 0xff])
    expect(isUtf8(bytes, 1, 4)).to.equal(true)
    expect(isUtf8(bytes, 1, 3), 'a character that is cut by the end').to.equal(false)
  })
})
