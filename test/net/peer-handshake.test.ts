import { expect } from 'chai'
import { clusterId, nodeId } from '../../src/base/ids.js'
import type { Peer, PeerHello, RefusalCode } from '../../src/net/transport.js'
import { Station } from '../contract/transport.js'
import { type BarePeer, eventually, TcpWorld } from './peer-harness.js'

describe('the opening of a peer connection', () => {
  const limits = { handshakesMax: 8, retryAfterRefusalMs: 20, lineBytesMax: 100_000 }
  let world: TcpWorld
  let ada: Station
  beforeEach(async () => {
    world = new TcpWorld(limits)
    ada = await world.station('ada')
  })
  afterEach(() => world.close())

  const helloOf = (name: string, other: Partial<Record<keyof PeerHello, unknown>> = {}) => ({
    ...ada.hello,
    node: name,
    ...other,
  })
  const introduction = (name: string) => ({ hello: helloOf(name), expected: ada.id })
  /** A node that is known by its addresses and does not run. */
  async function absent(name: string): Promise<Station> {
    return new Station(name, await world.addresses())
  }

  it('answers a hello that is taken with one of its own', async () => {
    const peer = await world.connectTo(ada)
    peer.say(introduction('ben'))
    expect(await peer.answer()).to.deep.equal({ welcome: ada.hello })
    peer.socket.write('a line\nand ano')
    peer.socket.write('ther\n')
    await eventually(() => ada.of('line').length === 2)
    expect(ada.of('line').map(line => line.text)).to.deep.equal(['a line', 'and another'])
  })

  it('understands a hello that comes byte by byte, and lines that come with it', async () => {
    const slowly = await world.connectTo(ada)
    for (const byte of `${JSON.stringify(introduction('ben'))}\nfirst`) {
      slowly.socket.write(byte)
      await new Promise(resolve => setImmediate(resolve))
    }
    slowly.socket.write(' line\n')
    const atOnce = await world.connectTo(ada)
    atOnce.socket.write(`${JSON.stringify(introduction('cleo'))}\nfirst line\n`)
    await eventually(() => ada.of('line').length === 2)
    expect(ada.of('line').map(line => line.text)).to.deep.equal(['first line', 'first line'])
  })

  it('refuses another version of the protocol before it looks at anything else', async () => {
    const peer = await world.connectTo(ada)
    peer.say({ hello: { protocol: 2, whatever: true } })
    expect(await peer.answer()).to.deep.equal({ refused: 'protocol', detail: { here: '1', there: '2' } })
    await peer.closed()
    expect(ada.told).to.deep.equal([])
  })

  it('tells its node that a peer speaks another version', async () => {
    const addresses = await world.addresses()
    const next = new Station('ben', addresses)
    const events = { ...next.events }
    const channel = await world.open({ ...next.hello, protocol: 2 }, events)
    try {
      ada.setPeers(next)
      await eventually(() => ada.of('refused').length > 0)
      expect(ada.of('refused')[0]).to.include({ node: next.id, code: 'protocol' })
      expect(ada.of('refused')[0]?.detail).to.deep.equal({ here: '2', there: '1' })
    } finally {
      await new Promise<void>(resolve => channel.close(resolve))
    }
  })

  const codes: readonly RefusalCode[] = ['cluster', 'identity', 'removed', 'stranger']
  for (const code of codes) {
    it(`passes on the reason when a node refuses with '${code}', and keeps nothing of the caller`, async () => {
      ada.decide = () => ({ code, detail: { why: 'because' } })
      const peer = await world.connectTo(ada)
      peer.say(introduction('ben'))
      expect(await peer.answer()).to.deep.equal({ refused: code, detail: { why: 'because' } })
      peer.socket.write('a line that nobody reads\n')
      await peer.closed()
      expect(ada.told.map(told => told.kind)).to.deep.equal(['hello'])
      expect(world.channel(ada).traffic()).to.deep.equal([])
    })
  }

  const malformed: readonly (readonly [what: string, line: string])[] = [
    ['a command', 'status'],
    ['an HTTP request', 'GET / HTTP/1.1\r'],
    ['an empty line', ''],
    ['JSON that is no object', '[1]'],
    ['null', 'null'],
    ['an object without a hello', '{}'],
    ['a hello without a version', '{"hello":{}}'],
    ['a hello without anything else', '{"hello":{"protocol":1},"expected":"ada"}'],
    ['bytes that are no text', '\u0000\u00ff\u00fe'],
  ]
  for (const [what, line] of malformed) {
    it(`refuses ${what} as malformed`, async () => {
      const peer = await world.connectTo(ada)
      peer.socket.write(`${line}\n`, 'latin1')
      expect(await peer.answer()).to.include({ refused: 'malformed' })
      await peer.closed()
      expect(ada.told).to.deep.equal([])
    })
  }

  it('tells somebody who took the peer port for the client port where clients connect', async () => {
    const peer = await world.connectTo(ada)
    peer.socket.write('get key1\n')
    await peer.closed()
    expect(peer.received).to.include(`clients connect to ${ada.hello.address}`)
  })

  it('refuses a hello whose fields are not what they should be', async () => {
    const wrong = [
      { address: 'no address!' },
      { peerAddress: 7 },
      { cluster: '' },
      { node: null },
      { node: { toString: 1 } },
    ]
    for (const other of wrong) {
      const peer = await world.connectTo(ada)
      peer.say({ hello: helloOf('ben', other), expected: ada.id })
      expect(await peer.answer(), JSON.stringify(other)).to.include({ refused: 'malformed' })
    }
    const peer = await world.connectTo(ada)
    peer.say({ hello: helloOf('ben') })
    expect(await peer.answer()).to.include({ refused: 'malformed' })
    expect(ada.told).to.deep.equal([])
  })

  it('does not read a hello that does not end', async () => {
    const peer = await world.connectTo(ada)
    peer.socket.write('x'.repeat(4097))
    expect(await peer.answer()).to.include({ refused: 'malformed' })
    await peer.closed()
  })

  it('closes the oldest of too many that have not introduced themselves, and still takes a peer', async () => {
    const silent: BarePeer[] = []
    for (let number = 0; number < 20; number++) silent.push(await world.connectTo(ada))
    const peer = await world.connectTo(ada)
    peer.say(introduction('ben'))
    expect(await peer.answer()).to.deep.equal({ welcome: ada.hello })
    await Promise.all(silent.slice(0, 12).map(each => each.closed()))
  })

  it('lives through a line that is too long, whether it ends or not', async () => {
    for (const text of [`${'x'.repeat(100_001)}\n`, 'x'.repeat(100_100)]) {
      const peer = await world.connectTo(ada)
      peer.say(introduction('ben'))
      await peer.answer()
      peer.socket.write('fine\n')
      peer.socket.write(text)
      await peer.closed()
    }
    expect(ada.of('line').map(line => line.text)).to.deep.equal(['fine', 'fine'])
    expect(ada.of('disconnected'), 'it was we who closed').to.deep.equal([])
  })

  it('lets a newer connection of a peer take the place of the older one', async () => {
    const older = await world.connectTo(ada)
    older.say(introduction('ben'))
    await older.answer()
    const newer = await world.connectTo(ada)
    newer.say(introduction('ben'))
    await newer.answer()
    await older.closed()
    newer.socket.write('from the newer one\n')
    await eventually(() => ada.of('line').length > 0)
    expect(ada.of('disconnected')).to.deep.equal([])
    newer.socket.destroy()
    await eventually(() => ada.of('disconnected').length > 0)
  })

  describe('with little patience', () => {
    beforeEach(async () => {
      await world.close()
      world = new TcpWorld({ ...limits, handshakeMs: 50 })
      ada = await world.station('ada')
    })

    it('closes a connection that does not introduce itself in time', async () => {
      const silent = await world.connectTo(ada)
      const halfway = await world.connectTo(ada)
      halfway.socket.write('{"hello":')
      await Promise.all([silent.closed(), halfway.closed()])
      expect(silent.received + halfway.received).to.equal('')
    })

    it('tries again when it is not answered in time', async () => {
      const ben = await absent('ben')
      const calls: BarePeer[] = []
      await world.listenAs(ben, peer => calls.push(peer))
      ada.setPeers(ben)
      await eventually(() => calls.length >= 3)
      expect(ada.told).to.deep.equal([])
    })
  })

  describe('as the one who calls', () => {
    it('says who it is and whom it expects, and nothing more before it is welcome', async () => {
      const ben = await absent('ben')
      const calls: BarePeer[] = []
      await world.listenAs(ben, peer => calls.push(peer))
      ada.setPeers(ben)
      await eventually(() => calls[0]?.received.includes('\n') === true)
      ada.send(ben, 'too early')
      const [call] = calls
      expect(await call?.answer()).to.deep.equal({ hello: ada.hello, expected: ben.id })
      call?.say({ welcome: ben.hello })
      await eventually(() => {
        ada.send(ben, 'in time')
        return call?.received.includes('in time\n') === true
      })
      expect(call?.received).not.to.include('too early')
    })

    const elsewhere: readonly (readonly [
      what: string,
      answer: (ben: Peer & PeerHello) => unknown,
      code: string,
    ])[] = [
      ['another identity', ben => ({ welcome: { ...ben, node: nodeId('cleo') } }), 'identity'],
      ['another cluster', ben => ({ welcome: { ...ben, cluster: clusterId('theirs') } }), 'cluster'],
      ['another version', ben => ({ welcome: { ...ben, protocol: 3 } }), 'protocol'],
      ['a refusal whose detail is no text', () => ({ refused: 'removed', detail: 5 }), 'removed'],
    ]
    for (const [what, answer, code] of elsewhere) {
      it(`takes it for a refusal when it is answered by ${what}`, async () => {
        const ben = await absent('ben')
        await world.listenAs(ben, peer => peer.say(answer({ ...ben.hello, ...ben.peer })))
        ada.setPeers(ben)
        await eventually(() => ada.of('refused').length >= 2)
        expect(ada.of('refused')[0]).to.include({ node: ben.id, code })
        expect(ada.of('disconnected')).to.deep.equal([])
      })
    }

    const nonsense: readonly (readonly [what: string, answer: string])[] = [
      ['text', 'ERROR: Unknown command.\n'],
      ['a refusal with a code that there is not', '{"refused":"toString"}\n'],
      ['an answer without end', 'x'.repeat(5000)],
      ['a welcome with something behind it', 'WELCOME\nmore'],
      ['its own words', 'ECHO'],
    ]
    for (const [what, answer] of nonsense) {
      it(`tries again when it is answered with ${what}`, async () => {
        const ben = await absent('ben')
        let calls = 0
        await world.listenAs(ben, peer => {
          calls++
          if (answer === 'ECHO') peer.socket.pipe(peer.socket)
          else peer.socket.write(answer.replace('WELCOME', JSON.stringify({ welcome: ben.hello })))
        })
        ada.setPeers(ben)
        await eventually(() => calls >= 3)
        expect(ada.told).to.deep.equal([])
      })
    }
  })
})
