import { expect } from 'chai'
import { clusterId, nodeId } from '../../src/base/ids.js'
import type { Peer, PeerHello, Refusal, Transport } from '../../src/net/transport.js'
import type { LinkOptions } from './connection.js'
import { type Life, Machine } from './machine.js'
import { SimulatedNetwork } from './network.js'
import { World } from './world.js'

const plainLink: LinkOptions = {
  delay: random => 1 + random.float(),
  loss: 0,
  duplication: 0,
  reordering: 0,
  queueBytesMax: 1000,
  bytesPerMs: 1000,
  brokenByCut: 0,
  deadAfterMs: 3000,
}

/** Two nodes, a and b, which want to be connected, and what they hear. */
class Pair {
  readonly world = new World('pair')
  readonly network: SimulatedNetwork
  readonly heard: string[] = []
  refusal: Refusal | undefined
  readonly a: { life: Life; transport: Transport }
  b: { life: Life; transport: Transport }

  constructor(options: Partial<LinkOptions> = {}) {
    this.network = new SimulatedNetwork(this.world, { ...plainLink, ...options })
    this.a = this.start('a')
    this.b = this.start('b')
    this.run(100)
  }

  start(name: 'a' | 'b'): { life: Life; transport: Transport } {
    const machine = new Machine(this.world, name, { clockRate: 1, wallOffsetMs: 0, timerLatenessMaxMs: 0 })
    const life = machine.start(error => {
      throw error
    })
    const { id, address, peerAddress } = peer(name)
    const hello: PeerHello = { protocol: 1, cluster: clusterId('c'), node: id, address, peerAddress }
    const transport = this.network.attach(life, hello, {
      onLine: (from, line) => this.heard.push(`${name} < ${from} ${Buffer.from(line)}`),
      onDisconnected: node => this.heard.push(`${name} lost ${node}`),
      onSlow: node => this.heard.push(`${name} slow ${node}`),
      onRefused: (node, code) => this.heard.push(`${name} refused by ${node}: ${code}`),
      onHello: () => this.refusal,
    })
    transport.setPeers([peer(name === 'a' ? 'b' : 'a')])
    return { life, transport }
  }

  /** Lets a send a numbered line to b. */
  send(number: number): void {
    this.a.transport.send(nodeId('b'), [Buffer.from('line '), Buffer.from(String(number))])
  }

  run(durationMs: number): void {
    this.world.runUntil(this.world.nowMs() + durationMs)
  }

  /** What was heard since the last call. */
  take(): string[] {
    return this.heard.splice(0)
  }
}

function peer(name: string): Peer {
  return { id: nodeId(name), address: `${name}:5000`, peerAddress: `${name}:6000` }
}

function lines(count: number): string[] {
  return Array.from({ length: count }, (_, number) => `b < a line ${number}`)
}

describe('the simulated network', () => {
  it('carries lines whole and in order', () => {
    const pair = new Pair()
    for (let number = 0; number < 50; number++) pair.send(number)
    pair.run(20)
    expect(pair.take()).to.deep.equal(lines(50))
  })

  it('carries the bytes as they were when they were sent', () => {
    const pair = new Pair()
    const bytes = Buffer.from('sent')
    pair.a.transport.send(nodeId('b'), [bytes])
    bytes.write('late')
    pair.run(20)
    expect(pair.take()).to.deep.equal(['b < a sent'])
  })

  it('loses, repeats and reorders lines where a run asks for it, and no more once it is healed', () => {
    for (const fault of ['loss', 'duplication', 'reordering'] as const) {
      const pair = new Pair({ [fault]: 0.5 })
      for (let number = 0; number < 40; number++) pair.send(number)
      pair.run(50)
      const faulty = pair.take()
      expect(faulty).to.not.deep.equal(lines(40))
      if (fault === 'loss') expect(faulty.length).to.be.lessThan(40)
      if (fault === 'duplication') expect(faulty.length).to.be.greaterThan(40)
      if (fault === 'reordering') expect(faulty).to.have.members(lines(40))
      pair.network.heal()
      for (let number = 0; number < 40; number++) pair.send(number)
      pair.run(50)
      expect(pair.take()).to.deep.equal(lines(40))
    }
  })

  it('holds lines up at a cut, in one direction only, and lets them follow in order', () => {
    const pair = new Pair()
    pair.send(0)
    pair.network.block('a', 'b')
    for (let number = 1; number < 10; number++) pair.send(number)
    pair.run(200)
    pair.b.transport.send(nodeId('a'), [Buffer.from('back')])
    pair.run(20)
    expect(pair.take()).to.deep.equal(['a < b back'])
    pair.send(10)
    pair.network.unblock('a', 'b')
    pair.send(11)
    pair.run(50)
    expect(pair.take()).to.deep.equal(lines(12))
  })

  it('gives a connection up that gets nothing through, and opens it again after the cut', () => {
    const pair = new Pair({ deadAfterMs: 500 })
    pair.network.block('a', 'b')
    pair.send(0)
    pair.run(1000)
    expect(pair.take()).to.have.members(['a lost b', 'b lost a'])
    pair.network.unblock('a', 'b')
    pair.run(3000)
    pair.send(1)
    pair.run(20)
    expect(pair.take()).to.deep.equal(['b < a line 1'])
  })

  it('tells at once of a killed process, after what it had sent, and nothing of a machine without power', () => {
    const pair = new Pair()
    pair.send(0)
    pair.network.killed(pair.a.life, false)
    pair.a.life.end()
    pair.run(20)
    expect(pair.take()).to.deep.equal(['b < a line 0', 'b lost a', 'b lost a'])

    const dark = new Pair()
    dark.network.killed(dark.b.life, true)
    dark.b.life.end()
    dark.send(0)
    dark.run(100)
    expect(dark.take()).to.deep.equal([])
    dark.b = dark.start('b')
    dark.run(1000)
    expect(dark.take()).to.include('a lost b')
    dark.send(1)
    dark.run(20)
    expect(dark.take()).to.deep.equal(['b < a line 1'])
  })

  it('drops what does not fit into the queue, and says so', () => {
    const pair = new Pair()
    pair.b.life.pause()
    for (let number = 0; number < 300; number++) pair.send(number)
    pair.run(50)
    expect(pair.take()).to.deep.equal(['a slow b'])
    pair.b.life.resume()
    pair.run(50)
    const heard = pair.take()
    expect(heard.length).to.be.greaterThan(50).and.lessThan(300)
    expect(heard).to.deep.equal(lines(heard.length))
  })

  it('tells a refused node why, and disconnects whoever is no peer any more', () => {
    const pair = new Pair()
    pair.refusal = { code: 'removed', detail: {} }
    pair.b.transport.setPeers([])
    pair.run(10)
    // Its own connection and the one to it.
    expect(pair.take()).to.deep.equal(['a lost b', 'a lost b'])
    pair.run(2000)
    expect(new Set(pair.take())).to.deep.equal(new Set(['a refused by b: removed']))
  })

  it('breaks connections, both sides notice, and they are opened again', () => {
    const pair = new Pair()
    pair.network.breakConnections('a', 'b')
    pair.run(20)
    expect(pair.take()).to.have.members(['a lost b', 'a lost b', 'b lost a', 'b lost a'])
    pair.run(200)
    pair.send(0)
    pair.run(20)
    expect(pair.take()).to.deep.equal(['b < a line 0'])
  })
})
