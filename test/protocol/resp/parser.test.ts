import { expect } from 'chai'
import fc from 'fast-check'
import { Chunks } from '../../../src/protocol/chunks.js'
import {
  BrokenProtocol,
  LargeRequest,
  type ParsedRequest,
  RespParser,
  RespRequest,
  wordsMax,
} from '../../../src/protocol/resp/parser.js'

const limits = { wordBytesMax: 100, requestBytesMax: 200 }

/** A request as clients send it. */
function request(...words: (string | Uint8Array)[]): Buffer {
  const parts = words.map(word => {
    const bytes = Buffer.from(word)
    return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')])
  })
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts])
}

/** Everything that a parser makes of the chunks; it stops where the protocol is broken. */
function parse(chunks: readonly Uint8Array[], within = limits): ParsedRequest[] {
  const input = new Chunks()
  const parser = new RespParser(input, within)
  const found: ParsedRequest[] = []
  for (const chunk of chunks) {
    input.push(Buffer.from(chunk))
    for (let next = parser.next(); next !== undefined; next = parser.next()) {
      found.push(next)
      if (next instanceof BrokenProtocol) return found
    }
  }
  return found
}

/** What is shown of them. */
function shown(found: readonly ParsedRequest[]): (string[] | string)[] {
  return found.map(one => {
    if (one instanceof RespRequest) return one.words.map(word => word.toString('latin1'))
    return one instanceof BrokenProtocol ? one.text : one.kind
  })
}

function bytesOf(data: Buffer): Buffer[] {
  return Array.from(data, (_, at) => data.subarray(at, at + 1))
}

