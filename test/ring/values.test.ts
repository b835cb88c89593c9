import { expect } from 'chai'
import fc from 'fast-check'
import { nodeId } from '../../src/base/ids.js'
import { Placement, pathOf, rangeCount, rangeOf } from '../../src/base/placement.js'
import { mergeLists } from '../../src/ring/members.js'
import { mergedValue, ruleFor } from '../../src/ring/merge-rules.js'
import { readMessage } from '../../src/ring/message-check.js'
import { CopySet } from '../../src/ring/quorum.js'
import {
  decodeContext,
  encodeContext,
  plainRecord,
  plainValue,
  readRecord,
  readValue,
} from '../../src/ring/record-code.js'
import type { MemberList, RingMember, Standing } from '../../src/ring/types.js'
import {
  contextOf,
  covers,
  type Dot,
  joinPasts,
  joinRecords,
  type KeyRecord,
  noPast,
  replaceCovered,
  type Version,
  withVersion,
} from '../../src/ring/versions.js'

/** What the copies of one key go through: each replica writes, blindly or by its context, or hears another one. */
type Step =
  | { readonly kind: 'write'; readonly at: number; readonly isBlind: boolean }
  | { readonly kind: 'hear'; readonly at: number; readonly from: number }

const replica = fc.integer({ min: 0, max: 2 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('write' as const), at: replica, isBlind: fc.boolean() }),
  fc.record({ kind: fc.constant('hear' as const), at: replica, from: replica }),
)

function version(dot: Dot, past = noPast): Version {
  return {
    dot,
    past,
    value: Buffer.from(`${dot.actor} ${dot.count}`),
    writtenMs: 0,
    identity: undefined,
    items: undefined,
  }
}

/** Plays the steps, and beside them keeps for each replica all writes that it has heard of and what they replaced. */
function play(steps: readonly Step[]): { records: KeyRecord[]; truth: Set<string>[] } {
  const records: KeyRecord[] = [[], [], []]
  const counts = [0, 0, 0]
  const heard: Set<string>[] = [new Set(), new Set(), new Set()]
  const replaced = new Map<string, ReadonlySet<string>>()
  const alive = (known: ReadonlySet<string>): Set<string> => {
    const gone = new Set([...known].flatMap(name => [...(replaced.get(name) ?? [])]))
    return new Set([...known].filter(name => !gone.has(name)))
  }
  for (const each of steps) {
    const { at } = each
    const record = records[at] ?? []
    const known = heard[at] ?? new Set()
    if (each.kind === 'hear') {
      records[at] = joinRecords(record, records[each.from] ?? [])
      for (const name of heard[each.from] ?? []) known.add(name)
      continue
    }
    const count = (counts[at] ?? 0) + 1
    counts[at] = count
    const dot = { actor: `r${at}.0`, count }
    const past = each.isBlind ? noPast : contextOf(record)
    records[at] = withVersion(replaceCovered(record, past), version(dot, past))
    const name = `r${at}.0 ${count}`
    replaced.set(name, each.isBlind ? new Set() : new Set(known))
    known.add(name)
  }
  return { records, truth: heard.map(alive) }
}

function namesOf(record: KeyRecord): string[] {
  return record.map(({ dot }) => `${dot.actor} ${dot.count}`)
}

describe('versions', () => {
  it('keep what nobody who saw it replaced, and nothing else, whatever replicas write and hear', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), steps => {
        const { records, truth } = play(steps)
        for (const [at, record] of records.entries()) {
          expect(namesOf(record).sort()).to.deep.equal([...(truth[at] ?? [])].sort())
        }
      }),
      { numRuns: 500 },
    )
  })

  it('join to the same record and context in any order', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), steps => {
        const [one = [], two = [], three = []] = play(steps).records
        const left = joinRecords(joinRecords(one, two), three)
        const right = joinRecords(three, joinRecords(two, one))
        expect(plainRecord(left)).to.deep.equal(plainRecord(right))
        expect(plainRecord(joinRecords(left, left))).to.deep.equal(plainRecord(left))
        expect(encodeContext('key', contextOf(left))).to.equal(encodeContext('key', contextOf(right)))
      }),
      { numRuns: 300 },
    )
  })

  it('travel as plain JSON and come back the same', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.uint8Array(), (steps, bytes) => {
        for (const record of play(steps).records) {
          const plain: unknown = JSON.parse(JSON.stringify(plainRecord(record)))
          expect(plainRecord(readRecord(plain) ?? [])).to.deep.equal(plainRecord(record))
        }
        const value: unknown = JSON.parse(JSON.stringify(plainValue(bytes)))
        expect(Buffer.compare(readValue(value)?.value ?? Buffer.from('none'), bytes)).to.equal(0)
      }),
    )
  })

  it('cover single writes without those before them', () => {
    const past = joinPasts([{ counters: new Map([['a.0', 2]]), dots: [{ actor: 'a.0', count: 5 }] }])
    expect([1, 2, 3, 4, 5].map(count => covers(past, { actor: 'a.0', count }))).to.deep.equal([
      true,
      true,
      false,
      false,
      true,
    ])
    const filled = joinPasts([
      past,
      { counters: new Map(), dots: [3, 4].map(count => ({ actor: 'a.0', count })) },
    ])
    expect(filled).to.deep.equal({ counters: new Map([['a.0', 5]]), dots: [] })
  })
})

