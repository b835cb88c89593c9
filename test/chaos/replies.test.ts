import { expect } from 'chai'
import { toOutcome } from './replies.js'

describe('What a recorded client makes of a reply', () => {
  const put = { op: 'put', key: 'k', value: 'v' } as const
  const get = { op: 'get', key: 'k' } as const
  const cas = { op: 'cas', key: 'k', version: 3, value: 'v' } as const

  it('is a success only if the reply names what was asked', () => {
    expect(toOutcome(put, 'SUCCESS: k -> v added.')).to.deep.equal({ kind: 'written' })
    expect(toOutcome(put, 'SUCCESS: k -> w added.')).to.equal(undefined)
    expect(toOutcome(get, 'k -> v (version 7)')).to.deep.equal({ kind: 'value', value: 'v', version: 7 })
    expect(toOutcome(get, 'j -> v (version 7)')).to.equal(undefined)
    expect(toOutcome(cas, 'SUCCESS: k -> v set (version 8).')).to.deep.equal({ kind: 'written', version: 8 })
  })

  it('tells errors that did nothing from those that may have', () => {
    expect(toOutcome(put, 'ERROR: Leader unavailable. Retrying...')).to.deep.equal({ kind: 'refused' })
    expect(toOutcome(put, 'ERROR: Outcome unknown. The write may have happened.')).to.deep.equal({
      kind: 'unknown',
    })
    expect(toOutcome(cas, 'ERROR: Version mismatch (current 9).')).to.deep.equal({
      kind: 'mismatch',
      current: 9,
    })
  })

  it('is nothing for an error that the request cannot have', () => {
    expect(toOutcome(put, 'ERROR: Key already exists.')).to.deep.equal({ kind: 'exists' })
    expect(toOutcome(get, 'ERROR: Key already exists.')).to.equal(undefined)
    expect(toOutcome(put, 'ERROR: Key not found.')).to.equal(undefined)
    expect(toOutcome(put, 'ERROR: Line too long (limit 10 bytes).')).to.equal(undefined)
  })
})
