import { expect } from 'chai'
import { type Random, seededRandom } from '../../src/base/random.js'
import { type Journal, JournalDamaged, JournalFormatUnknown } from '../../src/storage/journal.js'
import {
  encodeSegmentHeader,
  lifeInName,
  readSegmentHeader,
  segmentName,
} from '../../src/storage/journal-segment.js'
import { PowerCut, type SimulatedDisk } from '../sim/disk.js'
import { filesOf, machine, machineWith, open, type Replayed, record, save } from './journal-harness.js'

const head = () => [record(0, 'head', 9)]
/** Small, because each of its bits is flipped. */
const segmentBytes = 640

/**
 * A journal whose last two segments lived before, so that records of earlier lives stand behind the tail. Its
 * files, how many records each complete save left it with, and what the last segment's file held before its life.
 */
function goodJournal() {
  const { disk, clock } = machine()
  const { journal } = open(disk, clock, { head, segmentBytes })
  for (let index = 1; index <= 12; index++) {
    save(clock, journal, [record(index, `leftover ${index} `.repeat(15))])
    journal.compact(index - 3)
  }
  clock.advance(1)
  journal.compact(12)
  let spares = filesOf(disk)
  for (let index = 13; index <= 18; index++) {
    const before = filesOf(disk)
    save(clock, journal, [record(index, `kept ${index} `.repeat(5)), record(index, 'and its second')])
    if (begunIn(filesOf(disk)) !== begunIn(before)) spares = before
  }
  journal.close()
  const { replayed } = open(machineWith(filesOf(disk)).disk, clock, { segmentBytes })
  const files = filesOf(disk)
  return { files, replayed, earlier: spares.get(begunIn(files)) ?? Buffer.alloc(0) }
}

/** The last segment that was begun. */
function begunIn(files: ReadonlyMap<string, Buffer>): string {
  return [...files].findLast(([name, contents]) => isBegun(name, contents))?.[0] ?? ''
}

function isBegun(name: string, contents: Buffer): boolean {
  const life = lifeInName(name)
  return life !== undefined && readSegmentHeader(contents, name, life) !== undefined
}

/** What opening a journal on these files comes to. */
function outcome(files: ReadonlyMap<string, Uint8Array>): Replayed[] | JournalDamaged {
  const { disk, clock } = machineWith(files)
  try {
    return open(disk, clock, { head, segmentBytes }).replayed
  } catch (error) {
    if (error instanceof JournalDamaged) return error
    throw error
  }
}

function changed(
  files: ReadonlyMap<string, Buffer>,
  name: string,
  change: (contents: Buffer) => Buffer | undefined,
): Map<string, Buffer> {
  const copy = new Map(files)
  const contents = change(Buffer.from(files.get(name) ?? []))
  if (contents === undefined) copy.delete(name)
  else copy.set(name, contents)
  return copy
}

