import { expect } from 'chai'
import { type RequestId, requestId, term } from '../../src/base/ids.js'
import { errors } from '../../src/protocol/errors.js'
import { failure, type Response } from '../../src/protocol/request.js'
import type { Forward, ForwardRefused } from '../../src/replica/messages.js'
import { Outbox, toResponse } from '../../src/replica/outbox.js'

const megabyte = 1024 * 1024

/** An outbox, and what it answered. */
class Fixture {
  readonly answers: [RequestId, Response][] = []
  #sessions = 0
  readonly outbox = new Outbox(
    () => `session-${++this.#sessions}`,
    (id, response) => this.answers.push([id, response]),
  )
  tick = 0
  wallMs = 1_000_000

  add(id: number, command = `command ${id}`, ticks = 100): void {
    this.outbox.add(requestId(id), Buffer.from(command), this.tick + ticks)
  }

  send(inTerm: number): Forward[] {
    return this.outbox.takeForwards(term(inTerm), this.tick, this.wallMs, this.wallMs, 10)
  }

  settle(counter: number, version = counter): void {
    this.outbox.settle(this.outbox.session, counter, { kind: 'written', version }, 2)
  }

  /** The leader's answer to a forward. */
  refuse(forward: Forward | undefined, reason: ForwardRefused['reason'], next: number): void {
    if (forward === undefined) throw new Error('nothing was sent')
    const { term: inTerm, sequence, session } = forward
    const refused = { term: inTerm, sequence, session, next, reason, clockMs: this.wallMs }
    this.outbox.refuse({ kind: 'forward-refused', ...refused }, this.tick)
  }

  expire(ticks: number): void {
    this.tick += ticks
    this.outbox.expire(this.tick)
  }

  /** The code of each answer, by request; `written` where it succeeded. */
  get codes(): Record<number, string> {
    return Object.fromEntries(
      this.answers.map(([id, response]) => [id, response.kind === 'error' ? response.code : response.kind]),
    )
  }
}

function counters(forwards: readonly Forward[]): number[] {
  return forwards.flatMap(forward => forward.writes.map(write => write.counter))
}

function commands(forwards: readonly Forward[]): string[] {
  return forwards.flatMap(forward => forward.writes.map(write => Buffer.from(write.command).toString()))
}

