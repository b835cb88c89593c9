/** What the tests of the peer channel share: a world over TCP, and peers that are bare sockets. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { openPeerChannel, type PeerChannel, type PeerChannelOptions } from '../../src/net/peer-channel.js'
import type { PeerLimits } from '../../src/net/peer-limits.js'
import type { PeerHello, TransportEvents } from '../../src/net/transport.js'
import { Station, type TransportWorld } from '../contract/transport.js'
import { freePorts } from '../support/ports.js'

const host = '127.0.0.1'

/** Real sockets on this machine, in real time. */
export class TcpWorld implements TransportWorld {
  readonly #limits: Partial<PeerLimits>
  /** The stations opened by {@link station}; the world closes them. */
  readonly #stations: Station[] = []
  readonly #channels = new Map<PeerHello, PeerChannel>()
  readonly #bare: BarePeer[] = []
  readonly #servers: Server[] = []

  constructor(limits: Partial<PeerLimits> = {}) {
    this.#limits = limits
  }

  async addresses(): Promise<{ address: string; peerAddress: string }> {
    const [port, peerPort] = await freePorts(2)
    return { address: `${host}:${port}`, peerAddress: `${host}:${peerPort}` }
  }

  async open(hello: PeerHello, events: TransportEvents): Promise<PeerChannel> {
    const options: PeerChannelOptions = { hello, host, port: portOf(hello), events, limits: this.#limits }
    const channel = await openPeerChannel(options)
    this.#channels.set(hello, channel)
    return channel
  }

  until(condition: () => boolean): Promise<void> {
    return eventually(condition)
  }

  async close(): Promise<void> {
    for (const peer of this.#bare) peer.socket.destroy()
    await Promise.all(this.#stations.map(station => station.close()))
    await Promise.all(this.#servers.map(server => new Promise(resolve => server.close(resolve))))
  }

  /** A node that writes down what it is told. */
  async station(name: string): Promise<Station> {
    const station = new Station(name, await this.addresses())
    this.#stations.push(station)
    await station.open(this)
    return station
  }

  /** The channel that a station opened last. */
  channel(station: Station): PeerChannel {
    const channel = this.#channels.get(station.hello)
    if (channel === undefined) throw new Error('the station was never opened')
    return channel
  }

  /** Connects to the peer port of a station without saying anything. */
  async connectTo(station: Station): Promise<BarePeer> {
    const socket = connect({ host, port: portOf(station.hello) })
    const peer = new BarePeer(socket)
    this.#bare.push(peer)
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return peer
  }

  /** Listens at the peer address of a station that is not open; calls `onPeer` for each connection that comes. */
  async listenAs(station: Station, onPeer: (peer: BarePeer) => void): Promise<void> {
    const server = createServer(socket => {
      const peer = new BarePeer(socket)
      this.#bare.push(peer)
      onPeer(peer)
    })
    this.#servers.push(server)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port: portOf(station.hello) }, resolve)
    })
  }
}

/** A socket that keeps what it receives as text. */
export class BarePeer {
  readonly socket: Socket
  received = ''
  isClosed = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.received += text
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isClosed = true
    })
  }

  say(message: unknown): void {
    this.socket.write(`${JSON.stringify(message)}\n`)
  }

  /** The first line that comes, read as JSON. */
  async answer(): Promise<unknown> {
    await eventually(() => this.received.includes('\n') || this.isClosed)
    return JSON.parse(this.received.slice(0, this.received.indexOf('\n')))
  }

  async closed(): Promise<void> {
    await eventually(() => this.isClosed)
  }
}

export function portOf(hello: PeerHello): number {
  return Number(hello.peerAddress.slice(host.length + 1))
}

/** Waits until the condition is true, giving the loop its turns meanwhile; the test's own timeout bounds it. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 1))
}
