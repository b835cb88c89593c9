/** A journal on a simulated disk, and what came back from it, for the tests of the journal. */
import { expect } from 'chai'
import { seededRandom } from '../../src/base/random.js'
import type { Disk } from '../../src/storage/disk.js'
import {
  type Journal,
  type JournalOptions,
  type JournalRecord,
  openJournal,
  type SaveMode,
} from '../../src/storage/journal.js'
import { SimulatedDisk } from '../sim/disk.js'
import { SteppedClock } from './stepped-clock.js'

export interface Replayed {
  readonly kind: number
  readonly index: number
  readonly body: string
}

export interface Opened {
  readonly journal: Journal
  readonly replayed: Replayed[]
  readonly diskStates: string[]
  readonly failures: Error[]
}

export interface Machine {
  readonly disk: SimulatedDisk
  readonly clock: SteppedClock
}

export function machine(seed = 1): Machine {
  const clock = new SteppedClock()
  return { disk: new SimulatedDisk(seededRandom(seed), clock), clock }
}

export function open(disk: Disk, clock: SteppedClock, options: Partial<JournalOptions> = {}): Opened {
  const replayed: Replayed[] = []
  const diskStates: string[] = []
  const failures: Error[] = []
  const journal = openJournal(
    disk,
    {
      clock,
      segmentBytes: 1024,
      head: () => [],
      onDiskState: state => diskStates.push(state),
      onFailure: error => failures.push(error),
      ...options,
    },
    (kind, index, body) => replayed.push({ kind, index, body: Buffer.from(body).toString('latin1') }),
  )
  return { journal, replayed, diskStates, failures }
}

export function record(index: number, body: string, kind = 1): JournalRecord {
  return { kind, index, parts: [Buffer.from(body, 'latin1')] }
}

/** Saves and lets time pass until the save is done; returns its error. */
export function save(
  clock: SteppedClock,
  journal: Journal,
  records: readonly JournalRecord[],
  mode: SaveMode = 'inline',
): Error | undefined {
  const results: (Error | undefined)[] = []
  journal.save(records, mode, error => results.push(error))
  for (let round = 0; round < 20 && results.length === 0; round++) clock.advance(1)
  expect(results, 'the save is done').to.have.length(1)
  return results[0]
}

/** The files of a disk, to be looked at or put on another one. */
export function filesOf(disk: Disk): Map<string, Buffer> {
  return new Map(disk.list().map(name => [name, Buffer.from(disk.read(name) ?? [])]))
}

/** A fresh machine whose disk holds `files`, all durable. */
export function machineWith(files: ReadonlyMap<string, Uint8Array>): Machine {
  const made = machine()
  for (const [name, contents] of files) {
    const file = made.disk.open(name, true)
    file.write(0, [contents])
    file.flushSync()
  }
  made.disk.flushDirectory()
  return made
}
