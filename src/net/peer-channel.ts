/**
 * The peer channel over TCP: one listening socket, on which the peers connect to tell us something, and one
 * connection of ours to each peer, on which we send. How one of ours lives is in peer-dialer.ts, one of theirs
 * in peer-incoming.ts, how they introduce themselves in peer-handshake.ts.
 *
 * What must always hold:
 * - at most one connection from a peer is read; a newer one takes the place of the older one;
 * - what a peer says on a connection is told in order, and nothing is told of a connection that we ended.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { assert } from '../base/assert.js'
import type { NodeId } from '../base/ids.js'
import { listen } from './listen.js'
import { PeerDialer } from './peer-dialer.js'
import { IncomingConnection, type IncomingEvents } from './peer-incoming.js'
import { type PeerLimits, peerKeepAliveMs, peerLimits } from './peer-limits.js'
import { lineBytes } from './peer-queue.js'
import type { Peer, PeerHello, Transport, TransportEvents } from './transport.js'

export interface PeerChannelOptions {
  /** What this node says of itself, for as long as the channel is open. */
  readonly hello: PeerHello
  /** Where to listen; this is not always where the peers find us. */
  readonly host: string
  readonly port: number
  readonly events: TransportEvents
  /** Told of errors of the listening socket after it began to listen; connections are still served. */
  readonly onError?: ((error: Error) => void) | undefined
  /** Other bounds than {@link peerLimits}. */
  readonly limits?: Partial<PeerLimits> | undefined
}

/** What went to and came from one peer since it was listed, for metrics. */
export interface PeerTraffic {
  readonly node: NodeId
  /** Whether the connection on which we send is open. */
  readonly isConnected: boolean
  readonly linesIn: number
  readonly bytesIn: number
  /** Lines that were given to an open connection, and their bytes. Some may have been lost with it. */
  readonly linesOut: number
  readonly bytesOut: number
  /** Lines that were not sent because there was no connection or no room in its queue. */
  readonly linesDropped: number
  /** Bytes that wait to be sent. */
  readonly queueBytes: number
  /** How often the connection on which we send was opened again after the first time. */
  readonly reconnections: number
}

/** A {@link Transport} over TCP. */
export interface PeerChannel extends Transport {
  /** The port that it listens on. */
  readonly port: number
  /** One row for each peer. */
  traffic(): PeerTraffic[]
}

/** Opens the peer port; fails with a `ListenError`. */
export async function openPeerChannel(options: PeerChannelOptions): Promise<PeerChannel> {
  const server = createServer({
    pauseOnConnect: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: peerKeepAliveMs,
  })
  const port = await listen(server, options.host, options.port)
  return new TcpPeerChannel(options, server, port)
}

/** What is known of one node: a listed peer, or a stranger whose connection was taken. */
interface PeerState {
  /** As it was listed; undefined for one that is not. */
  peer: Peer | undefined
  dialer: PeerDialer | undefined
  incoming: IncomingConnection | undefined
  /** Whether it was told that this peer is gone, and no connection was made since. */
  isTold: boolean
  /** Whether it was told that lines to this peer are dropped, and its queue has not emptied since. */
  isSlow: boolean
  openings: number
  linesIn: number
  bytesIn: number
  linesOut: number
  bytesOut: number
  linesDropped: number
}

class TcpPeerChannel implements PeerChannel {
  readonly port: number
  readonly #own: PeerHello
  readonly #limits: PeerLimits
  readonly #events: TransportEvents
  readonly #server: Server
  readonly #peers = new Map<NodeId, PeerState>()
  /** Connections that have not introduced themselves yet or are being refused, the oldest first. */
  readonly #greeting = new Set<IncomingConnection>()
  /** Connections of ours that are being ended; each settles when it is gone. */
  readonly #leaving = new Set<Promise<void>>()
  #isClosed = false