describe('the recovery of the journal', () => {
  let files: Map<string, Buffer>
  let replayed: Replayed[]
  let names: string[]
  /** The segments that hold records, and the last of them. */
  let holding: string[]
  let last: string
  /** What the file of the last segment held before. */
  let earlier: Buffer

  before(() => {
    ;({ files, replayed, earlier } = goodJournal())
    names = [...files.keys()]
    holding = names.filter(name => files.get(name)?.includes('kept'))
    last = holding.at(-1) ?? ''
  })

  it('is tried on a journal of several segments with leftovers of earlier lives', () => {
    expect(holding.length).to.equal(2)
    expect(replayed.length).to.be.greaterThan(12)
    for (const name of holding) expect(files.get(name)?.includes('leftover'), name).to.equal(true)
    expect(replayed.some(each => each.body.includes('leftover') && each.index > 12)).to.equal(false)
  })

  it('takes from any prefix of the last segment the saves that are whole', () => {
    const lengths = new Set<number>()
    const size = files.get(last)?.length ?? 0
    for (let length = 0; length <= size; length++) {
      const result = outcome(
        changed(files, last, contents => Buffer.concat([contents.subarray(0, length)], size)),
      )
      if (result instanceof JournalDamaged) throw result
      expect(result).to.deep.equal(replayed.slice(0, result.length))
      lengths.add(result.length)
    }
    const ofLast = replayed.length - Math.min(...lengths)
    expect(ofLast, 'head, and two records in each of several saves').to.be.greaterThan(4)
    expect(lengths.size, 'only whole saves').to.equal((ofLast - 1) / 2 + 1)
  })

  it('takes the same where, behind the prefix, the file still holds what it held in its earlier life', () => {
    expect(earlier.includes('leftover')).to.equal(true)
    const size = files.get(last)?.length ?? 0
    for (let length = 0; length <= size; length++) {
      const torn = changed(files, last, contents =>
        Buffer.concat([contents.subarray(0, length), earlier.subarray(length)]),
      )
      const zeroed = changed(files, last, contents => Buffer.concat([contents.subarray(0, length)], size))
      const result = outcome(torn)
      expect(result, `a prefix of ${length} bytes`).to.deep.equal(outcome(zeroed))
    }
  })

  it('takes the same from a last segment whose file was cut short', () => {
    const size = files.get(last)?.length ?? 0
    for (let length = 0; length <= size; length++) {
      const cut = outcome(changed(files, last, contents => contents.subarray(0, length)))
      const zeroed = outcome(
        changed(files, last, contents => Buffer.concat([contents.subarray(0, length)], size)),
      )
      expect(cut).to.deep.equal(zeroed)
    }
  })

  it('refuses any prefix of an earlier segment by name, until only what is behind its end is gone', () => {
    const name = holding[0] ?? ''
    const size = files.get(name)?.length ?? 0
    let refused = 0
    for (let length = 0; length <= size; length++) {
      const result = outcome(
        changed(files, name, contents => Buffer.concat([contents.subarray(0, length)], size)),
      )
      if (result instanceof JournalDamaged) {
        expect(result.path).to.equal(name)
        expect(result.message).to.contain(`file ${name}, offset ${result.offset}`)
        refused++
      } else expect(result).to.deep.equal(replayed)
    }
    expect(refused).to.be.greaterThan(size / 2)
  })

  it('never gives a wrong record for any single bit that flips: the same, less the last save, or refused', () => {
    const outcomes = { same: 0, lastSaveCut: 0, refused: 0 }
    const lastSave = 2
    for (const name of names) {
      const size = files.get(name)?.length ?? 0
      // Spares hold no records: there, some bits behind the header stand for all.
      const step = holding.includes(name) ? 1 : 13
      for (let bit = 0; bit < size * 8; bit += bit < 256 ? 1 : step) {
        const flipped = changed(files, name, contents => {
          contents[bit >> 3] = (contents[bit >> 3] ?? 0) ^ (1 << (bit & 7))
          return contents
        })
        const result = outcome(flipped)
        if (result instanceof JournalDamaged) {
          expect(result.path).to.equal(name)
          outcomes.refused++
        } else if (result.length === replayed.length) {
          expect(result).to.deep.equal(replayed)
          outcomes.same++
        } else {
          expect(name).to.equal(last)
          expect(result).to.deep.equal(replayed.slice(0, -lastSave))
          outcomes.lastSaveCut++
        }
      }
    }
    expect(outcomes.refused).to.be.greaterThan(5000)
    // The last save: two headers and two bodies.
    const lastSaveBytes = replayed.slice(-lastSave).reduce((sum, each) => sum + 24 + each.body.length, 0)
    expect(outcomes.lastSaveCut).to.equal(lastSaveBytes * 8)
  })

  it('names a segment that is missing in the middle, and does not miss a spare', () => {
    const { disk, clock } = machine()
    const { journal } = open(disk, clock)
    for (let index = 1; index <= 4; index++) {
      save(clock, journal, [record(index, 'x'.repeat(900))])
      clock.advance(1)
    }
    const all = filesOf(disk)
    expect([...all.keys()]).to.deep.equal([1, 2, 3, 4, 5].map(segmentName))
    for (const life of [2, 3]) {
      const result = outcome(changed(all, segmentName(life), () => undefined))
      expect(result).to.be.instanceOf(JournalDamaged)
      expect(String(result)).to.contain(`${segmentName(life)}, offset 0: the file is missing`)
    }
    expect(outcome(changed(all, segmentName(5), () => undefined))).to.have.length(4)
  })

  it('takes no record of an earlier life, though it stands exactly where the next record would', () => {
    const { disk, clock } = machine()
    for (let index = 1; index <= 40; index++) {
      const { journal, replayed: seen } = open(disk, clock, { head })
      expect(seen.filter(each => each.kind === 1).at(-1)?.index ?? 0).to.equal(index - 1)
      save(clock, journal, [record(index, `${index}`.padEnd(200))])
      clock.advance(1)
      journal.compact(index - 1)
      journal.close()
    }
  })

  it('takes no record that a stray write put in the place of another', () => {
    const { disk, clock } = machine()
    const { journal } = open(disk, clock)
    save(
      clock,
      journal,
      ['a', 'b', 'c', 'd'].map((letter, position) => record(position + 1, letter.repeat(40))),
    )
    save(clock, journal, [record(5, 'e')])
    const recordBytes = 64
    const strayed = changed(filesOf(disk), segmentName(1), contents => {
      contents.copyWithin(32 + 2 * recordBytes, 32 + recordBytes, 32 + 2 * recordBytes)
      return contents
    })
    expect(outcome(strayed)).to.be.instanceOf(JournalDamaged)
  })

  it('wipes out what it cut off, so that it cannot complete a later torn save', () => {
    const { disk, clock } = machine()
    const { journal } = open(disk, clock)
    save(clock, journal, [record(1, 'kept')])
    save(clock, journal, [record(2, 'torn away'), record(3, 'left over')])
    const torn = changed(filesOf(disk), segmentName(1), contents => contents.fill(0, 64, 96))
    const again = machineWith(torn)
    expect(open(again.disk, again.clock).replayed.map(each => each.body)).to.deep.equal(['kept'])
    again.disk.crash()
    expect(filesOf(again.disk).get(segmentName(1))?.includes('left over')).to.equal(false)
  })

  it('begins a segment anew whose first save was torn, so that its head still comes first', () => {
    const { disk, clock } = machine()
    const { journal } = open(disk, clock, { head })
    save(clock, journal, [record(1, 'x'.repeat(900))])
    clock.advance(1)
    save(clock, journal, [record(2, 'torn '.repeat(100))])
    const torn = changed(filesOf(disk), segmentName(2), contents => contents.fill(0, 512))
    const again = machineWith(torn)
    const second = open(again.disk, again.clock, { head })
    expect(second.replayed.map(each => each.index)).to.deep.equal([0, 1])
    save(again.clock, second.journal, [record(2, 'x'.repeat(200))])
    second.journal.compact(1)
    second.journal.close()
    expect(open(again.disk, again.clock).replayed.map(each => each.kind)).to.deep.equal([9, 1])
  })

  it('is not confused by a crash while many segments are given up', () => {
    for (let seed = 0; seed < 100; seed++) {
      const { disk, clock } = machine(seed)
      const { journal } = open(disk, clock, { head })
      for (let index = 1; index <= 20; index++) {
        save(clock, journal, [record(index, 'x'.repeat(900))])
        clock.advance(1)
      }
      disk.powerCutAt(1 + (seed % 40))
      try {
        journal.compact(20)
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error
      }
      disk.crash()
      expect(open(disk, clock).replayed.at(-1)?.index).to.equal(20)
    }
  })

  it('tells what to do about damage', () => {
    const result = outcome(changed(files, holding[0] ?? '', contents => contents.fill(0xff, 100, 120)))
    expect(String(result)).to.match(/empty its data directory and add it again.*restore.*back-up/)
  })

  it('refuses a format it does not know, by its number', () => {
    const future = changed(files, last, contents => {
      encodeSegmentHeader(1, 0, 7).copy(contents)
      return contents
    })
    expect(() => outcome(future)).to.throw(JournalFormatUnknown, /format 7; this program knows format 1/)
  })

  it('throws away a spare that was being made, and ones that do not follow on', () => {
    const odd = new Map(files)
    odd.set('journal.unfinished', Buffer.alloc(77))
    odd.set(segmentName(1000), Buffer.alloc(segmentBytes))
    const { disk, clock } = machineWith(odd)
    expect(open(disk, clock, { segmentBytes }).replayed).to.deep.equal(replayed)
    expect(disk.list()).to.deep.equal(names)
  })

  it('holds against a power cut at every operation, and against another one during recovery', () => {
    let cuts = 0
    for (let seed = 0; seed < 5; seed++) {
      for (let cutAt = 1; ; cutAt++) {
        const life = new Life(seed * 1000 + cutAt)
        const wasCut = life.live(cutAt)
        life.check()
        if (!wasCut) break
        cuts++
      }
    }
    expect(cuts).to.be.greaterThan(300)
  })
})