describe('a context', () => {
  const past = { counters: new Map([['b.1', 3]]), dots: [{ actor: 'a.0', count: 7 }] }

  it('is one word, which comes back as what it covers', () => {
    const context = encodeContext('key', past)
    expect(context).to.match(/^\S+$/)
    expect(decodeContext('key', context)).to.deep.equal(past)
    expect(decodeContext('key', '')).to.deep.equal(noPast)
  })

  it('is refused when it is damaged or belongs to another key', () => {
    const context = encodeContext('key', past)
    expect(decodeContext('other', context)).to.equal(undefined)
    for (let at = 0; at < context.length; at++) {
      const damaged = `${context.slice(0, at)}${context[at] === '0' ? '1' : '0'}${context.slice(at + 1)}`
      expect(decodeContext('key', damaged), damaged).to.equal(undefined)
    }
    fc.assert(fc.property(fc.string(), text => text === '' || decodeContext('key', text) === undefined))
  })
})

describe('placement', () => {
  const members = Array.from({ length: 6 }, (_each, number) =>
    nodeId(`0b1e5${number}f3-4c6a-4e2b-9d7c-00000000000${number}`),
  )

  it('gives each of six nodes half of 100,000 keys, within 15 in 100', () => {
    const placement = new Placement(members, 3)
    const held = new Map(members.map(id => [id, 0]))
    for (let number = 0; number < 100_000; number++) {
      const owners = placement.owners(rangeOf(pathOf(`key-${number}`)))
      expect(new Set(owners).size).to.equal(3)
      for (const id of owners) held.set(id, (held.get(id) ?? 0) + 1)
    }
    for (const count of held.values()) expect(count).to.be.within(50_000 * 0.85, 50_000 * 1.15)
  })

  it('is the same on every node, whatever the order of the list', () => {
    const one = new Placement(members, 3)
    const other = new Placement([...members].reverse(), 3)
    for (let range = 0; range < rangeCount; range += 37) {
      expect(one.preference(range)).to.deep.equal(other.preference(range))
      expect(one.preference(range)).to.have.length(6)
    }
  })

  it('moves only what a newcomer takes over', () => {
    const before = new Placement(members.slice(1), 3)
    const after = new Placement(members, 3)
    const newcomer = members[0]
    for (let range = 0; range < rangeCount; range++) {
      const kept = after.owners(range).filter(id => id !== newcomer)
      expect(before.owners(range)).to.include.members(kept)
    }
  })

  it('has all members own everything where there are fewer than copies', () => {
    const placement = new Placement(members.slice(0, 2), 3)
    for (let range = 0; range < rangeCount; range += 99) expect(placement.owners(range)).to.have.length(2)
  })
})

describe('a copy set', () => {
  const order = ['a', 'b', 'c', 'd', 'e'].map(nodeId)
  const [a, b, c, d, e] = order as [
    (typeof order)[0],
    (typeof order)[0],
    (typeof order)[0],
    (typeof order)[0],
    (typeof order)[0],
  ]

  it('asks the owners, and for those who cannot be reached the next nodes in their place', () => {
    const set = new CopySet(order as never, 3)
    expect(set.ask(id => id !== b)).to.deep.equal([a, c, d])
    expect(set.standsFor(d as never)).to.equal(b)
    expect(set.standsFor(a as never)).to.equal(undefined)
    set.done(a as never)
    set.fail(c as never)
    expect(set.ask(() => true)).to.deep.equal([b])
    set.fail(b as never)
    expect(set.ask(() => true)).to.deep.equal([e])
    expect([set.reached, set.hoped]).to.deep.equal([1, 3])
  })

  it('counts a stand-in and its owner as one copy, and asks another node for the one that is missing', () => {
    const set = new CopySet(order as never, 3)
    expect(set.ask(id => id !== b)).to.deep.equal([a, c, d])
    set.fail(c as never)
    expect(set.ask(() => true)).to.deep.equal([b])
    set.done(a as never)
    set.done(d as never)
    set.done(b as never)
    expect([set.reached, set.hoped]).to.deep.equal([2, 2])
    expect(set.ask(() => true)).to.deep.equal([e])
    expect(set.standsFor(e as never)).to.equal(c)
    set.done(e as never)
    expect(set.reached).to.equal(3)
  })

  it('does not count those it did not ask, nor anyone twice', () => {
    const set = new CopySet(order as never, 2)
    set.ask(() => true)
    set.done(e as never)
    set.done(a as never)
    set.done(a as never)
    expect(set.reached).to.equal(1)
  })
})

