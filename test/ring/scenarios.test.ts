import { expect } from 'chai'
import type { NodeId } from '../../src/base/ids.js'
import type { RingAnswer } from '../../src/ring/types.js'
import { World } from './world.js'

type Written = Extract<RingAnswer, { kind: 'written' }>
type Found = Extract<RingAnswer, { kind: 'versions' }>

/** One cluster and the words of its clients. */
class Story {
  readonly world: World
  readonly ids: readonly NodeId[]

  constructor(seed: string, count = 6) {
    this.world = new World(seed)
    this.ids = this.world.found(count)
  }

  tryPut(at: NodeId, key: string, value: string | undefined, quorum?: number, context?: string): RingAnswer {
    const bytes = value === undefined ? undefined : Buffer.from(value)
    return this.world.answer(at, { op: 'write', key, value: bytes, context, quorum, identity: undefined })
  }

  put(at: NodeId, key: string, value: string | undefined, quorum?: number, context?: string): Written {
    const answer = this.tryPut(at, key, value, quorum, context)
    if (answer.kind !== 'written') throw new Error(JSON.stringify(answer))
    return answer
  }

  get(at: NodeId, key: string, quorum?: number): Found {
    const answer = this.world.answer(at, { op: 'read', key, quorum })
    if (answer.kind !== 'versions') throw new Error(JSON.stringify(answer))
    return answer
  }

  values(at: NodeId, key: string, quorum?: number): string[] {
    return textsOf(this.get(at, key, quorum))
  }

  owners(key: string): NodeId[] {
    const living = this.ids.find(id => this.world.node(id).ring !== undefined) as NodeId
    return this.world
      .ring(living)
      .owners(key)
      .map(({ id }) => id)
  }

  others(key: string): NodeId[] {
    const owners = this.owners(key)
    return this.ids.filter(id => !owners.includes(id))
  }

  held(id: NodeId, key: string): string[] {
    const { record } = this.world.ring(id).view.records.get(key)
    return record
      .map(({ value }) => (value === undefined ? '(deleted)' : Buffer.from(value).toString()))
      .sort()
  }

  /** Until all owners are equal and nobody else holds anything. */
  settle(): void {
    this.world.heal()
    this.world.run(300)
    for (let wait = 0; wait < 300 && this.world.unrest() !== undefined; wait++) this.world.run(100)
    expect(this.world.unrest()).to.equal(undefined)
  }
}

function textsOf({ versions }: Found | Written): string[] {
  return versions.map(({ value }) => Buffer.from(value).toString()).sort()
}

/**
 * Runs a scenario in some worlds, which differ in identities and timing. `SEEDS=1000` tries so many of each, with
 * `--timeout 0`.
 */
function inWorlds(title: string, run: (story: Story) => void, count = 3): void {
  it(title, () => {
    const worlds = Math.max(count, Number(process.env['SEEDS'] ?? 0))
    for (let seed = 1; seed <= worlds; seed++) {
      try {
        run(new Story(`${title} ${seed}`))
      } catch (error) {
        throw new Error(`in world ${seed}`, { cause: error })
      }
    }
  })
}

