import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { Clock } from '../../src/base/clock.js'
import type { Disk, DiskFile } from '../../src/storage/disk.js'
import { openJournal } from '../../src/storage/journal.js'
import { realDisk } from '../../src/storage/real-disk.js'
import { type Machine, machine, open, record, save } from './journal-harness.js'

const segments = (disk: Disk): string[] => disk.list().map(name => name.replace(/^journal\.0*/, ''))

describe('the journal', () => {
  it('gives back what was saved, in order, when it is opened again', () => {
    const { disk, clock } = machine()
    const first = open(disk, clock)
    expect(first.replayed).to.deep.equal([])
    save(clock, first.journal, [
      record(1, 'one'),
      record(2, ''),
      record(Number.MAX_SAFE_INTEGER, 'three', 255),
    ])
    save(clock, first.journal, [{ kind: 0, index: 0, parts: [Buffer.from('in '), Buffer.from('parts')] }])
    first.journal.close()
    expect(open(disk, clock).replayed).to.deep.equal([
      { kind: 1, index: 1, body: 'one' },
      { kind: 1, index: 2, body: '' },
      { kind: 255, index: Number.MAX_SAFE_INTEGER, body: 'three' },
      { kind: 0, index: 0, body: 'in parts' },
    ])
  })

  it('goes on where it was', () => {
    const { disk, clock } = machine()
    const expected: string[] = []
    for (let run = 0; run < 5; run++) {
      const { journal, replayed } = open(disk, clock)
      expect(replayed.map(each => each.body)).to.deep.equal(expected)
      save(clock, journal, [record(run, `run ${run}`)])
      expected.push(`run ${run}`)
      journal.close()
    }
  })

  it('flushes within the call while flushes are short, and beside other work when asked to', () => {
    const { disk, clock } = machine()
    const { journal } = open(disk, clock)
    const told: string[] = []
    journal.save([record(1, 'a')], 'inline', () => told.push('inline'))
    expect(told).to.deep.equal(['inline'])
    journal.save([record(2, 'b')], 'overlap', () => told.push('overlap'))
    expect(told).to.deep.equal(['inline'])
    clock.advance(1)
    expect(told).to.deep.equal(['inline', 'overlap'])
  })

  it('stops flushing within the call when flushes got long, and tries again later', () => {
    const { disk, clock } = machine()
    let flushMs = 20
    const { journal } = open(
      withSlowFlush(disk, () => clock.advance(flushMs)),
      clock,
      { segmentBytes: 65536 },
    )
    const isInline = (): boolean => {
      let isDone = false
      journal.save([record(1, 'a')], 'inline', () => {
        isDone = true
      })
      const result = isDone
      clock.advance(0)
      return result
    }
    expect(isInline(), 'the first one is waited for').to.equal(true)
    expect([isInline(), isInline(), isInline()]).to.deep.equal([false, false, false])
    clock.advance(1000)
    expect(isInline(), 'a probe').to.equal(true)
    expect(isInline()).to.equal(false)
    flushMs = 0
    clock.advance(1000)
    expect([isInline(), isInline(), isInline()]).to.deep.equal([true, true, true])
  })

  it('takes one save at a time', () => {
    const { disk, clock } = machine()
    const { journal } = open(disk, clock)
    journal.save([record(1, 'a')], 'overlap', () => {})
    expect(() => journal.save([record(2, 'b')], 'overlap', () => {})).to.throw('one save at a time')
  })

  it('begins the next segment when a save does not fit, with what head gives in front of it', () => {
    const { disk, clock } = machine()
    let term = 0
    const head = () => [record(0, `term ${term}`, 9)]
    const { journal } = open(disk, clock, { head })
    for (term = 1; term <= 4; term++) save(clock, journal, [record(term, 'x'.repeat(400))])
    journal.close()
    const summary = open(disk, clock, { head }).replayed.map(each =>
      each.kind === 9 ? each.body : each.index,
    )
    expect(summary).to.deep.equal(['term 1', 1, 2, 'term 3', 3, 4])
  })

  it('asks for the head when it is told to save, not when the segment is there', () => {
    const { disk, clock } = machine()
    disk.setFlushMs(5, 5)
    let term = 1
    const { journal } = open(disk, clock, { head: () => [record(0, `term ${term}`, 9)] })
    save(clock, journal, [record(1, 'x'.repeat(900))])
    let isDone = false
    journal.save([record(2, 'x'.repeat(900))], 'inline', () => {
      isDone = true
    })
    expect(isDone, 'it waits for the spare').to.equal(false)
    term = 2
    clock.advance(100)
    expect(isDone).to.equal(true)
    journal.close()
    const heads = open(disk, clock).replayed.filter(each => each.kind === 9)
    expect(heads.map(each => each.body)).to.deep.equal(['term 1', 'term 1'])
  })

  it('gives a save that is larger than a segment a segment of its own', () => {
    const { disk, clock } = machine()
    const first = open(disk, clock)
    save(clock, first.journal, [record(1, 'small')])
    const large = 'L'.repeat(5000)
    save(clock, first.journal, [record(2, large), record(3, large)])
    save(clock, first.journal, [record(4, 'small again')])
    first.journal.close()
    const second = open(disk, clock)
    expect(second.replayed.map(each => each.body)).to.deep.equal(['small', large, large, 'small again'])
    second.journal.compact(3)
    expect(
      Math.max(...disk.list().map(name => disk.read(name)?.length ?? 0)),
      'not kept as a spare',
    ).to.equal(1024)
  })

  it('refuses a record longer than was agreed', () => {
    const { disk, clock } = machine()
    const { journal } = open(disk, clock, { recordBytesMax: 10 })
    expect(() => journal.save([record(1, 'x'.repeat(11))], 'inline', () => {})).to.throw('a record in bounds')
  })

  describe('compaction', () => {
    const fill = ({ disk, clock }: Machine, count: number) => {
      const opened = open(disk, clock, { head: () => [record(0, 'head', 9)] })
      for (let index = 1; index <= count; index++) {
        save(clock, opened.journal, [record(index, 'x'.repeat(400))])
        clock.advance(1)
      }
      return opened
    }

    it('gives up the segments at the front that hold nothing newer, and never the current one', () => {
      const { disk, clock } = machine()
      const { journal } = fill({ disk, clock }, 6)
      expect(segments(disk)).to.deep.equal(['1', '2', '3', '4'])
      const before = journal.bytes()
      expect(journal.compact(3), 'segment 2 holds index 4').to.be.lessThan(before)
      expect(segments(disk)).to.deep.equal(['2', '3', '4', '5'])
      journal.compact(1000)
      expect(segments(disk)).to.deep.equal(['3', '4', '5', '6'])
      journal.close()
      expect(open(disk, clock).replayed.map(each => each.index)).to.deep.equal([0, 5, 6])
    })

    it('uses the files again instead of filling new ones with zeros', () => {
      const { disk, clock } = machine()
      const { journal } = fill({ disk, clock }, 4)
      const bytes = journal.fileBytes()
      disk.fillUp()
      for (let index = 5; index <= 100; index++) {
        save(clock, journal, [record(index, 'x'.repeat(400))])
        journal.compact(index - 1)
      }
      expect(journal.fileBytes()).to.equal(bytes)
      journal.close()
      expect(open(disk, clock).replayed.map(each => each.index)).to.deep.equal([0, 99, 100])
    })

    it('keeps no more than a few files to be used again', () => {
      const { disk, clock } = machine()
      const { journal } = fill({ disk, clock }, 60)
      expect(disk.list().length).to.equal(31)
      journal.compact(60)
      expect(disk.list().length).to.equal(5)
    })

    it('keeps the segment in front of one whose head is not durable yet', () => {
      const { disk, clock } = machine()
      const { journal } = fill({ disk, clock }, 4)
      disk.setFlushMs(5, 5)
      journal.save([record(5, 'x'.repeat(400))], 'overlap', () => {})
      journal.compact(1000)
      expect(segments(disk)).to.include.members(['2', '3'])
      expect(segments(disk)).not.to.include('1')
      disk.crash()
      const heads = open(disk, clock).replayed.filter(each => each.kind === 9)
      expect(heads.length).to.be.greaterThan(0)
    })
  })

  describe('on a full disk', () => {
    it('says so while a whole segment is in hand, and takes saves until that is used up', () => {
      const { disk, clock } = machine()
      const { journal, diskStates } = open(disk, clock)
      save(clock, journal, [record(1, 'x'.repeat(900))])
      clock.advance(1)
      disk.fillUp()
      expect(diskStates).to.deep.equal([])
      save(clock, journal, [record(2, 'x'.repeat(100))])
      clock.advance(1)
      expect(diskStates, 'the segment was begun, the next spare failed').to.deep.equal(['full'])
      for (let index = 3; index <= 8; index++) {
        expect(save(clock, journal, [record(index, 'x'.repeat(100))])).to.equal(undefined)
      }
      expect(diskStates).to.deep.equal(['full'])
    })

    it('lets a save wait that needs space, and goes on by itself when there is room', () => {
      const { disk, clock } = machine()
      const { journal, diskStates, failures } = open(disk, clock)
      disk.fillUp()
      save(clock, journal, [record(1, 'x'.repeat(900))])
      const done: unknown[] = []
      journal.save([record(2, 'x'.repeat(900))], 'inline', error => done.push(error))
      clock.advance(10_000)
      expect({ done, diskStates, failures }).to.deep.equal({ done: [], diskStates: ['full'], failures: [] })
      disk.makeRoom()
      clock.advance(1000)
      expect({ done, diskStates, failures }).to.deep.equal({
        done: [undefined],
        diskStates: ['full', 'ok'],
        failures: [],
      })
      journal.close()
      expect(open(disk, clock).replayed.map(each => each.index)).to.deep.equal([1, 2])
    })

    it('has room again as soon as compaction frees a segment', () => {
      const { disk, clock } = machine()
      const { journal, diskStates } = open(disk, clock)
      save(clock, journal, [record(1, 'x'.repeat(900))])
      clock.advance(1)
      disk.fillUp()
      save(clock, journal, [record(2, 'x'.repeat(900))])
      const done: unknown[] = []
      journal.save([record(3, 'x'.repeat(900))], 'inline', error => done.push(error))
      clock.advance(1)
      expect({ done, diskStates }).to.deep.equal({ done: [], diskStates: ['full'] })
      journal.compact(1)
      expect({ done, diskStates }).to.deep.equal({ done: [undefined], diskStates: ['full', 'ok'] })
    })

    it('opens, and says that it is full, when only the spare is lacking', () => {
      const { disk, clock } = machine()
      const first = open(disk, clock)
      save(clock, first.journal, [record(1, 'a')])
      disk.kill()
      disk.fillUp()
      const { diskStates, replayed } = open(disk, clock)
      clock.advance(1)
      expect({ diskStates, count: replayed.length }).to.deep.equal({ diskStates: ['full'], count: 1 })
    })

    it('cannot be made, and leaves nothing behind', () => {
      const { disk, clock } = machine()
      disk.fillUp()
      expect(() => open(disk, clock)).to.throw('ENOSPC')
      expect(disk.list()).to.deep.equal([])
    })
  })

  describe('when the disk fails', () => {
    for (const mode of ['inline', 'overlap'] as const) {
      it(`reports a failed flush (${mode}) once, does not try it again, and fails every later save`, () => {
        const { disk, clock } = machine()
        const { journal, failures } = open(disk, clock)
        save(clock, journal, [record(1, 'a')])
        clock.advance(1)
        disk.failFlushes(1)
        expect(save(clock, journal, [record(2, 'b')], mode)?.message).to.contain('EIO')
        const operations = disk.operations()
        expect(save(clock, journal, [record(3, 'c')], mode)?.message).to.contain('EIO')
        journal.compact(1000)
        expect(disk.operations(), 'the disk was left alone').to.equal(operations)
        expect(failures).to.have.length(1)
      })
    }

    it('never takes for durable what a failed flush left in memory', () => {
      for (let seed = 0; seed < 50; seed++) {
        const { disk, clock } = machine(seed)
        const { journal } = open(disk, clock)
        save(clock, journal, [record(1, 'a')])
        disk.failFlushes(1)
        save(clock, journal, [record(2, 'b')])
        disk.kill()
        const seen = open(disk, clock).replayed
        disk.crash()
        expect(open(disk, clock).replayed).to.deep.equal(seen)
      }
    })
  })

  it('calls nobody back after it was closed', () => {
    const { disk, clock } = machine()
    disk.setFlushMs(5, 5)
    const { journal, diskStates, failures } = open(disk, clock)
    journal.save([record(1, 'a')], 'overlap', () => expect.fail('the save was told'))
    journal.close()
    clock.advance(100)
    expect({ diskStates, failures }).to.deep.equal({ diskStates: [], failures: [] })
  })
})

