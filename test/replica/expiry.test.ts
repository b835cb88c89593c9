import { expect } from 'chai'
import type { Operation, ReadOperation, Reply } from '../../src/base/operation.js'
import type { Response } from '../../src/protocol/request.js'
import { type Third, Trio } from './trio.js'

const noonMs = 1_750_000_000_000

/** A scene with three replicas whose clocks agree, at noon. */
class Scene extends Trio {
  constructor() {
    super(noonMs)
  }

  set(at: Third, key: string, value: string | Uint8Array, lifetimeMs?: number): void {
    const expiry = lifetimeMs === undefined ? undefined : { after: lifetimeMs }
    const bytes = Buffer.from(value)
    const written = this.run(at, {
      op: 'set',
      key,
      value: bytes,
      condition: undefined,
      expiry,
      previous: false,
    })
    expect(written).to.deep.equal({ kind: 'status', text: 'OK' })
  }

  run(at: Third, operation: Operation): Reply | undefined {
    const response = this.ask(at, { op: 'redis-write', operations: [operation], watched: [] })
    return onlyReply(response)
  }

  read(at: Third, operation: ReadOperation, local = false): Reply | undefined {
    return onlyReply(this.ask(at, { op: 'redis-read', operations: [operation], local }))
  }

  get(at: Third, key: string, local = false): string | undefined {
    const response = this.ask(at, { op: 'get', key, local })
    return response.kind === 'value' ? Buffer.from(response.value).toString('latin1') : undefined
  }

  /** All but the leader. */
  followers(): Third[] {
    const leader = this.leader()
    return this.thirds.filter(one => one !== leader)
  }

  expectEqualTables(): void {
    const contents = ({ table }: Third): unknown =>
      table.keys('', '', 100_000).map(key => [key, table.get(key)])
    const [first, ...others] = this.thirds.filter(one => !one.isCutOff)
    for (const other of others) {
      expect(first && contents(first)).to.deep.equal(contents(other))
      expect(first?.replica.clockMs).to.equal(other.replica.clockMs)
    }
  }
}

function onlyReply(response: Response): Reply | undefined {
  expect(response).to.deep.include({ kind: 'redis' })
  return response.kind === 'redis' ? response.replies[0] : undefined
}