  constructor(options: PeerChannelOptions, server: Server, port: number) {
    this.port = port
    this.#own = options.hello
    this.#limits = { ...peerLimits, ...options.limits }
    this.#events = options.events
    this.#server = server
    server.on('connection', socket => this.#onConnection(socket))
    server.on('error', error => options.onError?.(error))
  }

  setPeers(peers: readonly Peer[]): void {
    if (this.#isClosed) return
    const wanted = new Set(peers.map(peer => peer.id))
    for (const [id, state] of this.#peers) {
      if (wanted.has(id)) continue
      this.#peers.delete(id)
      this.#drop(state)
    }
    for (const peer of peers) {
      if (peer.id !== this.#own.node) this.#want(peer)
    }
  }

  send(to: NodeId, line: readonly Uint8Array[]): void {
    const state = this.#peers.get(to)
    if (state === undefined) return
    const queue = state.dialer?.queue
    if (queue === undefined) {
      state.linesDropped++
      return
    }
    if (state.isSlow && queue.bytes <= this.#limits.queueBytesMax / 2) state.isSlow = false
    if (queue.push(line)) {
      state.linesOut++
      state.bytesOut += lineBytes(line)
      return
    }
    state.linesDropped++
    if (state.isSlow) return
    state.isSlow = true
    // Not from within this call: the sender may be in the middle of its work.
    queueMicrotask(() => {
      if (this.#peers.get(to) === state) this.#events.onSlow(to)
    })
  }

  flush(): void {
    for (const { dialer } of this.#peers.values()) dialer?.queue?.flush()
  }

  close(done: () => void): void {
    assert(!this.#isClosed, 'a transport is closed once')
    this.#isClosed = true
    for (const connection of [...this.#greeting]) connection.close()
    const states = [...this.#peers.values()]
    this.#peers.clear()
    for (const state of states) this.#drop(state)
    const stopped = new Promise<void>(resolve => this.#server.close(() => resolve()))
    void Promise.all([stopped, ...this.#leaving]).then(() => done())
  }

  traffic(): PeerTraffic[] {
    return [...this.#peers].map(([node, state]) => ({
      node,
      isConnected: state.dialer?.queue !== undefined,
      linesIn: state.linesIn,
      bytesIn: state.bytesIn,
      linesOut: state.linesOut,
      bytesOut: state.bytesOut,
      linesDropped: state.linesDropped,
      queueBytes: state.dialer?.queue?.bytes ?? 0,
      reconnections: Math.max(0, state.openings - 1),
    }))
  }

  /** Keeps a connection to a peer, at the address that it itself named last, or else at that of the list. */
  #want(peer: Peer): void {
    const state = this.#state(peer.id)
    const before = state.peer
    state.peer = peer
    const address = state.incoming?.hello?.peerAddress ?? peer.peerAddress
    if (state.dialer === undefined) state.dialer = this.#dial(peer.id, address, state)
    // A list that says the same as before knows nothing newer than what the peer said since.
    else if (before?.peerAddress !== peer.peerAddress) state.dialer.redirect(address)
  }

  #dial(node: NodeId, address: string, state: PeerState): PeerDialer {
    return new PeerDialer(node, address, this.#own, this.#limits, {
      onOpen: () => {
        state.openings++
        state.isTold = false
        state.isSlow = false
      },
      onBroken: () => this.#onBroken(node, state),
      onRefused: refusal => this.#events.onRefused(node, refusal.code, refusal.detail),
    })
  }

  /** A process that dies breaks the connections in both directions, which is one thing to be told. */
  #onBroken(node: NodeId, state: PeerState): void {
    if (state.isTold || this.#peers.get(node) !== state) return
    state.isTold = true
    this.#events.onDisconnected(node)
  }

  #drop(state: PeerState): void {
    state.incoming?.close()
    if (state.dialer === undefined) return
    const left = state.dialer.close().then(() => {
      this.#leaving.delete(left)
    })
    this.#leaving.add(left)
  }

  #onConnection(socket: Socket): void {
    if (this.#isClosed) {
      socket.destroy()
      return
    }
    const [oldest] = this.#greeting
    if (this.#greeting.size >= this.#limits.handshakesMax) oldest?.close()
    this.#greeting.add(new IncomingConnection(socket, this.#own, this.#limits, this.#incomingEvents))
  }

  readonly #incomingEvents: IncomingEvents = {
    onHello: (hello, expected) => this.#events.onHello(hello, expected),
    onTaken: (connection, hello) => this.#onTaken(connection, hello),
    onLine: (from, line) => this.#onLine(from, line),
    onGone: (connection, hello, byPeer) => {
      this.#greeting.delete(connection)
      const state = hello === undefined ? undefined : this.#peers.get(hello.node)
      if (hello === undefined || state === undefined || state.incoming !== connection) return
      state.incoming = undefined
      if (byPeer) this.#onBroken(hello.node, state)
      if (state.peer === undefined) this.#peers.delete(hello.node)
    },
  }

  #onTaken(connection: IncomingConnection, hello: PeerHello): void {
    this.#greeting.delete(connection)
    const state = this.#state(hello.node)
    const older = state.incoming
    state.incoming = connection
    state.isTold = false
    older?.close()
    const { peer, dialer } = state
    if (peer === undefined || dialer === undefined) return
    dialer.redirect(hello.peerAddress)
    dialer.hurry()
    if (peer.address === hello.address && peer.peerAddress === hello.peerAddress) return
    this.#events.onMoved?.({ id: peer.id, address: hello.address, peerAddress: hello.peerAddress })
  }

  #onLine(from: NodeId, line: Uint8Array): void {
    const state = this.#peers.get(from)
    if (state === undefined) return
    state.linesIn++
    state.bytesIn += line.length + 1
    this.#events.onLine(from, line)
  }

  #state(node: NodeId): PeerState {
    const known = this.#peers.get(node)
    if (known !== undefined) return known
    const state: PeerState = {
      peer: undefined,
      dialer: undefined,
      incoming: undefined,
      isTold: false,
      isSlow: false,
      openings: 0,
      linesIn: 0,
      bytesIn: 0,
      linesOut: 0,
      bytesOut: 0,
      linesDropped: 0,
    }
    this.#peers.set(node, state)
    return state
  }
}
