import { expect } from 'chai'
import { logIndex, nodeId, type RequestId, requestId, term } from '../../src/base/ids.js'
import { seededRandom } from '../../src/base/random.js'
import type { Request, Response } from '../../src/protocol/request.js'
import type { To } from '../../src/replica/contract.js'
import type { ConsensusMessage } from '../../src/replica/messages.js'
import { Queries } from '../../src/replica/queries.js'

const asker = nodeId('asker')
const leader = nodeId('leader')
const get: Request = { op: 'get', key: 'key1', local: false }
const never = Number.POSITIVE_INFINITY
const carriedBytesMax = 100
const small: Response = { kind: 'value', value: Buffer.alloc(100), version: 5 }
const large: Response = { kind: 'value', value: Buffer.alloc(101), version: 5 }

/** The questions of one node, and what it answered to its own clients. */
function questions(): { queries: Queries; answers: [RequestId, Response][] } {
  const answers: [RequestId, Response][] = []
  const queries = new Queries(seededRandom('queries'), (id, response) => answers.push([id, response]))
  return { queries, answers }
}

/** What a leader sends to a node that asked, once the read was confirmed for entry 7 and that one is applied. */
function answerOf(response: Response): ConsensusMessage[] {
  const { queries } = questions()
  const outgoing: To<ConsensusMessage>[] = []
  queries.takeForeign(asker, 42, get)
  for (const { token } of queries.takeWaiting()) queries.await(token, logIndex(7))
  for (const ready of queries.takeReady(logIndex(7))) {
    queries.finishRead(ready, response, logIndex(7), () => carriedBytesMax, outgoing)
  }
  expect(queries.takeReady(logIndex(100))).to.deep.equal([])
  return outgoing.map(({ message }) => message)
}

describe('a read at a node that does not lead', () => {
  it('is answered by the leader with what was read, where that is small', () => {
    expect(answerOf(small)).to.deep.equal([{ kind: 'query-reply', id: 42, index: 7, response: small }])
  })

  it('is answered by the leader with where to read, where the answer is large', () => {
    expect(answerOf(large)).to.deep.equal([{ kind: 'read-index', id: 42, index: 7 }])
    const keys: Response = { kind: 'keys', keys: Array.from({ length: 11 }, () => 'ten-bytes!'), more: false }
    expect(answerOf(keys)).to.deep.equal([{ kind: 'read-index', id: 42, index: 7 }])
  })

  it('waits, once it was told where to read, until it has applied that', () => {
    const { queries, answers } = questions()
    const outgoing: To<ConsensusMessage>[] = []
    queries.add(requestId(1), get, never, never)
    queries.sendTo(leader, term(3), 0, 30, outgoing)
    const [asked] = outgoing.splice(0)
    if (asked?.message.kind !== 'query') throw new Error('the leader was not asked')
    queries.await(asked.message.id, logIndex(7))
    expect(queries.takeReady(logIndex(6))).to.deep.equal([])
    const ready = queries.takeReady(logIndex(8))
    expect(ready.map(({ question }) => question.request)).to.deep.equal([get])
    for (const one of ready) queries.finishRead(one, large, logIndex(8), () => carriedBytesMax, outgoing)
    expect(answers).to.deep.equal([[1, large]])
    expect(outgoing).to.deep.equal([])
  })

  it('asks the next leader when the one that answered is gone before it could read', () => {
    const { queries } = questions()
    const outgoing: To<ConsensusMessage>[] = []
    queries.add(requestId(1), get, never, never)
    queries.sendTo(leader, term(3), 0, 30, outgoing)
    const [asked] = outgoing.splice(0)
    if (asked?.message.kind !== 'query') throw new Error('the leader was not asked')
    queries.await(asked.message.id, logIndex(7))
    queries.sendTo(asker, term(4), 1, 30, outgoing)
    expect(outgoing).to.deep.equal([{ to: asker, message: asked.message }])
    // Both answers are good, and one is given.
    expect(queries.takeReady(logIndex(7))).to.have.length(1)
  })
})

describe('the answers to reads of one node', () => {
  const values = [5, 6, 7].map(version => ({ kind: 'value', value: Buffer.from('x'), version }) as const)
  const [older, newer, newest] = [values[0], values[1], values[2]].map(value => value ?? small)

  /** Two reads that a leader was asked for, and their ids. */
  function twoReads(): ReturnType<typeof questions> & { asked: () => number[] } {
    const { queries, answers } = questions()
    queries.add(requestId(1), get, never, 50)
    queries.add(requestId(2), get, never, 60)
    const asked = (): number[] => {
      const outgoing: To<ConsensusMessage>[] = []
      queries.sendTo(leader, term(3), 0, 30, outgoing)
      return outgoing.map(({ message }) => (message.kind === 'query' ? message.id : -1))
    }
    return { queries, answers, asked }
  }

  it('leave in the order of the questions, whichever comes first', () => {
    const { queries, answers, asked } = twoReads()
    const [first = -1, second = -1] = asked()
    queries.settle(second, newer ?? small, logIndex(6))
    expect(answers).to.deep.equal([])
    queries.settle(first, older ?? small, logIndex(5))
    expect(answers).to.deep.equal([
      [1, older],
      [2, newer],
    ])
  })

  it('never go back: one that was read before what the answer ahead of it shows is asked for again', () => {
    const { queries, answers, asked } = twoReads()
    const [first = -1, second = -1] = asked()
    queries.settle(second, older ?? small, logIndex(5))
    queries.settle(first, newer ?? small, logIndex(6))
    expect(answers).to.deep.equal([[1, newer]])
    expect(asked()).to.deep.equal([second])
    queries.settle(second, newest ?? small, logIndex(7))
    expect(answers).to.deep.equal([
      [1, newer],
      [2, newest],
    ])
    expect(queries.size).to.equal(0)
  })

  it('do not wait for one whose time is up', () => {
    const { queries, answers, asked } = twoReads()
    const [, second = -1] = asked()
    queries.settle(second, newer ?? small, logIndex(6))
    queries.expire(50)
    expect(answers.map(([id, { kind }]) => [id, kind])).to.deep.equal([
      [1, 'error'],
      [2, 'value'],
    ])
  })
})