describe('the outbox', () => {
  it('numbers writes in the order of their arrival, and sends each once while answers come', () => {
    const fixture = new Fixture()
    fixture.add(1)
    fixture.add(2)
    const first = fixture.send(1)
    expect(counters(first)).to.deep.equal([1, 2])
    expect(commands(first)).to.deep.equal(['command 1', 'command 2'])
    expect(fixture.send(1)).to.deep.equal([])
    fixture.add(3)
    expect(counters(fixture.send(1))).to.deep.equal([3])
    fixture.settle(1, 77)
    expect(fixture.answers).to.deep.equal([[1, { kind: 'written', version: 77, copies: 2 }]])
  })

  it('sends everything that is unanswered again to another leader, in the same order and under the same numbers', () => {
    const fixture = new Fixture()
    for (const id of [1, 2, 3]) fixture.add(id)
    fixture.send(1)
    fixture.settle(2)
    fixture.add(4)
    const again = fixture.send(2)
    expect(counters(again)).to.deep.equal([1, 3, 4])
    expect(commands(again)).to.deep.equal(['command 1', 'command 3', 'command 4'])
    expect(again.map(forward => [forward.term, forward.lowest])).to.deep.equal([[2, 1]])
  })

  it('sends again what is not answered for long, more and more seldom, and not while other answers come', () => {
    const fixture = new Fixture()
    fixture.add(1)
    fixture.add(2)
    fixture.send(1)
    fixture.tick = 9
    expect(fixture.send(1)).to.deep.equal([])
    fixture.settle(1)
    fixture.tick = 10
    expect(fixture.send(1), 'an answer came meanwhile').to.deep.equal([])
    fixture.tick = 20
    expect(counters(fixture.send(1))).to.deep.equal([2])
    fixture.tick = 39
    expect(fixture.send(1)).to.deep.equal([])
    fixture.tick = 40
    expect(counters(fixture.send(1))).to.deep.equal([2])
  })

  it('says which is the lowest number that is still wanted', () => {
    const fixture = new Fixture()
    for (const id of [1, 2, 3]) fixture.add(id)
    expect(fixture.send(1)[0]?.lowest).to.equal(1)
    fixture.settle(1)
    fixture.settle(2)
    fixture.add(4)
    expect(fixture.send(1)[0]?.lowest).to.equal(3)
  })

  it('says of a write that was never sent that nothing was done', () => {
    const fixture = new Fixture()
    fixture.add(1)
    fixture.expire(100)
    expect(fixture.codes).to.deep.equal({ 1: 'LEADER_UNAVAILABLE' })
    expect(errors.LEADER_UNAVAILABLE.definite).to.equal(true)
    expect(fixture.send(1), 'nor is it done later').to.deep.equal([])
  })

  it('says of a write that was sent and not answered that its outcome is unknown', () => {
    const fixture = new Fixture()
    fixture.add(1)
    fixture.send(1)
    fixture.add(2)
    fixture.expire(100)
    expect(fixture.codes).to.deep.equal({ 1: 'OUTCOME_UNKNOWN', 2: 'LEADER_UNAVAILABLE' })
    expect(errors.OUTCOME_UNKNOWN.definite).to.equal(false)
    fixture.settle(1)
    expect(fixture.answers, 'and never says anything else').to.have.length(2)
  })

  it('waits as long as it was asked to, and no longer', () => {
    const fixture = new Fixture()
    fixture.add(1, 'first', 5)
    fixture.add(2, 'second', 6)
    fixture.expire(4)
    expect(fixture.codes).to.deep.equal({})
    fixture.expire(1)
    expect(fixture.codes).to.deep.equal({ 1: 'LEADER_UNAVAILABLE' })
    fixture.expire(1)
    expect(fixture.codes).to.deep.equal({ 1: 'LEADER_UNAVAILABLE', 2: 'LEADER_UNAVAILABLE' })
  })

  it('says that the disk is full of exactly what the leader proved not to have proposed', () => {
    const fixture = new Fixture()
    for (const id of [1, 2, 3]) fixture.add(id)
    const [forward] = fixture.send(1)
    fixture.refuse(forward, 'disk-full', 2)
    expect(fixture.codes).to.deep.equal({ 2: 'DISK_FULL', 3: 'DISK_FULL' })
    expect(errors.DISK_FULL.definite).to.equal(true)
    fixture.settle(1)
    expect(fixture.codes[1]).to.equal('written')
  })

  it('believes no refusal of an older forward, an older leader or another session', () => {
    const fixture = new Fixture()
    fixture.add(1)
    const [older] = fixture.send(1)
    fixture.add(2)
    fixture.send(1)
    fixture.refuse(older, 'disk-full', 1)
    const [repeat] = fixture.send(2)
    fixture.refuse(repeat && { ...repeat, term: term(1) }, 'disk-full', 1)
    fixture.refuse(repeat && { ...repeat, session: 'another' }, 'disk-full', 1)
    expect(fixture.codes).to.deep.equal({})
    fixture.refuse(repeat, 'disk-full', 1)
    expect(fixture.codes).to.deep.equal({ 1: 'DISK_FULL', 2: 'DISK_FULL' })
  })

  it('sends again at once what comes behind a gap, and after a while what a busy leader refused', () => {
    const fixture = new Fixture()
    fixture.add(1)
    fixture.add(2)
    const [forward] = fixture.send(1)
    expect(fixture.send(1)).to.deep.equal([])
    fixture.refuse(forward, 'gap', 1)
    fixture.tick += 1
    const [again] = fixture.send(1)
    expect(counters([again].filter(one => one !== undefined))).to.deep.equal([1, 2])
    fixture.refuse(again, 'busy', 1)
    expect(fixture.send(1)).to.deep.equal([])
    fixture.tick += 5
    expect(counters(fixture.send(1))).to.deep.equal([1, 2])
  })

  it('goes over to a new session when the old one was forgotten: what was sent once was not done, the rest is unknown', () => {
    const fixture = new Fixture()
    fixture.add(1)
    fixture.send(1)
    fixture.add(2)
    const [repeat] = fixture.send(2)
    const session = fixture.outbox.session
    fixture.add(3)
    fixture.refuse(repeat, 'expired', 1)
    expect(fixture.codes).to.deep.equal({ 1: 'OUTCOME_UNKNOWN' })
    const [forward] = fixture.send(2)
    expect(forward?.session).to.not.equal(session)
    expect(forward?.bornMs).to.equal(fixture.wallMs)
    expect(counters(forward === undefined ? [] : [forward])).to.deep.equal([1, 2])
    expect(commands(forward === undefined ? [] : [forward])).to.deep.equal(['command 2', 'command 3'])
    fixture.outbox.settle(session, 1, { kind: 'written', version: 1 }, 2)
    expect(fixture.codes, 'results of the old session mean nothing now').to.deep.equal({
      1: 'OUTCOME_UNKNOWN',
    })
  })

  it('uses no session again that was idle for long', () => {
    const fixture = new Fixture()
    fixture.add(1)
    const [first] = fixture.send(1)
    fixture.settle(1)
    fixture.wallMs += 60_000
    fixture.add(2)
    expect(fixture.send(1)[0]?.session).to.equal(first?.session)
    fixture.settle(2)
    fixture.wallMs += 600_000
    fixture.add(3)
    const [later] = fixture.send(1)
    expect(later?.session).to.not.equal(first?.session)
    expect(later?.bornMs).to.equal(fixture.wallMs)
    expect(counters(later === undefined ? [] : [later])).to.deep.equal([1])
  })

  it('cuts what it sends into forwards of about a megabyte, in order', () => {
    const fixture = new Fixture()
    const sizes = [0.6, 0.6, 0.3, 3, 0.1].map(size => Math.floor(size * megabyte))
    sizes.forEach((size, position) => {
      fixture.add(position + 1, 'x'.repeat(size))
    })
    const forwards = fixture.send(1)
    expect(forwards.map(forward => counters([forward]))).to.deep.equal([[1], [2, 3], [4], [5]])
    expect(forwards.map(forward => forward.sequence)).to.deep.equal([1, 2, 3, 4])
  })

  it('sends a bounded number of bytes ahead of the answers, and refuses more than it can hold', () => {
    const fixture = new Fixture()
    for (let id = 1; id <= 20; id++) fixture.add(id, 'x'.repeat(megabyte))
    expect(counters(fixture.send(1))).to.have.length(16)
    expect(fixture.send(1)).to.deep.equal([])
    fixture.settle(1)
    expect(counters(fixture.send(1))).to.deep.equal([17])
    for (let id = 21; id <= 60; id++) fixture.add(id, 'x'.repeat(megabyte))
    expect(Object.values(fixture.codes).filter(code => code === 'BUSY')).to.have.length(60 - 17 - 32)
    expect(errors.BUSY.definite).to.equal(true)
  })

  it('answers everything when the node was removed, and knows which of it was never sent', () => {
    const fixture = new Fixture()
    fixture.add(1)
    fixture.send(1)
    fixture.add(2)
    fixture.outbox.refuseAll(failure('NODE_REMOVED'))
    expect(fixture.codes).to.deep.equal({ 1: 'OUTCOME_UNKNOWN', 2: 'NODE_REMOVED' })
    expect(fixture.outbox.size).to.equal(0)
  })

  it('turns every result into the response that says it', () => {
    const written = { kind: 'written', version: 3, existed: true } as const
    expect(toResponse(written, 2)).to.deep.equal({ ...written, copies: 2 })
    expect(toResponse({ kind: 'refused', code: 'KEY_EXISTS' }, 2)).to.deep.equal(failure('KEY_EXISTS'))
    expect(toResponse({ kind: 'refused', code: 'VERSION_MISMATCH', current: 9 }, 2)).to.deep.equal(
      failure('VERSION_MISMATCH', { current: 9 }),
    )
  })
})