describe('merge rules', () => {
  const versions = (key: string, ...values: (string | undefined)[]): KeyRecord =>
    values.map((value, at) => ({
      ...version({ actor: `r${at}.0`, count: 1 }),
      value: value === undefined ? undefined : Buffer.from(value),
      items: ruleFor(key)?.keepsBirths === true ? [] : undefined,
    }))
  const merged = (key: string, ...values: (string | undefined)[]): string | undefined => {
    const rule = ruleFor(key)
    const found = rule && mergedValue(rule, versions(key, ...values))
    return found && Buffer.from(found.value).toString()
  }

  it('make one cart of several, with each item once', () => {
    expect(merged('cart-7', 'milk,tea', 'eggs,milk')).to.equal('eggs,milk,tea')
  })

  it('give a value that was never merged back byte for byte', () => {
    expect(merged('cart-7', ' tea,, milk')).to.equal(' tea,, milk')
    expect(merged('cart-7', 'tea,milk', undefined)).to.equal('tea,milk')
    // Made twice, because an answer was lost.
    expect(merged('cart-7', 'tea , milk', 'tea , milk')).to.equal('tea , milk')
  })

  it('leave other keys alone', () => {
    expect(ruleFor('key')).to.equal(undefined)
    expect(ruleFor('xcart')?.prefix).to.equal('xcart')
  })
})

describe('lists of members', () => {
  const standings: readonly Standing[] = ['joining', 'member', 'leaving', 'evicted', 'gone']
  const entry: fc.Arbitrary<RingMember> = fc.record({
    id: fc.constantFrom('a', 'b', 'c').map(nodeId),
    address: fc.constantFrom('x:1', 'y:1'),
    peerAddress: fc.constant('x:2'),
    standing: fc.constantFrom(...standings),
    joined: fc.integer({ min: 1, max: 3 }),
    generation: fc.integer({ min: 1, max: 3 }),
  })
  const list: fc.Arbitrary<MemberList> = fc
    .uniqueArray(entry, { selector: ({ id }) => id })
    .map(members => mergeLists({ copies: 3, members: [] }, { copies: 3, members }))

  it('merge to the same list in any order, and keep those gone who are gone', () => {
    fc.assert(
      fc.property(list, list, list, (one, two, three) => {
        const left = mergeLists(mergeLists(one, two), three)
        const right = mergeLists(three, mergeLists(two, one))
        expect(left).to.deep.equal(right)
        expect(mergeLists(left, one)).to.equal(left)
        for (const member of [...one.members, ...two.members, ...three.members]) {
          if (member.standing !== 'gone') continue
          expect(left.members.find(({ id }) => id === member.id)?.standing).to.equal('gone')
        }
      }),
    )
  })
})

describe('messages from outside', () => {
  it('are refused unless they are whole, whatever comes', () => {
    fc.assert(fc.property(fc.jsonValue(), value => readMessage(value) === undefined))
    expect(readMessage({ kind: 'stored', id: 3, kept: true })).to.deep.equal({
      kind: 'stored',
      id: 3,
      kept: true,
    })
    expect(readMessage({ kind: 'stored', id: -3, kept: true })).to.equal(undefined)
    expect(readMessage({ kind: 'stored', id: 3 })).to.equal(undefined)
    expect(readMessage({ kind: 'list', id: 3, path: '../..', after: '' })).to.equal(undefined)
  })

  it('do not carry records that are none', () => {
    for (const plain of [null, 7, [[]], [['a.0', 0, [[], []], 'v', 0]], [['A.0', 1, [[], []], 'v', 0]]]) {
      expect(readRecord(plain), JSON.stringify(plain)).to.equal(undefined)
    }
    fc.assert(
      fc.property(fc.jsonValue(), value => {
        const record = readRecord(value)
        return record === undefined || record.length === 0
      }),
    )
  })
})
