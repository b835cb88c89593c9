import { expect } from 'chai'
import { type NodeId, nodeId, term } from '../../src/base/ids.js'
import { encodeCommand } from '../../src/kv/command.js'
import { decodeProposal, encodeProposal, type Identity } from '../../src/kv/proposal.js'
import { sessionExpiryMs } from '../../src/kv/sessions.js'
import { StateMachine } from '../../src/kv/state-machine.js'
import { Intake, type TakenIn } from '../../src/replica/intake.js'
import type { Forward } from '../../src/replica/messages.js'
import { MemoryTable } from '../../src/storage/memory-table.js'

const origin = nodeId('origin')

/** The leader of term 7 with an open office: its intake, its log so far, and its state machine. */
class Office {
  readonly state = new StateMachine(new MemoryTable())
  readonly intake = new Intake(term(7))
  readonly proposals: Uint8Array[] = []
  wallMs = 1_000_000
  isDiskFull = false
  /** How many more proposals are taken. */
  room = Number.POSITIVE_INFINITY
  #applied = 0
  #sequence = 0

  forward(counters: readonly number[], changes: Partial<Forward> = {}): Forward {
    return {
      kind: 'forward',
      term: term(7),
      sequence: ++this.#sequence,
      session: 's',
      bornMs: 1_000_000,
      lowest: 1,
      writes: counters.map(counter => ({ counter, command: commandOf(counter) })),
      ...changes,
    }
  }

  take(forward: Forward, from: NodeId = origin): TakenIn | undefined {
    return this.intake.take(from, forward, this.wallMs, this.state, this.isDiskFull, data => {
      if (this.room-- <= 0) return false
      this.proposals.push(data)
      return true
    })
  }

  /** The counters proposed, in order. */
  get proposed(): (number | undefined)[] {
    return this.proposals.flatMap(data => {
      const writes = decodeProposal(data)?.writes
      return writes?.commands.map((_, position) => writes.identity.counter + position) ?? [undefined]
    })
  }

  /** Applies what was proposed, and what is given. */
  apply(): void {
    while (this.#applied < this.proposals.length) {
      const data = this.proposals[this.#applied++]
      if (data === undefined) continue
      this.state.apply(this.#applied, data, ({ identity, outcome }) => {
        if (outcome.kind !== 'result') throw new Error('every write has a result')
        this.intake.noteResult(identity.session, identity.counter, outcome.result)
      })
    }
  }

  /** An earlier leader's proposal was applied before this office opened. */
  applyEarlier(identity: Identity): void {
    this.state.apply(1, encodeProposal(this.wallMs, identity, commandOf(identity.counter)), () => {})
  }
}

function commandOf(counter: number): Uint8Array {
  return encodeCommand({ op: 'set', key: `k${counter}`, value: Buffer.from('v') })
}

