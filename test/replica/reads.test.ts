import { expect } from 'chai'
import { logIndex, nodeId } from '../../src/base/ids.js'
import type { ReadOperation } from '../../src/base/operation.js'
import type { Request, Response } from '../../src/protocol/request.js'
import type { To } from '../../src/replica/contract.js'
import { ForeignReads } from '../../src/replica/foreign-reads.js'
import type { ConsensusMessage } from '../../src/replica/messages.js'
import type { ReadRequest } from '../../src/replica/reader.js'
import { type Third, Trio } from './trio.js'

const get: ReadRequest = { op: 'get', key: 'key1', local: false }

function redis(operation: ReadOperation): Request {
  return { op: 'redis-read', operations: [operation], local: false }
}

/** Every kind of read, of keys that are there and others, and of a value that fills several messages. */
const questions: readonly Request[] = [
  get,
  { ...get, key: 'none' },
  { ...get, key: 'large' },
  { op: 'keys', prefix: '', after: '', limit: 10 },
  redis({ op: 'mget', keys: ['large', 'key1', 'none', 'large'] }),
  redis({ op: 'dbsize' }),
  redis({ op: 'keys', pattern: 'k*' }),
  redis({ op: 'scan', cursor: '0', pattern: '*', count: 10, isOfType: true }),
]

describe('a read', () => {
  const noonMs = 1_700_000_000_000

  function scene(): { trio: Trio; leader: Third; follower: Third } {
    const trio = new Trio(noonMs)
    const leader = trio.leader()
    const [follower] = trio.thirds.filter(one => one !== leader)
    if (follower === undefined) throw new Error('there are three')
    trio.ask(leader, { op: 'put', key: 'key1', value: Buffer.from('value1') })
    trio.ask(leader, { op: 'put', key: 'large', value: Buffer.alloc(400_000, 'x') })
    trio.tick(10)
    return { trio, leader, follower }
  }

  it('is answered alike by the leader, by a node with a copy, and by way of one whose copy is of no use', () => {
    const { trio, leader, follower } = scene()
    const byLeader = questions.map(question => trio.ask(leader, question))
    expect(byLeader.map(({ kind }) => kind)).to.deep.equal(
      'value error value keys redis redis redis redis'.split(' '),
    )
    expect(questions.map(question => trio.ask(follower, question))).to.deep.equal(byLeader)
    follower.replica.step({ kind: 'disk', state: 'full' })
    expect(questions.map(question => trio.ask(follower, question))).to.deep.equal(byLeader)
  })

  it('sees a write that its node has no room for', () => {
    const { trio, leader, follower } = scene()
    follower.replica.step({ kind: 'disk', state: 'full' })
    trio.tick(10)
    const written = trio.ask(leader, { op: 'update', key: 'key1', value: Buffer.from('value2') })
    expect(written.kind).to.equal('written')
    expect(follower.table.get('key1')?.value.toString()).to.equal('value1')
    const answer = trio.ask(follower, get)
    expect(answer.kind === 'value' && answer.value.toString()).to.equal('value2')
  })
})

describe('the reads of another node, at the leader', () => {
  const asker = nodeId('asker')

  function taken(requests: readonly ReadRequest[] | undefined, id = 42, first = 0) {
    let token = 7
    const reads = new ForeignReads(() => token++)
    const outgoing: To<ConsensusMessage>[] = []
    const query = { kind: 'read-query', id, first, requests } as const
    reads.take(asker, query)
    reads.take(asker, query)
    const waiting = reads.takeWaiting()
    expect(waiting.length, 'a repeat is not taken twice').to.equal(1)
    return { reads, outgoing, token: waiting[0]?.token ?? -1 }
  }

  it('are told an index and the time, where no more is asked for', () => {
    const { reads, outgoing, token } = taken(undefined)
    reads.confirm(token, logIndex(7), 1000, outgoing)
    expect(outgoing).to.deep.equal([
      { to: asker, message: { kind: 'read-index', id: 42, index: 7, nowMs: 1000 } },
    ])
    expect(reads.isEmpty).to.equal(true)
  })

  it('are answered in messages of a bounded size, each of which says where it belongs', () => {
    const { reads, outgoing, token } = taken([get, get, get, get], 42, 10)
    reads.confirm(token, logIndex(7), 1000, outgoing)
    const large: Response = { kind: 'value', value: Buffer.alloc(100_000), version: 5 }
    for (const batch of reads.batches) {
      while (batch.answered < batch.requests.length) reads.give(batch, large, logIndex(8), outgoing)
      reads.send(batch, logIndex(8), outgoing)
    }
    const sent = outgoing.map(({ message }) => (message.kind === 'read-reply' ? message : undefined))
    expect(sent.map(reply => [reply?.id, reply?.first, reply?.responses.length, reply?.index])).to.deep.equal(
      [
        [42, 10, 2, 8],
        [42, 12, 2, 8],
      ],
    )
    expect(reads.isEmpty).to.equal(true)
  })

  it('are dropped with the leadership', () => {
    const { reads, outgoing, token } = taken([get])
    reads.clear()
    expect(reads.isEmpty).to.equal(true)
    reads.confirm(token, logIndex(7), 1000, outgoing)
    expect([...reads.batches, ...outgoing]).to.deep.equal([])
  })
})
