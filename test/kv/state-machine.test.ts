import { expect } from 'chai'
import fc from 'fast-check'
import type { Operation } from '../../src/base/operation.js'
import { type Command, encodeCommand } from '../../src/kv/command.js'
import { namedWriteExpiryMs } from '../../src/kv/named-writes.js'
import { encodeProposal, encodeProposals, type Identity } from '../../src/kv/proposal.js'
import { sessionExpiryMs } from '../../src/kv/sessions.js'
import { type Applied, StateMachine } from '../../src/kv/state-machine.js'
import { MemoryTable } from '../../src/storage/memory-table.js'

/** A state machine to which commands come one after the other, each under the next counter of a session. */
class Applier {
  readonly table = new MemoryTable()
  readonly state = new StateMachine(this.table)
  index = 0
  wallMs = 1000
  readonly #counters = new Map<string, number>()

  apply(command: Command, session = 's'): Applied['outcome'] {
    const counter = (this.#counters.get(session) ?? 0) + 1
    this.#counters.set(session, counter)
    return this.applyAs({ session, bornMs: this.wallMs, counter, lowest: 1 }, command)
  }

  applyAs(identity: Identity, command: Command): Applied['outcome'] {
    const data = encodeProposal(this.wallMs, identity, encodeCommand(command))
    let applied: Applied | undefined
    this.state.apply(++this.index, data, told => {
      applied = told
    })
    if (applied === undefined) throw new Error('no command')
    expect(applied.identity).to.deep.equal(identity)
    return applied.outcome
  }

  value(key: string): string | undefined {
    const record = this.state.get(key)
    return record && Buffer.from(record.value).toString()
  }
}

function put(key: string, value: string): Command {
  return { op: 'put', key, value: Buffer.from(value) }
}

function set(key: string, value: string, identity?: string): Command {
  return { op: 'set', key, value: Buffer.from(value), identity }
}

const refused = (code: string): unknown => ({ kind: 'result', result: { kind: 'refused', code } })
const written = (version: number): unknown => ({ kind: 'result', result: { kind: 'written', version } })
/** What `set` comes to: it also says whether the key was there before. */
const wasSet = (version: number, existed: boolean): unknown => ({
  kind: 'result',
  result: { kind: 'written', version, existed },
})

describe('the state machine', () => {
  it('counts within a transaction what expires as the transaction has left it so far', () => {
    const applier = new Applier()
    const lasting = { op: 'set', value: Buffer.from('v'), condition: undefined, previous: false } as const
    const setTo = (key: string, expiry: { after: number } | undefined) => ({ ...lasting, key, expiry })
    const soon = { after: 50_000 }
    const together = (...operations: Operation[]): readonly number[] => {
      const outcome = applier.apply({ op: 'redis', operations, watched: [] })
      const replies = outcome.kind === 'result' && outcome.result.kind === 'replies' && outcome.result.replies
      return (replies || []).flatMap(reply => (reply.kind === 'integer' ? [Number(reply.value)] : []))
    }
    const counts = [{ op: 'dbsize' }, { op: 'expiring' }] as const
    expect(together(setTo('a', soon), setTo('b', soon), setTo('c', undefined), ...counts)).to.deep.equal([
      3, 2,
    ])
    expect(together(setTo('a', undefined), setTo('c', soon), setTo('c', soon), ...counts)).to.deep.equal([
      3, 2,
    ])
    expect(together({ op: 'getdel', key: 'b' }, ...counts)).to.deep.equal([2, 1])
    expect(together({ op: 'flush' }, ...counts, setTo('c', soon), ...counts)).to.deep.equal([0, 0, 1, 1])
    expect([applier.state.count(), applier.state.expiring()]).to.deep.equal([1, 1])
  })

  it('puts only what is not there, updates and deletes only what is, and sets either way', () => {
    const applier = new Applier()
    expect(applier.apply({ op: 'update', key: 'k', value: Buffer.from('0') })).to.deep.equal(
      refused('KEY_NOT_FOUND'),
    )
    expect(applier.apply({ op: 'delete', key: 'k' })).to.deep.equal(refused('KEY_NOT_FOUND'))
    expect(applier.apply(put('k', '1'))).to.deep.equal(written(3))
    expect(applier.apply(put('k', '2'))).to.deep.equal(refused('KEY_EXISTS'))
    expect(applier.value('k')).to.equal('1')
    expect(applier.apply({ op: 'update', key: 'k', value: Buffer.from('3') })).to.deep.equal(written(5))
    expect(applier.apply(set('k', '4'))).to.deep.equal(wasSet(6, true))
    expect(applier.value('k')).to.equal('4')
    expect(applier.apply({ op: 'delete', key: 'k' })).to.deep.equal(written(0))
    expect(applier.value('k')).to.equal(undefined)
    expect(applier.apply(set('k', '5'))).to.deep.equal(wasSet(8, false))
  })

  it('compares the version before it swaps: 0 means that the key must not be there', () => {
    const applier = new Applier()
    const cas = (version: number, value: string): Command => {
      return { op: 'cas', key: 'k', version, value: Buffer.from(value) }
    }
    expect(applier.apply(cas(7, 'a'))).to.deep.equal(refused('KEY_NOT_FOUND'))
    expect(applier.apply(cas(0, 'b'))).to.deep.equal(written(2))
    expect(applier.apply(cas(0, 'c'))).to.deep.equal({
      kind: 'result',
      result: { kind: 'refused', code: 'VERSION_MISMATCH', current: 2 },
    })
    expect(applier.apply(cas(2, 'd'))).to.deep.equal(written(4))
    expect(applier.value('k')).to.equal('d')
  })

  it('applies a write of one identity once, however often it is repeated', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 40 }), counters => {
        const applier = new Applier()
        const applied: number[] = []
        for (const counter of counters) {
          const identity = { session: 's', bornMs: 1000, counter, lowest: 1 }
          const outcome = applier.applyAs(identity, set(`k${counter}`, `${applier.index}`))
          if (outcome.kind === 'result') applied.push(counter)
        }
        expect(applied).to.deep.equal(applied.map((_, position) => position + 1))
      }),
    )
  })

  it('gives a repeat the first answer, also where a second one would be another', () => {
    const applier = new Applier()
    const identity = { session: 's', bornMs: 1000, counter: 1, lowest: 1 }
    const first = applier.applyAs(identity, put('k', '1'))
    const again = applier.applyAs(identity, put('k', '1'))
    expect(again).to.deep.equal({ ...(first as object), kind: 'repeat' })
    expect(applier.state.get('k')?.version).to.equal(1)
  })

  it('refuses a session that it has forgotten, and applies nothing of it', () => {
    const applier = new Applier()
    applier.apply(set('k', '1'))
    applier.wallMs += sessionExpiryMs + 1
    const late = { session: 's', bornMs: 1000, counter: 2, lowest: 1 }
    expect(applier.applyAs(late, set('k', '2'))).to.deep.equal({ kind: 'expired' })
    expect(applier.value('k')).to.equal('1')
  })

  it('carries out a write that its client named once, whoever brings it, for as long as it says', () => {
    const applier = new Applier()
    const name = '7b0d6a52-5c3c-4b8a-9a55-0a4f4d6f8c11'
    expect(applier.apply(set('k', '1', name), 'one node')).to.deep.equal(wasSet(1, false))
    applier.apply(set('k', '2'), 'another')
    expect(applier.apply(set('k', '1', name), 'another')).to.deep.equal(wasSet(1, false))
    expect(applier.value('k')).to.equal('2')
    applier.wallMs += namedWriteExpiryMs + 1
    applier.apply(set('k', '1', name), 'a third')
    expect(applier.value('k')).to.equal('1')
  })

  it('has a clock that never goes back', () => {
    const applier = new Applier()
    applier.apply(set('k', '1'))
    applier.wallMs = 400
    applier.apply(set('k', '2'))
    expect(applier.state.clockMs).to.equal(1000)
    applier.wallMs = 5000
    applier.apply(set('k', '3'))
    expect(applier.state.clockMs).to.equal(5000)
  })

  it('is left as it is by an entry that is no command', () => {
    const applier = new Applier()
    applier.apply(set('k', '1'))
    const before = JSON.stringify(applier.state.save())
    fc.assert(
      fc.property(fc.uint8Array(), bytes => {
        const told: Applied[] = []
        expect(applier.state.apply(2, bytes, applied => told.push(applied))).to.equal(0)
        expect(told).to.deep.equal([])
      }),
    )
    expect(JSON.stringify(applier.state.save())).to.equal(before)
  })

  it('gives each command of an entry a version of its own, above all before it and never below its index', () => {
    const table = new MemoryTable()
    let state = new StateMachine(table)
    let counter = 0
    const versions = (index: number, keys: readonly string[]): unknown => {
      const writes = keys.map(key => ({ counter: ++counter, command: encodeCommand(set(key, 'v')) }))
      const given: unknown[] = []
      for (const { data } of encodeProposals(1000, { session: 's', bornMs: 1000, lowest: 1 }, writes)) {
        const count = state.apply(index, data, ({ outcome }) => {
          if (outcome.kind === 'result' && outcome.result.kind === 'written')
            given.push(outcome.result.version)
        })
        expect(count).to.equal(keys.length)
      }
      return given
    }
    expect(versions(5, ['a', 'b', 'a'])).to.deep.equal([5, 6, 7])
    expect(state.get('a')?.version).to.equal(7)
    expect(versions(6, ['c'])).to.deep.equal([8])
    const saved: unknown = JSON.parse(JSON.stringify(state.save()))
    state = new StateMachine(table)
    state.load(saved)
    expect(versions(7, ['d', 'e'])).to.deep.equal([9, 10])
    expect(versions(20, ['f', 'g'])).to.deep.equal([20, 21])
  })

  it('goes on from a checkpoint that was made when versions were indexes, and told none', () => {
    const table = new MemoryTable()
    const before = new StateMachine(table)
    const identity = { session: 's', bornMs: 1000, counter: 1, lowest: 1 }
    before.apply(7, encodeProposal(1000, identity, encodeCommand(set('a', 'v'))), () => {})
    const { version, ...saved } = before.save() as Record<string, unknown>
    expect(version).to.equal(7)
    const state = new StateMachine(table)
    state.load(JSON.parse(JSON.stringify(saved)))
    state.apply(9, encodeProposal(1000, { ...identity, counter: 2 }, encodeCommand(set('a', 'w'))), () => {})
    expect(state.get('a')?.version).to.equal(9)
  })

  it('goes on from a checkpoint as if nothing had happened', () => {
    const commands = fc.array(
      fc.record({
        key: fc.constantFrom('a', 'b'),
        session: fc.constantFrom('s', 't'),
        counter: fc.integer({ min: 1, max: 8 }),
        wallMs: fc.nat(2 * sessionExpiryMs),
        name: fc.option(fc.constantFrom('first', 'second'), { nil: undefined }),
      }),
      { minLength: 1, maxLength: 40 },
    )
    fc.assert(
      fc.property(commands, fc.nat(), (entries, cut) => {
        const whole = new Applier()
        let resumed = new Applier()
        entries.forEach(({ key, session, counter, wallMs, name }, position) => {
          if (position === cut % entries.length) resumed = restored(resumed)
          for (const applier of [whole, resumed]) applier.wallMs = wallMs
          const identity = { session, bornMs: 0, counter, lowest: 1 }
          const command = set(key, `${position}`, name)
          expect(resumed.applyAs(identity, command)).to.deep.equal(whole.applyAs(identity, command))
        })
        expect(resumed.state.save()).to.deep.equal(whole.state.save())
        expect(resumed.state.get('a')).to.deep.equal(whole.state.get('a'))
      }),
    )
  })
})

/** The same state in another process, that read it from a checkpoint. */
function restored(applier: Applier): Applier {
  const other = new Applier()
  other.index = applier.index
  for (const key of applier.table.keys('', '', 100)) {
    const record = applier.table.get(key)
    if (record !== undefined) other.table.set(key, record)
  }
  other.state.load(JSON.parse(JSON.stringify(applier.state.save())))
  return other
}
