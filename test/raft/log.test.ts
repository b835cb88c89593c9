import { expect } from 'chai'
import fc from 'fast-check'
import { AssertionError } from '../../src/base/assert.js'
import { logIndex, type Term, term } from '../../src/base/ids.js'
import { emptyConfiguration, encodeConfiguration, firstConfiguration } from '../../src/raft/configuration.js'
import { Log, type LogPosition } from '../../src/raft/log.js'
import { beginning } from '../../src/raft/raft.js'
import type { Configuration, Entry } from '../../src/raft/types.js'
import { describe as describeMember, named } from './cluster.js'

/** A log with command entries of the given terms, one byte each, all of them durable. */
function logOf(terms: readonly number[], base: LogPosition = beginning): Log {
  const log = new Log(base, emptyConfiguration)
  for (const entryTerm of terms) log.append(command(log, entryTerm))
  log.markStable(log.lastIndex)
  return log
}

function command(log: Log, entryTerm: number, data = 'x'): Entry {
  return entryAfter(log, entryTerm, 'command', Buffer.from(data))
}

function entryAfter(log: Log, entryTerm: number, kind: Entry['kind'], data: Uint8Array): Entry {
  return { index: logIndex(log.lastIndex + 1), term: term(entryTerm), kind, data }
}

function members(...ids: string[]): Configuration {
  return firstConfiguration(
    ids.map(id => describeMember(named(id))),
    'linearizable',
  )
}

const ascendingTerms = fc
  .array(fc.integer({ min: 1, max: 6 }), { maxLength: 20 })
  .map(terms => terms.sort((left, right) => left - right))

describe('the log', () => {
  it('takes only the entry that follows the last one, of a term that does not fall', () => {
    const log = logOf([1, 2])
    expect(() => log.append({ ...command(log, 2), index: logIndex(4) })).to.throw(AssertionError)
    expect(() => log.append(command(log, 1))).to.throw(AssertionError)
    log.append(command(log, 2))
    expect([log.lastIndex, log.lastTerm]).to.deep.equal([3, 2])
  })

  it('takes back what was durable when it is truncated', () => {
    const log = logOf([1, 1, 1])
    log.truncateFrom(logIndex(2))
    expect([log.lastIndex, log.stable, log.bytes]).to.deep.equal([1, 1, 1])
    log.append(command(log, 2))
    expect(log.unstable().map(entry => entry.index)).to.deep.equal([2])
  })

  it('answers for the terms of what it holds and of its base, and for nothing else', () => {
    const log = logOf([3, 4], { index: logIndex(10), term: term(2) })
    const terms = [9, 10, 11, 12, 13].map(index => log.termAt(logIndex(index)))
    expect(terms).to.deep.equal([undefined, 2, 3, 4, undefined])
    expect(log.entry(logIndex(10))).to.equal(undefined)
  })

  it('forgets only what is durable, and keeps what follows', () => {
    const log = logOf([1, 2, 3])
    log.append(command(log, 3))
    expect(() => log.compact(logIndex(4))).to.throw(AssertionError)
    log.compact(logIndex(2))
    expect(log.base).to.deep.equal({ index: 2, term: 2 })
    expect([log.lastIndex, log.bytes]).to.deep.equal([4, 2])
    expect(log.unstable().map(entry => entry.index)).to.deep.equal([4])
    expect(() => log.truncateFrom(logIndex(2))).to.throw(AssertionError)
  })

  it('has a configuration in force from its entry on, and the former one again when that is truncated', () => {
    const log = new Log(beginning, members('1'))
    log.append(command(log, 1))
    log.append(entryAfter(log, 1, 'configuration', encodeConfiguration(members('1', '2'))))
    log.append(entryAfter(log, 1, 'configuration', encodeConfiguration(members('1', '2', '3'))))
    expect(log.configuration).to.deep.equal(members('1', '2', '3'))
    expect(log.configurationAt(logIndex(1))).to.deep.equal(members('1'))
    expect(log.configurationAt(logIndex(2))).to.deep.equal(members('1', '2'))
    log.truncateFrom(logIndex(3))
    expect(log.configuration).to.deep.equal(members('1', '2'))
    expect(log.configurationIndex).to.equal(2)
    log.markStable(logIndex(2))
    log.compact(logIndex(2))
    expect(log.configuration).to.deep.equal(members('1', '2'))
    log.reset({ index: logIndex(9), term: term(5) }, members('4'))
    expect([log.configuration, log.lastIndex, log.stable]).to.deep.equal([members('4'), 9, 9])
  })

  it('cuts slices at a number of bytes, and never gives none where there is one', () => {
    const log = new Log(beginning, emptyConfiguration)
    for (const data of ['aaaa', 'bbbb', 'cc']) log.append(command(log, 1, data))
    const indexes = (from: number, bytesMax: number): number[] =>
      log.slice(logIndex(from), bytesMax).map(entry => entry.index)
    expect(indexes(1, 1)).to.deep.equal([1])
    expect(indexes(1, 8)).to.deep.equal([1, 2])
    expect(indexes(2, 6)).to.deep.equal([2, 3])
    expect(indexes(4, 6)).to.deep.equal([])
  })

  it('knows from where on it keeps to a number of bytes', () => {
    const log = new Log(beginning, emptyConfiguration)
    for (const data of ['aaaa', 'bbbb', 'cc']) log.append(command(log, 1, data))
    const firsts = [0, 2, 5, 6, 100].map(bytesMax => log.firstIndexWithin(bytesMax))
    expect(firsts).to.deep.equal([4, 3, 3, 2, 1])
  })

  it('takes a log for complete by its last term first, and by its length only then', () => {
    const log = logOf([1, 2, 2])
    const verdicts = [
      [3, 2],
      [2, 2],
      [1, 3],
      [9, 1],
    ].map(([index = 0, last = 0]) => log.isUpToDate({ index: logIndex(index), term: term(last) }))
    expect(verdicts).to.deep.equal([true, false, true, false])
  })

  it('finds, with two questions, a place to agree at that passes over no entry on which the logs agree', () => {
    fc.assert(
      fc.property(ascendingTerms, ascendingTerms, fc.nat(20), (leading, following, at) => {
        const leader = logOf(leading)
        const follower = logOf(following)
        const previous = logIndex(Math.min(at, leader.lastIndex))
        const previousTerm = leader.termAt(previous) as Term
        fc.pre(follower.termAt(previous) !== previousTerm)
        const hint = follower.lastIndexWithTermUpTo(previous, previousTerm)
        const agreeing = leader.lastIndexWithTermUpTo(hint, follower.termAt(hint) as Term)
        expect(agreeing, 'each question leads further back').to.be.below(previous)
        for (let index = agreeing + 1; index <= previous; index++) {
          const here = leader.termAt(logIndex(index))
          expect(here, `they do not agree at ${index}`).to.not.equal(follower.termAt(logIndex(index)))
        }
      }),
    )
  })

  it('leads to before its base where not even that agrees', () => {
    const log = logOf([5, 5], { index: logIndex(10), term: term(4) })
    expect(log.lastIndexWithTermUpTo(logIndex(12), term(4))).to.equal(10)
    expect(log.lastIndexWithTermUpTo(logIndex(12), term(3))).to.equal(9)
    expect(log.lastIndexWithTermUpTo(logIndex(7), term(3))).to.equal(7)
  })
})
