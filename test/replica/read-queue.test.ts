import { expect } from 'chai'
import { type LogIndex, logIndex, nodeId, type RequestId, requestId, term } from '../../src/base/ids.js'
import type { Response } from '../../src/protocol/request.js'
import type { To } from '../../src/replica/contract.js'
import type { ConsensusMessage, ReadQuery } from '../../src/replica/messages.js'
import { type OwnBatch, ReadQueue } from '../../src/replica/read-queue.js'
import type { ReadRequest } from '../../src/replica/reader.js'

const leader = nodeId('leader')
const get: ReadRequest = { op: 'get', key: 'key1', local: false }
const walk: ReadRequest = { op: 'redis-read', operations: [{ op: 'keys', pattern: '*' }], local: false }
const expiresAtTick = 500

const [older, newer, newest] = [reading(5), reading(6), reading(7)]

function reading(version: number): Response {
  return { kind: 'value', value: Buffer.from('x'), version }
}

/** The reads of one node, and what it answered to its own clients. */
class Scene {
  readonly answers: [RequestId, Response][] = []
  readonly reads: ReadQueue
  hasCopy = true
  #ids = 0
  #tokens = 100

  constructor() {
    this.reads = new ReadQueue(
      () => this.#tokens++,
      (id, response) => this.answers.push([id, response]),
    )
  }

