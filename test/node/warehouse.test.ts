import { expect } from 'chai'
import fc from 'fast-check'
import { logIndex, nodeId, term } from '../../src/base/ids.js'
import { readConfig } from '../../src/node/config.js'
import { type Likeness, whyNotTogether, whyUnlike } from '../../src/node/likeness.js'
import { type Preset, presetOf, warehouseProgram } from '../../src/node/warehouse.js'
import { type ClusterStatus, failure } from '../../src/protocol/request.js'

const key = '0d5d3807-5fbf-4228-a657-5a091c4e497f'

function preset(program?: typeof warehouseProgram): Preset {
  const result = readConfig({ argv: ['--engine=raft'], env: {}, isFirstStart: () => true }, program)
  if (result.kind !== 'run') throw new Error('it was not asked to print')
  return presetOf(result.config)
}

/** Members, the first few of which are heard. */
function statusOf(members: number, active: number): ClusterStatus {
  return {
    engine: 'raft',
    leader: undefined,
    canLose: 0,
    members: Array.from({ length: members }, (_, at) => ({
      id: nodeId(String(at)),
      address: `a:${at}`,
      role: 'follower' as const,
      active: at < active,
      inSync: false,
      term: term(1),
      lastIndex: logIndex(0),
      appliedIndex: logIndex(0),
      lag: 0,
      lastHeardMs: 0,
    })),
  }
}

describe('the preset of a warehouse', () => {
  const warehouse = preset(warehouseProgram)
  const get = (typed: string) => warehouse.check({ op: 'get', key: typed, local: false })

  it('takes every UUID of version 4, in either case, and keeps it in lower case', () => {
    fc.assert(
      fc.property(fc.uuid({ version: 4 }), fc.boolean(), (uuid, isUpper) => {
        const typed = isUpper ? uuid.toUpperCase() : uuid
        expect(get(typed)).to.deep.equal({ op: 'get', key: uuid.toLowerCase(), local: false })
      }),
    )
  })

  it('refuses UUIDs of other versions and variants, and what is no UUID', () => {
    fc.assert(
      fc.property(fc.uuid({ version: [1, 2, 3, 5, 6, 7, 8] }), uuid => {
        expect(get(uuid)).to.deep.equal(failure('KEY_NOT_UUID4'))
      }),
    )
    for (const typed of [
      '12345',
      '',
      `${key} `,
      `{${key}}`,
      `${key}0`,
      key.replaceAll('-', ''),
      key.replace('a657', 'c657'),
      key.replace('a657', '7657'),
      '00000000-0000-0000-0000-000000000000',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
    ]) {
      expect(get(typed), typed).to.deep.equal(failure('KEY_NOT_UUID4'))
    }
  })

  it('checks the keys of writes, and lets pass what has none', () => {
    const value = Buffer.from('v')
    expect(warehouse.check({ op: 'set', key: 'k', value })).to.deep.equal(failure('KEY_NOT_UUID4'))
    expect(warehouse.check({ op: 'delete', key: key.toUpperCase() })).to.deep.equal({ op: 'delete', key })
    expect(warehouse.check({ op: 'status' })).to.deep.equal({ op: 'status' })
  })

  it('warns of fewer living instances than copies, and of nothing else', () => {
    const warning = 'cluster size (1) is smaller than a replication factor (2)!'
    expect(warehouse.decorate(statusOf(3, 1))).to.deep.include({ replicationFactor: 2, warnings: [warning] })
    expect(warehouse.decorate(statusOf(3, 2))).to.deep.include({ warnings: [] })
    // A ring keeps as many copies as it was founded with, whatever this instance was started with.
    const ring = {
      engine: 'ring',
      leader: 'a:0',
      canLose: 0,
      records: 0,
      hintsMax: 0,
      tombstones: 0,
    } as const
    const heard = { active: true, inSync: true, hints: 0, lastHeardMs: 0 }
    const members = [{ id: nodeId('0'), address: 'a:0', role: 'up' as const, ...heard }]
    expect(warehouse.decorate({ ...ring, members, moving: undefined, replicationFactor: 3 })).to.deep.include(
      {
        replicationFactor: 3,
        warnings: ['cluster size (1) is smaller than a replication factor (3)!'],
      },
    )
    // One that belongs to no cluster yet.
    expect(warehouse.decorate(statusOf(0, 0))).to.deep.include({ warnings: [] })
  })

  it('keeps apart what cannot be of one cluster, and says both numbers where replication factors differ', () => {
    const one = (preset: 'quorate' | 'warehouse', replicationFactor?: number): Likeness => ({
      engine: 'raft',
      preset,
      replicationFactor,
    })
    expect(whyUnlike(one('warehouse', 2), one('warehouse', 2))).to.equal(undefined)
    expect(whyUnlike(one('quorate'), one('quorate'))).to.equal(undefined)
    expect(whyUnlike(one('quorate', 3), one('quorate'))).to.equal(undefined)
    expect(whyUnlike(one('warehouse', 2), one('warehouse', 3))).to.equal(
      'it was started with --replication-factor 3, and this cluster has 2.',
    )
    expect(whyUnlike(one('warehouse', 2), one('quorate'))).to.equal(
      'it was started as quorate, and this cluster is one of warehouse.',
    )
  })
})

describe('nodes that form a cluster', () => {
  const node = (engine: 'raft' | 'ring', replicationFactor?: number): Likeness => ({
    engine,
    preset: 'quorate',
    replicationFactor,
  })

  it('run the same engine; on a ring they were told the same number of copies', () => {
    const at = '10.0.0.2:5000'
    expect(whyNotTogether(node('ring', 3), at, node('ring', 3))).to.equal(undefined)
    expect(whyNotTogether(node('raft'), at, node('raft'))).to.equal(undefined)
    expect(whyNotTogether(node('raft'), at, node('ring'))).to.equal(
      `${at} was started with --engine ring, this node with --engine raft: give all of them the same.`,
    )
    expect(whyNotTogether(node('ring', 3), at, node('ring'))).to.equal(
      `${at} was started without --replication-factor, this node with --replication-factor 3: give all of them the same.`,
    )
    expect(whyNotTogether(node('ring', 3), at, node('ring', 2))).to.include('replication-factor 3')
  })
})

describe('the preset of a plain node', () => {
  it('changes nothing', () => {
    const plain = preset()
    const request = { op: 'get', key: 'Any Key', local: false } as const
    expect(plain.check(request)).to.equal(request)
    const status = statusOf(3, 1)
    expect(plain.decorate(status)).to.equal(status)
  })
})
