import { expect } from 'chai'
import { ByteWriter } from '../../../src/protocol/byte-writer.js'
import { mapReply, type RespReply, type RespVersion, textReply } from '../../../src/protocol/resp/reply.js'
import { replyBytes, writeReply } from '../../../src/protocol/resp/writer.js'

function written(reply: RespReply, version: RespVersion): string {
  const out = new ByteWriter()
  writeReply(reply, version, out)
  return out.take().toString('latin1')
}

const one: RespReply = { kind: 'integer', value: 1 }

/** Each reply, in RESP2 and in RESP3. */
const examples: readonly (readonly [RespReply, string, string])[] = [
  [{ kind: 'status', text: 'OK' }, '+OK\r\n', '+OK\r\n'],
  [{ kind: 'status', text: 'PONG' }, '+PONG\r\n', '+PONG\r\n'],
  [{ kind: 'error', text: 'ERR two\r\nlines' }, '-ERR two  lines\r\n', '-ERR two  lines\r\n'],
  [{ kind: 'integer', value: -7 }, ':-7\r\n', ':-7\r\n'],
  [{ kind: 'integer', value: 2n ** 63n - 1n }, ':9223372036854775807\r\n', ':9223372036854775807\r\n'],
  [{ kind: 'bytes', value: Buffer.from([0, 13, 10, 255]) }, '$4\r\n\0\r\n\xff\r\n', '$4\r\n\0\r\n\xff\r\n'],
  [{ kind: 'bytes', value: Buffer.alloc(0) }, '$0\r\n\r\n', '$0\r\n\r\n'],
  [{ kind: 'nil' }, '$-1\r\n', '_\r\n'],
  [{ kind: 'nil-array' }, '*-1\r\n', '_\r\n'],
  [{ kind: 'list', items: [] }, '*0\r\n', '*0\r\n'],
  [{ kind: 'array', items: [one, { kind: 'nil' }] }, '*2\r\n:1\r\n$-1\r\n', '*2\r\n:1\r\n_\r\n'],
  [{ kind: 'set', items: [one] }, '*1\r\n:1\r\n', '~1\r\n:1\r\n'],
  [mapReply([['a', one]]), '*2\r\n$1\r\na\r\n:1\r\n', '%1\r\n$1\r\na\r\n:1\r\n'],
  [{ kind: 'verbatim', text: 'hé' }, '$3\r\nh\xc3\xa9\r\n', '=7\r\ntxt:h\xc3\xa9\r\n'],
]

describe('A writer of the Redis protocol', () => {
  for (const [reply, inTwo, inThree] of examples) {
    it(`writes ${reply.kind} as ${JSON.stringify(inTwo)} and ${JSON.stringify(inThree)}`, () => {
      expect(written(reply, 2)).to.equal(inTwo)
      expect(written(reply, 3)).to.equal(inThree)
    })
  }

  it('knows about how large a reply is', () => {
    const large: RespReply = { kind: 'array', items: [textReply('x'.repeat(1000)), mapReply([['a', one]])] }
    expect(replyBytes(large)).to.be.within(1000, 1200)
  })
})