  add(request = get, untilTick = expiresAtTick): void {
    this.reads.add(requestId(++this.#ids), request, untilTick)
  }

  /** What the leader is asked at the end of a turn. */
  asked(tick = 0, inTerm = 3, applied = 0): ReadQuery[] {
    const outgoing: To<ConsensusMessage>[] = []
    const patience = { retryTicks: 30, distrustTicks: 100 }
    const { hasCopy } = this
    const asking = { leader, term: term(inTerm), tick, ...patience, hasCopy, applied: logIndex(applied) }
    this.reads.askLeader(asking, outgoing)
    return outgoing.map(({ to, message }) => {
      expect(to).to.equal(leader)
      if (message.kind !== 'read-query') throw new Error('only reads are asked about')
      return message
    })
  }

  /** The id of the one batch that the leader is asked about. */
  askedOne(tick = 0, inTerm = 3): number {
    const [only, ...others] = this.asked(tick, inTerm)
    expect(others).to.deep.equal([])
    return only?.id ?? -1
  }

  tell(id: number, index: number, tick = 0): void {
    this.reads.confirm(id, logIndex(index), 1000, tick)
  }

  reply(id: number, first: number, index: number, ...responses: Response[]): void {
    this.reads.hold({ kind: 'read-reply', id, first, index: logIndex(index), responses })
  }

  /** The end of a turn at which `applied` is applied: answers what can be, `response` being what is read here. */
  turn(applied: number, response: Response = newest): void {
    const index = logIndex(applied)
    for (const batch of this.reads.ordered) {
      this.#advance(batch, index, response)
      if (batch.answered < batch.ids.length) break
    }
    for (const batch of this.reads.apart) this.#advance(batch, index, response)
  }

  #advance(batch: OwnBatch, applied: LogIndex, response: Response): void {
    this.reads.release(batch)
    if (!this.reads.isReady(batch, applied)) return
    while (batch.answered < batch.ids.length) this.reads.give(batch, response, applied)
  }
}

describe('reads at a node that does not lead', () => {
  it('of one turn are one question, which does not name them', () => {
    const scene = new Scene()
    for (let reads = 0; reads < 100; reads++) scene.add()
    expect(scene.asked()).to.deep.equal([{ kind: 'read-query', id: 100, first: 0, requests: undefined }])
    expect(scene.asked()).to.deep.equal([])
  })

  it('are answered from its own copy once that holds what the leader told', () => {
    const scene = new Scene()
    scene.add()
    scene.add()
    const id = scene.askedOne()
    scene.turn(100)
    expect(scene.answers).to.deep.equal([])
    scene.tell(id, 7)
    scene.turn(6)
    expect(scene.answers).to.deep.equal([])
    scene.turn(8)
    expect(scene.answers).to.deep.equal([
      [1, newest],
      [2, newest],
    ])
    expect(scene.reads.size).to.equal(0)
  })

  it('are sent to the leader whole where its copy is of no use, in messages of a bounded size', () => {
    const scene = new Scene()
    scene.hasCopy = false
    const long: ReadRequest = { ...get, key: 'k'.repeat(100_000) }
    for (let reads = 0; reads < 5; reads++) scene.add(long)
    const asked = scene.asked()
    expect(asked.map(({ first, requests }) => [first, requests?.length])).to.deep.equal([
      [0, 2],
      [2, 2],
      [4, 1],
    ])
    scene.reply(100, 0, 5, older, older)
    scene.turn(0)
    expect(scene.answers.length).to.equal(2)
    // The second message was lost: what comes behind it is asked for again, too.
    scene.reply(100, 4, 5, older)
    scene.turn(0)
    expect(scene.answers.length).to.equal(2)
    expect(scene.asked(30).map(({ first, requests }) => [first, requests?.length])).to.deep.equal([
      [2, 2],
      [4, 1],
    ])
    scene.reply(100, 2, 5, older, older)
    scene.reply(100, 2, 6, newer, newer)
    scene.reply(100, 4, 6, newer)
    scene.turn(0)
    expect(scene.answers.map(([, response]) => response)).to.deep.equal([older, older, older, older, newer])
  })

  it('are left to the leader when its copy does not get there in time, and so are others for a while', () => {
    const scene = new Scene()
    scene.add()
    const id = scene.askedOne()
    scene.tell(id, 7, 0)
    expect(scene.asked(1, 3, 6)).to.deep.equal([])
    expect(scene.asked(2, 3, 6)).to.deep.equal([{ kind: 'read-query', id, first: 0, requests: [get] }])
    scene.add()
    const [other] = scene.asked(3, 3, 6)
    expect(other?.requests).to.deep.equal([get])
    scene.reply(id, 0, 8, newer)
    scene.reply(other?.id ?? -1, 0, 8, newer)
    scene.turn(6)
    expect(scene.answers.length).to.equal(2)
    scene.add()
    expect(scene.asked(102, 3, 7).map(({ requests }) => requests)).to.deep.equal([undefined])
  })

  it('are asked about again when the answer is overdue, or when another node leads', () => {
    const scene = new Scene()
    scene.add()
    const id = scene.askedOne(0)
    expect(scene.asked(29)).to.deep.equal([])
    expect(scene.askedOne(30)).to.equal(id)
    expect(scene.askedOne(31, 4)).to.equal(id)
    scene.tell(id, 7)
    // It was told by a leader who led: whoever leads later, this holds.
    expect(scene.asked(32, 5, 7)).to.deep.equal([])
    scene.turn(7)
    expect(scene.answers).to.deep.equal([[1, newest]])
  })

  it('are rounds of its own when it comes to lead, and questions to the next leader afterwards', () => {
    const scene = new Scene()
    scene.add()
    const id = scene.askedOne()
    expect(scene.reads.takeWaiting().map(({ token }) => token)).to.deep.equal([id])
    expect(scene.reads.takeWaiting()).to.deep.equal([])
    scene.tell(id, 7)
    scene.reads.loseLeadership()
    scene.turn(7)
    expect(scene.answers).to.deep.equal([])
    expect(scene.askedOne(1, 4)).to.equal(id)
  })
})

describe('the answers to reads of one node', () => {
  /** Two batches of one read each that a leader was asked about, and their ids. */
  function twoBatches(): { scene: Scene; first: number; second: number } {
    const scene = new Scene()
    scene.hasCopy = false
    scene.add(get, 50)
    const first = scene.askedOne()
    scene.add(get, 60)
    return { scene, first, second: scene.askedOne() }
  }

  it('leave in the order of the questions, whichever comes first', () => {
    const { scene, first, second } = twoBatches()
    scene.reply(second, 0, 6, newer)
    scene.turn(0)
    expect(scene.answers).to.deep.equal([])
    scene.reply(first, 0, 5, older)
    scene.turn(0)
    expect(scene.answers).to.deep.equal([
      [1, older],
      [2, newer],
    ])
  })

  it('never go back: one that was read before what the answer ahead of it shows is asked for again', () => {
    const { scene, first, second } = twoBatches()
    scene.reply(second, 0, 5, older)
    scene.reply(first, 0, 6, newer)
    scene.turn(0)
    expect(scene.answers).to.deep.equal([[1, newer]])
    expect(scene.askedOne()).to.equal(second)
    scene.reply(second, 0, 7, newest)
    scene.turn(0)
    expect(scene.answers).to.deep.equal([
      [1, newer],
      [2, newest],
    ])
    expect(scene.reads.size).to.equal(0)
  })

  it('never go back: the own copy is not read before it holds what the leader showed', () => {
    const { scene, first, second } = twoBatches()
    scene.reply(first, 0, 6, newer)
    scene.tell(second, 5)
    scene.turn(5, older)
    expect(scene.answers).to.deep.equal([[1, newer]])
    scene.turn(6, newer)
    expect(scene.answers).to.deep.equal([
      [1, newer],
      [2, newer],
    ])
  })

  it('do not wait for one whose time is up', () => {
    const { scene, second } = twoBatches()
    scene.reply(second, 0, 6, newer)
    scene.reads.expire(50)
    scene.turn(0)
    expect(scene.answers.map(([id, { kind }]) => [id, kind])).to.deep.equal([
      [1, 'error'],
      [2, 'value'],
    ])
  })

  it('do not wait for a walk over all keys', () => {
    const scene = new Scene()
    scene.add(walk)
    scene.add()
    const [walking, reading] = scene.asked()
    scene.tell(reading?.id ?? -1, 5)
    scene.turn(5)
    expect(scene.answers).to.deep.equal([[2, newest]])
    scene.tell(walking?.id ?? -1, 5)
    scene.turn(5)
    expect(scene.answers.length).to.equal(2)
  })

  it('come from what is applied now, for reads of the own copy, and the leader is not asked', () => {
    const scene = new Scene()
    scene.reads.addLocal(requestId(9), { ...get, local: true }, logIndex(3), expiresAtTick)
    expect(scene.asked()).to.deep.equal([])
    scene.turn(3, older)
    expect(scene.answers).to.deep.equal([[9, older]])
  })
})