describe('a key that expires', () => {
  it('is gone everywhere in time, though nobody writes, and its record is removed on every replica', () => {
    const scene = new Scene()
    const [follower] = scene.followers()
    scene.set(scene.leader(), 'short', '1', 300)
    scene.set(scene.leader(), 'eternal', '3')
    scene.set(scene.leader(), 'long', '2', 100_000)
    scene.tick(20)
    const expiring = (): unknown[] => scene.thirds.map(one => scene.read(one, { op: 'expiring' }, true))
    const integers = (value: number): unknown[] => scene.thirds.map(() => ({ kind: 'integer', value }))
    expect(scene.thirds.map(one => one.table.count())).to.deep.equal([3, 3, 3])
    expect(expiring()).to.deep.equal(integers(2))
    expect(follower && scene.get(follower, 'short')).to.equal('1')
    scene.tick(20)
    const left = ['eternal', 'long']
    expect(scene.thirds.map(one => one.table.keys('', '', 10))).to.deep.equal([left, left, left])
    expect(expiring()).to.deep.equal(integers(1))
    for (const one of scene.thirds) expect(scene.get(one, 'short', true)).to.equal(undefined)
    scene.expectEqualTables()
  })

  it('is there for nobody once it has expired, in whatever dialect it is asked for', () => {
    const scene = new Scene()
    const leader = scene.leader()
    scene.set(leader, 'key', '1', 50)
    leader.wallMs += 60
    const none = { kind: 'error', code: 'KEY_NOT_FOUND' }
    scene.tick(1)
    expect(scene.ask(leader, { op: 'get', key: 'key', local: false })).to.deep.equal(none)
    expect(scene.ask(leader, { op: 'update', key: 'key', value: Buffer.from('2') })).to.deep.equal(none)
    expect(scene.ask(leader, { op: 'delete', key: 'key' })).to.deep.equal(none)
    expect(scene.ask(leader, { op: 'cas', key: 'key', version: 7, value: Buffer.from('2') })).to.deep.equal(
      none,
    )
    expect(scene.ask(leader, { op: 'keys', prefix: '', after: '', limit: 10 })).to.deep.equal({
      kind: 'keys',
      keys: [],
      more: false,
    })
    expect(scene.ask(leader, { op: 'put', key: 'key', value: Buffer.from('2') }).kind).to.equal('written')
    expect(scene.get(leader, 'key')).to.equal('2')
  })

  it('does not come back under a leader whose clock is slow', () => {
    const scene = new Scene()
    const first = scene.leader()
    for (const one of scene.followers()) one.wallMs -= 3_600_000
    scene.set(first, 'key', '1', 1000)
    first.wallMs += 1000
    scene.tick(1)
    expect(scene.get(first, 'key')).to.equal(undefined)
    first.isCutOff = true
    const second = scene.leader()
    expect(second).to.not.equal(first)
    expect(second.wallMs).to.be.below(noonMs)
    expect(scene.get(second, 'key')).to.equal(undefined)
    expect(scene.read(second, { op: 'exists', keys: ['key'] })).to.deep.equal({ kind: 'integer', value: 0 })
    scene.expectEqualTables()
  })

  it('expires under a leader whose clock is slow after the time that was asked for, not when the clock is there', () => {
    const scene = new Scene()
    const first = scene.leader()
    for (const one of scene.followers()) one.wallMs -= 3_600_000
    scene.set(first, 'old', '1', 2000)
    first.isCutOff = true
    const second = scene.leader()
    scene.set(second, 'new', '1', 2000)
    expect([scene.get(second, 'old'), scene.get(second, 'new')]).to.deep.equal(['1', '1'])
    scene.tick(250)
    expect([scene.get(second, 'old'), scene.get(second, 'new')]).to.deep.equal([undefined, undefined])
    scene.expectEqualTables()
  })

  it('expires in time although the clock of the leader was set forward and back again', () => {
    const scene = new Scene()
    const leader = scene.leader()
    leader.wallMs += 3_600_000
    scene.tick(1)
    scene.set(leader, 'key', '1', 2000)
    leader.wallMs -= 3_600_000
    scene.tick(100)
    expect([scene.leader(), scene.get(leader, 'key')]).to.deep.equal([leader, '1'])
    scene.tick(150)
    expect([scene.leader(), scene.get(leader, 'key')]).to.deep.equal([leader, undefined])
  })

  it('does not expire by the clock of a follower, however fast that is', () => {
    const scene = new Scene()
    const [follower] = scene.followers()
    if (follower === undefined) throw new Error('there are three')
    scene.set(scene.leader(), 'key', '1', 60_000)
    follower.wallMs += 3_600_000
    scene.tick(10)
    expect([scene.get(follower, 'key'), scene.get(follower, 'key', true)]).to.deep.equal(['1', '1'])
    expect(scene.read(follower, { op: 'mget', keys: ['key'] }, true)).to.deep.equal({
      kind: 'list',
      items: [{ kind: 'bytes', value: Buffer.from('1') }],
    })
  })

  it('is told by the leader to have expired only when the log says so', () => {
    const scene = new Scene()
    const leader = scene.leader()
    scene.set(leader, 'key', '1', 100)
    const before = leader.replica.clockMs
    leader.wallMs += 1000
    for (const one of scene.followers()) one.isCutOff = true
    // Its own clock has passed the time, but no majority has heard of it.
    scene.tick(2)
    expect(leader.replica.clockMs).to.equal(before)
    expect(scene.get(leader, 'key', true)).to.equal('1')
    for (const one of scene.thirds) one.isCutOff = false
    expect(scene.get(scene.leader(), 'key')).to.equal(undefined)
    scene.tick(20)
    expect(scene.thirds.every(one => one.replica.clockMs >= before + 100)).to.equal(true)
  })

  it('is removed a bounded number at a time, the same ones on every replica', () => {
    const scene = new Scene()
    const leader = scene.leader()
    for (let block = 0; block < 30; block++) {
      const operations = Array.from({ length: 100 }, (_, number): Operation => {
        const key = `key ${block * 100 + number}`.replace(' ', '-')
        return {
          op: 'set',
          key,
          value: Buffer.from('x'),
          condition: undefined,
          expiry: { after: 1000 },
          previous: false,
        }
      })
      scene.ask(leader, { op: 'redis-write', operations, watched: [] })
    }
    leader.wallMs += 1000
    scene.tick(1)
    // Most of the records are still there, and none of the keys.
    expect(leader.table.count()).to.be.within(1000, 2900)
    expect(scene.read(leader, { op: 'keys', pattern: '*' })).to.deep.equal({ kind: 'list', items: [] })
    expect(scene.ask(leader, { op: 'keys', prefix: 'key', after: '', limit: 10 })).to.deep.include({
      keys: [],
    })
    scene.tick(10)
    expect(scene.thirds.map(one => one.table.count())).to.deep.equal([0, 0, 0])
    scene.expectEqualTables()
  })
})

