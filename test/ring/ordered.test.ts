import { expect } from 'chai'
import type { NodeId } from '../../src/base/ids.js'
import { pathOf, placementOf, rangeOf } from '../../src/base/placement.js'
import type { RingMessage } from '../../src/ring/messages.js'
import { keyThat } from './keys.js'
import { inOrderedWorlds } from './ordered-story.js'

/** A key that this member owns alone, until the newcomer does. */
function keyThatMoves(members: readonly NodeId[], owner: NodeId, newcomer: NodeId): string {
  const [before, after] = [placementOf(members, 1), placementOf([...members, newcomer], 1)]
  return keyThat((_key, range) => before.isOwner(owner, range) && after.isOwner(newcomer, range))
}

describe('the ring with a leader', () => {
  inOrderedWorlds('creates, updates and deletes through any node, and shows it everywhere at once', story => {
    const [one, two, three] = story.ids as [NodeId, NodeId, NodeId]
    const created = story.set(three, 'key', 'first')
    expect(created.existed).to.equal(false)
    if (story.isFair) expect(created.copies).to.equal(2)
    story.allSee('key', 'first')
    const updated = story.set(two, 'key', 'second')
    expect(updated.existed).to.equal(true)
    expect(updated.version).to.be.above(created.version)
    story.allSee('key', 'second')
    expect(story.change(three, 'put', 'key', 'third').kind).to.equal('present')
    expect(story.change(one, 'update', 'other', 'value').kind).to.equal('absent')
    const deleted = story.change(one, 'delete', 'key')
    expect(deleted.kind === 'changed' && deleted.existed).to.equal(true)
    story.allSee('key', '(absent)')
    expect(story.change(two, 'delete', 'key').kind).to.equal('absent')
    expect(story.set(one, 'key', 'again').existed).to.equal(false)
    story.settle()
    expect(story.holders('key')).to.have.members(story.owners('key'))
  })

  inOrderedWorlds('is led by the first that lives, in ever higher epochs', story => {
    const { world } = story
    const [one, two, three] = story.ids as [NodeId, NodeId, NodeId]
    story.until('the first leads', () => story.running.every(id => story.leaderAt(id) === one))
    const first = story.epochAt(three)
    expect(first).to.be.above(0)
    world.crash(one)
    story.until('the second leads', () => story.running.every(id => story.leaderAt(id) === two))
    story.set(three, 'key', 'value')
    const second = story.epochAt(three)
    expect(second).to.be.above(first)
    world.start(one)
    story.until('the first leads again', () => story.running.every(id => story.leaderAt(id) === one))
    story.set(three, 'key', 'more')
    story.until('its epoch is known', () => story.epochAt(three) > second)
    story.allSee('key', 'more')
  })

  inOrderedWorlds('puts a member that was evicted and returns at the end of the line', story => {
    const { world } = story
    const [one, two, three] = story.ids as [NodeId, NodeId, NodeId]
    world.crash(one)
    story.until('it is evicted', () => story.standing(one) === 'evicted')
    world.start(one)
    story.until('it is back', () => story.standing(one) === 'member')
    expect(world.ring(three).list.members.map(({ id }) => id)).to.deep.equal([two, three, one])
    story.until('the second leads', () => story.running.every(id => story.leaderAt(id) === two))
  })

  inOrderedWorlds('gives a waiting write to the next leader when the first one dies with it', story => {
    const { world } = story
    const [one, , three] = story.ids as [NodeId, NodeId, NodeId]
    for (const silenced of ['gather', 'store', 'asked'] as const) {
      const key = `key of ${silenced}`
      const identity = story.nextName()
      // The leader gets so far and no further.
      world.onSend = (from, _to, { kind }) => from !== one || kind !== silenced
      const answers: string[] = []
      const ask = (): void =>
        world.ask(
          three,
          { op: 'change', verb: 'set', key, value: Buffer.from('value'), identity },
          ({ kind }) => answers.push(kind),
        )
      ask()
      world.run(100)
      world.crash(one)
      world.onSend = () => true
      story.until('it is answered', () => {
        if (answers.length > 0 && !answers.includes('changed')) {
          answers.length = 0
          ask()
        }
        return answers.includes('changed')
      })
      expect(answers).to.have.length(1)
      // In foul weather the first one may have found itself alone, and acknowledged it.
      if (story.isFair) story.allSee(key, 'value')
      world.start(one)
      story.until('it leads again', () => story.running.every(id => story.leaderAt(id) === one))
      story.allSee(key, 'value')
    }
  })

  inOrderedWorlds('takes no late answer to an earlier start of its own for one to this start', story => {
    const { world } = story
    const [one, two] = story.ids as [NodeId, NodeId]
    const late: RingMessage[] = []
    world.onSend = (_from, to, message) => {
      if (to === two && message.kind === 'asked') late.push(message)
      return true
    }
    story.set(one, 'key', 'value')
    for (let count = 0; count < 100; count++) story.sees(two, 'other', '(absent)')
    world.restart(two)
    story.until('it is back', () => story.isCalm())
    world.onSend = (from, _to, message) => {
      if (from === two && message.kind === 'ask') {
        world.after(0, () => {
          for (const answer of late) world.ring(two).receive(one, answer)
        })
      }
      return true
    }
    for (let count = 0; count < 100; count++) story.sees(two, 'key', 'value')
  })

  inOrderedWorlds('answers a repeated write as the first time, through the next leader too', story => {
    const { world } = story
    const [one, two, three] = story.ids as [NodeId, NodeId, NodeId]
    expect(story.set(two, 'key', 'first', 'a').existed).to.equal(false)
    expect(story.set(three, 'key', 'first', 'a').existed).to.equal(false)
    expect(story.set(two, 'key', 'second', 'b').existed).to.equal(true)
    const deleted = story.change(two, 'delete', 'key', undefined, 'c')
    story.until('it is on more than one', () => story.isCalm() && story.holders('key').length !== 1)
    world.crash(one)
    // Where everybody has confirmed the deletion it is forgotten, and its name with it.
    const isForgotten = !story.isFair && story.holders('key').length === 0
    const again = story.change(three, 'delete', 'key', undefined, 'c')
    expect([deleted.kind, again.kind]).to.deep.equal(['changed', isForgotten ? 'absent' : 'changed'])
    story.sees(three, 'key', '(absent)')
    story.set(three, 'key', 'third', 'd')
    world.start(one)
    story.until('it leads again', () => story.running.every(id => story.leaderAt(id) === one))
    expect(story.set(three, 'key', 'third', 'd').existed).to.equal(false)
    story.allSee('key', 'third')
  })

  inOrderedWorlds('lets both sides of a partition lead, and settles afterwards by the order', story => {
    const { world } = story
    const [one, two, three] = story.ids as [NodeId, NodeId, NodeId]
    const keys = ['both', 'gone here', 'gone there', 'here', 'there']
    for (const key of keys.slice(0, 3)) story.set(one, key, 'old')
    story.settle()
    world.part([one], [two, three])
    story.until('both lead', () => story.leaderAt(one) === one && story.leaderAt(three) === two)
    story.set(one, 'both', 'of one')
    story.set(one, 'here', 'of one')
    story.set(three, 'both', 'of three')
    story.set(three, 'both', 'of three again')
    story.set(three, 'there', 'of three')
    if (story.get(one, 'gone here') === 'old') story.change(one, 'delete', 'gone here')
    story.change(three, 'delete', 'gone there')
    story.sees(one, 'both', 'of one')
    story.sees(three, 'both', 'of three again')
    story.settle()
    const settled = story.get(one, 'both')
    expect(['of one', 'of three again']).to.include(settled)
    story.allSee('both', settled)
    story.allSee('here', 'of one')
    story.allSee('there', 'of three')
    story.allSee('gone there', '(absent)')
    expect(story.set(two, 'both', 'new').existed).to.equal(true)
    story.allSee('both', 'new')
    story.settle()
    for (const key of keys) {
      for (const owner of story.owners(key)) {
        const digests = story.owners(key).map(id => world.ring(id).view.records.get(key).digest)
        expect(new Set(digests).size, `${key} at ${owner}`).to.equal(1)
      }
    }
  })

  inOrderedWorlds(
    'never says that a key is not there while those who may have it are away',
    story => {
      const { world } = story
      const [one, two, three] = story.ids as [NodeId, NodeId, NodeId]
      const key = story.keyOf([one, two])
      const other = story.keyOf([one, two].reverse() as NodeId[])
      expect(other).to.equal(key)
      const absent = `${key}`
      story.set(three, key, 'value')
      const elsewhere = story.keyOf([one, three])
      story.set(three, elsewhere, 'value')
      // A message that is lost, and the death of the leader before its next heartbeat, are one thing too many.
      if (!story.isFair) story.settle()
      world.crash(one)
      story.until('the second leads', () => story.leaderAt(three) === two)
      story.sees(three, key, 'value')
      world.crash(two)
      story.until('the third leads', () => story.leaderAt(three) === three)
      expect(story.get(three, absent)).to.equal('(unavailable)')
      expect(story.tryChange(three, 'delete', key, undefined, 'd').kind).to.equal('unavailable')
      expect(story.tryChange(three, 'update', key, 'x', 'u').kind).to.equal('unavailable')
      story.sees(three, elsewhere, 'value')
      story.until(
        'they are evicted',
        () => story.standing(one) === 'evicted' && story.standing(two) === 'evicted',
      )
      world.run(2000)
      expect(story.get(three, key)).to.equal('(unavailable)')
      const four = world.addWaiting()
      expect(world.ring(three).addMember(world.node(four).member)).to.equal(true)
      story.until('it joined', () => story.standing(four, four) === 'member')
      story.allSee(key, '(unavailable)')
      world.restart(three)
      story.until('it leads', () => story.leaderAt(three) !== undefined)
      story.allSee(key, '(unavailable)')
      story.allSee(elsewhere, 'value')
      world.start(one)
      story.until('the first is back', () => story.standing(one, three) === 'member')
      story.allSee(key, 'value')
      world.start(two)
      story.until('the second is back', () => story.standing(two, three) === 'member')
      story.settle()
      story.allSee(key, 'value')
      expect(story.holders(key)).to.have.length(2)
    },
    { options: { deadTicks: 300 } },
  )

  inOrderedWorlds('takes writes of keys whose owners are all away, and the newest one wins', story => {
    const { world } = story
    const [one, two, three] = story.ids as [NodeId, NodeId, NodeId]
    const key = story.keyOf([one, two])
    story.set(three, key, 'old')
    world.crash(one)
    world.crash(two)
    story.until('the third leads', () => story.leaderAt(three) === three)
    const answer = story.set(three, key, 'new')
    expect([answer.existed, answer.copies]).to.deep.equal([false, 1])
    story.sees(three, key, 'new')
    world.start(one)
    world.start(two)
    story.settle()
    story.allSee(key, 'new')
    expect(story.holders(key)).to.have.members([one, two])
  })

  inOrderedWorlds(
    'says unavailable where two nodes lived by turns, and each has what the other has not',
    story => {
      const { world } = story
      const [one, two] = story.ids as [NodeId, NodeId]
      story.set(one, 'before', 'value')
      story.settle()
      world.crash(two)
      story.until('one is alone', () => story.leaderAt(one) === one)
      story.set(one, 'of one', 'value')
      world.crash(one)
      world.start(two)
      story.until('two is alone', () => story.leaderAt(two) === two)
      story.sees(two, 'before', 'value')
      expect(story.get(two, 'of one')).to.equal('(unavailable)')
      story.set(two, 'of two', 'value')
      story.set(two, 'before', 'changed')
      world.crash(two)
      world.start(one)
      story.until('one is alone again', () => story.leaderAt(one) === one)
      expect(story.get(one, 'of two')).to.equal('(unavailable)')
      world.start(two)
      story.settle()
      story.allSee('of one', 'value')
      story.allSee('of two', 'value')
      story.allSee('before', 'changed')
      story.allSee('never', '(absent)')
    },
    { nodes: 2 },
  )

  inOrderedWorlds(
    'keeps each key on exactly two of five, also after one is lost, and spreads it when one joins',
    story => {
      const { world, ids } = story
      const keys = Array.from({ length: 30 }, (_each, number) => `key-${number}`)
      for (const [place, key] of keys.entries()) story.set(ids[place % 5] as NodeId, key, `of ${key}`)
      const check = (): void => {
        story.settle()
        for (const key of keys) {
          story.until(`${key} is on two`, () => story.holders(key).length === 2)
          expect(story.holders(key)).to.have.members(story.owners(key))
          story.sees(story.last, key, `of ${key}`)
        }
      }
      check()
      world.crash(ids[1] as NodeId)
      story.until('it is evicted', () => story.standing(ids[1] as NodeId) === 'evicted')
      check()
      const joiner = world.addWaiting()
      world.ring(ids[3] as NodeId).addMember(world.node(joiner).member)
      story.until('it joined', () => story.standing(joiner, ids[0]) === 'member')
      check()
      expect(keys.filter(key => story.holders(key).includes(joiner)).length).to.be.above(0)
    },
    { nodes: 5, worlds: 2, options: { deadTicks: 200 } },
  )

  inOrderedWorlds('does not let a deletion lose against what it deleted, whoever slept', story => {
    const { world } = story
    const [one, two, three] = story.ids as [NodeId, NodeId, NodeId]
    const key = story.keyOf([two, three])
    story.set(one, key, 'value')
    story.settle()
    world.crash(two)
    story.until('two is lost', () => !world.ring(one).view.isUsable(two))
    expect(story.change(one, 'delete', key).kind).to.equal('changed')
    world.run(5000)
    story.until('they know of each other', () => story.isCalm())
    world.crash(one)
    world.start(two)
    story.until('it is met', () => world.ring(three).view.isUsable(two))
    story.until('somebody leads', () => story.isCalm())
    for (const id of [two, three]) {
      // In foul weather the first one may seem to have been back, when a late message of its comes.
      expect(story.get(id, key)).to.be.oneOf(story.isFair ? ['(absent)'] : ['(absent)', '(unavailable)'])
    }
    world.start(one)
    story.settle()
    story.until('the tombstone is forgotten', () => story.holders(key).length === 0)
    story.allSee(key, '(absent)')
  })

  inOrderedWorlds('works down to the last node alive', story => {
    const { world, ids } = story
    for (const [place, id] of ids.slice(0, -1).entries()) {
      story.set(story.last, `key-${place}`, 'value')
      world.crash(id)
      story.set(story.last, `later-${place}`, 'value')
      story.sees(story.last, `later-${place}`, 'value')
    }
    const last = story.last
    expect(story.set(last, 'key', 'value').copies).to.equal(1)
    story.set(last, 'passing', 'value')
    expect(story.change(last, 'delete', 'passing').kind).to.equal('changed')
    story.sees(last, 'passing', '(absent)')
    const epoch = story.epochAt(last)
    world.restart(last)
    story.sees(last, 'key', 'value')
    expect(story.epochAt(last)).to.be.above(epoch)
    story.set(last, 'passing', 'value')
    expect(story.change(last, 'delete', 'passing').kind).to.equal('changed')
    story.sees(last, 'passing', '(absent)')
    for (const id of ids.slice(0, -1)) world.start(id)
    story.settle()
    for (const [place] of ids.slice(0, -1).entries()) {
      story.allSee(`key-${place}`, 'value')
      story.allSee(`later-${place}`, 'value')
    }
  })

  inOrderedWorlds(
    'tells an owner that was left out of a write, so that it does not vouch for what it lacks',
    story => {
      const { world } = story
      const [one, two, three] = story.ids as [NodeId, NodeId, NodeId]
      const key = story.keyOf([two, three])
      // The third never gets it, and nothing but its silence on it is lost.
      world.onSend = (_from, to, { kind }) =>
        to !== three || (kind !== 'store' && kind !== 'compared' && kind !== 'wanted')
      story.set(one, key, 'value')
      expect(world.ring(three).view.records.get(key).record).to.deep.equal([])
      story.until('it is told', () => world.ring(three).view.coverage?.isBehind === true)
      world.crash(two)
      world.onSend = () => true
      story.until('two is lost', () => !world.ring(one).view.isUsable(two))
      // In foul weather the first one may have kept it for the others.
      expect(story.get(one, key)).to.be.oneOf(story.isFair ? ['(unavailable)'] : ['(unavailable)', 'value'])
      world.start(two)
      story.settle()
      story.allSee(key, 'value')
    },
  )

  inOrderedWorlds(
    'tells a newcomer that something was written without it, so that it does not vouch for what it lacks',
    story => {
      const { world, ids } = story
      const [one, two, three] = ids as [NodeId, NodeId, NodeId]
      const four = world.addWaiting()
      const key = keyThatMoves(ids, three, four)
      const hasGot = (): boolean => world.ring(four).view.coverage?.has(three, rangeOf(pathOf(key))) === true
      // The leader hears nothing of the newcomer.
      world.onSend = (from, to, { kind }) => to !== one || (kind !== 'members' && from !== four)
      world.ring(three).addMember(world.node(four).member)
      story.until('it has got what there was', hasGot)
      story.set(one, key, 'value')
      expect(world.ring(four).view.records.get(key).record).to.deep.equal([])
      // From now on it is given nothing, but hears of everybody.
      world.onSend = (_from, to, { kind }) => to !== four || kind === 'heartbeat' || kind === 'members'
      story.until('they have met', () => [one, two].every(id => world.ring(four).view.isUsable(id)))
      story.until('it is told', () => !hasGot())
      world.crash(three)
      world.onSend = () => true
      story.until('three is lost', () => !world.ring(one).view.isUsable(three))
      expect(story.get(one, key)).to.equal('(unavailable)')
      world.start(three)
      story.settle()
      story.allSee(key, 'value')
    },
    { copies: 1, worlds: 1 },
  )

  inOrderedWorlds(
    'does not vouch for what the other side of a partition took, before it has got it',
    story => {
      const { world } = story
      const [one, two, three] = story.ids as [NodeId, NodeId, NodeId]
      const key = story.keyOf([one, three])
      world.part([one], [two, three])
      story.until('both lead', () => story.leaderAt(one) === one && story.leaderAt(three) === two)
      story.set(one, key, 'value')
      // What was sent meanwhile is lost for good; then they hear each other again, and no more than that.
      world.run(100 + world.weather.lateMs)
      world.onSend = (_from, _to, { kind }) => kind === 'heartbeat' || kind === 'members'
      world.heal()
      story.until('they are together', () => world.ring(three).view.isUsable(one))
      world.crash(one)
      world.onSend = () => true
      story.until('the first is lost', () => story.leaderAt(three) === two)
      expect(story.get(three, key)).to.equal('(unavailable)')
      world.start(one)
      story.settle()
      story.allSee(key, 'value')
    },
  )

  inOrderedWorlds('does not say that a key is gone because somebody still holds an old deletion', story => {
    const { world } = story
    const [one, two, three] = story.ids as [NodeId, NodeId, NodeId]
    const key = story.keyOf([two, three])
    story.set(one, key, 'value')
    world.crash(two)
    world.crash(three)
    story.until(
      'one is alone',
      () => !world.ring(one).view.isUsable(two) && !world.ring(one).view.isUsable(three),
    )
    if (story.set(one, key, 'other').copies === 0) throw new Error('not stored')
    expect(story.change(one, 'delete', key).kind).to.equal('changed')
    story.sees(one, key, '(absent)')
    world.start(two)
    story.until('two is back', () => world.ring(one).view.isWritable(two))
    // What the first holds for the others stays where it is.
    world.onSend = (_from, _to, { kind }) => kind !== 'compared'
    story.set(one, key, 'new')
    world.crash(two)
    story.until('two is lost', () => !world.ring(one).view.isUsable(two))
    expect(story.get(one, key)).to.be.oneOf(['new', '(unavailable)'])
    world.onSend = () => true
    world.start(two)
    world.start(three)
    story.settle()
    story.allSee(key, 'new')
  })

  inOrderedWorlds('puts changes of one key that come at once one after the other', story => {
    const { world } = story
    for (let round = 1; round <= 5; round++) {
      const key = `key-${round}`
      const answers: boolean[] = []
      for (const id of story.ids) {
        const request = { op: 'change', verb: 'set', key, value: Buffer.from(`of ${id}`) } as const
        world.ask(id, { ...request, identity: `${id} ${round}` }, answer => {
          if (answer.kind === 'changed') answers.push(answer.existed)
        })
      }
      world.run(3000)
      // In foul weather two may lead for a moment.
      if (story.isFair) expect(answers.sort()).to.deep.equal([false, true, true])
      story.allSee(key, story.get(story.last, key))
    }
  })
})