describe('A parser of the Redis protocol', () => {
  it('reads pipelined requests, in one piece or byte by byte', () => {
    const data = Buffer.concat([request('PING'), request('SET', 'key1', 'a value'), request('GET', '')])
    const expected = [['PING'], ['SET', 'key1', 'a value'], ['GET', '']]
    expect(shown(parse([data]))).to.deep.equal(expected)
    expect(shown(parse(bytesOf(data)))).to.deep.equal(expected)
  })

  it('gives the same words, bytes 0 to 255, whatever the pieces they come in', () => {
    const word = fc.uint8Array({ maxLength: 60 })
    const requests = fc.array(fc.array(word, { minLength: 1, maxLength: 3 }), { maxLength: 5 })
    fc.assert(
      fc.property(requests, fc.array(fc.integer({ min: 1, max: 40 })), (all, sizes) => {
        const data = Buffer.concat(all.map(words => request(...words)))
        const pieces: Buffer[] = []
        let position = 0
        for (const size of sizes) {
          pieces.push(data.subarray(position, position + size))
          position += size
        }
        pieces.push(data.subarray(position))
        const latin1 = all.map(words => words.map(bytes => Buffer.from(bytes).toString('latin1')))
        expect(shown(parse(pieces))).to.deep.equal(latin1)
      }),
    )
  })

  it('reads the same from one piece as byte by byte, also where a few bytes are wrong', () => {
    const word = fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.uint8Array({ minLength: 90, maxLength: 110 }))
    const words = fc.oneof(
      fc.array(word, { maxLength: 5 }),
      fc.array(fc.constant(Buffer.from('w')), { minLength: 60, maxLength: 70, size: 'max' }),
    )
    const telling = fc.constantFrom(...Buffer.from('*$\r\n-0123456789'))
    const change = fc.record({ at: fc.nat(400), to: telling, isExtra: fc.boolean() })
    fc.assert(
      fc.property(
        fc.array(words, { minLength: 1, maxLength: 4 }),
        fc.array(change, { maxLength: 3 }),
        (requests, changes) => {
          const bytes = [...Buffer.concat(requests.map(each => request(...each)))]
          for (const { at, to, isExtra } of changes) bytes.splice(at % bytes.length, isExtra ? 0 : 1, to)
          const data = Buffer.from(bytes)
          // What follows a request is told apart by its first byte elsewhere; here everything is one.
          const whole = parse([data])
          const single = parse(bytesOf(data))
          expect(shown(whole)).to.deep.equal(shown(single))
          const sizes = (found: readonly ParsedRequest[]) =>
            found.map(one => (one instanceof RespRequest ? one.bytes : undefined))
          expect(sizes(whole)).to.deep.equal(sizes(single))
        },
      ),
      { numRuns: 1500 },
    )
  })

  it('copies no word that lies within one chunk', () => {
    const data = request('SET', 'key1', 'v'.repeat(90))
    const [one] = parse([data])
    const again = new Chunks()
    again.push(data)
    const direct = new RespParser(again, limits).next()
    expect(one).to.be.instanceOf(RespRequest)
    expect(direct instanceof RespRequest && direct.words.every(word => word.buffer === data.buffer)).to.equal(
      true,
    )
  })

  it('passes over empty requests, as Redis does', () => {
    expect(shown(parse([Buffer.from('*0\r\n*-1\r\n'), request('PING')]))).to.deep.equal([[], [], ['PING']])
  })

  it('drops a request that is over a limit, and goes on behind it', () => {
    const large = request('SET', 'key1', 'v'.repeat(101))
    const many = request('MSET', ...Array.from({ length: 5 }, () => 'w'.repeat(50)))
    for (const chunks of [
      [large, many, request('PING')],
      bytesOf(Buffer.concat([large, many, request('PING')])),
    ]) {
      const found = parse(chunks)
      expect(found.slice(0, 2).every(one => one instanceof LargeRequest)).to.equal(true)
      expect(shown(found.slice(2))).to.deep.equal([['PING']])
    }
    expect(shown(parse([request('w'.repeat(100))]))).to.deep.equal([['w'.repeat(100)]])
  })

  it('takes no memory for a length that was only announced', () => {
    const before = process.memoryUsage().arrayBuffers
    const waiting = Array.from({ length: 200 }, () => {
      const chunks = new Chunks()
      const parser = new RespParser(chunks, { wordBytesMax: 2 ** 20, requestBytesMax: 2 ** 20 })
      chunks.push(Buffer.from('*2\r\n$1048576\r\nab'))
      expect(parser.next()).to.equal(undefined)
      return parser
    })
    expect(process.memoryUsage().arrayBuffers - before).to.be.below(2 ** 20)
    expect(waiting.every(parser => parser.isWithinRequest)).to.equal(true)
  })

  for (const [bytes, text] of Object.entries({
    '*x\r\n': 'invalid multibulk length',
    '*\r\n': 'invalid multibulk length',
    '*-\r\n': 'invalid multibulk length',
    '*1\n$4\nPING\n': 'invalid multibulk length',
    '*1\rx': 'invalid multibulk length',
    [`*${wordsMax + 1}\r\n`]: 'invalid multibulk length',
    '*99999999999999999999\r\n': 'invalid multibulk length',
    '*1\r\nPING\r\n': "expected '$', got 'P'",
    '*1\r\n\0': "expected '$', got '?'",
    '*1\r\n$x\r\n': 'invalid bulk length',
    '*1\r\n$-1\r\n': 'invalid bulk length',
    '*1\r\n$536870913\r\n': 'invalid bulk length',
    '*1\r\n$4\r\nPINGX\r\n': 'invalid bulk length',
    '*1\r\n$4\r\nPING\rX': 'invalid bulk length',
  })) {
    it(`says in Redis's words what is wrong with ${JSON.stringify(bytes)}`, () => {
      const expected = [`ERR Protocol error: ${text}`]
      expect(shown(parse([Buffer.from(bytes, 'latin1')]))).to.deep.equal(expected)
      expect(shown(parse(bytesOf(Buffer.from(bytes, 'latin1'))))).to.deep.equal(expected)
    })
  }

  it('makes something of any bytes, and holds nothing between requests', () => {
    const junk = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 20 }),
        fc.constantFrom('*1\r\n', '$3\r\n', '*', '$', '\r\n', '3', '-').map(Buffer.from),
      ),
      { maxLength: 20 },
    )
    fc.assert(
      fc.property(junk, parts => {
        const data = Buffer.concat([Buffer.from('*'), ...parts])
        expect(shown(parse(bytesOf(data)))).to.deep.equal(shown(parse([data])))
      }),
    )
    const chunks = new Chunks()
    const parser = new RespParser(chunks, limits)
    chunks.push(request('PING'))
    parser.next()
    expect(parser.isWithinRequest).to.equal(false)
    expect(chunks.first).to.equal(undefined)
  })
})