describe('the intake of forwarded writes', () => {
  it('proposes writes in the order of their numbers, each once, however often they are sent', () => {
    const office = new Office()
    expect(office.take(office.forward([1, 2]))).to.deep.equal({ known: [], refused: undefined })
    office.take(office.forward([1, 2, 3]))
    expect(office.proposed).to.deep.equal([1, 2, 3])
    const identity = { session: 's', bornMs: 1_000_000, counter: 3, lowest: 1 }
    const last = decodeProposal(office.proposals[1] ?? Buffer.alloc(0))
    expect([last?.wallMs, last?.writes?.identity]).to.deep.equal([1_000_000, identity])
  })

  it('takes nothing behind a gap, so that no write overtakes the one before it', () => {
    const office = new Office()
    const late = office.forward([1, 2])
    const taken = office.take(office.forward([3]))
    expect(taken?.refused).to.deep.include({ reason: 'gap', next: 1, session: 's', sequence: 2 })
    expect(office.proposed).to.deep.equal([])
    // Having said that 1 and 2 were not proposed, it does not propose them for the message that was late.
    expect(office.take(late)).to.equal(undefined)
    office.take(office.forward([1, 2, 3]))
    expect(office.proposed).to.deep.equal([1, 2, 3])
  })

  it('passes over what the sender gave up', () => {
    const office = new Office()
    office.take(office.forward([1]))
    office.take(office.forward([4, 5], { lowest: 4 }))
    expect(office.proposed).to.deep.equal([1, 4, 5])
  })

  it('takes no forward that is for the leader of another term', () => {
    const office = new Office()
    expect(office.take(office.forward([1], { term: term(6) }))).to.equal(undefined)
    expect(office.take(office.forward([1], { term: term(8) }))).to.equal(undefined)
    expect(office.proposed).to.deep.equal([])
  })

  it('answers a repeat of what an earlier leader proposed with its result, and proposes the rest', () => {
    const office = new Office()
    office.applyEarlier({ session: 's', bornMs: 1_000_000, counter: 1, lowest: 1 })
    const taken = office.take(office.forward([1, 2]))
    expect(taken?.known).to.deep.equal([[1, { kind: 'written', version: 1, existed: false }]])
    expect(office.proposed).to.deep.equal([2])
  })

  it('refuses a session that was forgotten, or will be, when its first write comes', () => {
    const office = new Office()
    const bornMs = office.wallMs - sessionExpiryMs - 1
    const taken = office.take(office.forward([1], { bornMs }))
    expect(taken?.refused).to.deep.include({ reason: 'expired', next: 1, clockMs: office.wallMs })
    // It is as good an answer to what comes behind, which would otherwise be sent again before it is refused.
    expect(office.take(office.forward([2], { bornMs }))?.refused).to.deep.include({ reason: 'expired' })
    expect(office.proposed).to.deep.equal([])
  })

  it('says from which number on it proposed nothing when it is busy or its disk is full', () => {
    const office = new Office()
    office.room = 1
    office.take(office.forward([1]))
    expect(office.take(office.forward([1, 2, 3]))?.refused).to.deep.include({ reason: 'busy', next: 2 })
    office.isDiskFull = true
    expect(office.take(office.forward([1, 2, 3]))?.refused).to.deep.include({ reason: 'disk-full', next: 2 })
    expect(office.proposed).to.deep.equal([1])
  })

  it('says that its disk is full also to a forward that comes behind one it refused', () => {
    const office = new Office()
    office.isDiskFull = true
    expect(office.take(office.forward([1, 2]))?.refused).to.deep.include({ reason: 'disk-full', next: 1 })
    expect(office.take(office.forward([3, 4]))?.refused).to.deep.include({ reason: 'disk-full', next: 1 })
  })

  it('says that it is busy also to a forward that comes behind one it refused, until that comes again', () => {
    const office = new Office()
    office.room = 0
    expect(office.take(office.forward([1, 2]))?.refused).to.deep.include({ reason: 'busy', next: 1 })
    expect(office.take(office.forward([3, 4]))?.refused).to.deep.include({ reason: 'busy', next: 1 })
    office.room = 2
    office.take(office.forward([1, 2]))
    expect(office.take(office.forward([4]))?.refused).to.deep.include({ reason: 'gap', next: 3 })
  })

  it('gathers the results for each node and session until they are taken', () => {
    const office = new Office()
    const other = nodeId('other')
    office.take(office.forward([1, 2]))
    office.take(office.forward([1], { session: 't' }), other)
    office.apply()
    const results = office.intake.takeResults()
    expect([...results.keys()]).to.deep.equal([origin, other])
    expect(results.get(origin)?.get('s')).to.deep.equal([
      [1, { kind: 'written', version: 1, existed: false }],
      [2, { kind: 'written', version: 2, existed: false }],
    ])
    expect(results.get(other)?.get('t')).to.deep.equal([[1, { kind: 'written', version: 3, existed: true }]])
    expect(office.intake.takeResults().size).to.equal(0)
  })
})
