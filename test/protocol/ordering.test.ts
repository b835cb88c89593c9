import { expect } from 'chai'
import fc from 'fast-check'
import { AssertionError } from '../../src/base/assert.js'
import { Ordering, type RequestKind, Ticket } from '../../src/protocol/ordering.js'

class Named extends Ticket {
  readonly name: string

  constructor(name: string, kind: RequestKind, replies: 'in-order' | 'overtaking') {
    super(kind, replies)
    this.name = name
  }
}

/** An ordering of named requests, told as scripts. */
function connection() {
  const ordering = new Ordering<Named>()
  const requests = new Map<string, Named>()
  const namesOf = (items: readonly Named[]) => items.map(({ name }) => name).join(' ')
  const all = (next: () => Named | undefined) => {
    const items: Named[] = []
    for (let item = next(); item !== undefined; item = next()) items.push(item)
    return namesOf(items)
  }
  return {
    ordering,
    /** Pushes requests given as `name:kind`, with `!` behind a kind whose reply may overtake. */
    push(asked: string) {
      for (const request of asked.split(' ')) {
        const [name = '', spelled = ''] = request.split(':')
        const kind = spelled.replace('!', '') as RequestKind
        const replies = spelled.endsWith('!') ? 'overtaking' : 'in-order'
        const item = new Named(name, kind, replies)
        requests.set(name, item)
        ordering.push(item)
      }
    },
    starts: () => all(() => ordering.start()),
    leaves: () => all(() => ordering.leave()),
    underWay: () => namesOf(ordering.underWay()),
    answer(names: string) {
      for (const name of names.split(' ')) ordering.answered(requests.get(name) as Named)
    },
  }
}

