import { expect } from 'chai'
import { decodeLeaderless, encodeLeaderless } from '../../src/replica/leaderless-codec.js'
import type { LeaderlessMessage } from '../../src/replica/leaderless-messages.js'

const messages: readonly LeaderlessMessage[] = [{ kind: 'desk-leave' }, { kind: 'stale', id: 7, fence: 'f' }]

describe('messages of leaderless replicas in a line of the peer channel', () => {
  for (const message of messages) {
    it(`come back as they were: ${message.kind}`, () => {
      const line = Buffer.concat(encodeLeaderless(message))
      expect(line.includes('\n')).to.equal(false)
      expect(decodeLeaderless(line)).to.deep.equal(message)
    })
  }

  it('are not read from anything else', () => {
    for (const text of [
      '',
      'null',
      '[]',
      '{}',
      '{"kind":"nothing"}',
      '{"kind":"stale","id":-1}',
      '{"kind":',
    ]) {
      expect(decodeLeaderless(Buffer.from(text)), text).to.equal(undefined)
    }
  })
})
