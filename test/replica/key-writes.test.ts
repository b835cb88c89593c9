import { expect } from 'chai'
import { requestId } from '../../src/base/ids.js'
import type { RingWrite } from '../../src/protocol/ring-request.js'
import { KeyWrites } from '../../src/replica/key-writes.js'
import type { RingAnswer, RingRequest } from '../../src/ring/types.js'

const limits = { requestsMax: 4, valueBytesMax: 100, copies: 3, isOrdered: false }

/** Writes on their way to a ring whose answers the test gives. */
class Desk {
  readonly asked: { readonly request: RingRequest; readonly done: (answer: RingAnswer) => void }[] = []
  readonly answers: string[] = []
  readonly writes = new KeyWrites(
    (request, done) => {
      this.asked.push({ request, done })
    },
    (id, response) => {
      this.answers.push(`${id} ${response.kind === 'error' ? response.code : response.kind}`)
    },
    limits,
  )
  #next = 1

  add(verb: RingWrite['verb'], key: string, more: Partial<RingWrite> = {}, expiresAtTick = 100): void {
    const value = verb === 'delete' ? undefined : Buffer.from('v')
    const write = { op: 'write-version', verb, key, value, quorum: undefined, context: undefined } as const
    this.writes.add(requestId(this.#next++), { ...write, identity: undefined, ...more }, expiresAtTick)
  }

  /** What the ring was asked since, in short. */
  takeAsked(): string[] {
    return this.asked.map(({ request }) => {
      const context = request.op === 'write' ? ` ${request.context ?? '-'}` : ''
      return `${request.op} ${request.key}${context}`
    })
  }

  answer(answer: RingAnswer): void {
    const first = this.asked.shift()
    if (first === undefined) throw new Error('nothing was asked')
    first.done(answer)
  }
}

const found = (context: string, ...values: string[]): RingAnswer => ({
  kind: 'versions',
  context,
  versions: values.map(value => ({ value: Buffer.from(value), context, writtenMs: 0 })),
})
const written: RingAnswer = { kind: 'written', context: 'c', versions: [], copies: 2, crowded: false }

describe('the writes of clients on their way to the ring', () => {
  it('put what they bring, and replace only what their context covers', () => {
    const desk = new Desk()
    desk.add('put', 'a')
    desk.add('put', 'b', { context: 'seen' })
    desk.add('set', 'c', { context: 'seen' })
    expect(desk.takeAsked()).to.deep.equal(['write a -', 'write b seen', 'write c seen'])
    desk.answer(written)
    expect(desk.answers).to.deep.equal(['1 versions'])
  })

  it('read first where they replace what is there', () => {
    const desk = new Desk()
    desk.add('set', 'a')
    expect(desk.takeAsked()).to.deep.equal(['read a'])
    desk.answer(found('now', 'old'))
    expect(desk.takeAsked()).to.deep.equal(['write a now'])
    desk.answer(written)
    desk.add('set', 'b')
    desk.answer(found(''))
    expect(desk.takeAsked(), 'of a key that never was').to.deep.equal(['write b -'])
  })

  it('find nothing to update or to delete where there is no value, though there is a past', () => {
    const desk = new Desk()
    desk.add('update', 'a')
    desk.answer(found('deleted'))
    desk.add('delete', 'a')
    desk.answer(found('deleted'))
    expect(desk.answers).to.deep.equal(['1 KEY_NOT_FOUND', '2 KEY_NOT_FOUND'])
  })

  it('are refused for certain where the reading fails', () => {
    const desk = new Desk()
    desk.add('set', 'a')
    desk.answer({ kind: 'quorum-not-met', reached: 1, needed: 2, maybe: false })
    expect(desk.answers).to.deep.equal(['1 QUORUM_UNREACHABLE'])
    expect(desk.writes.size).to.equal(0)
  })

  it('go one after the other where they are of one key, whatever became of the one before', () => {
    const desk = new Desk()
    desk.add('put', 'a')
    desk.add('set', 'a')
    desk.add('put', 'b')
    expect(desk.takeAsked()).to.deep.equal(['write a -', 'write b -'])
    desk.answer({ kind: 'unknown' })
    expect(desk.answers).to.deep.equal(['1 OUTCOME_UNKNOWN'])
    expect(desk.takeAsked()).to.deep.equal(['write b -', 'read a'])
  })

  it('are refused when their turn does not come in time, which those under way are not', () => {
    const desk = new Desk()
    desk.add('put', 'a', {}, 10)
    desk.add('put', 'a', {}, 11)
    desk.add('put', 'a', {}, 12)
    desk.writes.expire(11)
    expect(desk.answers).to.deep.equal(['2 BUSY'])
    desk.answer(written)
    desk.answer(written)
    expect(desk.answers).to.deep.equal(['2 BUSY', '1 versions', '3 versions'])
    expect(desk.writes.size).to.equal(0)
  })

  it('are refused when there are too many', () => {
    const desk = new Desk()
    for (let count = 0; count < 5; count++) desk.add('put', 'a')
    expect(desk.answers).to.deep.equal(['5 BUSY'])
  })
})