describe('the order of one connection', () => {
  it('has consecutive writes under way together, and lets their replies leave in order', () => {
    const { push, starts, answer, leaves } = connection()
    push('a:write b:write c:write')
    expect(starts()).to.equal('a b c')
    answer('c b')
    expect(leaves()).to.equal('')
    answer('a')
    expect(leaves()).to.equal('a b c')
  })

  it('lets a read wait for the writes before it, and a write for the reads', () => {
    const { push, starts, answer } = connection()
    push('w1:write w2:write r1:read r2:read w3:write r3:read')
    expect(starts()).to.equal('w1 w2')
    answer('w1')
    expect(starts()).to.equal('')
    answer('w2')
    expect(starts()).to.equal('r1 r2')
    answer('r2 r1')
    expect(starts()).to.equal('w3')
    answer('w3')
    expect(starts()).to.equal('r3')
  })

  it('lets an administrative request be alone', () => {
    const { push, starts, answer } = connection()
    push('w:write a:admin b:admin r:read')
    expect(starts()).to.equal('w')
    answer('w')
    expect(starts()).to.equal('a')
    answer('a')
    expect(starts()).to.equal('b')
    answer('b')
    expect(starts()).to.equal('r')
  })

  it('lets a session request neither wait nor hold up, though its reply keeps its place', () => {
    const { push, starts, answer, leaves } = connection()
    push('w1:write help:session w2:write')
    answer('help')
    expect(starts()).to.equal('w1 w2')
    answer('w2')
    expect(leaves()).to.equal('')
    answer('w1')
    expect(leaves()).to.equal('w1 help w2')
  })

  it('lets replies overtake where that is allowed, but not effects', () => {
    const { push, starts, answer, leaves } = connection()
    push('text:read j1:read! j2:read! j3:write!')
    expect(starts()).to.equal('text j1 j2')
    answer('j2')
    expect(leaves()).to.equal('j2')
    answer('j1')
    expect(starts()).to.equal('')
    expect(leaves()).to.equal('j1')
    answer('text')
    expect(starts()).to.equal('j3')
    expect(leaves()).to.equal('text')
  })

  it('does not hold up a reply for an earlier one that may overtake', () => {
    const { push, starts, answer, leaves } = connection()
    push('j:read! t:read')
    expect(starts()).to.equal('j t')
    answer('t')
    expect(leaves()).to.equal('t')
    answer('j')
    expect(leaves()).to.equal('j')
  })

  it('counts what has not left and what is under way', () => {
    const { ordering, push, starts, answer, leaves } = connection()
    push('a:write b:read')
    expect([ordering.size, ordering.running]).to.deep.equal([2, 0])
    starts()
    expect([ordering.size, ordering.running]).to.deep.equal([2, 1])
    answer('a')
    expect([ordering.size, ordering.running]).to.deep.equal([2, 0])
    leaves()
    expect(ordering.size).to.equal(1)
  })

  it('takes an answer to what was not started, or a second answer, for a mistake of ours', () => {
    const { push, starts, answer } = connection()
    push('a:write')
    expect(() => answer('a')).to.throw(AssertionError)
    starts()
    answer('a')
    expect(() => answer('a')).to.throw(AssertionError)
  })

  it('knows what was started and not answered, wherever it stands', () => {
    const { push, starts, answer, leaves, underWay } = connection()
    push('a:read help:session j:read! b:read j2:read! w:write')
    expect(underWay()).to.equal('')
    starts()
    answer('a b j2')
    expect(leaves()).to.equal('j2 a')
    expect(underWay()).to.equal('j')
    answer('help')
    expect(leaves()).to.equal('help b')
    expect(underWay()).to.equal('j')
    answer('j')
    starts()
    expect(underWay()).to.equal('w')
  })

  it('keeps all of its promises whatever comes in whatever order', () => {
    class Asked extends Ticket {
      readonly number: number

      constructor(number: number, kind: RequestKind, isOvertaking: boolean) {
        super(kind, isOvertaking ? 'overtaking' : 'in-order')
        this.number = number
      }
    }
    const kind = fc.constantFrom<RequestKind>('read', 'read', 'write', 'write', 'walk', 'admin', 'session')
    const action = fc.oneof(
      fc.record({ push: kind, overtaking: fc.boolean() }),
      fc.record({ answer: fc.nat(1000) }),
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60, size: 'max' }), actions => {
        const ordering = new Ordering<Asked>()
        const pushed: Asked[] = []
        const started: Asked[] = []
        const running: Asked[] = []
        const answered: Asked[] = []
        const left: Asked[] = []
        const settle = () => {
          for (let ticket = ordering.start(); ticket !== undefined; ticket = ordering.start()) {
            started.push(ticket)
            running.push(ticket)
            const together = running.filter(each => each.kind !== 'session')
            const kinds = new Set(together.map(each => each.kind))
            expect(kinds.size, 'kinds under way').to.equal(1)
            if (kinds.has('admin') || kinds.has('walk')) expect(together).to.have.length(1)
          }
          for (let ticket = ordering.leave(); ticket !== undefined; ticket = ordering.leave())
            left.push(ticket)
        }
        const answer = (place: number) => {
          const [ticket] = running.splice(place % running.length, 1)
          if (ticket === undefined) return
          answered.push(ticket)
          ordering.answered(ticket)
        }
        for (const step of actions) {
          if ('push' in step) {
            const item = new Asked(pushed.length, step.push, step.overtaking)
            pushed.push(item)
            ordering.push(item)
            if (step.push === 'session') running.push(item)
          } else if (running.length > 0) {
            answer(step.answer)
          }
          settle()
          expect(ordering.size).to.equal(pushed.length - left.length)
          const asked = running.filter(item => item.kind !== 'session')
          const numbers = (items: readonly Asked[]) => items.map(({ number }) => number).sort((a, b) => a - b)
          expect(numbers(ordering.underWay()), 'under way').to.deep.equal(numbers(asked))
        }
        while (running.length > 0) {
          answer(0)
          settle()
        }
        expect(started, 'started in order').to.deep.equal(pushed.filter(item => item.kind !== 'session'))
        const inOrder = (items: Asked[]) => items.filter(item => !item.isOvertaking)
        expect(inOrder(left), 'left in order').to.deep.equal(inOrder(pushed))
        const overtaking = (items: Asked[]) => items.filter(item => item.isOvertaking)
        expect(overtaking(left), 'left as answered').to.deep.equal(overtaking(answered))
      }),
      { numRuns: 500 },
    )
  })
})
