import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { ListenError } from '../../src/net/listen.js'
import { Station, transportContract } from '../contract/transport.js'
import { eventually, portOf, TcpWorld } from './peer-harness.js'

transportContract('over TCP', () => new TcpWorld())

describe('the peer channel over TCP', () => {
  let world: TcpWorld
  let children: ChildProcess[]
  beforeEach(() => {
    world = new TcpWorld()
    children = []
  })
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL')
    await world.close()
  })

  /** Two nodes that list each other and are connected both ways. */
  async function connected(): Promise<[Station, Station]> {
    const ada = await world.station('ada')
    const ben = await world.station('ben')
    ada.setPeers(ben)
    ben.setPeers(ada)
    await eventually(() => isConnected(ada) && isConnected(ben))
    return [ada, ben]
  }
  const isConnected = (station: Station): boolean =>
    world.channel(station).traffic().length > 0 &&
    world
      .channel(station)
      .traffic()
      .every(row => row.isConnected)

  it('connects two nodes that call each other at once, with one connection each way', async () => {
    const [ada, ben] = await connected()
    ada.send(ben, 'hello ben')
    ben.send(ada, 'hello ada')
    await eventually(() => ben.of('line').length > 0 && ada.of('line').length > 0)
    expect(ada.of('hello')).to.have.length(1)
    expect(ben.of('hello')).to.have.length(1)
    expect([...ada.of('disconnected'), ...ben.of('disconnected')]).to.deep.equal([])
  })

  it('keeps 100,000 lines in order', async () => {
    const [ada, ben] = await connected()
    const count = 100_000
    for (let number = 0; number < count; number++) ada.send(ben, 'line ', `${number}`)
    await eventually(() => ben.of('line').length === count)
    const lines = ben.linesFrom(ada)
    expect(lines.findIndex((line, number) => line !== `line ${number}`)).to.equal(-1)
    expect(world.channel(ada).traffic()).to.deep.equal([
      {
        node: ben.id,
        isConnected: true,
        linesIn: 0,
        bytesIn: 0,
        linesOut: count,
        bytesOut: lines.join('\n').length + 1,
        linesDropped: 0,
        queueBytes: 0,
        reconnections: 0,
      },
    ])
    const [row] = world.channel(ben).traffic()
    expect(row).to.include({ linesIn: count, bytesIn: lines.join('\n').length + 1 })
  })

  it('carries lines of 10 MB intact, between small ones', async () => {
    const [ada, ben] = await connected()
    const text = randomBytes(5 * 1024 * 1024).toString('hex')
    const large = Buffer.from(text)
    ada.send(ben, 'before')
    ada.send(ben, large.subarray(0, 3), large.subarray(3, 5_000_000), large.subarray(5_000_000))
    ada.send(ben, 'between')
    ada.send(ben, large)
    ada.send(ben, 'after')
    await eventually(() => ben.linesFrom(ada).includes('after'))
    const lines = ben.linesFrom(ada)
    expect(lines.map(line => line.length)).to.deep.equal([6, large.length, 7, large.length, 5])
    expect(lines[1] === text && lines[3] === text).to.equal(true)
  })

  it('finds a peer that was started again, and counts that', async () => {
    const [ada, ben] = await connected()
    for (const round of [1, 2, 3]) {
      await ben.close()
      await eventually(() => ada.of('disconnected').length === round)
      await ben.open(world)
      ben.setPeers(ada)
      await eventually(() => isConnected(ada) && isConnected(ben))
      const text = `round ${round}`
      ada.send(ben, text)
      ben.send(ada, text)
      await eventually(() => ben.linesFrom(ada).includes(text) && ada.linesFrom(ben).includes(text))
    }
    expect(world.channel(ada).traffic()[0]?.reconnections).to.equal(3)
  })

  it('says at once that a killed process is gone', async () => {
    const ada = await world.station('ada')
    const ben = new Station('ben', await world.addresses())
    const script = fileURLToPath(new URL('peer-child.js', import.meta.url))
    const child = fork(script, [JSON.stringify(ben.hello), JSON.stringify(ada.peer)])
    children.push(child)
    ada.setPeers(ben)
    await eventually(() => {
      if (ada.linesFrom(ben).includes('echo: hello')) return true
      ada.send(ben, 'hello')
      return false
    })
    const exited = once(child, 'exit')
    const start = performance.now()
    child.kill('SIGKILL')
    await eventually(() => ada.of('disconnected').length > 0)
    console.log(`        told of the kill after ${(performance.now() - start).toFixed(1)} ms`)
    await exited
    expect(ada.of('disconnected')).to.deep.equal([{ kind: 'disconnected', node: ben.id }])
  })

  it('follows a peer that introduces itself from another address, and says so', async () => {
    const [ada, ben] = await connected()
    await ben.close()
    const moved = new Station('ben', await world.addresses())
    await moved.open(world)
    moved.setPeers(ada)
    try {
      await eventually(() => ada.of('moved').length > 0)
      expect(ada.of('moved')[0]?.peer).to.deep.equal(moved.peer)
      const heard = (text: string) =>
        eventually(() => {
          if (moved.linesFrom(ada).includes(text)) return true
          ada.send(moved, text)
          return false
        })
      await heard('found you')
      // The list still has the old address, which is no news: what the peer said is newer.
      ada.setPeers(ben)
      await heard('still there')
      expect(moved.of('disconnected')).to.deep.equal([])
    } finally {
      await moved.close()
    }
  })

  it('lets the last lines leave to a peer that is no longer listed', async () => {
    const [ada, ben] = await connected()
    const large = Buffer.alloc(4 * 1024 * 1024, 'x')
    ada.send(ben, large)
    ada.send(ben, 'you were removed')
    ada.setPeers()
    await eventually(() => ben.linesFrom(ada).includes('you were removed'))
  })

  it('lets the last lines leave when it closes', async () => {
    const [ada, ben] = await connected()
    ada.send(ben, 'take over')
    await ada.close()
    await eventually(() => ben.linesFrom(ada).includes('take over'))
  })

  it('can be closed and opened again at the same port at once', async () => {
    const [ada, ben] = await connected()
    await ada.close()
    await ada.open(world)
    ada.setPeers(ben)
    await eventually(() => isConnected(ada) && isConnected(ben))
  })

  it('names host and port when the port is in use', async () => {
    const addresses = await world.addresses()
    const station = new Station('ada', addresses)
    const port = portOf(station.hello)
    const server = createServer().listen(port, '127.0.0.1')
    await once(server, 'listening')
    try {
      const error: unknown = await station.open(world).catch((reason: unknown) => reason)
      expect(error).to.be.instanceOf(ListenError)
      expect(error).to.include({ code: 'EADDRINUSE', host: '127.0.0.1', port })
      expect(error).to.have.property('message', `cannot listen on 127.0.0.1:${port}: the port is in use`)
    } finally {
      server.close()
    }
  })
})