/**
 * A small engine over the journal: entries with rising indexes, a term that must never be forgotten, and a
 * compaction now and then. It remembers what it was promised, through any number of crashes.
 */
class Life {
  readonly #random: Random
  readonly #machine: ReturnType<typeof machine>
  /** The index of every record that was ever in a save that was begun, with its body. */
  readonly #written = new Map<number, string>()
  #acknowledged = 0
  #begun = 0
  #compactedTo = 0
  #term = 0
  #acknowledgedTerm = 0

  constructor(seed: number) {
    this.#random = seededRandom(seed)
    this.#machine = machine(seed)
    this.#machine.disk.setFlushMs(0, 3)
  }

  /** Runs until the power goes at the `cutAt`-th operation; false if the run ended before that. */
  live(cutAt: number): boolean {
    const { disk } = this.#machine
    disk.powerCutAt(cutAt)
    const wasCut = this.#untilCut(() => this.#work(this.#open(), 30))
    if (!wasCut) return false
    // Again, at once: recovery itself is cut short, a few times.
    for (let again = 0; again < 3; again++) {
      this.#fall(disk)
      disk.powerCutAt(this.#random.between(1, 12))
      if (!this.#untilCut(() => this.#work(this.#open(), 4))) break
    }
    this.#fall(disk)
    return true
  }

  /** Opens once more and works on: everything that was promised is there, and stays there. */
  check(): void {
    this.#fall(this.#machine.disk)
    const journal = this.#open()
    this.#work(journal, 10)
    this.#compactedTo = this.#acknowledged
    journal.compact(this.#compactedTo)
    this.#machine.disk.kill()
    this.#open()
  }

  #fall(disk: SimulatedDisk): void {
    if (this.#random.chance(0.8)) disk.crash()
    else disk.kill()
  }

  #open(): Journal {
    const { disk, clock } = this.#machine
    const { journal, replayed } = open(disk, clock, {
      segmentBytes: 2048,
      head: () => [record(0, String(this.#term), 9)],
    })
    const entries = replayed.filter(each => each.kind === 1)
    for (const entry of entries) expect(this.#written.get(entry.index)).to.equal(entry.body)
    const indexes = entries.map(each => each.index)
    const first = indexes[0] ?? this.#acknowledged + 1
    expect(indexes, 'no gap, no repetition').to.deep.equal(indexes.map((_, position) => first + position))
    expect(first, 'nothing uncompacted is lost').to.be.at.most(this.#compactedTo + 1)
    const lastIndex = indexes.at(-1) ?? this.#acknowledged
    expect(lastIndex).to.be.within(this.#acknowledged, this.#begun)
    const terms = replayed.filter(each => each.kind === 9).map(each => Number(each.body))
    expect(terms.at(-1) ?? 0).to.be.within(this.#acknowledgedTerm, this.#term)
    // What was read counts from now on.
    this.#acknowledged = lastIndex
    this.#begun = lastIndex
    this.#acknowledgedTerm = terms.at(-1) ?? 0
    this.#term = this.#acknowledgedTerm
    return journal
  }

  #work(journal: Journal, saves: number): void {
    for (let count = 0; count < saves; count++) {
      const records = []
      if (this.#random.chance(0.2)) records.push(record(0, String(++this.#term), 9))
      for (let entry = this.#random.between(1, 3); entry > 0; entry--) {
        const index = ++this.#begun
        // The same index has another body in another life, as in a log whose tail was overwritten.
        const body = `entry ${index} ${this.#random.uint32()} `.repeat(this.#random.between(1, 12))
        this.#written.set(index, body)
        records.push(record(index, body))
      }
      const mode = this.#random.pick(['inline', 'overlap'] as const)
      expect(save(this.#machine.clock, journal, records, mode)).to.equal(undefined)
      this.#acknowledged = this.#begun
      this.#acknowledgedTerm = this.#term
      if (this.#random.chance(0.15)) {
        this.#compactedTo = this.#acknowledged
        journal.compact(this.#compactedTo)
      }
    }
  }

  #untilCut(act: () => void): boolean {
    try {
      act()
      return false
    } catch (error) {
      if (error instanceof PowerCut) return true
      throw error
    }
  }
}
