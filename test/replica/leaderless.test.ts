import { expect } from 'chai'
import { logIndex, type Member, nodeId, requestId } from '../../src/base/ids.js'
import { seededRandom } from '../../src/base/random.js'
import type { Request, Response } from '../../src/protocol/request.js'
import { LeaderlessReplica } from '../../src/replica/leaderless.js'
import type { SavedRow } from '../../src/replica/saved-rows.js'
import { MemoryTable } from '../../src/storage/memory-table.js'

const options = {
  tickMs: 10,
  checkpointBytes: 2000,
  ordered: false,
  gossipTicks: 10,
  silentTicks: 100,
  deadTicks: 1000,
  evict: false,
  copyTicks: 50,
  requestTicks: 500,
  repairTicks: 100,
  rangesPerRepair: 512,
  rowsPerMessage: 500,
  bytesPerMessage: 512 * 1024,
  hintsMax: 1000,
  requestsMax: 100,
  versionsWarning: 25,
  versionsMax: 100,
  valueBytesMax: 1024 * 1024,
  recordBytesMax: 16 * 1024 * 1024,
  pastMax: 20,
}

const memberOf = (name: string): Member => ({
  id: nodeId(name),
  address: `${name}:5000`,
  peerAddress: `${name}:6000`,
})

/** One replica whose saves succeed at once, alone in the world. */
class Lone {
  readonly replica: LeaderlessReplica
  readonly saved: SavedRow[] = []
  readonly checkpoints: number[] = []
  readonly replies = new Map<number, Response>()
  readonly compacted: number[] = []
  #next = 1

  constructor(members: readonly string[], ordered = false) {
    const table = new MemoryTable()
    const rows = {
      get: (key: string) => table.get(key)?.value,
      set: (key: string, value: Uint8Array) => table.set(key, { value, version: 0, expiresAt: undefined }),
      delete: (key: string) => table.delete(key),
      keys: (prefix: string, after: string, limit: number) => table.keys(prefix, after, limit),
    }
    this.replica = new LeaderlessReplica({
      self: memberOf('a'),
      founding: { members: members.map(memberOf), copies: 3 },
      rows,
      saved: logIndex(0),
      uncheckpointedBytes: 0,
      random: seededRandom('a start'),
      options: { ...options, ordered },
    })
    this.run()
  }

  run(ticks = 0): void {
    for (let tick = 0; tick <= ticks; tick++) {
      if (tick > 0) this.replica.step({ kind: 'tick', count: 1, wallMs: 5000 })
      for (let more = true; more; ) {
        const effects = this.replica.takeEffects()
        this.saved.push(...effects.save)
        for (const { id, response } of effects.reply) this.replies.set(id, response)
        if (effects.checkpoint !== undefined) this.checkpoints.push(effects.checkpoint.index)
        if (effects.compactTo !== undefined) this.compacted.push(effects.compactTo)
        if (effects.save.length > 0) this.replica.step({ kind: 'saved' })
        more = effects.more || effects.save.length > 0
      }
    }
  }

