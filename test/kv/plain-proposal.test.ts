import { expect } from 'chai'
import fc from 'fast-check'
import { type Command, encodeCommand, isCommand } from '../../src/kv/command.js'
import { readPlainCommand } from '../../src/kv/plain-command.js'
import { RepeatedText, readPlainProposal } from '../../src/kv/plain-proposal.js'
import { decodeProposal, encodeProposal, encodeProposals, type Proposal } from '../../src/kv/proposal.js'
import { encodeValue } from '../../src/kv/value-codec.js'

const texts = fc.oneof(
  { weight: 3, arbitrary: fc.string({ maxLength: 40 }) },
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom('', '"', '\\', '["set","', '"]]', '\u007f', '\n', '\ufffd'),
)
const values = fc.oneof(
  texts.map(text => Buffer.from(text)),
  fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes)),
)
const commands: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    op: fc.constantFrom('set' as const, 'put' as const, 'update' as const),
    key: texts,
    value: values,
    identity: fc.option(fc.uuid(), { nil: undefined }),
  }),
  fc.record({ op: fc.constant('cas' as const), key: texts, version: fc.nat(), value: values }),
  fc.record({ op: fc.constant('delete' as const), key: texts }),
  fc
    .record({ key: texts, value: values, previous: fc.boolean() })
    .map(({ key, value, previous }): Command => {
      const set = { op: 'set', key, value, condition: undefined, expiry: undefined, previous } as const
      return { op: 'redis', operations: [set], watched: [] }
    }),
)
const identities = fc.record({
  session: fc.stringMatching(/^[\w.-]{1,40}$/),
  bornMs: fc.nat(),
  counter: fc.maxSafeNat(),
  lowest: fc.nat(),
})
/** ASCII without controls: what bytes of it mean does not depend on who looks at strings how closely. */
const printable = fc.string().map(text => Buffer.from(text.replace(/[^\x20-\x7e]/g, 'x')))

/** What is read without looking at JSON. */
function readPlain(bytes: Buffer): Proposal | undefined {
  return readPlainProposal(bytes, new RepeatedText())
}

/** What the bytes are to whoever reads JSON: the space before them is nothing that is ever encoded. */
function readAsJson(bytes: Buffer): unknown {
  return plain(decodeProposal(Buffer.concat([Buffer.from(' '), bytes])))
}

