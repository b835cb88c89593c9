import { expect } from 'chai'
import { Station } from '../contract/transport.js'
import { type BarePeer, eventually, TcpWorld } from './peer-harness.js'

const mib = 1024 * 1024

describe('the pulse of a connection to a peer', () => {
  let world: TcpWorld
  let ada: Station
  let ben: Station
  let calls: BarePeer[]
  beforeEach(async () => {
    world = new TcpWorld({ pingMs: 10, pingsUnansweredMax: 5, retryMsMax: 20 })
    ada = await world.station('ada')
    ben = new Station('ben', await world.addresses())
    calls = []
  })
  afterEach(() => world.close())

  /** Ben welcomes whoever calls, and does with the connection what `onCall` does. */
  async function listenAsBen(onCall: (peer: BarePeer) => void): Promise<void> {
    await world.listenAs(ben, peer => {
      calls.push(peer)
      peer.say({ welcome: ben.hello })
      onCall(peer)
    })
    ada.setPeers(ben)
    await eventually(() => calls.length > 0)
  }

  /** How many empty lines have come after the first line. */
  const pings = (peer: BarePeer): number => peer.received.split('\n').slice(1, -1).length

  it('stands still when nobody answers: the connection is given up and another one is opened', async () => {
    await listenAsBen(() => {})
    await eventually(() => calls.length > 2)
    expect(calls[0]?.isClosed).to.equal(true)
    expect(calls[0] && pings(calls[0])).to.equal(5)
    expect(ada.of('disconnected'), 'silence proves nothing, and it was we who closed').to.deep.equal([])
  })

  it('goes on for as long as somebody answers', async () => {
    await listenAsBen(peer => {
      let answered = 0
      peer.socket.on('data', () => {
        for (; answered < pings(peer); answered++) peer.socket.write('\n')
      })
    })
    await eventually(() => calls.some(peer => pings(peer) >= 50))
    expect(calls.length).to.equal(1)
  })

  it('is answered by a node, who tells nobody of it', async () => {
    ada.setPeers(ben)
    const caller = await world.connectTo(ada)
    caller.say({ hello: ben.hello, expected: ada.id })
    await caller.answer()
    for (let count = 1; count <= 3; count++) {
      caller.socket.write('\n')
      await eventually(() => pings(caller) === count)
    }
    caller.socket.write('\nnot empty\n')
    await eventually(() => ada.linesFrom(ben).length > 0)
    expect(ada.linesFrom(ben)).to.deep.equal(['not empty'])
  })

  it('is not felt while much is on its way to somebody slow, as long as it moves', async () => {
    await listenAsBen(peer => peer.socket.pause())
    const [call] = calls
    if (call === undefined) throw new Error('nobody called')
    let received = 0
    call.socket.removeAllListeners('data')
    call.socket.on('data', (text: string) => {
      received += text.length
    })
    call.socket.pause()
    await eventually(() => world.channel(ada).traffic()[0]?.isConnected === true)
    ada.send(ben, Buffer.alloc(24 * mib, 'x'))
    // Reads a little at a time, and answers nothing: more slowly than the questions come.
    while (received < 24 * mib && !call.isClosed) {
      call.socket.resume()
      await eventually(() => call.socket.readableLength === 0)
      call.socket.pause()
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    expect(received).to.be.at.least(24 * mib)
    expect(calls.length).to.equal(1)
  })
})
