import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { seededRandom } from '../../src/base/random.js'
import { realDisk } from '../../src/storage/real-disk.js'
import { diskContract } from '../contract/disk.js'
import { PowerCut, SimulatedDisk } from '../sim/disk.js'
import { SteppedClock } from './stepped-clock.js'

describe('the real disk', () => {
  diskContract(() => {
    const directory = mkdtempSync(join(tmpdir(), 'quorate-disk-'))
    return {
      disk: realDisk(directory),
      settle: () => new Promise(resolve => setTimeout(resolve, 1)),
      close: () => rmSync(directory, { recursive: true }),
    }
  })
})

describe('the simulated disk', () => {
  diskContract(() => {
    const clock = new SteppedClock()
    return {
      disk: new SimulatedDisk(seededRandom(1), clock),
      settle: () => clock.advance(1),
      close: () => {},
    }
  })

  const make = (seed: number): { disk: SimulatedDisk; clock: SteppedClock } => {
    const clock = new SteppedClock()
    return { disk: new SimulatedDisk(seededRandom(seed), clock), clock }
  }
  const seeds = Array.from({ length: 200 }, (_, index) => index)

  it('keeps what was flushed over a crash', () => {
    for (const seed of seeds) {
      const { disk } = make(seed)
      const file = disk.open('file', true)
      file.write(0, [Buffer.alloc(3000, 1)])
      file.flushSync()
      disk.flushDirectory()
      file.write(1000, [Buffer.alloc(100, 2)])
      disk.crash()
      const bytes = disk.read('file') ?? Buffer.alloc(0)
      expect(bytes.length).to.equal(3000)
      expect(bytes.every((byte, at) => byte === 1 || (byte === 2 && at >= 1000 && at < 1100))).to.equal(true)
    }
  })

  it('loses, keeps and tears what was not flushed, by sectors', () => {
    const outcomes = new Set<string>()
    for (const seed of seeds) {
      const { disk } = make(seed)
      const file = disk.open('file', true)
      file.write(0, [Buffer.alloc(2048)])
      file.flushSync()
      disk.flushDirectory()
      file.write(0, [Buffer.alloc(2048, 1)])
      disk.crash()
      const bytes = Buffer.from(disk.read('file') ?? [])
      const sectors = [0, 1, 2, 3].map(sector => bytes.subarray(sector * 512, sector * 512 + 512))
      expect(sectors.every(sector => sector.every(byte => byte === sector[0]))).to.equal(true)
      outcomes.add(sectors.map(sector => sector[0]).join(''))
    }
    expect(outcomes.size).to.be.greaterThan(8)
    expect([...outcomes]).to.include.members(['0000', '1111'])
  })

  it('may lose creations, renames and removals that were not flushed, and never those that were', () => {
    const outcomes = new Set<string>()
    for (const seed of seeds) {
      const { disk } = make(seed)
      for (const name of ['kept', 'renamed', 'removed']) disk.open(name, true)
      disk.flushDirectory()
      disk.rename('renamed', 'other')
      disk.remove('removed')
      disk.open('created', true)
      disk.crash()
      const names = disk.list()
      expect(names).to.include('kept')
      expect(names.includes('renamed') !== names.includes('other')).to.equal(true)
      outcomes.add(names.join())
    }
    expect(outcomes.size).to.equal(8)
  })

  it('loses nothing when only the process is killed', () => {
    const { disk } = make(1)
    const file = disk.open('file', true)
    file.write(0, [Buffer.from('contents')])
    disk.kill()
    expect(Buffer.from(disk.read('file') ?? []).toString()).to.equal('contents')
    expect(() => file.write(0, [Buffer.from('from the dead')])).to.throw(PowerCut)
  })

  it('makes a flush count only for what was written before it was asked for', () => {
    const survivals = seeds.map(seed => {
      const { disk, clock } = make(seed)
      const file = disk.open('file', true)
      disk.flushDirectory()
      file.write(0, [Buffer.from('early')])
      file.flush(() => {})
      file.write(5, [Buffer.from(' late')])
      clock.advance(1)
      disk.crash()
      return Buffer.from(disk.read('file') ?? []).toString()
    })
    expect(new Set(survivals)).to.deep.equal(new Set(['early', 'early late']))
  })

  it('may lose what a failed flush was asked for, though a later flush succeeds, until it is written again', () => {
    const survivals = { notRewritten: new Set<string>(), rewritten: new Set<string>() }
    for (const [index, seed] of [...seeds, ...seeds].entries()) {
      const { disk } = make(seed)
      const file = disk.open('file', true)
      file.write(0, [Buffer.from('.....')])
      file.flushSync()
      disk.flushDirectory()
      file.write(0, [Buffer.from('early')])
      disk.failFlushes(1)
      expect(() => file.flushSync()).to.throw('EIO')
      const rewrites = index < seeds.length
      if (rewrites) file.write(0, [Buffer.from('early')])
      file.flushSync()
      disk.crash()
      const contents = Buffer.from(disk.read('file') ?? []).toString()
      survivals[rewrites ? 'rewritten' : 'notRewritten'].add(contents)
    }
    expect(survivals.notRewritten).to.deep.equal(new Set(['.....', 'early']))
    expect(survivals.rewritten).to.deep.equal(new Set(['early']))
  })

  it('has no room for anything new when it is full, but for writes over what is there', () => {
    const { disk, clock } = make(1)
    const file = disk.open('file', true)
    file.write(0, [Buffer.alloc(1000)])
    disk.fillUp()
    file.write(500, [Buffer.alloc(500, 1)])
    expect(() => file.write(500, [Buffer.alloc(501, 1)])).to.throw('ENOSPC')
    const codes: unknown[] = []
    disk.makeZeroFile('zeros', 1, error => codes.push(error?.code))
    clock.advance(0)
    disk.makeRoom()
    disk.makeZeroFile('zeros', 1, error => codes.push(error?.code))
    clock.advance(0)
    expect(codes).to.deep.equal(['ENOSPC', undefined])
  })

  it('cuts the power at the operation it was told, and lets nothing through after it', () => {
    const { disk } = make(1)
    const file = disk.open('file', true)
    disk.powerCutAt(2)
    file.write(0, [Buffer.from('1')])
    expect(() => file.flushSync()).to.throw(PowerCut)
    expect(() => disk.list()).to.throw(PowerCut)
    disk.crash()
    expect(() => disk.list()).not.to.throw()
  })

  it('does the same for the same seed', () => {
    const run = (): string => {
      const { disk } = make(42)
      const file = disk.open('file', true)
      disk.flushDirectory()
      for (let count = 0; count < 20; count++) file.write(count * 300, [Buffer.alloc(300, count)])
      disk.crash()
      return Buffer.from(disk.read('file') ?? []).toString('hex')
    }
    expect(run()).to.equal(run())
  })
})