/** The same with bytes as text, and without what is undefined. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('latin1') }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return Object.fromEntries(fields.map(([name, field]) => [name, plain(field)]))
}

describe('the short way to read a command', () => {
  it('is taken by a key and a value of plain text, in each dialect', () => {
    const value = Buffer.from('value 1')
    const set = {
      op: 'set',
      key: 'a',
      value,
      condition: undefined,
      expiry: undefined,
      previous: false,
    } as const
    const plainOnes: Command[] = [
      { op: 'set', key: 'a', value },
      { op: 'put', key: 'ключ', value },
      { op: 'update', key: '', value: Buffer.alloc(0) },
      { op: 'redis', operations: [set], watched: [] },
    ]
    for (const command of plainOnes) {
      const bytes = Buffer.from(encodeCommand(command))
      expect(plain(readPlainCommand(bytes))).to.deep.equal(plain(command))
      const identity = { session: 'node.1', bornMs: 0, counter: 10, lowest: 9 }
      const proposal = Buffer.from(encodeProposal(1_700_000_000_000, identity, bytes))
      expect(readPlain(proposal)?.writes?.identity).to.deep.equal(identity)
    }
  })

  it('knows a session again, and another one from it', () => {
    const session = new RepeatedText()
    const read = (name: string): string | undefined => {
      const identity = { session: name, bornMs: 0, counter: 1, lowest: 1 }
      const command = encodeCommand({ op: 'set', key: 'k', value: Buffer.from('v') })
      return decodeProposal(encodeProposal(1, identity, command), session)?.writes?.identity.session
    }
    session.read(Buffer.from('é'), 0, 2)
    expect(session.read(Buffer.of(0xe9), 0, 1)).to.equal('\ufffd')
    for (const name of ['a', 'a', 'b', 'ba', 'b', '', 'é', 'é', 'Ã©']) expect(read(name)).to.equal(name)
  })

  it('comes to what the long way comes to, whatever the command', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), identities, commands, (wallMs, identity, command) => {
        const bytes = Buffer.from(encodeProposal(wallMs, identity, encodeCommand(command)))
        expect(plain(decodeProposal(bytes))).to.deep.equal({
          wallMs,
          writes: { identity, commands: [plain(command)] },
        })
        expect(readAsJson(bytes)).to.deep.equal(plain(decodeProposal(bytes)))
      }),
      { numRuns: 1000 },
    )
  })

  it('is left by bytes that were damaged so that JSON reads something else in them, or nothing', () => {
    const damage = fc.record({ at: fc.nat(), drop: fc.nat(4), insert: printable })
    const plainText = printable.filter(bytes => bytes.length > 0)
    fc.assert(
      fc.property(identities, plainText, plainText, damage, (identity, key, value, { at, drop, insert }) => {
        const command = encodeCommand({ op: 'set', key: key.toString(), value })
        const whole = Buffer.from(encodeProposal(17, identity, command))
        const from = at % (whole.length + 1)
        const bytes = Buffer.concat([whole.subarray(0, from), insert, whole.subarray(from + drop)])
        expect(plain(decodeProposal(bytes))).to.deep.equal(readAsJson(bytes))
      }),
      { numRuns: 3000 },
    )
  })

  it('finds each command where many stand together, and leaves those that are not plain to whoever reads JSON', () => {
    const header = { session: 's', bornMs: 5, lowest: 2 }
    fc.assert(
      fc.property(fc.array(commands, { minLength: 2, maxLength: 6 }), given => {
        const writes = given.map((command, position) => ({
          counter: 3 + position,
          command: encodeCommand(command),
        }))
        const read = encodeProposals(17, header, writes).flatMap(({ data, first, last }) => {
          const proposal = decodeProposal(data)
          expect(proposal?.wallMs).to.equal(17)
          expect(proposal?.writes?.identity).to.deep.equal({ ...header, counter: first })
          const found = proposal?.writes?.commands ?? []
          expect(found).to.have.length(last - first + 1)
          return found
        })
        expect(read.map(plain)).to.deep.equal(given.map(plain))
      }),
      { numRuns: 500 },
    )
  })

  it('takes many that were damaged for nothing at all, or for as many commands as there are sizes', () => {
    const damage = fc.record({ at: fc.nat(), drop: fc.nat(4), insert: printable })
    const few = fc.array(commands, { minLength: 2, maxLength: 4 })
    let readable = 0
    fc.assert(
      fc.property(identities, few, damage, (identity, given, { at, drop, insert }) => {
        const { counter } = identity
        const writes = given.map((command, position) => ({
          counter: counter + position,
          command: encodeCommand(command),
        }))
        for (const { data } of encodeProposals(17, identity, writes)) {
          const from = at % (data.length + 1)
          const bytes = Buffer.concat([data.subarray(0, from), insert, data.subarray(from + drop)])
          const writesRead = decodeProposal(bytes)?.writes
          if (writesRead === undefined) continue
          readable++
          const [, sizes = '0'] =
            /^\[\d+,"[^"]*",\d+,\d+,\d+,\[([\d,]+)\]/.exec(bytes.toString('latin1')) ?? []
          expect(writesRead.commands).to.have.length(sizes.split(',').length)
        }
      }),
      { numRuns: 2000 },
    )
    expect(readable).to.be.above(100)
  })

  it('is not taken by sizes that do not fit the commands behind them', () => {
    const together = (sizes: string): Buffer =>
      Buffer.from(`[1,"s",0,1,1,${sizes},["set","a","v"],["delete","b"]]`)
    expect(decodeProposal(together('[15,14]'))?.writes?.commands).to.have.length(2)
    for (const sizes of [
      '[15]',
      '[14,15]',
      '[15,14,0]',
      '[15,14,]',
      '[015,14]',
      '[30]',
      '[15,14',
      '[15,15]',
      '[0,15,14]',
    ])
      expect(decodeProposal(together(sizes)), sizes).to.equal(undefined)
  })

  it('is not taken by numbers that JSON does not have, or that might not be exact', () => {
    const proposal = (wallMs: string): Buffer => Buffer.from(`[${wallMs},"s",0,1,1,["set","k","v"]]`)
    for (const number of ['0', '9007199254740991'])
      expect(readPlain(proposal(number))?.wallMs).to.equal(Number(number))
    for (const number of [
      '',
      '00',
      '01',
      '-1',
      '1.5',
      '1e3',
      '9007199254740992',
      '99999999999999999',
      ' 1',
    ]) {
      expect(readPlain(proposal(number)), number).to.equal(undefined)
    }
  })
})

describe('an encoded command', () => {
  it('that is taken from another node can be read in the log, whatever it is', () => {
    const identity = {
      session: 's',
      bornMs: Number.MAX_SAFE_INTEGER,
      counter: Number.MAX_SAFE_INTEGER,
      lowest: Number.MAX_SAFE_INTEGER,
    }
    const damage = fc.record({ at: fc.nat(), drop: fc.nat(2), insert: fc.uint8Array({ maxLength: 2 }) })
    let taken = 0
    fc.assert(
      fc.property(commands, damage, (command, { at, drop, insert }) => {
        const whole = Buffer.from(encodeCommand(command))
        const from = at % (whole.length + 1)
        const bytes = Buffer.concat([whole.subarray(0, from), insert, whole.subarray(from + drop)])
        if (!isCommand(bytes)) return
        taken++
        expect(decodeProposal(encodeProposal(17, identity, bytes))?.writes).to.not.equal(undefined)
      }),
      { numRuns: 2000 },
    )
    expect(taken).to.be.above(100)
  })

  it('is what JSON makes of its parts, byte for byte', () => {
    fc.assert(
      fc.property(commands, command => {
        fc.pre(command.op !== 'redis')
        const { op, key, identity } = command
        const fields: unknown[] = [op, key]
        if (op !== 'delete') fields.push(encodeValue(command.value))
        if (op === 'cas') fields.push(command.version)
        if (identity !== undefined) fields.push({ identity })
        const bytes = Buffer.from(encodeCommand(command))
        expect(bytes.toString()).to.equal(JSON.stringify(fields))
        expect(isCommand(bytes)).to.equal(true)
      }),
      { numRuns: 1000 },
    )
  })
})