  ask(request: Request, ticks = 0): Response | undefined {
    const id = requestId(this.#next++)
    this.replica.step({ kind: 'request', id, request })
    this.run(ticks)
    return this.replies.get(id)
  }

  set(key: string, text: string): Response | undefined {
    const value = Buffer.from(text)
    const nothing = { quorum: undefined, context: undefined, identity: undefined }
    return this.ask({ op: 'write-version', verb: 'set', key, value, ...nothing })
  }

  get(key: string, ticks = 0): Response | undefined {
    return this.ask({ op: 'read-versions', key, quorum: undefined }, ticks)
  }
}

describe('a leaderless replica', () => {
  it('writes, reads, and shows when a version was written', () => {
    const lone = new Lone(['a'])
    lone.run(1)
    expect(lone.set('k', 'old')?.kind).to.equal('versions')
    lone.set('k', 'new')
    const found = lone.get('k')
    if (found?.kind !== 'versions') throw new Error('the key is found')
    expect(found.versions.map(({ value, writtenMs }) => [String(value), writtenMs])).to.deep.equal([
      ['new', 5000],
    ])
    expect(lone.ask({ op: 'count' })).to.deep.equal({ kind: 'count', records: 1 })
    expect(lone.ask({ op: 'lookup', key: 'k' })).to.deep.equal({ kind: 'owners', addresses: ['a:5000'] })
  })

  it('numbers its rows without a gap, and lets the journal forget those that a checkpoint holds', () => {
    const lone = new Lone(['a'])
    for (let count = 0; count < 20; count++) lone.set(`k${count}`, 'x'.repeat(100))
    expect(lone.saved.map(({ index }) => index)).to.deep.equal(lone.saved.map((_, at) => at + 1))
    const [index] = lone.checkpoints
    if (index === undefined) throw new Error('so many bytes are worth a checkpoint')
    expect(lone.checkpoints, 'one at a time').to.have.length(1)
    lone.replica.step({ kind: 'checkpointed', index: logIndex(index) })
    lone.run()
    expect(lone.compacted).to.deep.equal([index])
  })

  it('asks again for a moment where too few nodes are to be reached, and then says so', () => {
    const lone = new Lone(['a', 'b', 'c'])
    expect(lone.get('k', 20)).to.equal(undefined)
    expect(lone.replica.isDrained).to.equal(false)
    lone.run(15)
    expect(lone.replies.get(1)).to.deep.include({
      code: 'QUORUM_UNREACHABLE',
      details: { reached: 1, quorum: 2 },
    })
    expect(lone.replica.isDrained).to.equal(true)
  })

  it('does not take its own standing still for the silence of others', () => {
    const lone = new Lone(['a', 'b', 'c'])
    lone.get('k')
    lone.replica.step({ kind: 'tick', count: 100_000, wallMs: 5000 })
    lone.run()
    expect(lone.replies.size, 'answers, after a tick that came late').to.equal(0)
  })

  it('refuses clients once another member says that it is none', () => {
    const lone = new Lone(['a', 'b'])
    lone.replica.step({ kind: 'removed' })
    expect(lone.get('k')).to.deep.include({ code: 'NODE_REMOVED' })
  })

  it('with a leader says what became of each write, and keeps one version', () => {
    const lone = new Lone(['a'], true)
    lone.run(3)
    const identity = 'one'
    const write = (verb: 'put' | 'update' | 'set' | 'delete', text?: string, name?: string) => {
      const value = text === undefined ? undefined : Buffer.from(text)
      return lone.ask({
        op: 'write-version',
        verb,
        key: 'k',
        value,
        quorum: undefined,
        context: undefined,
        identity: name,
      })
    }
    expect(write('update', 'none yet')).to.deep.include({ code: 'KEY_NOT_FOUND' })
    expect(write('set', 'first', identity)).to.deep.include({ kind: 'written', existed: false, copies: 1 })
    expect(write('set', 'first', identity), 'a repeat').to.deep.include({ kind: 'written', existed: false })
    expect(write('put', 'no')).to.deep.include({ code: 'KEY_EXISTS' })
    const updated = write('update', 'second')
    const found = lone.get('k')
    if (updated?.kind !== 'written' || found?.kind !== 'value') throw new Error('it was updated and is found')
    expect([String(found.value), found.version]).to.deep.equal(['second', updated.version])
    expect(write('delete')).to.deep.include({ kind: 'written', existed: true })
    expect(lone.get('k')).to.deep.include({ code: 'KEY_NOT_FOUND' })
    const status = lone.ask({ op: 'status' })
    if (status?.kind !== 'status' || status.status.engine !== 'ring') throw new Error('it has a status')
    expect(status.status.leader).to.equal('a:5000')
    expect(status.status.epoch).to.be.above(0)
  })

  it('with a leader says that there is none, while it is not clear who leads', () => {
    const lone = new Lone(['a', 'b'], true)
    expect(lone.get('k', 2)).to.equal(undefined)
    lone.run(options.silentTicks + 3 * options.gossipTicks)
    // Nobody else was met: it leads, and cannot know what the other one has.
    expect(lone.replies.get(1)).to.deep.include({ code: 'ENTRY_UNAVAILABLE' })
    expect(lone.set('k', 'value')).to.deep.include({ kind: 'written', copies: 1 })
  })
})
