import { expect } from 'chai'
import fc from 'fast-check'
import { LineSplitter, LongLine } from '../../src/protocol/lines.js'

/** Everything a splitter gives for these chunks, as text; an over-long line as `<head>...<tail>` in brackets. */
function cut(chunks: readonly Buffer[], limit: number): string[] {
  const splitter = new LineSplitter(limit)
  const lines: string[] = []
  const add = (line: Buffer | LongLine) =>
    lines.push(
      line instanceof LongLine
        ? `[${line.head.toString('latin1')}...${line.tail.toString('latin1')}]`
        : line.toString('latin1'),
    )
  for (const chunk of chunks) {
    splitter.push(chunk)
    for (let line = splitter.next(); line !== undefined; line = splitter.next()) add(line)
    expect(splitter.hasUnread).to.equal(false)
    expect(splitter.gatheredBytes).to.be.at.most(limit + 1)
  }
  const rest = splitter.end()
  if (rest !== undefined) add(rest)
  expect(splitter.end(), 'a second rest').to.equal(undefined)
  return lines
}

const oneByOne = (bytes: Buffer): Buffer[] => [...bytes].map(byte => Buffer.from([byte]))

describe('cutting bytes into lines', () => {
  const cases: readonly [title: string, input: string, limit: number, lines: readonly string[]][] = [
    ['gives nothing for nothing', '', 10, []],
    ['takes \\n and \\r\\n alike', 'a\nbc\r\n\r\n\n', 10, ['a', 'bc', '', '']],
    ['keeps a carriage return that ends no line', 'a\rb\n\r\r\n', 10, ['a\rb', '\r']],
    ['gives the rest without a newline at the end', 'a\nlast', 10, ['a', 'last']],
    ['takes a carriage return off that rest too', 'a\nlast\r', 10, ['a', 'last']],
    ['takes a line of exactly the limit, with either ending', '12345\n12345\r\n', 5, ['12345', '12345']],
    ['reports a longer line once, in its place', 'a\n123456\nb\n', 5, ['a', '[123456...123456]', 'b']],
    ['reports a longer line without a newline at the end', '1234567', 5, ['[1234567...1234567]']],
    ['does not count a carriage return that is content', '12345\r6\nb\n', 5, ['[12345\r6...12345\r6]', 'b']],
    ['takes a rest of exactly the limit', '12345\r', 5, ['12345']],
  ]
  for (const [title, input, limit, lines] of cases) {
    it(title, () => {
      expect(cut([Buffer.from(input, 'latin1')], limit), 'in one chunk').to.deep.equal(lines)
      expect(cut(oneByOne(Buffer.from(input, 'latin1')), limit), 'one byte at a time').to.deep.equal(lines)
    })
  }

  it('gives the same lines however the bytes are divided', () => {
    const byte = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(0x0a, 0x0d, 0x61) },
      { weight: 1, arbitrary: fc.nat(255) },
    )
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 200 }), fc.array(fc.nat(200)), (bytes, cuts) => {
        const input = Buffer.from(bytes)
        const places = [...new Set([0, ...cuts.filter(place => place < input.length), input.length])]
        places.sort((left, right) => left - right)
        const chunks = places.slice(1).map((place, index) => input.subarray(places[index], place))
        expect(cut(chunks, 8)).to.deep.equal(cut([input], 8))
        // A second opinion: what the language itself makes of the same bytes.
        const expected = input.toString('latin1').split('\n')
        if (expected.at(-1) === '') expected.pop()
        const plain = expected.map(line => (line.endsWith('\r') ? line.slice(0, -1) : line))
        const given = cut(chunks, 1000)
        expect(given).to.deep.equal(plain)
      }),
    )
  })

  it('can be stopped between any two lines, and takes more bytes meanwhile', () => {
    const splitter = new LineSplitter()
    splitter.push(Buffer.from('a\nb\nc'))
    expect(String(splitter.next())).to.equal('a')
    splitter.push(Buffer.from('d\n'))
    splitter.push(Buffer.from('e\n'))
    expect(splitter.hasUnread).to.equal(true)
    expect([splitter.next(), splitter.next(), splitter.next()].map(String)).to.deep.equal(['b', 'cd', 'e'])
    expect(splitter.next()).to.equal(undefined)
    expect(splitter.hasUnread).to.equal(false)
  })

  it('keeps only the beginning and the end of a line that is far too long', () => {
    const splitter = new LineSplitter(1000)
    splitter.push(Buffer.from('POST /'))
    const chunk = Buffer.alloc(64 * 1024, 'x')
    for (let count = 0; count < 1600; count++) {
      splitter.push(chunk)
      expect(splitter.next()).to.equal(undefined)
      expect(splitter.gatheredBytes).to.be.at.most(1001)
    }
    splitter.push(Buffer.from(' HTTP/1.1\r\nb\n'))
    const long = splitter.next()
    expect(long).to.be.instanceOf(LongLine)
    if (!(long instanceof LongLine)) return
    expect(long.head.toString()).to.match(/^POST \/x+$/)
    expect(long.tail.toString()).to.match(/^x+ HTTP\/1\.1$/)
    expect(long.head.length).to.equal(64)
    expect(String(splitter.next())).to.equal('b')
  })

  it('copies nothing of a line that lies within one chunk', () => {
    const splitter = new LineSplitter()
    const chunk = Buffer.from('one\ntwo\n')
    splitter.push(chunk)
    const line = splitter.next()
    expect(line).to.be.instanceOf(Buffer)
    expect(
      line instanceof Buffer && line.buffer === chunk.buffer && line.byteOffset === chunk.byteOffset,
    ).to.equal(true)
  })

  it('gathers a line that comes byte by byte with few copies', () => {
    const splitter = new LineSplitter()
    const bytes = 300_000
    const piece = Buffer.from('x')
    let copied = 0
    const copy = Buffer.prototype.copy
    Buffer.prototype.copy = function (this: Buffer, ...given: Parameters<Buffer['copy']>): number {
      const count = copy.apply(this, given)
      copied += count
      return count
    }
    try {
      for (let count = 0; count < bytes; count++) {
        splitter.push(piece)
        splitter.next()
      }
    } finally {
      Buffer.prototype.copy = copy
    }
    expect(splitter.end()).to.have.length(bytes)
    expect(copied).to.be.within(bytes, bytes * 3)
  })
})
