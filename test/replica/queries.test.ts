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
    queries.finishRead(ready, response, () => carriedBytesMax, outgoing)
  }
  expect(queries.takeReady(logIndex(100))).to.deep.equal([])
  return outgoing.map(({ message }) => message)
}

describe('a read at a node that does not lead', () => {
  it('is answered by the leader with what was read, where that is small', () => {
    expect(answerOf(small)).to.deep.equal([{ kind: 'query-reply', id: 42, response: small }])
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
    for (const one of ready) queries.finishRead(one, large, () => carriedBytesMax, outgoing)
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
