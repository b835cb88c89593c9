import { expect } from 'chai'
import { nodeId } from '../../src/base/ids.js'
import { RingNews, ringStatus } from '../../src/replica/ring-status.js'
import type { RingMember, RingMemberStatus, RingStatus, Standing } from '../../src/ring/types.js'

function memberOf(name: string, standing: Standing = 'member'): RingMember {
  const addresses = { address: `${name}:5000`, peerAddress: `${name}:6000` }
  return { id: nodeId(name), ...addresses, standing, joined: 1, generation: 1 }
}

function statusOf(name: string, more: Partial<RingMemberStatus> = {}, standing?: Standing): RingMemberStatus {
  const member = memberOf(name, standing)
  return { member, reachable: true, dead: false, silentTicks: 3, hints: 0, ...more }
}

/** What node `a` shows of these members. */
function shown(members: readonly RingMemberStatus[], more: Partial<RingStatus> = {}) {
  const nothing = { records: 0, hints: 0, hintsMax: 0, moving: undefined, tombstones: 0, counting: false }
  return ringStatus({ copies: 3, members, ...nothing, ...more }, nodeId('a'), 10)
}

describe('the status of a ring', () => {
  it('shows who is there, who is silent, dead, coming and going, and not who is gone', () => {
    const away = { reachable: false }
    const { members } = shown([
      statusOf('a'),
      statusOf('b', { hints: 2 }),
      statusOf('c', away),
      statusOf('d', { ...away, dead: true, silentTicks: undefined }),
      statusOf('e', {}, 'joining'),
      statusOf('f', {}, 'leaving'),
      statusOf('g', away, 'evicted'),
      statusOf('h', away, 'gone'),
    ])
    expect(
      members.map(({ address, role, active, inSync }) => [address[0], role, active, inSync]),
    ).to.deep.equal([
      ['a', 'up', true, true],
      ['b', 'up', true, false],
      ['c', 'silent', false, false],
      ['d', 'dead', false, false],
      ['e', 'joining', true, false],
      ['f', 'leaving', true, true],
      ['g', 'evicted', false, false],
    ])
    expect(members.map(({ lastHeardMs }) => lastHeardMs).slice(0, 4)).to.deep.equal([0, 30, 30, undefined])
  })

  it('counts how many more can be lost: not so many that the usual quorum fails, or a key may be gone', () => {
    const six = ['a', 'b', 'c', 'd', 'e', 'f'].map(name => statusOf(name))
    expect(shown(six).canLose).to.equal(2)
    expect(shown(six.slice(0, 3)).canLose).to.equal(1)
    expect(shown(six.slice(0, 1)).canLose).to.equal(0)
    const away = (...names: string[]) =>
      six.map(one => (names.includes(one.member.id) ? { ...one, reachable: false } : one))
    expect(shown(away('b')).canLose, 'who is away may have one of the three copies').to.equal(1)
    expect(shown(away('b', 'c')).canLose).to.equal(0)
    expect(shown(away('b', 'c', 'd')).canLose).to.equal(0)
    expect(shown(away('b'), { copies: 2, epoch: 1 }).canLose, 'of a ring with a leader, too').to.equal(0)
    const evicted = [...six, statusOf('g', { reachable: false }, 'evicted')]
    expect(shown(evicted).canLose, 'whose share the others have').to.equal(2)
    const lone = ['a', 'b', 'c'].map(name => statusOf(name, { reachable: name === 'a' }))
    expect(shown(lone).canLose).to.equal(0)
  })

  it('says that a node is not in sync that still fetches its share', () => {
    const moving = { kind: 'fetching', left: 1, of: 2 } as const
    expect(shown([statusOf('a')], { moving }).members[0]?.inSync).to.equal(false)
  })
})

describe('the news of a ring', () => {
  const news = () => new RingNews(nodeId('a'), { copies: 3, members: [memberOf('a'), memberOf('b')] })
  const changed = (name: string, standing: Standing) =>
    ({ kind: 'member', member: memberOf(name, standing) }) as const

  it('are told once for each change of how a member stands', () => {
    const told = news()
    const kinds = (['joining', 'joining', 'member', 'leaving', 'gone', 'gone'] as const).flatMap(standing =>
      told.of(changed('c', standing)).map(({ kind }) => kind),
    )
    expect(kinds).to.deep.equal(['member-joining', 'member-added', 'member-leaving', 'member-removed'])
    expect(told.of(changed('b', 'member')), 'what was known at the start').to.deep.equal([])
    expect(told.of(changed('d', 'gone')), 'of one that nobody here knew').to.deep.equal([])
  })

  it('say once that this node is none of them any more, whoever says so first', () => {
    const told = news()
    expect(told.of(changed('a', 'gone'))).to.deep.equal([{ kind: 'removed' }])
    expect(told.removed()).to.deep.equal([])
  })

  it('tell who is heard, and which key is crowded', () => {
    const member = memberOf('b')
    expect(news().of({ kind: 'unreachable', member })).to.deep.equal([
      { kind: 'out-of-sync', address: 'b:5000' },
    ])
    expect(news().of({ kind: 'reachable', member })).to.deep.equal([{ kind: 'in-sync', address: 'b:5000' }])
    const crowded = { kind: 'crowded', key: 'k', versions: 25 } as const
    expect(news().of(crowded)).to.deep.equal([crowded])
  })
})
