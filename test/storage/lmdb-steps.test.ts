/**
 * The table in LMDB on a real disk, killed at every step in which directories and the file that names the one in
 * use change: the next start finds the old table or the new one, whole.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type LmdbTable, openLmdbTable } from '../../src/storage/lmdb-table.js'
import { stepsOf } from '../support/directory-steps.js'

const keys = 40

describe('the table in LMDB, killed at any step', () => {
  let base: string
  let directory: string
  let table: LmdbTable | undefined
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'quorate-steps-'))
    directory = join(base, 'data')
    mkdirSync(directory)
  })
  afterEach(() => {
    table?.close()
    rmSync(base, { recursive: true })
  })

  /** In round `round` every key changes, and one is there in no other round. */
  const rowsOf = (round: number) =>
    [...Array.from({ length: keys }, (_, number) => `key ${number}`), `only in ${round}`].map(
      key =>
        [key, { value: Buffer.from(`${round} `.repeat(9)), version: round, expiresAt: undefined }] as const,
    )
  const done = (act: (done: (error: Error | undefined) => void) => void): Promise<void> =>
    new Promise((resolve, reject) => act(error => (error === undefined ? resolve() : reject(error))))
  const checkpoint = (of: LmdbTable, round: number): Promise<void> => {
    for (const [key, record] of rowsOf(round)) of.set(key, record)
    of.delete(`only in ${round - 1}`)
    return done(told => of.checkpoint(Buffer.from(String(round)), told))
  }
  const snapshot = (of: LmdbTable, round: number): Promise<void> => {
    of.beginSnapshot()
    of.addSnapshotRows(rowsOf(round))
    return done(told => of.finishSnapshot(Buffer.from(String(round)), told))
  }

  /** The round that a table holds, which must be one of them, whole; 0 for an empty one. */
  const roundOf = (found: LmdbTable): number => {
    const round = Number(Buffer.from(found.meta() ?? []))
    const names = found.keys('', '', 1000)
    expect(names).to.have.members(round === 0 ? [] : rowsOf(round).map(([key]) => key))
    for (const name of names) expect(found.get(name)?.version, name).to.equal(round)
    return round
  }
  const open = (at: string): number => {
    const found = openLmdbTable(at)
    try {
      return roundOf(found)
    } finally {
      found.close()
    }
  }

  it('holds the last checkpoint or snapshot, or the one under way, also when the next start is killed', async function () {
    this.timeout(120_000)
    let kills = 0
    let secondKills = 0
    /** Lets `act` take the table from round `before` to round `after`, and looks at every step. */
    const play = async (before: number, after: number, act: () => Promise<void> | void): Promise<void> => {
      const steps = await stepsOf(directory, join(base, `round ${after}`), act)
      let isAfter = false
      for (const step of steps) {
        kills++
        const again = `${step.directory} again`
        let found: number | undefined
        for (const start of await stepsOf(step.directory, again, () => {
          found = open(step.directory)
        })) {
          secondKills++
          expect(open(start.directory), `killed at ${step.call}, then at ${start.call}`).to.equal(found)
        }
        const isNew = found === after
        if (!isNew || isAfter) expect(found, `killed at ${step.call}`).to.equal(isAfter ? after : before)
        isAfter = isNew
        rmSync(again, { recursive: true })
      }
      expect(isAfter, 'it is there at the end').to.equal(true)
    }
    await play(0, 0, () => {
      table = openLmdbTable(directory)
    })
    const opened = table
    if (opened === undefined) throw new Error('it was opened')
    await play(0, 1, () => checkpoint(opened, 1))
    await play(1, 2, () => snapshot(opened, 2))
    await play(2, 3, () => checkpoint(opened, 3))
    await play(3, 4, () => snapshot(opened, 4))
    console.log(`      ${kills} kills, ${secondKills} more during the next start`)
    expect(kills).to.be.greaterThan(30)
    expect(secondKills).to.be.greaterThan(kills)
    expect(readdirSync(directory), 'the table and the name of its directory').to.have.length(2)
  })
})
