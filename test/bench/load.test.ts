import { createServer } from 'node:net'
import { expect } from 'chai'
import { type DialectName, dialects } from '../../bin/bench/dialects.js'
import { Ledger } from '../../bin/bench/ledger.js'
import { Load, type LoadPlan } from '../../bin/bench/load.js'
import { readBack } from '../../bin/bench/read-back.js'
import { type FakeDatabase, type Faults, fakeDatabase } from './fake-database.js'

const keys = 64
const requests = 400

describe('the load', () => {
  const databases: FakeDatabase[] = []
  const loads: Load[] = []

  afterEach(async () => {
    for (const load of loads.splice(0)) load.close()
    await Promise.all(databases.splice(0).map(database => database.close()))
  })

  async function database(faults?: Faults): Promise<FakeDatabase> {
    const started = await fakeDatabase(faults)
    databases.push(started)
    return started
  }

  /** Four clients that write `requests` times, each its own keys in turn. */
  async function writeAll(plan: Partial<LoadPlan> & Pick<LoadPlan, 'targets' | 'ledger'>): Promise<Load> {
    const clients = 4
    const sent = new Array<number>(clients).fill(0)
    const load = new Load({
      clients,
      pipeline: 8,
      dialect: dialects.text,
      choose: client => {
        const count = sent[client] ?? 0
        sent[client] = count + 1
        const key = (client + clients * count) % keys
        return count < requests / clients ? { key, isRead: false } : undefined
      },
      ...plan,
    })
    loads.push(load)
    await load.connect()
    await load.run()
    return load
  }

  for (const name of ['text', 'resp'] satisfies DialectName[]) {
    it(`${name}: does every request once, times it, and finds all of it again`, async () => {
      const { address, contents } = await database()
      const ledger = new Ledger(keys, 50, 'aaaaaaaa')
      const dialect = dialects[name]
      const load = await writeAll({ targets: [address], ledger, dialect })
      expect(load.done).to.equal(requests)
      expect(load.writes).to.equal(requests)
      expect(load.latencies.count).to.equal(requests)
      expect(load.latencies.percentile(50)).to.be.at.most(load.latencies.percentile(99))
      expect([...load.errors]).to.deep.equal([])
      expect(contents.size).to.equal(keys)
      expect(await readBack(ledger, dialect, [address], 1000)).to.deep.equal({
        sampled: keys,
        missing: [],
        unread: 0,
        doubted: 0,
      })
    })

    it(`${name}: names the keys of acknowledged writes that a server has forgotten`, async () => {
      // The last rounds over the keys are what counts; the first 200 writes are all overwritten.
      const { address } = await database({ forgets: write => write > 200 && write % 3 === 0 })
      const ledger = new Ledger(keys, 50, 'aaaaaaaa')
      const dialect = dialects[name]
      await writeAll({ targets: [address], ledger, dialect })
      const { sampled, missing } = await readBack(ledger, dialect, [address], 1000)
      expect(sampled).to.equal(keys)
      expect(missing).to.not.have.length(0)
      expect(missing[0]).to.match(/^key\d{9}$/)
    })
  }

  it('counts what was refused, and does not expect it to be there', async () => {
    const busy = 'ERROR: Server busy. Nothing was done, send it again.'
    const { address } = await database({ refuses: request => (request <= requests / 2 ? busy : undefined) })
    const ledger = new Ledger(keys, 50, 'aaaaaaaa')
    const load = await writeAll({ targets: [address], ledger })
    expect(load.refused).to.equal(requests / 2)
    expect(load.done).to.equal(requests / 2)
    expect([...load.errors.values()]).to.deep.equal([requests / 2])
    expect(await readBack(ledger, dialects.text, [address], 1000)).to.include({ unread: 0, doubted: 0 })
  })

  it('asks again at the read-back when a read is refused', async () => {
    const busy = 'ERROR: Server busy. Nothing was done, send it again.'
    const refuses = (request: number) => (request > requests && request < requests + 20 ? busy : undefined)
    const { address } = await database({ refuses })
    const ledger = new Ledger(keys, 50, 'aaaaaaaa')
    await writeAll({ targets: [address], ledger })
    expect(await readBack(ledger, dialects.text, [address], 1000)).to.deep.include({
      sampled: keys,
      missing: [],
      unread: 0,
    })
  })

  it('connects again when a connection is lost, and doubts what was on its way', async () => {
    const { address, connections } = await database({ cuts: request => request === 100 })
    const ledger = new Ledger(keys, 50, 'aaaaaaaa')
    const load = await writeAll({ targets: [address], ledger })
    expect(connections()).to.equal(5)
    expect(load.errors.get('connection lost')).to.be.at.least(1)
    const { sampled, missing, doubted } = await readBack(ledger, dialects.text, [address], 1000)
    expect(doubted).to.be.at.least(1)
    expect({ sampled, missing }).to.deep.equal({ sampled: keys - doubted, missing: [] })
  })

  it('matches answers that overtake each other with their requests', async () => {
    const seen: (readonly [number, string | undefined])[] = []
    const asked = [0, 1, 2]
    // Answers each three requests in the opposite order.
    const server = createServer(socket => {
      let lines: string[] = []
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        lines = [...lines, ...chunk.split('\n').filter(line => line !== '')]
        if (lines.length < asked.length) return
        const replies = lines.reverse().map(line => {
          const request: { id: number; key: string } = JSON.parse(line)
          return `{"id":${request.id},"ok":true,"value":"of ${request.key}"}\n`
        })
        socket.write(replies.join(''))
      })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const bound = server.address()
    const port = bound !== null && typeof bound === 'object' ? bound.port : 0
    try {
      const left = [...asked]
      await writeAll({
        targets: [`127.0.0.1:${port}`],
        ledger: new Ledger(keys, 50, 'aaaaaaaa'),
        clients: 1,
        dialect: dialects.json,
        choose: () => {
          const key = left.shift()
          return key === undefined ? undefined : { key, isRead: true }
        },
        onValue: (key, value) => seen.push([key, value]),
      })
    } finally {
      server.close()
    }
    expect(seen).to.deep.equal([...asked].reverse().map(key => [key, `of ${Ledger.keyName(key)}`]))
  })

  it('says which target it cannot connect to', async () => {
    const { address, close } = await database()
    await close()
    const error = await writeAll({ targets: [address], ledger: new Ledger(keys, 50, 'aaaaaaaa') }).then(
      () => undefined,
      (thrown: Error) => thrown.message,
    )
    expect(error).to.include(`cannot connect to ${address}`)
  })
})