describe('what Redis commands read and write', () => {
  it('keeps every byte on the way to the leader, through the log, and back', () => {
    const scene = new Scene()
    const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    for (const at of [scene.leader(), ...scene.followers()]) {
      scene.set(at, 'bytes', every)
      expect(scene.run(at, { op: 'append', key: 'bytes', value: every })).to.deep.equal({
        kind: 'integer',
        value: 512,
      })
      for (const from of scene.thirds) {
        const twice = Buffer.concat([every, every])
        expect(scene.get(from, 'bytes')).to.equal(twice.toString('latin1'))
        expect(scene.read(from, { op: 'mget', keys: ['bytes', 'none'] })).to.deep.equal({
          kind: 'list',
          items: [{ kind: 'bytes', value: twice }, { kind: 'nil' }],
        })
      }
      const replaced = scene.run(at, { op: 'getdel', key: 'bytes' })
      expect(replaced).to.deep.equal({ kind: 'bytes', value: Buffer.concat([every, every]) })
    }
  })

  it('keeps whole numbers exact that need all 64 bits', () => {
    const scene = new Scene()
    for (const at of [scene.leader(), ...scene.followers()]) {
      scene.set(at, 'n', '9223372036854775806')
      const largest = { kind: 'integer', value: 9_223_372_036_854_775_807n }
      expect(scene.run(at, { op: 'increment', key: 'n', by: '1' })).to.deep.equal(largest)
    }
  })

  it('happens as a whole or not at all, and shows a watched key that changed', () => {
    const scene = new Scene()
    const at = scene.followers()[0] ?? scene.leader()
    scene.set(at, 'a', '1')
    const read = scene.ask(at, { op: 'get', key: 'a', local: false })
    const version = read.kind === 'value' ? read.version : 0
    const operations: Operation[] = [
      { op: 'increment', key: 'a', by: '1' },
      { op: 'increment', key: 'b', by: 'x' },
      { op: 'get', key: 'a' },
    ]
    expect(scene.ask(at, { op: 'redis-write', operations, watched: [{ key: 'a', version }] })).to.deep.equal({
      kind: 'redis',
      replies: [
        { kind: 'integer', value: 2 },
        { kind: 'error', text: 'ERR value is not an integer or out of range' },
        { kind: 'bytes', value: Buffer.from('2') },
      ],
    })
    const again = scene.ask(at, { op: 'redis-write', operations, watched: [{ key: 'a', version }] })
    expect(again).to.deep.include({ kind: 'error', code: 'VERSION_MISMATCH' })
    expect(scene.get(at, 'a')).to.equal('2')
    const huge: Operation[] = Array.from({ length: 40 }, (_, number) => ({
      op: 'setrange',
      key: `huge${number}`,
      offset: 1024 * 1024,
      value: Buffer.from('x'),
    }))
    expect(scene.ask(at, { op: 'redis-write', operations: huge, watched: [] })).to.deep.include({
      kind: 'error',
      code: 'TOO_LARGE',
    })
    expect(scene.read(at, { op: 'exists', keys: ['huge0'] })).to.deep.equal({ kind: 'integer', value: 0 })
  })
})

describe('a walk over all keys', () => {
  it('finds each of them, in steps, at the leader, by way of a follower and in its own copy', () => {
    const scene = new Scene()
    const at = scene.leader()
    const keys = Array.from({ length: 3000 }, (_, number) => `key${number}`)
    for (let from = 0; from < keys.length; from += 500) {
      const pairs = keys.slice(from, from + 500).map(key => [key, Buffer.from('x')] as const)
      scene.run(at, { op: 'mset', pairs, ifNone: false })
    }
    scene.tick(10)
    for (const one of scene.thirds) {
      for (const isLocal of [false, true]) {
        const reply = scene.read(one, { op: 'keys', pattern: '*' }, isLocal)
        expect(namesIn(reply).sort()).to.deep.equal([...keys].sort())
        expect(namesIn(scene.read(one, { op: 'keys', pattern: 'key29?' }, isLocal)).length).to.equal(10)
      }
    }
  })

  it('by SCAN finds all that is there throughout, though cursors go from node to node and keys come and go', () => {
    const scene = new Scene()
    const keys = Array.from({ length: 300 }, (_, number) => `key${number}`)
    const pairs = keys.map(key => [key, Buffer.from('x')] as const)
    scene.run(scene.leader(), { op: 'mset', pairs, ifNone: false })
    const found = new Set<string>()
    let cursor = '0'
    let page = 0
    do {
      scene.tick(10)
      const at = scene.thirds[page % 3] ?? scene.leader()
      const reply = scene.read(at, { op: 'scan', cursor, pattern: '*', count: 10, isOfType: true }, true)
      expect(reply?.kind).to.equal('list')
      const [next, names] = reply?.kind === 'list' ? reply.items : []
      cursor = next?.kind === 'bytes' ? Buffer.from(next.value).toString() : '0'
      expect(Number(cursor)).to.be.below(2 ** 53)
      for (const name of namesIn(names)) found.add(name)
      scene.set(scene.leader(), `extra${page}`, 'x')
      if (page > 0) scene.run(scene.leader(), { op: 'delete', keys: [`extra${page - 1}`] })
      expect(++page).to.be.below(200)
    } while (cursor !== '0')
    expect([...found]).to.include.members(keys)
  })
})

function namesIn(reply: Reply | undefined): string[] {
  if (reply?.kind !== 'list') throw new Error('a list of keys')
  return reply.items.map(item => (item.kind === 'bytes' ? Buffer.from(item.value).toString() : ''))
}
