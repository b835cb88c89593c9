import { expect } from 'chai'
import { decodeLeaderless, encodeLeaderless, keysPerErrandMax } from '../../src/replica/leaderless-codec.js'
import type { LeaderlessMessage } from '../../src/replica/leaderless-messages.js'

const messages: readonly LeaderlessMessage[] = [
  { kind: 'desk-leave' },
  { kind: 'desk-keys', id: 7, prefix: 'a', after: 'ключ', limit: 10 },
  { kind: 'desk-keys-found', id: 7, keys: ['a', 'ключ'] },
]

describe('errands of people in a line of the peer channel', () => {
  for (const message of messages) {
    it(`come back as they were: ${message.kind}`, () => {
      const line = Buffer.concat(encodeLeaderless(message))
      expect(line.includes('\n')).to.equal(false)
      expect(decodeLeaderless(line)).to.deep.equal(message)
    })
  }

  it('are not read from anything else', () => {
    const bad = [
      '',
      'null',
      '[]',
      '{"kind":"desk-keys"}',
      '{"kind":"desk-keys","id":-1,"prefix":"","after":"","limit":1}',
      `{"kind":"desk-keys","id":1,"prefix":"","after":"","limit":${keysPerErrandMax + 1}}`,
      '{"kind":"desk-keys-found","id":1,"keys":[1]}',
      '{"kind":"desk-keys-found","id":1}',
      '{"kind":"nothing"}',
    ]
    for (const text of bad) expect(decodeLeaderless(Buffer.from(text)), text).to.equal(undefined)
  })
})