describe('the ring', () => {
  inWorlds('takes and gives a value through owners and others', story => {
    for (const at of story.ids) {
      expect(textsOf(story.put(at, `key-${at}`, 'one'))).to.deep.equal(['one'])
      for (const reader of story.ids) expect(story.values(reader, `key-${at}`)).to.deep.equal(['one'])
    }
  })

  inWorlds('replaces what a writer had read, by its context', story => {
    const [one, other] = story.ids as [NodeId, NodeId]
    story.put(one, 'key', 'first')
    const { context } = story.get(other, 'key')
    expect(textsOf(story.put(other, 'key', 'second', undefined, context))).to.deep.equal(['second'])
    for (const at of story.ids) expect(story.values(at, 'key')).to.deep.equal(['second'])
  })

  inWorlds('has a write of quorum 3 on every one of its owners when it answers', story => {
    story.put(story.others('key')[0] as NodeId, 'key', 'value', 3)
    for (const owner of story.owners('key')) expect(story.held(owner, 'key')).to.deep.equal(['value'])
  })

  inWorlds('repairs a stale owner that is read', story => {
    const [stale, ...fresh] = story.owners('key') as [NodeId, NodeId, NodeId]
    story.put(fresh[0], 'key', 'old', 3)
    const { context } = story.get(fresh[0], 'key', 3)
    story.world.onSend = (_from, to, message) => to !== stale || message.kind !== 'store'
    story.put(fresh[0], 'key', 'new', 2, context)
    expect(story.held(stale, 'key')).to.deep.equal(['old'])
    story.world.onSend = (_from, _to, message) => message.kind !== 'compare'
    story.world.run(500)
    expect(story.values(story.others('key')[0] as NodeId, 'key', 3)).to.deep.equal(['new'])
    story.world.run(50)
    expect(story.held(stale, 'key')).to.deep.equal(['new'])
  })

  inWorlds('keeps what three isolated owners were given as three versions', story => {
    const owners = story.owners('key')
    story.world.part(...owners.map(owner => [owner]))
    for (const owner of owners) story.put(owner, 'key', `of ${owner}`, 1)
    story.settle()
    const expected = owners.map(owner => `of ${owner}`).sort()
    const contexts = new Set<string>()
    for (const at of story.ids) {
      const found = story.get(at, 'key')
      expect(textsOf(found)).to.deep.equal(expected)
      contexts.add(found.context)
    }
    expect(contexts.size).to.equal(1)
  })

  inWorlds('has a stand-in keep the copy of an owner that is away, and hand it over', story => {
    const [away, ...here] = story.owners('key') as [NodeId, NodeId, NodeId]
    story.world.crash(away)
    story.put(here[0], 'key', 'value', 3)
    const holders = story.others('key').filter(id => story.held(id, 'key').length > 0)
    expect(holders).to.have.length(1)
    const hints = story.world
      .ring(holders[0] as NodeId)
      .status()
      .members.find(({ member }) => member.id === away)
    expect(hints?.hints).to.equal(1)
    story.world.restart(holders[0] as NodeId)
    story.world.run(500)
    story.world.onSend = (_from, _to, message) => message.kind !== 'list'
    story.world.start(away)
    story.world.run(3000)
    expect(story.held(away, 'key')).to.deep.equal(['value'])
    for (const id of story.others('key')) expect(story.held(id, 'key')).to.deep.equal([])
  })

  inWorlds('takes and gives a key with quorum 2 on the side that has none of its owners', story => {
    const others = story.others('key')
    story.world.part(others)
    expect(textsOf(story.put(others[0] as NodeId, 'key', 'value', 2))).to.deep.equal(['value'])
    for (const at of others) expect(story.values(at, 'key', 2)).to.deep.equal(['value'])
    story.settle()
    for (const owner of story.owners('key')) expect(story.held(owner, 'key')).to.deep.equal(['value'])
    for (const other of others) expect(story.held(other, 'key')).to.deep.equal([])
  })

  inWorlds('keeps what was written on both sides of a partition', story => {
    const [one, two, three, four, five, six] = story.ids as [NodeId, NodeId, NodeId, NodeId, NodeId, NodeId]
    story.world.part([one, two, three], [four, five, six])
    story.put(one, 'key', 'left', 1)
    story.put(six, 'key', 'right', 1)
    story.settle()
    const answers = story.ids.map(at => story.get(at, 'key'))
    for (const answer of answers) expect(textsOf(answer)).to.deep.equal(['left', 'right'])
    expect(new Set(answers.map(answer => JSON.stringify(answer))).size).to.equal(1)
  })

  inWorlds('merges a cart that was filled on both sides', story => {
    const [one, two, three, four, five, six] = story.ids as [NodeId, NodeId, NodeId, NodeId, NodeId, NodeId]
    const { context } = story.put(one, 'cart-7', 'milk , bread', 3)
    expect(story.values(six, 'cart-7')).to.deep.equal(['milk , bread'])
    story.world.part([one, two, three], [four, five, six])
    story.put(one, 'cart-7', 'milk,tea', 1, context)
    story.put(six, 'cart-7', 'milk,eggs', 1, context)
    story.settle()
    for (const at of story.ids) expect(story.values(at, 'cart-7')).to.deep.equal(['eggs,milk,tea'])
  })

  inWorlds('keeps out of an xcart what somebody who saw it took out', story => {
    const [one, two, three, four, five, six] = story.ids as [NodeId, NodeId, NodeId, NodeId, NodeId, NodeId]
    const { context } = story.put(one, 'xcart-7', 'milk,bread', 3)
    story.world.part([one, two, three], [four, five, six])
    story.put(one, 'xcart-7', 'milk', 1, context)
    story.put(six, 'xcart-7', 'milk,bread,eggs', 1, context)
    story.settle()
    for (const at of story.ids) expect(story.values(at, 'xcart-7')).to.deep.equal(['eggs,milk'])
    story.put(two, 'xcart-7', 'bread', 1)
    for (const at of story.ids) expect(story.values(at, 'xcart-7', 3)).to.deep.equal(['bread,eggs,milk'])
  })

  inWorlds('keeps an xcart item out for a writer who had not seen that it was taken out', story => {
    const [one, two] = story.ids as [NodeId, NodeId]
    const { context } = story.put(one, 'xcart-8', 'milk,bread', 3)
    story.put(one, 'xcart-8', 'milk', 3, context)
    story.put(two, 'xcart-8', 'milk,bread,eggs', 3, context)
    for (const at of story.ids) expect(story.values(at, 'xcart-8', 3)).to.deep.equal(['eggs,milk'])
  })

  inWorlds('lets a node in, which then owns keys and gives what was there before', story => {
    const { world, ids } = story
    const keys = Array.from({ length: 60 }, (_each, number) => `key-${number}`)
    for (const key of keys) story.put(ids[0] as NodeId, key, `of ${key}`)
    const newcomer = world.addWaiting()
    expect(world.ring(ids[1] as NodeId).addMember(world.node(newcomer).member)).to.equal(true)
    expect(world.runUntil(() => world.ring(newcomer).standing === 'member')).to.equal(true)
    story.settle()
    const owned = keys.filter(key => story.owners(key).includes(newcomer))
    expect(owned.length).to.be.above(5)
    for (const key of owned) expect(story.held(newcomer, key)).to.deep.equal([`of ${key}`])
    for (const key of keys) expect(story.values(newcomer, key)).to.deep.equal([`of ${key}`])
    for (const key of keys) {
      for (const id of ids) if (!story.owners(key).includes(id)) expect(story.held(id, key)).to.deep.equal([])
    }
  })

  inWorlds('lets a node go, which then owns nothing', story => {
    const { world, ids } = story
    const leaver = ids[5] as NodeId
    const keys = Array.from({ length: 60 }, (_each, number) => `key-${number}`)
    for (const key of keys) story.put(ids[0] as NodeId, key, `of ${key}`)
    expect(world.ring(leaver).leave()).to.equal(true)
    expect(world.runUntil(() => world.ring(leaver).standing === 'gone')).to.equal(true)
    world.run(100)
    for (const key of keys) {
      expect(story.owners(key)).to.not.include(leaver)
      for (const owner of story.owners(key)) expect(story.held(owner, key)).to.deep.equal([`of ${key}`])
    }
    story.settle()
    expect(world.ring(leaver).status().records).to.equal(0)
    expect(world.ring(leaver).isPristine).to.equal(true)
  })

  inWorlds(
    'keeps both of two blind writes through one coordinator, and reconciles them by their context',
    story => {
      const owner = story.owners('key')[0] as NodeId
      story.put(owner, 'key', 'one')
      const { context, versions } = story.put(owner, 'key', 'two')
      expect(versions).to.have.length(2)
      story.put(story.ids[3] as NodeId, 'key', 'both', undefined, context)
      for (const at of story.ids) expect(story.values(at, 'key')).to.deep.equal(['both'])
    },
  )

  inWorlds('does not bring back what an owner slept through the deletion of', story => {
    const owners = story.owners('key')
    const [sleeper, awake] = owners as [NodeId, NodeId]
    story.put(awake, 'key', 'value', 3)
    story.world.crash(sleeper)
    const { context } = story.get(awake, 'key')
    story.put(awake, 'key', undefined, 2, context)
    story.world.run(5000)
    expect(story.held(awake, 'key')).to.deep.equal(['(deleted)'])
    story.world.start(sleeper)
    story.settle()
    const isForgotten = (): boolean => story.ids.every(id => story.held(id, 'key').length === 0)
    expect(story.world.runUntil(isForgotten)).to.equal(true)
    for (const id of story.ids) {
      expect(story.values(id, 'key')).to.deep.equal([])
      expect(story.held(id, 'key')).to.deep.equal([])
    }
  })

  inWorlds('does not reuse dots after a start with an empty disk', story => {
    const [wiped, other] = story.owners('key') as [NodeId, NodeId]
    story.put(wiped, 'key', 'before', 3)
    story.world.wipe(wiped)
    story.world.run(1000)
    story.world.start(wiped)
    story.world.part([wiped])
    story.world.run(1000)
    story.world.heal()
    story.world.run(1000)
    story.put(wiped, 'key', 'after', 1)
    story.settle()
    expect(story.values(other, 'key', 3)).to.deep.equal(['after', 'before'])
    expect(story.held(wiped, 'key')).to.deep.equal(['after', 'before'])
  })

  inWorlds('works down to the last node alive, and says how many it reached', story => {
    const [last, ...rest] = story.ids as [NodeId, ...NodeId[]]
    for (const id of rest) story.world.crash(id)
    story.world.run(1000)
    const startMs = story.world.nowMs
    story.put(last, 'key', 'value', 1)
    expect(story.values(last, 'key', 1)).to.deep.equal(['value'])
    expect(story.tryPut(last, 'key', 'other')).to.deep.equal({
      kind: 'quorum-not-met',
      reached: 1,
      needed: 2,
      maybe: false,
    })
    expect(story.world.nowMs - startMs).to.be.below(50)
    expect(story.values(last, 'key', 1)).to.deep.equal(['value'])
  })

  inWorlds('lets only the first request in a partition wait for those who cannot be reached', story => {
    const [cut] = story.ids as [NodeId]
    const { world } = story
    world.part([cut])
    const owned = Array.from({ length: 40 }, (_each, number) => `key-${number}`).filter(key =>
      story.owners(key).includes(cut),
    )
    const firstMs = world.nowMs
    story.put(cut, owned[0] as string, 'value', 1)
    story.values(cut, owned[0] as string, 1)
    expect(world.nowMs - firstMs).to.be.below(50)
    expect(story.tryPut(cut, owned[1] as string, 'value', 2).kind).to.equal('quorum-not-met')
    expect(world.nowMs - firstMs).to.be.below(2 * world.options.requestTicks * 10)
    const laterMs = world.nowMs
    for (const key of owned) {
      expect(story.tryPut(cut, key, 'value', 2).kind).to.equal('quorum-not-met')
      expect(world.answer(cut, { op: 'read', key, quorum: 2 }).kind).to.equal('quorum-not-met')
    }
    expect(world.nowMs - laterMs).to.be.below(300)
  })

  inWorlds('answers a write that is repeated by its name as the first time, through another node', story => {
    const [one, two] = story.ids as [NodeId, NodeId]
    const request = { op: 'write', key: 'key', value: Buffer.from('value'), context: undefined } as const
    const named = { ...request, quorum: undefined, identity: 'b5ff' }
    const first = story.world.answer(one, named)
    expect(first.kind).to.equal('written')
    expect(story.world.answer(two, named)).to.deep.equal(first)
    expect(story.values(two, 'key', 3)).to.deep.equal(['value'])
  })

  inWorlds(
    'warns of many versions, refuses too many, and lets them be reconciled',
    story => {
      const at = story.ids[0] as NodeId
      let last: RingAnswer | undefined
      for (let number = 1; number <= 100; number++) {
        last = story.tryPut(at, 'key', `v${number}`)
        expect(last.kind === 'written' && last.crowded).to.equal(number >= 25)
      }
      expect(story.tryPut(at, 'key', 'one more')).to.deep.equal({
        kind: 'refused',
        reason: 'too-many-versions',
      })
      const { context, versions } = story.get(at, 'key')
      expect(versions).to.have.length(100)
      expect(textsOf(story.put(at, 'key', 'all', undefined, context))).to.deep.equal(['all'])
    },
    1,
  )

  inWorlds('replaces one of two versions by that one alone', story => {
    const at = story.ids[0] as NodeId
    story.put(at, 'key', 'one')
    const { versions } = story.put(at, 'key', 'two')
    const two = versions.find(({ value }) => Buffer.from(value).toString() === 'two')
    expect(textsOf(story.put(at, 'key', 'three', undefined, two?.context))).to.deep.equal(['one', 'three'])
  })

  inWorlds(
    'refuses contexts of other keys and quorums that cannot be',
    story => {
      const at = story.ids[0] as NodeId
      const { context } = story.put(at, 'key', 'value')
      expect(story.tryPut(at, 'other', 'value', undefined, context)).to.deep.equal({
        kind: 'refused',
        reason: 'invalid-context',
      })
      for (const quorum of [0, 4, 1.5]) {
        expect(story.tryPut(at, 'key', 'value', quorum)).to.deep.equal({
          kind: 'refused',
          reason: 'invalid-quorum',
        })
      }
    },
    1,
  )

  inWorlds('prunes starts that are over from contexts, the same on every node', story => {
    const { world } = story
    const [owner] = story.owners('key') as [NodeId]
    let { context } = story.put(owner, 'key', 'v0', 3)
    for (let number = 1; number <= 14; number++) {
      world.restart(owner)
      world.run(500)
      context = story.put(owner, 'key', `v${number}`, 3, context).context
    }
    const old = context
    const length = (): number => story.get(owner, 'key').context.length
    for (let wait = 0; wait < 300 && length() > old.length / 2; wait++) world.run(100)
    expect(length()).to.be.below(old.length / 2)
    story.settle()
    const contexts = new Set(story.ids.map(id => story.get(id, 'key').context))
    expect(contexts.size).to.equal(1)
    expect(textsOf(story.put(story.ids[1] as NodeId, 'key', 'last', 3, old))).to.deep.equal(['last'])
    for (const id of story.ids) expect(story.values(id, 'key', 3)).to.deep.equal(['last'])
  })

  inWorlds('bridges the blink in which a connection is made anew', story => {
    const { world, ids } = story
    const [at, ...others] = ids as [NodeId, ...NodeId[]]
    for (const other of others) world.ring(at).disconnected(other)
    expect(story.tryPut(at, 'key', 'value').kind).to.equal('written')
    for (const other of others) world.ring(at).disconnected(other)
    expect(story.values(at, 'key')).to.deep.equal(['value'])
  })

  inWorlds('refuses writes where every disk is full, and takes them again when there is room', story => {
    const { world, ids } = story
    story.put(ids[0] as NodeId, 'key', 'value', 3)
    for (const id of ids) world.ring(id).setDiskFull(true)
    world.run(200)
    for (const id of ids) {
      expect(story.tryPut(id, 'key', 'more')).to.deep.equal({ kind: 'refused', reason: 'disk-full' })
      expect(story.values(id, 'key')).to.deep.equal(['value'])
    }
    for (const id of ids) world.ring(id).setDiskFull(false)
    world.run(200)
    story.put(ids[0] as NodeId, 'other', 'value', 3)
  })

  inWorlds(
    'moves nothing because of a failure alone',
    story => {
      const [away] = story.owners('key') as [NodeId]
      const before = story.owners('key')
      story.put(story.ids[0] as NodeId, 'key', 'value', 3)
      story.world.run(500)
      story.world.crash(away)
      story.world.run(20_000)
      expect(story.owners('key')).to.deep.equal(before)
      for (const id of story.others('key')) expect(story.held(id, 'key')).to.deep.equal([])
    },
    1,
  )

  inWorlds('copies the share of a member that was declared gone, and tells it so', story => {
    const { world } = story
    const [lost] = story.owners('key') as [NodeId]
    const [via] = story.others('key') as [NodeId]
    story.put(via, 'key', 'value', 3)
    world.crash(lost)
    world.run(1000)
    expect(world.ring(via).remove(lost)).to.equal(true)
    story.settle()
    expect(story.owners('key')).to.have.length(3).and.not.include(lost)
    for (const owner of story.owners('key')) expect(story.held(owner, 'key')).to.deep.equal(['value'])
    world.start(lost)
    world.run(1000)
    expect(world.ring(lost).standing).to.equal('gone')
    expect(story.tryPut(lost, 'key', 'late')).to.deep.equal({ kind: 'refused', reason: 'not-a-member' })
  })

  inWorlds('finds out by itself what a member missed, without being asked for it', story => {
    const [stale, ...fresh] = story.owners('key') as [NodeId, NodeId, NodeId]
    story.world.part([stale])
    story.world.onSend = (_from, _to, message) =>
      message.kind !== 'store' || message.rows[0]?.owed.length === 0
    story.put(fresh[0], 'key', 'value', 2)
    story.world.crash(stale)
    story.world.run(3000)
    story.world.onSend = () => true
    story.world.start(stale)
    story.settle()
    expect(story.held(stale, 'key')).to.deep.equal(['value'])
  })

  it('copies the share of a silent member where it evicts, and takes it in again with what it has', () => {
    const world = new World('evict', {}, { evict: true })
    const ids = world.found(5)
    const asking = (at: NodeId, value: string): RingAnswer =>
      world.answer(at, {
        op: 'write',
        key: 'key',
        value: Buffer.from(value),
        context: undefined,
        quorum: undefined,
        identity: undefined,
      })
    expect(asking(ids[0] as NodeId, 'value').kind).to.equal('written')
    world.run(500)
    const owner = world.ring(ids[0] as NodeId).owners('key')[0]?.id as NodeId
    const other = ids.find(id => id !== owner) as NodeId
    world.crash(owner)
    const standing = (): string | undefined =>
      world.ring(other).list.members.find(({ id }) => id === owner)?.standing
    expect(world.runUntil(() => standing() === 'evicted')).to.equal(true)
    for (let wait = 0; wait < 100 && world.unrest() !== undefined; wait++) world.run(100)
    expect(world.unrest()).to.equal(undefined)
    expect(
      world
        .ring(other)
        .owners('key')
        .map(({ id }) => id),
    )
      .to.have.length(3)
      .and.not.include(owner)
    world.start(owner)
    expect(world.runUntil(() => standing() === 'member')).to.equal(true)
    expect(world.ring(other).list.members.at(-1)?.id).to.equal(owner)
    const found = world.answer(owner, { op: 'read', key: 'key', quorum: 2 })
    expect(found.kind === 'versions' && found.versions).to.have.length(1)
  })
})
