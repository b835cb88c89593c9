import { expect } from 'chai'
import fc from 'fast-check'
import { logIndex, term } from '../../src/base/ids.js'
import { errorText } from '../../src/protocol/errors.js'
import { decodeMessage, encodeMessage } from '../../src/replica/codec.js'
import type { ConsensusMessage } from '../../src/replica/messages.js'
import { messages } from './messages.js'

function lineOf(message: ConsensusMessage): Buffer {
  return Buffer.concat(encodeMessage(message))
}

function decodeText(text: string): ConsensusMessage | undefined {
  return decodeMessage(Buffer.from(text))
}

/** The same with bytes as text and nothing undefined, so that it can be compared. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return Object.fromEntries(fields.map(([name, field]) => [name, plain(field)]))
}

describe('the codec of messages', () => {
  it('gives back every message', () => {
    fc.assert(
      fc.property(messages, message => {
        expect(plain(decodeMessage(lineOf(message)))).to.deep.equal(plain(message))
      }),
      { numRuns: 1000 },
    )
  })

  it('makes one line of JSON of every message', () => {
    fc.assert(
      fc.property(messages, message => {
        const line = lineOf(message).toString()
        expect(line).to.not.include('\n')
        expect((JSON.parse(line) as { kind: string }).kind).to.equal(message.kind)
      }),
    )
  })

  it('puts the bytes of an entry into the line as they are', () => {
    const data = Buffer.from('[1,"s",0,1,1,["put","k","v"]]')
    const parts = encodeMessage({
      kind: 'append',
      term: term(3),
      previousIndex: logIndex(4),
      previousTerm: term(2),
      commit: logIndex(4),
      round: 0,
      entries: [{ index: logIndex(5), term: term(3), kind: 'command', data }],
      health: undefined,
    })
    expect(parts.includes(data), 'the very same bytes').to.equal(true)
  })

  it('refuses any line that it did not make, and never throws', () => {
    expect(decodeText('')).to.equal(undefined)
    for (const text of ['null', '7', '[]', '{}', '{"kind":"append"}', '{"kind":"timeout-now","term":-1}']) {
      expect(decodeText(text), text).to.equal(undefined)
    }
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map(text => Buffer.from(text)),
        ),
        line => {
          expect(decodeMessage(line)).to.equal(undefined)
        },
      ),
    )
  })

  it('never throws at a line that was damaged on the way', () => {
    const damage = fc.record({ at: fc.nat(), drop: fc.nat(6), insert: fc.uint8Array({ maxLength: 6 }) })
    fc.assert(
      fc.property(messages, damage, (message, { at, drop, insert }) => {
        const line = lineOf(message)
        const from = at % (line.length + 1)
        decodeMessage(Buffer.concat([line.subarray(0, from), insert, line.subarray(from + drop)]))
      }),
      { numRuns: 2000 },
    )
  })

  it('never throws at a message in which a field is something else', () => {
    fc.assert(
      fc.property(messages, fc.nat(), fc.jsonValue(), (message, at, strange) => {
        const fields = JSON.parse(lineOf(message).toString()) as Record<string, unknown>
        const names = Object.keys(fields)
        fields[names[at % names.length] ?? ''] = strange
        decodeText(JSON.stringify(fields))
      }),
      { numRuns: 1000 },
    )
  })

  it('refuses keys and errors in an answer that could not be shown', () => {
    const answer = (response: unknown): ConsensusMessage | undefined =>
      decodeText(JSON.stringify({ kind: 'query-reply', id: 1, response }))
    expect(answer({ kind: 'keys', keys: ['a'], more: false })).to.not.equal(undefined)
    expect(answer({ kind: 'keys', keys: [{ toString: 1 }], more: false })).to.equal(undefined)
    expect(answer({ kind: 'error', code: 'BUSY' })).to.not.equal(undefined)
    for (const code of ['NO_SUCH_CODE', 'toString', 7]) {
      expect(answer({ kind: 'error', code }), String(code)).to.equal(undefined)
    }
    for (const details of [null, 7, { node: {} }, { node: { toString: 1 } }]) {
      expect(answer({ kind: 'error', code: 'NODE_EXISTS', details }), JSON.stringify(details)).to.equal(
        undefined,
      )
    }
  })

  it('gives only answers that have a text', () => {
    fc.assert(
      fc.property(messages, fc.jsonValue(), (message, details) => {
        fc.pre(message.kind === 'query-reply')
        const fields = JSON.parse(lineOf(message).toString()) as { response: Record<string, unknown> }
        fields.response['details'] = details
        const decoded = decodeText(JSON.stringify(fields))
        if (decoded?.kind !== 'query-reply' || decoded.response.kind !== 'error') return
        expect(errorText(decoded.response.code, decoded.response.details)).to.be.a('string')
      }),
    )
  })
})
