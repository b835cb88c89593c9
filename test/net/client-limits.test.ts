import { once } from 'node:events'
import { expect } from 'chai'
import {
  messagesPerTurn,
  requestBytesMax,
  unsentBytesMax,
  windowFirst,
  windowMax,
} from '../../src/net/client-limits.js'
import { countLines, eventually, Port, type TestClient } from './client-harness.js'

describe('the bounds of the client port', () => {
  let port: Port
  let client: TestClient
  beforeEach(async () => {
    port = await Port.open()
    client = await port.connect()
  })
  afterEach(() => port.close())

  /** Lets the loop turn many times, and the port do whatever it would do, before something is found unchanged. */
  async function manyTurns(): Promise<void> {
    const other = await port.connect()
    for (let count = 0; count < 50; count++) {
      expect(await other.ask('get nothing\n')).to.equal('ERROR: Key not found.\n')
    }
    await other.end()
  }

  it('holds up a client that does not read, and goes on when it reads', async () => {
    const valueBytes = 50_000
    const gets = 600
    port.backend.data.set('big', { value: Buffer.alloc(valueBytes, 'x'), version: 1 })
    client.socket.pause()
    client.send('get big\n'.repeat(gets))
    await eventually(() => port.server.stats().pausedConnections === 1)
    await manyTurns()
    const { unsentBytes, pausedConnections } = port.server.stats()
    expect(pausedConnections).to.equal(1)
    expect(unsentBytes).to.be.within(1, unsentBytesMax + (windowMax + 1) * valueBytes)
    expect(port.backend.submitted.filter(each => 'key' in each && each.key === 'big').length).to.be.below(
      gets / 2,
    )

    client.socket.resume()
    await client.until(() => client.received.length === gets * (valueBytes + 'big -> \n'.length))
    expect(client.lines).to.equal(gets)
    await eventually(() => port.server.stats().pausedConnections === 0)
    expect(port.server.stats()).to.include({ unsentBytes: 0, requests: 0 })
  })

  it('has few requests under way for a connection of which it does not know how large the answers are', async () => {
    // So large that what the system itself takes for a connection makes no room for another answer.
    const valueBytes = 4_000_000
    port.backend.data.set('huge', { value: Buffer.alloc(valueBytes, 'x'), version: 1 })
    client.socket.pause()
    client.send('get huge\n'.repeat(200))
    await eventually(() => port.server.stats().pausedConnections === 1)
    await manyTurns()
    const huge = port.backend.submitted.filter(each => 'key' in each && each.key === 'huge')
    expect(huge).to.have.length(windowFirst)
    expect(port.server.stats().unsentBytes).to.be.at.most(windowFirst * (valueBytes + 'huge -> \n'.length))
  })

  it('has a bounded number of requests under way, and takes the others when these are answered', async () => {
    // A client whose replies leave comes to the largest window.
    await client.ask('get a\n'.repeat(1000), 1000)
    port.backend.submitted.length = 0
    port.backend.holding = true
    client.forget()
    client.send('get a\n'.repeat(10_000))
    await eventually(() => port.server.stats().pausedConnections === 1)
    await manyTurnsWhileHolding()
    expect(port.backend.submitted).to.have.length(windowMax)
    expect(port.server.stats().requests).to.equal(windowMax)
    port.backend.release()
    await client.until(() => client.lines === 10_000)
  })

  async function manyTurnsWhileHolding(): Promise<void> {
    for (let count = 0; count < 50; count++) await new Promise(resolve => setImmediate(resolve))
  }

  it('has a bounded number of bytes of requests under way', async () => {
    await client.ask('get a\n'.repeat(1000), 1000)
    port.backend.submitted.length = 0
    port.backend.holding = true
    const line = `set a ${'x'.repeat(100_000)}\n`
    client.send(line.repeat(40))
    await eventually(() => port.server.stats().pausedConnections === 1)
    await manyTurnsWhileHolding()
    expect(port.backend.submitted.length).to.equal(Math.ceil(requestBytesMax / (line.length - 1)))
    client.forget()
    port.backend.release()
    await client.until(() => client.lines === 40)
  })

  it('drops events for a watcher that does not read, and tells it how many', async () => {
    await client.ask('watch --cluster\n')
    client.forget()
    client.socket.pause()
    let told = 0
    // More than the bound and what the system itself takes for a connection.
    while (told < 400_000) {
      for (let count = 0; count < 10_000; count++) {
        port.backend.tell({ kind: 'in-sync', address: `node-${told++}.example.net:5000` })
      }
      await new Promise(resolve => setImmediate(resolve))
      expect(port.server.stats().unsentBytes).to.be.at.most(2 * unsentBytesMax)
    }
    client.socket.resume()
    await eventually(() => port.server.stats().unsentBytes === 0)
    port.backend.tell({ kind: 'member-added', address: 'last:5000' })
    await client.until(() => client.received.endsWith('INFO: Node last added.\n'))
    told++
    const notices = [...client.received.matchAll(/^WARNING: (\d+) events? (?:was|were) dropped/gm)]
    const missed = notices.reduce((sum, notice) => sum + Number(notice[1]), 0)
    expect(missed).to.be.within(1, told)
    expect(client.lines - notices.length + missed, 'every event was told or counted').to.equal(told)
    client.forget()
    port.backend.tell({ kind: 'member-added', address: 'host:5001' })
    await client.until(() => client.received.includes('\n'))
    expect(client.received).to.equal('INFO: Node host:5001 added.\n')
  })

  it('gives others their turns while one floods it with empty lines and unknown commands', async () => {
    const flooding = await port.connect()
    const other = await port.connect()
    let answeredMeanwhile = 0
    let isOver = false
    const flood = flooding.end(`${'\n'.repeat(2_000_000)}${'?\n'.repeat(20_000)}get end\n`).then(received => {
      isOver = true
      return received
    })
    while (!isOver) {
      await other.ask('get a\n')
      answeredMeanwhile++
    }
    expect(countLines(await flood)).to.equal(20_001)
    expect(answeredMeanwhile).to.be.above(20)
  })

  it('works on a flood a little in each turn of the loop', async () => {
    const lines = 1_000_000
    let turns = 0
    let isOver = false
    const count = () => {
      turns++
      if (!isOver) setImmediate(count)
    }
    count()
    await client.ask(`${'\n'.repeat(lines)}get end\n`)
    isOver = true
    // In one turn of the loop a connection may read when its bytes arrive, and have its own turn.
    expect(turns).to.be.at.least(lines / (2 * messagesPerTurn))
  })

  it('serves one of a thousand connections while the others are idle', async () => {
    const idle: TestClient[] = []
    for (let count = 0; count < 1000; count++) idle.push(await port.connect())
    await eventually(() => port.server.stats().connections === 1001)
    expect(await client.ask('put a 1\n')).to.equal('SUCCESS: a -> 1 added.\n')
    expect(await idle[500]?.ask('get a\n')).to.equal('a -> 1\n')
    expect(port.server.stats()).to.include({ unsentBytes: 0, requests: 0, pausedConnections: 0 })
    for (const each of idle) each.socket.end()
    await Promise.all(idle.map(each => once(each.socket, 'close')))
    await eventually(() => port.server.stats().connections === 1)
  })
})
