import { expect } from 'chai'
import fc from 'fast-check'
import type { Identity } from '../../src/kv/proposal.js'
import { type Result, Sessions, sessionExpiryMs } from '../../src/kv/sessions.js'

const minute = 60_000

function identity(session: string, counter: number, lowest = 1, bornMs = 0): Identity {
  return { session, bornMs, counter, lowest }
}

function written(version: number): Result {
  return { kind: 'written', version }
}

describe('request sessions', () => {
  it('answer a repeat with the first result, as long as the sender may want it', () => {
    const sessions = new Sessions()
    sessions.record(identity('a', 1), 0, written(10))
    sessions.record(identity('a', 2), 0, written(11))
    expect(sessions.judge(identity('a', 1), 0)).to.deep.equal({ kind: 'repeat', result: written(10) })
    expect(sessions.results('a')).to.deep.equal([
      [1, written(10)],
      [2, written(11)],
    ])
    // From 3 on the sender has all answers below.
    sessions.record(identity('a', 3, 3), 0, written(12))
    expect(sessions.judge(identity('a', 1), 0)).to.deep.equal({ kind: 'answered' })
    expect(sessions.result('a', 2)).to.equal(undefined)
    expect(sessions.result('a', 3)).to.deep.equal(written(12))
  })

  it('let a command pass only when it is the next one', () => {
    const sessions = new Sessions()
    expect(sessions.judge(identity('a', 2), 0)).to.deep.equal({ kind: 'gap', expected: 1 })
    expect(sessions.judge(identity('a', 1), 0)).to.deep.equal({ kind: 'apply' })
    sessions.record(identity('a', 1), 0, written(1))
    expect(sessions.judge(identity('a', 3), 0)).to.deep.equal({ kind: 'gap', expected: 2 })
    expect(sessions.judge(identity('a', 2), 0)).to.deep.equal({ kind: 'apply' })
  })

  it('pass over commands that the sender gave up, and never apply those later', () => {
    const sessions = new Sessions()
    sessions.record(identity('a', 1), 0, written(1))
    const next = identity('a', 5, 5)
    expect(sessions.judge(next, 0)).to.deep.equal({ kind: 'apply' })
    sessions.record(next, 0, written(2))
    expect(sessions.judge(identity('a', 3), 0)).to.deep.equal({ kind: 'answered' })
  })

  it('are refused once they are forgotten, also where they still stand in memory', () => {
    const sessions = new Sessions()
    sessions.record(identity('a', 1), 0, written(1))
    const late = sessionExpiryMs + 1
    expect(sessions.judge(identity('a', 2), sessionExpiryMs).kind).to.equal('apply')
    expect(sessions.judge(identity('a', 2), late)).to.deep.equal({ kind: 'expired' })
    expect(sessions.judge(identity('a', 1), late)).to.deep.equal({ kind: 'expired' })
    for (let at = late; at < late + 3 * minute; at += minute) {
      sessions.record(identity('b', at, at, late), at, written(2))
    }
    expect(sessions.last('a')).to.equal(0)
    expect(sessions.judge(identity('a', 2), late + 3 * minute)).to.deep.equal({ kind: 'expired' })
  })

  it('are not forgotten while their birth still looks recent', () => {
    const sessions = new Sessions()
    // The node that began it has a clock that is ahead of the log's by an hour.
    const bornMs = 60 * minute
    sessions.record(identity('a', 1, 1, bornMs), 0, written(1))
    const at = 15 * minute
    sessions.record(identity('b', 1, 1, at), at, written(2))
    expect(sessions.judge(identity('a', 1, 1, bornMs), at).kind).to.equal('repeat')
  })

  it('are the same after they were saved and loaded', () => {
    const sessions = new Sessions()
    sessions.record(identity('b', 1), 5, written(1))
    sessions.record(identity('a', 1), 7, { kind: 'refused', code: 'VERSION_MISMATCH', current: 4 })
    const loaded = new Sessions()
    loaded.load(JSON.parse(JSON.stringify(sessions.save(7))))
    expect(loaded.save(7)).to.deep.equal(sessions.save(7))
    expect(loaded.judge(identity('a', 1), 8)).to.deep.equal(sessions.judge(identity('a', 1), 8))
    expect(loaded.last('b')).to.equal(1)
  })

  it('are saved alike on all nodes, whenever these last tidied up or started', () => {
    const [running, restarted] = [new Sessions(), new Sessions()]
    const record = (session: string, counter: number, nowMs: number): void => {
      for (const sessions of [running, restarted])
        sessions.record(identity(session, counter), nowMs, written(1))
    }
    record('idle', 1, 0)
    record('busy', 1, sessionExpiryMs - 1000)
    restarted.load(restarted.save(sessionExpiryMs - 1000))
    record('busy', 2, sessionExpiryMs + 1000)
    expect(restarted.save(sessionExpiryMs + 1000)).to.deep.equal(running.save(sessionExpiryMs + 1000))
  })

  it('answer alike on all nodes, whenever these last tidied up or started', () => {
    const steps = fc.array(
      fc.record({
        session: fc.constantFrom('a', 'b', 'c'),
        pauseMs: fc.constantFrom(0, minute / 2, 2 * minute, 9 * minute, 11 * minute),
        restarts: fc.boolean(),
      }),
    )
    fc.assert(
      fc.property(steps, applied => {
        const [running, restarted] = [new Sessions(), new Sessions()]
        const counters = new Map<string, number>()
        let nowMs = 0
        for (const { session, pauseMs, restarts } of applied) {
          nowMs += pauseMs
          if (restarts) restarted.load(restarted.save(nowMs))
          const counter = (counters.get(session) ?? 0) + 1
          const verdict = running.judge(identity(session, counter), nowMs)
          expect(restarted.judge(identity(session, counter), nowMs)).to.deep.equal(verdict)
          if (verdict.kind !== 'apply') continue
          counters.set(session, counter)
          for (const sessions of [running, restarted]) {
            sessions.record(identity(session, counter), nowMs, written(nowMs))
          }
          expect(restarted.save(nowMs)).to.deep.equal(running.save(nowMs))
        }
      }),
    )
  })
})
