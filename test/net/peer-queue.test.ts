import type { Socket } from 'node:net'
import { Writable } from 'node:stream'
import { expect } from 'chai'
import { peerLimits } from '../../src/net/peer-limits.js'
import { PeerQueue } from '../../src/net/peer-queue.js'
import { Station } from '../contract/transport.js'
import { type BarePeer, eventually, TcpWorld } from './peer-harness.js'

const mib = 1024 * 1024
const padding = Buffer.alloc(1000, 'x')

describe('what waits for a peer', () => {
  let world: TcpWorld
  let ada: Station
  let ben: Station
  let calls: BarePeer[]
  afterEach(() => world.close())

  /** Ada is connected to somebody who has stopped reading. */
  async function open(limits: { readonly stalledMs?: number }): Promise<BarePeer> {
    // Nothing is given up for being slow, however slow this machine is, unless a test is about that.
    const patient = { stalledMs: 600_000, pingMs: 600_000 }
    world = new TcpWorld({ queueBytesMax: 4 * mib, retryMsMax: 20, ...patient, ...limits })
    ada = await world.station('ada')
    ben = new Station('ben', await world.addresses())
    calls = []
    await world.listenAs(ben, peer => {
      calls.push(peer)
      peer.say({ welcome: ben.hello })
    })
    ada.setPeers(ben)
    await eventually(() => traffic().isConnected && calls[0]?.received.includes('\n') === true)
    const [call] = calls
    if (call === undefined) throw new Error('nobody called')
    call.socket.pause()
    return call
  }
  function traffic() {
    const [row] = world.channel(ada).traffic()
    if (row === undefined) throw new Error('nobody is listed')
    return row
  }
  /** Sends numbered lines until some are dropped, with turns of the loop between; gives the next number. */
  async function fill(from: number): Promise<number> {
    const dropped = traffic().linesDropped
    let number = from
    while (traffic().linesDropped === dropped) {
      for (let count = 0; count < 1000; count++) ada.send(ben, `${number++} `, padding)
      await new Promise(resolve => setImmediate(resolve))
    }
    return number
  }

  it('is bounded: lines beyond are dropped, which is told once until the queue has emptied', async () => {
    const call = await open({})
    const before = process.memoryUsage().arrayBuffers
    let next = await fill(0)
    for (let round = 0; round < 50; round++) next = await fill(next)
    expect(traffic().queueBytes).to.be.within(3 * mib, 4 * mib)
    // The system's own buffers are not counted here, and what was dropped was never copied.
    expect(process.memoryUsage().arrayBuffers - before).to.be.below(24 * mib)
    await eventually(() => ada.of('slow').length > 0)
    expect(ada.told.map(told => told.kind)).to.deep.equal(['slow'])

    call.socket.resume()
    await eventually(() => traffic().queueBytes === 0)
    ada.send(ben, 'last')
    await eventually(() => call.received.endsWith('last\n'))
    const lines = call.received.trimEnd().split('\n').slice(1, -1)
    const numbers = lines.map(line => Number(line.slice(0, line.indexOf(' '))))
    expect(numbers.every((number, at) => at === 0 || number > (numbers[at - 1] ?? number))).to.equal(true)
    expect(lines.every(line => line.endsWith(` ${padding}`))).to.equal(true)
    expect(lines.length).to.equal(traffic().linesOut - 1)

    call.socket.pause()
    await fill(next)
    await eventually(() => ada.of('slow').length > 1)
    expect(ada.told.map(told => told.kind)).to.deep.equal(['slow', 'slow'])
  })

  it('may be one line that is longer than the bound, when nothing else waits', async () => {
    const call = await open({})
    const large = Buffer.alloc(6 * mib, 'y')
    ada.send(ben, large)
    ada.send(ben, 'dropped')
    expect(traffic()).to.include({ linesOut: 1, linesDropped: 1 })
    call.socket.resume()
    await eventually(() => traffic().queueBytes === 0)
    ada.send(ben, 'taken')
    await eventually(() => call.received.endsWith('taken\n'))
    expect(call.received.length - (call.received.indexOf('\n') + 1)).to.equal(
      large.length + 1 + 'taken\n'.length,
    )
  })

  it('is given up with its connection when nothing of it moves for long, and a new one is opened', async () => {
    const call = await open({ stalledMs: 100 })
    await fill(0)
    await eventually(() => calls.length > 1)
    call.socket.resume()
    await call.closed()
    await eventually(() => traffic().isConnected)
    ada.send(ben, 'hello again')
    await eventually(() => calls.at(-1)?.received.endsWith('hello again\n') === true)
    expect(ada.of('disconnected'), 'it was we who closed').to.deep.equal([])
  })

  it('does not hold up the others', async () => {
    await open({})
    const cleo = await world.station('cleo')
    ada.setPeers(ben, cleo)
    await eventually(() =>
      world
        .channel(ada)
        .traffic()
        .every(row => row.isConnected),
    )
    await fill(0)
    ada.send(cleo, 'hello')
    await eventually(() => cleo.linesFrom(ada).includes('hello'))
  })
})

describe('what was sent to a peer in one turn', () => {
  it('leaves in one write at the end of the turn, or before it when whoever sent it says so', async () => {
    const written: string[] = []
    const system = new Writable({
      write: (chunk, _encoding, done) => {
        written.push(String(chunk))
        done()
      },
    })
    // The queue uses of a socket what every stream has.
    const queue = new PeerQueue(system as Socket, peerLimits, () => {})
    queue.push([Buffer.from('one')])
    queue.push([Buffer.from('two')])
    expect(written).to.deep.equal([])
    queue.flush()
    expect(written).to.deep.equal(['one\ntwo\n'])
    await eventually(() => queue.bytes === 0)
    queue.flush()
    queue.push([Buffer.from('three')])
    await eventually(() => queue.bytes === 0)
    expect(written).to.deep.equal(['one\ntwo\n', 'three\n'])
    system.destroy()
  })
})
