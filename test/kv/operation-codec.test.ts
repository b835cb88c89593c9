import { expect } from 'chai'
import fc from 'fast-check'
import type { Operation, Reply } from '../../src/base/operation.js'
import { decodeOperation, encodeOperation } from '../../src/kv/operation-codec.js'
import { decodeReplies, decodeResult, encodeReply, encodeResult } from '../../src/kv/result-codec.js'
import { dataCommands } from '../../src/protocol/resp/data-commands.js'

/** Words with which every command can be read in every form; what does not fit is refused when it is read. */
const forms: readonly (readonly string[])[] = [
  [],
  ['k'],
  ['k', '\xff\x00'],
  ['k', '5'],
  ['k', '5', '\xff\x00'],
  ['k', '5', '7'],
  ['k', 'v', 'NX', 'GET', 'PX', '9'],
  ['k', 'v', 'XX', 'KEEPTTL'],
  ['k', 'v', 'EXAT', '9'],
  ['k', 'EX', '9'],
  ['k', 'PERSIST'],
  ['k', '-5', 'GT'],
  ['k', '5', 'XX', 'LT'],
  ['k', 'v', 'l', 'w'],
  ['0', 'MATCH', 'a*', 'COUNT', '7', 'TYPE', 'string'],
]
const operations: readonly Operation[] = Object.values(dataCommands).flatMap(row =>
  forms.flatMap(words => {
    const isRead = row.arity < 0 ? words.length + 1 >= -row.arity : words.length + 1 === row.arity
    const read = isRead ? row.parse(words.map(word => Buffer.from(word, 'latin1'))) : undefined
    return read === undefined || 'kind' in read ? [] : [read]
  }),
)
const throughJson = (plain: unknown): unknown => JSON.parse(JSON.stringify(plain)) as unknown

describe('operations in the log', () => {
  it('come out as they went in, whatever command they were read from', () => {
    expect(new Set(operations.map(({ op }) => op)).size).to.equal(25)
    for (const operation of operations) {
      const decoded = decodeOperation(throughJson(encodeOperation(operation)))
      expect(decoded, operation.op).to.deep.equal(operation)
    }
  })

  it('are refused where a field is missing or something else, instead of being carried out in part', () => {
    for (const operation of operations) {
      const plain = throughJson(encodeOperation(operation)) as Record<string, unknown>
      for (const [name, value] of Object.entries(plain)) {
        for (const wrong of [null, { base64: 7 }, [[]], Number.NaN, 0.5, '\0 strange']) {
          if (typeof value === typeof wrong && typeof wrong === 'string' && isFreeText(name)) continue
          if (name === 'value' && typeof wrong === 'string') continue
          expect(decodeOperation({ ...plain, [name]: wrong }), `${operation.op} ${name}`).to.equal(undefined)
        }
      }
    }
    for (const other of [null, 7, 'get', [], {}, { op: 'none' }, { op: 'constructor' }, { op: 7 }]) {
      expect(decodeOperation(other)).to.equal(undefined)
    }
  })
})

describe('replies in messages and checkpoints', () => {
  const reply = fc.letrec<{ reply: Reply }>(tie => ({
    reply: fc.oneof(
      { maxDepth: 3 },
      fc.constant<Reply>({ kind: 'nil' }),
      fc.record({
        kind: fc.constantFrom('status' as const, 'error' as const),
        text: fc.string().filter(isOneLine),
      }),
      fc.record({
        kind: fc.constant('integer' as const),
        value: fc.oneof(fc.maxSafeInteger(), fc.bigInt(2n ** 53n, 2n ** 63n - 1n)),
      }),
      fc.record({
        kind: fc.constant('bytes' as const),
        value: fc.uint8Array().map(bytes => Buffer.from(bytes)),
      }),
      fc.record({ kind: fc.constant('list' as const), items: fc.array(tie('reply'), { maxLength: 4 }) }),
    ),
  })).reply

  it('come out as they went in, byte by byte and digit by digit', () => {
    fc.assert(
      fc.property(fc.array(reply), replies => {
        expect(decodeReplies(throughJson(replies.map(encodeReply)))).to.deep.equal(replies)
        const result = { kind: 'replies', replies } as const
        expect(decodeResult(throughJson(encodeResult(result)))).to.deep.equal(result)
      }),
    )
  })

  it('are refused where they are anything else', () => {
    const strange = [
      null,
      7,
      {},
      { kind: 'list' },
      { kind: 'integer', value: 'x' },
      { kind: 'integer', value: 0.5 },
    ]
    for (const one of [
      ...strange,
      { kind: 'bytes', value: 7 },
      { kind: 'status' },
      { kind: 'error', text: 'ERR\r\n+OK' },
    ]) {
      expect(decodeReplies([one])).to.equal(undefined)
      expect(decodeResult({ kind: 'replies', replies: [one] })).to.equal(undefined)
      expect(decodeResult(one)).to.equal(undefined)
    }
  })
})

function isOneLine(text: string): boolean {
  return !/[\r\n]/.test(text)
}

/** Fields in which any text may stand. */
function isFreeText(name: string): boolean {
  return ['key', 'by', 'from', 'to', 'pattern', 'cursor'].includes(name)
}

describe('results in messages and checkpoints', () => {
  it('keep whether the key was there before, where that was said', () => {
    for (const result of [
      { kind: 'written', version: 7 },
      { kind: 'written', version: 7, existed: false },
      { kind: 'written', version: 7, existed: true },
      { kind: 'refused', code: 'KEY_EXISTS' },
      { kind: 'refused', code: 'VERSION_MISMATCH', current: 7 },
      { kind: 'refused', code: 'TOO_LARGE', limit: 7 },
    ] as const) {
      expect(decodeResult(throughJson(encodeResult(result)))).to.deep.equal(result)
    }
    expect(decodeResult({ kind: 'written', version: 7, existed: 'yes' })).to.equal(undefined)
  })
})
