import { expect } from 'chai'
import { type LogIndex, logIndex, nodeId, requestId, term } from '../../src/base/ids.js'
import type { ReadOperation } from '../../src/base/operation.js'
import { seededRandom } from '../../src/base/random.js'
import { StateMachine } from '../../src/kv/state-machine.js'
import type { Request, Response } from '../../src/protocol/request.js'
import type { To } from '../../src/replica/contract.js'
import { ForeignReads } from '../../src/replica/foreign-reads.js'
import type { ConsensusMessage } from '../../src/replica/messages.js'
import { ReadDesk } from '../../src/replica/read-desk.js'
import { Reader, type ReadRequest } from '../../src/replica/reader.js'
import { MemoryTable } from '../../src/storage/memory-table.js'
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

describe('a key that would have expired by the time of the leader', () => {
  const present = { kind: 'value', value: Buffer.from('x'), version: 3 } as const
  const absent: Response = { kind: 'error', code: 'KEY_NOT_FOUND' }

  /** A desk over a table whose key expires at 1000, by a log time that is not there yet; and what it answered. */
  function desk(): {
    reads: ReadDesk
    answers: Response[]
    turn: (told?: () => LogIndex | undefined) => boolean
  } {
    const table = new MemoryTable()
    table.set('key1', { value: present.value, version: 3, expiresAt: 1000 })
    const answers: Response[] = []
    let token = 7
    const reader = new Reader(new StateMachine(table), seededRandom('reads'))
    const reads = new ReadDesk(
      reader,
      1000,
      () => token++,
      (_, response) => answers.push(response),
    )
    const turn = (proposeTime?: () => LogIndex | undefined): boolean =>
      reads.answer({ applied: logIndex(5), nowMs: 1500, tick: 0, proposeTime }, [])
    return { reads, answers, turn }
  }

  it('is left to the leader by another node', () => {
    const { reads, answers, turn } = desk()
    const asking = { leader: nodeId('leader'), term: term(1), tick: 0, retryTicks: 30, distrustTicks: 100 }
    const asked = (): unknown[] => {
      const outgoing: To<ConsensusMessage>[] = []
      reads.own.askLeader({ ...asking, hasCopy: true, applied: logIndex(5) }, outgoing)
      return outgoing.map(({ message }) => message)
    }
    reads.own.add(requestId(1), get, 100)
    reads.own.add(requestId(2), get, 100)
    expect(asked()).to.deep.equal([{ kind: 'read-query', id: 7, first: 0, requests: undefined }])
    reads.own.confirm(7, logIndex(5), 1500, 0)
    expect(turn(), 'another turn sees to it').to.equal(true)
    expect(answers).to.deep.equal([])
    expect(asked()).to.deep.equal([{ kind: 'read-query', id: 7, first: 0, requests: [get, get] }])
    reads.own.hold({ kind: 'read-reply', id: 7, first: 0, index: logIndex(6), responses: [absent, absent] })
    turn()
    expect(answers).to.deep.equal([absent, absent])
  })

  it('is read by another node as it is where the leader told an earlier time', () => {
    const { reads, answers, turn } = desk()
    reads.own.add(requestId(1), get, 100)
    reads.own.confirm(7, logIndex(5), 999, 0)
    expect(turn()).to.equal(false)
    expect(answers).to.deep.equal([present])
  })

  it('is answered by the leader once the log tells the time, and as it is where the log cannot', () => {
    const { reads, answers, turn } = desk()
    reads.own.add(requestId(1), get, 100)
    reads.own.confirm(7, logIndex(5), undefined, 0)
    expect(turn(() => logIndex(6))).to.equal(false)
    expect(answers, 'what tells the time is not applied yet').to.deep.equal([])
    const other = desk()
    other.reads.own.add(requestId(1), get, 100)
    other.reads.own.confirm(7, logIndex(5), undefined, 0)
    other.turn(() => undefined)
    expect(other.answers).to.deep.equal([present])
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
