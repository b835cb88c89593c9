import { expect } from 'chai'
import { nodeId } from '../../src/base/ids.js'
import { pathOf, placementOf as placementOfIds, rangeOf } from '../../src/base/placement.js'
import { placementOf, topologyOf } from '../../src/protocol/placement.js'
import type { RingMemberStatus, RingStatus } from '../../src/protocol/request.js'

function member(name: string, role: RingMemberStatus['role'] = 'up'): RingMemberStatus {
  const heard = { active: role === 'up', inSync: role === 'up', hints: 0, lastHeardMs: 0 }
  return { id: nodeId(name), address: `${name}:1`, role, ...heard }
}

function ringOf(...members: RingMemberStatus[]): RingStatus {
  const nothing = { records: 0, hintsMax: 0, moving: undefined, tombstones: 0, canLose: 0 }
  return { engine: 'ring', leader: undefined, members, replicationFactor: 2, ...nothing }
}

const keys = Array.from({ length: 200 }, (_, at) => `key ${at}`)

describe('where a key is kept', () => {
  it('is on the owners of its range, by the identities of the members, however they are ordered', () => {
    const five = ['a', 'b', 'c', 'd', 'e']
    const topology = topologyOf(ringOf(...five.map(name => member(name))))
    const reversed = topologyOf(ringOf(...five.toReversed().map(name => member(name))))
    for (const key of keys) {
      const owners = placementOfIds(five.map(nodeId), 2).owners(rangeOf(pathOf(key)))
      expect(placementOf(key, topology)).to.deep.equal(owners.map(id => `${id}:1`))
      expect(placementOf(key, reversed)).to.deep.equal(placementOf(key, topology))
    }
  })

  it('does not change because a member is silent, but once others have taken over its share', () => {
    const of = (role: RingMemberStatus['role']): string[] =>
      keys.map(key =>
        placementOf(key, topologyOf(ringOf(member('a'), member('b'), member('c', role)))).join(),
      )
    for (const role of ['silent', 'dead', 'leaving'] as const) expect(of(role)).to.deep.equal(of('up'))
    for (const role of ['joining', 'evicted'] as const) {
      expect(of(role).every(kept => ['a:1,b:1', 'b:1,a:1'].includes(kept))).to.equal(true)
    }
  })

  it('is on all members where there are fewer than copies, and nowhere in a ring of none', () => {
    expect(placementOf('k', topologyOf(ringOf(member('a'))))).to.deep.equal(['a:1'])
    expect(placementOf('k', topologyOf(ringOf(member('a', 'joining'))))).to.deep.equal(['a:1'])
    expect(placementOf('k', topologyOf(ringOf()))).to.deep.equal([])
  })
})
