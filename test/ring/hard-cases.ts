/**
 * Scenarios in which one known mistake shows for certain, where a swarm would need luck to meet it. They are told of
 * the core as it is, like all others, and of the core with the mistake (mutants.ts), which must fail.
 */
import { expect } from 'chai'
import type { NodeId } from '../../src/base/ids.js'
import type { RingMessage } from '../../src/ring/messages.js'
import type { Cast, Story } from './story.js'

/** A scenario, and the cluster it is for. */
export interface HardCase {
  readonly title: string
  readonly cast: Partial<Cast>
  run(story: Story): void
}

export const hardCases: readonly HardCase[] = [
  {
    title: 'does not bring back what an owner slept through the deletion of',
    cast: {},
    run(story) {
      // The first owner is the one that collects.
      const [awake, sleeper] = story.owners('key') as [NodeId, NodeId]
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
        story.sees(id, 'key', [])
        expect(story.held(id, 'key')).to.deep.equal([])
      }
    },
  },
  {
    title: 'does not bring back what a reader had in hand when it was deleted and forgotten',
    // Forgetting is quick here, and readers are patient.
    cast: { options: { repairTicks: 2, copyTicks: 100 } },
    run(story) {
      const { world } = story
      const [owner, late] = story.owners('key') as [NodeId, NodeId]
      const reader = story.others('key')[0] as NodeId
      const context = story.begin(owner, 'key', 'value')
      let question: RingMessage | undefined
      world.onSend = (from, to, message) => {
        const isHeldUp = from === reader && to === late && message.kind === 'read' && question === undefined
        if (isHeldUp) question = message
        return !isHeldUp
      }
      world.ask(reader, { op: 'read', key: 'key', quorum: 3 }, () => {})
      world.run(20)
      story.put(owner, 'key', undefined, 3, context)
      const isForgotten = (): boolean => story.owners('key').every(id => story.held(id, 'key').length === 0)
      world.runUntil(isForgotten, 500)
      if (question !== undefined) world.ring(late).receive(reader, question)
      story.settle()
      expect(world.runUntil(isForgotten)).to.equal(true)
      for (const id of story.ids) story.sees(id, 'key', [])
    },
  },
  {
    title: 'has a copy on its disk when it says so, though its power fails in that moment',
    cast: {},
    run(story) {
      const { world } = story
      world.weather.flushMs = 50
      let teller: NodeId | undefined
      let left: string[] | undefined
      world.onSend = (from, _to, message) => {
        if (message.kind !== 'stored' || teller !== undefined) return true
        teller = from
        world.after(0, () => {
          world.restart(from)
          left = story.held(from, 'key')
        })
        return true
      }
      story.put(story.owners('key')[0] as NodeId, 'key', 'value', 2)
      expect(left).to.deep.equal(['value'])
    },
  },
  {
    title: 'keeps what it holds for others until they have it, whatever is lost on the way',
    cast: {},
    run(story) {
      const { world } = story
      const others = story.others('key')
      const owners = story.owners('key')
      world.part(others)
      story.put(others[0] as NodeId, 'key', 'value', 3)
      world.onSend = (_from, to, message) => message.kind !== 'store' || !owners.includes(to)
      world.heal()
      world.run(3000)
      world.onSend = () => true
      story.settle()
      for (const owner of owners) story.holds(owner, 'key', ['value'])
    },
  },
  {
    title: 'counts nothing for others of what became its own again while it was handing it over',
    cast: { nodes: 4 },
    run(story) {
      const { world, ids } = story
      const [late] = ids as [NodeId]
      for (let number = 0; number < 40; number++) story.put(late, `key-${number}`, `${number}`, 3)
      const newcomer = world.addWaiting()
      world.ring(late).addMember(world.node(newcomer).member)
      world.runUntil(() => world.ring(newcomer).standing === 'member')
      // Who owns a key no more has given it to all owners but this one when the newcomer leaves again.
      const isHeldUp = ({ kind }: RingMessage): boolean => kind === 'compare' || kind === 'store'
      world.onSend = (from, to, message) => to !== late || from === newcomer || !isHeldUp(message)
      const owing = (): boolean => ids.some(id => world.ring(id).view.records.owedTo(late) > 0)
      expect(story.waitFor(owing)).to.equal(true)
      world.ring(newcomer).leave()
      world.runUntil(() => world.ring(newcomer).standing === 'gone')
      world.onSend = () => true
      story.settle()
      expect(owing()).to.equal(false)
    },
  },
]
