import { expect } from 'chai'
import { type ErrorCode, errors } from '../../../src/protocol/errors.js'
import { failure } from '../../../src/protocol/request.js'
import { failureReply, prefixOf, retriedPrefixes } from '../../../src/protocol/resp/failures.js'

// The keys of a literal object are known; the library's type for `Object.keys` is wider on purpose.
const codes = Object.keys(errors) as ErrorCode[]

describe('An error in the Redis protocol', () => {
  it('begins with a word that clients repeat a command for only where it certainly did nothing', () => {
    const repeated = codes.filter(code => retriedPrefixes.has(prefixOf(code)))
    expect(repeated).to.include.members(['LEADER_UNAVAILABLE', 'BUSY', 'STOPPING'])
    for (const code of repeated) expect(errors[code].definite, code).to.equal(true)
  })

  it('that leaves the outcome open begins with no word that any client knows', () => {
    const known = [
      'MOVED',
      'ASK',
      'TRYAGAIN',
      'CLUSTERDOWN',
      'LOADING',
      'READONLY',
      'BUSY',
      'MASTERDOWN',
      'UNBLOCKED',
    ]
    for (const code of codes.filter(name => !errors[name].definite))
      expect(known).not.to.include(prefixOf(code))
    expect(failureReply(failure('OUTCOME_UNKNOWN'))).to.deep.equal({
      kind: 'error',
      text: 'OUTCOMEUNKNOWN Outcome unknown. The write may have happened.',
    })
  })

  it('has one word in capitals, and the text of the one table', () => {
    for (const code of codes) expect(prefixOf(code), code).to.match(/^[A-Z]+$/)
    expect(failureReply(failure('LINE_TOO_LONG', { limit: 7 }))).to.deep.equal({
      kind: 'error',
      text: 'ERR Line too long (limit 7 bytes).',
    })
  })
})
