import { expect } from 'chai'
import fc from 'fast-check'
import { type Command, encodeCommand, isCommand } from '../../src/kv/command.js'
import {
  decodeProposal,
  encodeProposal,
  encodeProposals,
  encodeTime,
  type Identity,
  isSessionName,
} from '../../src/kv/proposal.js'
import { decodeValue, encodeValue } from '../../src/kv/value-codec.js'

const keys = fc.string({ unit: 'grapheme', minLength: 1 })
const values = fc.oneof(
  fc.uint8Array().map(bytes => Buffer.from(bytes)),
  fc.string({ unit: 'grapheme' }).map(text => Buffer.from(text)),
)
const names = fc.option(fc.uuid(), { nil: undefined })
const commands: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    op: fc.constantFrom('put' as const, 'update' as const, 'set' as const),
    key: keys,
    value: values,
    identity: names,
  }),
  fc.record({ op: fc.constant('delete' as const), key: keys, identity: names }),
  fc.record({
    op: fc.constant('cas' as const),
    key: keys,
    version: fc.nat(),
    value: values,
    identity: names,
  }),
)
const identities: fc.Arbitrary<Identity> = fc.record({
  session: fc.stringMatching(/^[\w.-]{1,100}$/),
  bornMs: fc.nat(),
  counter: fc.nat(),
  lowest: fc.nat(),
})

describe('the encoding of commands', () => {
  it('gives back every command with its identity, whatever the key and the bytes of the value', () => {
    fc.assert(
      fc.property(fc.nat(), identities, commands, (wallMs, identity, command) => {
        const data = encodeProposal(wallMs, identity, encodeCommand(command))
        const decoded = decodeProposal(data)
        expect(decoded?.wallMs).to.equal(wallMs)
        expect(decoded?.writes?.identity).to.deep.equal(identity)
        expect(decoded?.writes?.commands.map(plain)).to.deep.equal([plain(command)])
      }),
    )
  })

  it('puts writes of a session into one entry as long as their numbers follow and they are not too many', () => {
    const header = { session: 's', bornMs: 1, lowest: 1 }
    const set = (bytes: number): Uint8Array =>
      encodeCommand({ op: 'set', key: 'k', value: Buffer.alloc(bytes, 'v') })
    const large = encodeCommand({
      op: 'redis',
      operations: [{ op: 'append', key: 'k', value: Buffer.from('v') }],
      watched: [],
    })
    const spans = (writes: readonly (readonly [counter: number, command: Uint8Array])[]): unknown =>
      encodeProposals(
        17,
        header,
        writes.map(([counter, command]) => ({ counter, command })),
      ).map(({ first, last }) => [first, last])
    expect(spans([])).to.deep.equal([])
    expect(spans([1, 2, 3].map(counter => [counter, set(1)]))).to.deep.equal([[1, 3]])
    expect(spans([1, 2, 4, 5].map(counter => [counter, set(1)]))).to.deep.equal([
      [1, 2],
      [4, 5],
    ])
    expect(spans([1, 2, 3, 4, 5].map(counter => [counter, set(30_000)]))).to.deep.equal([
      [1, 2],
      [3, 4],
      [5, 5],
    ])
    expect(spans([1, 2].map(counter => [counter, set(100_000)]))).to.deep.equal([
      [1, 1],
      [2, 2],
    ])
    // What a few bytes of it make may be large, so that more is carried out in one go than a node should.
    expect(
      spans([
        [1, set(1)],
        [2, large],
        [3, set(1)],
        [4, set(1)],
      ]),
    ).to.deep.equal([
      [1, 1],
      [2, 2],
      [3, 4],
    ])
  })

  it('tells the time alone where nothing else is to be told', () => {
    expect(decodeProposal(encodeTime(17))).to.deep.equal({ wallMs: 17, writes: undefined })
  })

  it('is one line of JSON, readable where the value is text', () => {
    const value = Buffer.from('two\nlines')
    const encoded = encodeCommand({ op: 'put', key: 'key "1"', value })
    expect(Buffer.from(encoded).toString()).to.equal('["put","key \\"1\\"","two\\nlines"]')
    fc.assert(
      fc.property(commands, command => {
        expect(Buffer.from(encodeCommand(command)).includes('\n')).to.equal(false)
      }),
    )
  })

  it('keeps bytes that are not UTF-8, and those that look like what replaces them', () => {
    for (const bytes of [Buffer.from([0xff, 0x00]), Buffer.from('\ufffd'), Buffer.from('\ufeffbom')]) {
      const carried: unknown = JSON.parse(JSON.stringify(encodeValue(bytes)))
      expect(decodeValue(carried)).to.deep.equal(bytes)
    }
  })

  it('takes nothing else for a command, and never throws', () => {
    const good = Buffer.from(encodeCommand({ op: 'cas', key: 'k', version: 1, value: Buffer.from('v') }))
    expect(isCommand(good)).to.equal(true)
    for (const text of [
      '',
      '[]',
      '{}',
      'null',
      '["put"]',
      '["put","k"]',
      '["put",1,"v"]',
      '["get","k","v"]',
    ]) {
      expect(isCommand(Buffer.from(text)), text).to.equal(false)
    }
    for (const text of [
      '["cas","k","v"]',
      '["cas","k","v","1"]',
      '["put","k",{"base64":1}]',
      good.toString('hex'),
    ]) {
      expect(isCommand(Buffer.from(text)), text).to.equal(false)
    }
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map(text => Buffer.from(text)),
        ),
        bytes => {
          decodeProposal(bytes)
          isCommand(bytes)
        },
      ),
    )
  })

  it('is not taken for a proposal when it is cut short anywhere', () => {
    const identity = { session: 's', bornMs: 1, counter: 2, lowest: 1 }
    const command = encodeCommand({ op: 'set', key: 'k', value: Buffer.from('v') })
    const whole = encodeProposal(5, identity, command)
    expect(decodeProposal(whole)).to.not.equal(undefined)
    for (let length = 0; length < whole.length; length++) {
      expect(decodeProposal(whole.subarray(0, length)), `${length} bytes`).to.equal(undefined)
    }
  })

  it('takes as a session name only what needs no escape in JSON', () => {
    expect(['a', 'node-1.0a_F', 'x'.repeat(100)].every(isSessionName)).to.equal(true)
    expect(['', 'x'.repeat(101), 'a"b', 'a b', 'a\n', 'é', 7, undefined].some(isSessionName)).to.equal(false)
  })
})

/** The same with the value as a plain array, and without what is undefined. */
function plain(command: Command | undefined): unknown {
  if (command === undefined || command.op === 'delete' || command.op === 'redis') return { ...command }
  return { ...command, value: [...command.value] }
}