describe('the journal on a real disk', () => {
  it('begins segments, uses them again, flushes in both ways, and comes back', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'quorate-journal-'))
    const options = {
      clock: realClock,
      segmentBytes: 65536,
      head: () => [record(0, 'head', 9)],
      onDiskState: () => expect.fail('the disk is not full'),
      onFailure: (error: Error) => expect.fail(String(error)),
    }
    const journal = openJournal(realDisk(directory), options, () => expect.fail('it is new'))
    for (let index = 1; index <= 200; index++) {
      const records = [record(index, `${index} `.repeat(1000)), record(index, 'a second')]
      await new Promise<void>((resolve, reject) => {
        journal.save(records, index % 2 === 0 ? 'inline' : 'overlap', error =>
          error ? reject(error) : resolve(),
        )
      })
      journal.compact(index - 40)
    }
    expect(journal.fileBytes(), 'four or five saves, six segments needed, and spares').to.be.below(20 * 65536)
    journal.close()
    const indexes: number[] = []
    const again = openJournal(realDisk(directory), options, (kind, index, body) => {
      if (kind !== 1) return
      indexes.push(index)
      expect(Buffer.from(body).toString()).to.be.oneOf([`${index} `.repeat(1000), 'a second'])
    })
    again.close()
    const first = indexes[0] ?? 0
    expect(first).to.be.within(100, 161)
    expect(indexes).to.deep.equal(Array.from({ length: (201 - first) * 2 }, (_, at) => first + (at >> 1)))
    rmSync(directory, { recursive: true })
  })
})

const realClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, task) => {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  },
  soon: task => void setImmediate(task),
}

/** The disk, on which waiting for a flush calls `pass` first. */
function withSlowFlush(disk: Disk, pass: () => void): Disk {
  const slow = (file: DiskFile): DiskFile => ({
    ...file,
    flushSync: () => {
      pass()
      file.flushSync()
    },
  })
  return {
    list: () => disk.list(),
    read: path => disk.read(path),
    open: (path, create) => slow(disk.open(path, create)),
    rename: (from, to) => disk.rename(from, to),
    remove: path => disk.remove(path),
    flushDirectory: () => disk.flushDirectory(),
    makeZeroFile: (path, size, done) => disk.makeZeroFile(path, size, done),
  }
}
