import { expect } from 'chai'
import type { NodeId } from '../../src/base/ids.js'
import { placementOf } from '../../src/base/placement.js'
import type { RingAnswer } from '../../src/ring/types.js'
import { hardCases } from './hard-cases.js'
import { keyThat } from './keys.js'
import { inWorlds, textsOf } from './story.js'

/** A key that the first of two newcomers would own without the second one, but not beside it. */
function keyOfFirst(ids: readonly NodeId[], first: NodeId, second: NodeId): string {
  const before = placementOf([...ids, first], 3)
  const after = placementOf([...ids, first, second], 3)
  return keyThat((_key, range) => before.isOwner(first, range) && !after.isOwner(first, range))
}

describe('the ring', () => {
  inWorlds(
    'takes and gives a value through owners and others',
    story => {
      for (const at of story.ids) {
        expect(textsOf(story.put(at, `key-${at}`, 'one'))).to.deep.equal(['one'])
        for (const reader of story.ids) story.sees(reader, `key-${at}`, ['one'])
      }
    },
    { worlds: 2 },
  )

  inWorlds('replaces what a writer had read, by its context', story => {
    const [one, other] = story.ids as [NodeId, NodeId]
    story.begin(one, 'key', 'first')
    const { context } = story.sees(other, 'key', ['first'])
    expect(textsOf(story.put(other, 'key', 'second', undefined, context))).to.deep.equal(['second'])
    for (const at of story.ids) story.sees(at, 'key', ['second'], undefined, ['first'])
  })

  // In the fourth world a stand-in and its owner were once counted as two copies.
  inWorlds(
    'has a write of quorum 3 on every one of its owners when it answers',
    story => {
      story.put(story.others('key')[0] as NodeId, 'key', 'value', 3)
      const holders = (): NodeId[] => story.ids.filter(id => story.held(id, 'key').length > 0)
      const looksRight = (): void => {
        expect(holders().length).to.be.at.least(3)
        for (const owner of story.owners('key')) {
          // Where one was taken for unreachable, another node has it and knows whose it is.
          const isStoodInFor = !story.isFair && story.holdersFor(owner, 'key').length > 0
          if (!isStoodInFor) expect(story.held(owner, 'key')).to.deep.equal(['value'])
        }
      }
      looksRight()
      // It is on their disks, too. Where a stand-in and its owner both have it, one of them may not have it there yet.
      for (const holder of holders()) story.world.restart(holder)
      looksRight()
      story.settle()
      for (const owner of story.owners('key')) story.holds(owner, 'key', ['value'])
    },
    { worlds: 4 },
  )

  inWorlds('repairs a stale owner that is read', story => {
    const [stale, ...fresh] = story.owners('key') as [NodeId, NodeId, NodeId]
    story.begin(fresh[0], 'key', 'old')
    for (const owner of [stale, ...fresh]) story.holds(owner, 'key', ['old'])
    const { context } = story.get(fresh[0], 'key', 3)
    // It misses the write, and nobody finds that out by comparing.
    story.world.onSend = (_from, to, message) =>
      message.kind !== 'compare' && (to !== stale || message.kind !== 'store')
    story.world.run(story.world.weather.lateMs)
    story.put(fresh[0], 'key', 'new', 2, context)
    expect(story.held(stale, 'key')).to.deep.equal(['old'])
    story.world.onSend = (_from, _to, message) => message.kind !== 'compare'
    story.world.run(500)
    const reader = story.others('key')[0] as NodeId
    story.sees(reader, 'key', ['new'], 3, ['old'])
    story.world.run(50)
    // A reader that takes the stale owner for unreachable asks another one, and repairs nothing.
    if (!story.isFair) {
      story.waitFor(() => story.get(reader, 'key', 3) && story.held(stale, 'key').includes('new'))
    }
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
      contexts.add(story.sees(at, 'key', expected).context)
    }
    expect(contexts.size).to.equal(1)
  })

  inWorlds('has a stand-in keep the copy of an owner that is away, and hand it over', story => {
    const [away, ...here] = story.owners('key') as [NodeId, NodeId, NodeId]
    story.world.crash(away)
    story.put(here[0], 'key', 'value', 3)
    const holders = story.holdersFor(away, 'key')
    if (story.isFair) {
      expect(holders).to.have.length(1)
      const hints = story.world
        .ring(holders[0] as NodeId)
        .status()
        .members.find(({ member }) => member.id === away)
      expect(hints?.hints).to.equal(1)
    }
    // In foul weather others may stand in besides.
    expect(holders).to.not.have.length(0)
    for (const holder of holders) story.world.restart(holder)
    story.world.run(500)
    story.world.onSend = (_from, _to, message) => message.kind !== 'list'
    story.world.start(away)
    story.world.run(3000)
    story.holds(away, 'key', ['value'])
    for (const id of story.others('key')) story.holds(id, 'key', [])
  })

  inWorlds('takes and gives a key with quorum 2 on the side that has none of its owners', story => {
    const others = story.others('key')
    story.world.part(others)
    expect(textsOf(story.put(others[0] as NodeId, 'key', 'value', 2))).to.deep.equal(['value'])
    for (const at of others) expect(story.values(at, 'key', 2)).to.deep.equal(['value'])
    story.settle()
    for (const owner of story.owners('key')) story.holds(owner, 'key', ['value'])
    for (const other of others) story.holds(other, 'key', [])
  })

  inWorlds('keeps what was written on both sides of a partition', story => {
    const [one, two, three, four, five, six] = story.ids as [NodeId, NodeId, NodeId, NodeId, NodeId, NodeId]
    story.world.part([one, two, three], [four, five, six])
    story.put(one, 'key', 'left', 1)
    story.put(six, 'key', 'right', 1)
    story.settle()
    const answers = story.ids.map(at => story.sees(at, 'key', ['left', 'right']))
    expect(new Set(answers.map(answer => JSON.stringify(answer))).size).to.equal(1)
  })

  inWorlds('merges a cart that was filled on both sides', story => {
    const [one, two, three, four, five, six] = story.ids as [NodeId, NodeId, NodeId, NodeId, NodeId, NodeId]
    const context = story.begin(one, 'cart-7', 'milk , bread')
    story.sees(six, 'cart-7', ['milk , bread'])
    story.world.part([one, two, three], [four, five, six])
    story.put(one, 'cart-7', 'milk,tea', 1, context)
    story.put(six, 'cart-7', 'milk,eggs', 1, context)
    story.settle()
    for (const at of story.ids) story.sees(at, 'cart-7', ['eggs,milk,tea'])
  })

  inWorlds('keeps out of an xcart what somebody who saw it took out', story => {
    // Both sides have an owner: where no copy can be reached, nobody can tell what a writer had seen before, and what
    // it names is put in anew.
    const [one, six, other] = story.owners('xcart-7') as [NodeId, NodeId, NodeId]
    const [two, ...more] = story.others('xcart-7') as [NodeId, NodeId, NodeId]
    const context = story.begin(one, 'xcart-7', 'milk,bread')
    story.world.part([one, two], [six, other, ...more])
    story.put(one, 'xcart-7', 'milk', 1, context)
    story.put(six, 'xcart-7', 'milk,bread,eggs', 1, context)
    story.settle()
    for (const at of story.ids) story.sees(at, 'xcart-7', ['eggs,milk'])
    story.put(two, 'xcart-7', 'bread', 1)
    for (const at of story.ids) story.sees(at, 'xcart-7', ['bread,eggs,milk'], 3, ['eggs,milk', 'bread'])
  })

  inWorlds('keeps an xcart item out for a writer who had not seen that it was taken out', story => {
    // In foul weather others may not reach any copy for a moment, so that owners write, who have one.
    const nodes = story.isFair ? story.ids : story.owners('xcart-8')
    const [one, two] = nodes as [NodeId, NodeId]
    const context = story.begin(one, 'xcart-8', 'milk,bread')
    story.put(one, 'xcart-8', 'milk', 3, context)
    story.put(two, 'xcart-8', 'milk,bread,eggs', 3, context)
    for (const at of story.ids) story.sees(at, 'xcart-8', ['eggs,milk'], 3, ['milk,bread', 'milk'])
  })

  inWorlds(
    'lets a node in, which then owns keys and gives what was there before',
    story => {
      const { world, ids } = story
      const keys = Array.from({ length: story.isFair ? 60 : 20 }, (_each, number) => `key-${number}`)
      for (const key of keys) story.put(ids[0] as NodeId, key, `of ${key}`)
      const newcomer = world.addWaiting()
      expect(world.ring(ids[1] as NodeId).addMember(world.node(newcomer).member)).to.equal(true)
      expect(world.runUntil(() => world.ring(newcomer).standing === 'member')).to.equal(true)
      story.settle()
      const owned = keys.filter(key => story.owners(key).includes(newcomer))
      expect(owned.length).to.be.above(story.isFair ? 5 : 0)
      for (const key of owned) story.holds(newcomer, key, [`of ${key}`])
      for (const key of keys) story.sees(newcomer, key, [`of ${key}`])
      for (const key of keys) {
        for (const id of ids) if (!story.owners(key).includes(id)) story.holds(id, key, [])
      }
    },
    { worlds: 2 },
  )

  inWorlds(
    'sleeps from heartbeat to heartbeat where nobody asks anything, and not while somebody waits',
    story => {
      const { world, ids } = story
      const waiting = world.addWaiting()
      story.put(ids[0] as NodeId, 'key', 'value', 3)
      story.settle()
      const longest = new Map<NodeId, number>()
      for (let passed = 0; passed < 300; passed += 5) {
        // That nothing comes of the ticks in between is seen to by the world, in every scenario and swarm.
        for (const id of [...ids, waiting])
          longest.set(id, Math.max(longest.get(id) ?? 0, world.ring(id).quietTicks))
        world.run(5)
      }
      const { gossipTicks } = world.options
      expect([...longest.values()].every(ticks => ticks > gossipTicks / 2)).to.equal(true)
      expect(Math.max(...longest.values())).to.be.at.most(gossipTicks)
      world.ask(ids[0] as NodeId, { op: 'read', key: 'key', quorum: 3 }, () => {})
      expect(world.ring(ids[0] as NodeId).quietTicks).to.equal(1)
    },
    { worlds: 1 },
  )

  inWorlds('gives a node that joins what it will own if it is the first of two that join', story => {
    const { world, ids } = story
    const [via] = ids as [NodeId]
    const [first, second] = [world.addWaiting(), world.addWaiting()]
    // Neither gets what it asks for, so that both stay on their way.
    world.onSend = (_from, to, { kind }) => kind !== 'compared' || (to !== first && to !== second)
    for (const id of [first, second]) world.ring(via).addMember(world.node(id).member)
    const isKnown = (): boolean => ids.every(id => world.ring(id).list.members.length === ids.length + 2)
    expect(story.waitFor(isKnown)).to.equal(true)
    expect(story.waitFor(() => world.ring(via).view.isWritable(first))).to.equal(true)
    const key = keyOfFirst(ids, first, second)
    story.put(via, key, 'value', 3)
    story.holds(first, key, ['value'])
  })

  inWorlds(
    'lets a node go, which then owns nothing',
    story => {
      const { world, ids } = story
      const leaver = ids[5] as NodeId
      const keys = Array.from({ length: story.isFair ? 60 : 20 }, (_each, number) => `key-${number}`)
      for (const key of keys) story.put(ids[0] as NodeId, key, `of ${key}`)
      const lost: NodeId[] = []
      world.onEvent = (_node, event) => {
        if (event.kind === 'unreachable') lost.push(event.member.id)
      }
      expect(world.ring(leaver).leave()).to.equal(true)
      expect(world.runUntil(() => world.ring(leaver).standing === 'gone')).to.equal(true)
      // Whatever it had others have by now, be it not yet those who own it.
      for (const key of keys) {
        const holders = ids.filter(id => id !== leaver && story.held(id, key).includes(`of ${key}`))
        expect(holders).to.not.have.length(0)
      }
      world.run(100)
      if (!story.isFair) story.settle()
      for (const key of keys) {
        expect(story.owners(key)).to.not.include(leaver)
        for (const owner of story.owners(key)) story.holds(owner, key, [`of ${key}`])
      }
      story.settle()
      expect(world.ring(leaver).status().records).to.equal(0)
      expect(world.ring(leaver).isPristine).to.equal(true)
      // Nobody misses whom all have let go.
      if (story.isFair) expect(lost).to.deep.equal([])
    },
    { worlds: 2 },
  )

  inWorlds(
    'keeps both of two blind writes through one coordinator, and reconciles them by their context',
    story => {
      const owner = story.owners('key')[0] as NodeId
      story.put(owner, 'key', 'one')
      const { context, versions } = story.put(owner, 'key', 'two')
      expect(versions).to.have.length(2)
      story.put(story.ids[3] as NodeId, 'key', 'both', undefined, context)
      for (const at of story.ids) story.sees(at, 'key', ['both'], undefined, ['one', 'two'])
    },
  )

  for (const { title, run, cast } of hardCases) inWorlds(title, run, cast)

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
    if (!story.isFair) story.world.runUntil(() => story.world.ring(wiped).standing === 'member')
    story.put(wiped, 'key', 'after', 1)
    story.settle()
    story.sees(other, 'key', ['after', 'before'], 3)
    story.holds(wiped, 'key', ['after', 'before'])
  })

  inWorlds('does not reuse dots after a start with an older disk', story => {
    const [restored, other] = story.owners('key') as [NodeId, NodeId]
    const first = story.begin(restored, 'key', 'first')
    story.world.run(100)
    const older = new Map(story.world.node(restored).durable)
    story.put(restored, 'key', 'second', 3, first)
    story.world.crash(restored)
    story.world.node(restored).durable = older
    story.world.part([restored])
    story.world.run(story.world.weather.lateMs)
    story.world.start(restored)
    story.put(restored, 'key', 'third', 1)
    story.settle()
    story.sees(other, 'key', ['second', 'third'], 3, ['first'])
    story.holds(restored, 'key', ['second', 'third'])
  })

  inWorlds('works down to the last node alive, and says how many it reached', story => {
    const [last, ...rest] = story.ids as [NodeId, ...NodeId[]]
    for (const id of rest) story.world.crash(id)
    // What they had sent may still come, and makes them seem alive for a while.
    story.world.run(1000 + story.world.weather.lateMs)
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
    expect(story.tryPut(cut, owned[0] as string, 'value', 1).kind).to.equal('written')
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
    const ask = (at: NodeId): RingAnswer => {
      let answer = story.world.answer(at, named)
      if (!story.isFair) {
        story.waitFor(() => {
          if (answer.kind !== 'written') answer = story.world.answer(at, named)
          return answer.kind === 'written'
        })
      }
      expect(answer.kind).to.equal('written')
      return answer
    }
    const first = ask(one)
    const again = ask(two)
    // In foul weather the first one may not be found, or be found on more copies: then too it is shown as one.
    if (story.isFair) expect(again).to.deep.equal(first)
    story.sees(two, 'key', ['value'], 3)
    story.settle()
    for (const id of story.ids) story.sees(id, 'key', ['value'])
  })

  inWorlds(
    'warns of many versions, refuses too many, and lets them be reconciled',
    story => {
      const at = story.steady('key')
      const { versionsWarning, versionsMax } = story.world.options
      const warned: number[] = []
      story.world.onEvent = (node, event) => {
        if (event.kind === 'crowded' && node.id === at) warned.push(event.versions)
      }
      for (let number = 1; number <= versionsMax; number++) {
        expect(story.put(at, 'key', `v${number}`).crowded).to.equal(number >= versionsWarning)
      }
      expect(story.tryPut(at, 'key', 'one more')).to.deep.equal({
        kind: 'refused',
        reason: 'too-many-versions',
      })
      const { context, versions } = story.get(at, 'key')
      expect(versions).to.have.length(versionsMax)
      expect(textsOf(story.put(at, 'key', 'all', undefined, context))).to.deep.equal(['all'])
      // People are told when there are that many, and when there are twice as many: not at every write.
      expect(warned).to.deep.equal([10, 20, 40])
      for (let number = 1; number <= versionsWarning; number++) story.put(at, 'key', `w${number}`)
      expect(warned).to.deep.equal([10, 20, 40, 10])
    },
    { worlds: 2, options: { versionsWarning: 10, versionsMax: 40 } },
  )

  inWorlds('replaces one of two versions by that one alone', story => {
    const at = story.steady('key')
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
    { worlds: 2 },
  )

  inWorlds(
    'prunes starts that are over from contexts, the same on every node',
    story => {
      const { world } = story
      const [owner] = story.owners('key') as [NodeId]
      let { context } = story.put(owner, 'key', 'v0', 3)
      for (let number = 1; number <= 14; number++) {
        world.restart(owner)
        world.run(500)
        context = story.put(owner, 'key', `v${number}`, 3, context).context
      }
      const old = context
      // Looked at where it is kept: a read would put a copy that is pruned together with one that is not yet.
      const isPruned = (): boolean =>
        story.owners('key').every(id => {
          const [version] = world.ring(id).view.records.get('key').record
          return version !== undefined && version.past.counters.size <= world.options.pastMax
        })
      for (let wait = 0; wait < 600 && !isPruned(); wait++) world.run(100)
      story.settle()
      expect(story.get(owner, 'key').context.length).to.be.below(old.length / 2)
      const contexts = (): Set<string> => new Set(story.ids.map(id => story.sees(id, 'key', ['v14']).context))
      if (!story.isFair) story.waitFor(() => contexts().size === 1)
      expect(contexts().size).to.equal(1)
      expect(textsOf(story.put(story.ids[1] as NodeId, 'key', 'last', 3, old))).to.deep.equal(['last'])
      for (const id of story.ids) story.sees(id, 'key', ['last'], 3, ['v14'])
    },
    { worlds: 2 },
  )

  inWorlds(
    'prunes starts that are over though the key is read all the time',
    story => {
      const { world, ids } = story
      const [owner] = story.owners('key') as [NodeId]
      let { context } = story.put(owner, 'key', 'v0', 3)
      for (let number = 1; number <= 12; number++) {
        world.restart(owner)
        world.run(500)
        context = story.put(owner, 'key', `v${number}`, 3, context).context
      }
      // With so many reads, somebody would seem unreachable all the time.
      Object.assign(world.weather, { loss: 0, lateness: 0 })
      for (const at of ids.slice(0, 2)) story.readOnAndOn(at, 'key')
      const isPruned = (): boolean =>
        story.owners('key').every(id => {
          const [version] = world.ring(id).view.records.get('key').record
          return version !== undefined && version.past.counters.size <= world.options.pastMax
        })
      expect(world.runUntil(isPruned, 10_000)).to.equal(true)
    },
    { worlds: 2 },
  )

  inWorlds(
    'forgets a deletion though somebody asks for the key all the time',
    story => {
      const { world, ids } = story
      const context = story.begin(ids[0] as NodeId, 'key', 'value')
      story.put(ids[0] as NodeId, 'key', undefined, 3, context)
      // With so many reads, somebody would seem unreachable all the time.
      Object.assign(world.weather, { loss: 0, lateness: 0 })
      for (const at of ids.slice(0, 2)) story.readOnAndOn(at, 'key')
      const isForgotten = (): boolean => ids.every(id => story.held(id, 'key').length === 0)
      expect(world.runUntil(isForgotten, 10_000)).to.equal(true)
    },
    { worlds: 2 },
  )

  inWorlds('bridges the blink in which a connection is made anew', story => {
    const { world, ids } = story
    const [at, ...others] = ids as [NodeId, ...NodeId[]]
    for (const other of others) world.ring(at).disconnected(other)
    story.put(at, 'key', 'value')
    for (const other of others) world.ring(at).disconnected(other)
    story.sees(at, 'key', ['value'])
  })

  inWorlds('refuses writes where every disk is full, and takes them again when there is room', story => {
    const { world, ids } = story
    story.put(ids[0] as NodeId, 'key', 'value', 3)
    for (const id of ids) world.ring(id).setDiskFull(true)
    world.run(200)
    for (const id of ids) {
      let answer = story.tryPut(id, 'key', 'more')
      // In foul weather it may not learn for a while why another node took nothing.
      const isOpen = (): boolean => answer.kind === 'unknown' || answer.kind === 'quorum-not-met'
      if (!story.isFair) {
        story.waitFor(() => {
          if (isOpen()) answer = story.tryPut(id, 'key', 'more')
          return !isOpen()
        })
      }
      expect(answer).to.deep.equal({ kind: 'refused', reason: 'disk-full' })
      story.sees(id, 'key', ['value'])
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
      if (!story.isFair) story.settle()
      story.world.crash(away)
      story.world.run(20_000)
      expect(story.owners('key')).to.deep.equal(before)
      for (const id of story.others('key')) expect(story.held(id, 'key')).to.deep.equal([])
    },
    { worlds: 2 },
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
    for (const owner of story.owners('key')) story.holds(owner, 'key', ['value'])
    world.start(lost)
    world.run(1000)
    if (!story.isFair) world.runUntil(() => world.ring(lost).standing === 'gone')
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
    story.holds(stale, 'key', ['value'])
  })

  inWorlds(
    'copies the share of a silent member where it evicts, and takes it in again with what it has',
    story => {
      const { world, ids } = story
      story.put(ids[0] as NodeId, 'key', 'value')
      world.run(500)
      if (!story.isFair) story.settle()
      const owner = story.owners('key')[0] as NodeId
      const other = ids.find(id => id !== owner) as NodeId
      world.crash(owner)
      const standing = (): string | undefined =>
        world.ring(other).list.members.find(({ id }) => id === owner)?.standing
      expect(world.runUntil(() => standing() === 'evicted')).to.equal(true)
      story.settle()
      expect(story.owners('key')).to.have.length(3).and.not.include(owner)
      for (const id of story.owners('key')) story.holds(id, 'key', ['value'])
      world.start(owner)
      expect(world.runUntil(() => standing() === 'member')).to.equal(true)
      expect(world.ring(other).list.members.at(-1)?.id).to.equal(owner)
      story.sees(owner, 'key', ['value'], 2)
    },
    { worlds: 2, nodes: 5, options: { evict: true } },
  )
})
