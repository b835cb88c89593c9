/**
 * The peer channel in memory: connections between simulated nodes, with the delays, losses and breaks of real
 * ones. It implements the {@link Transport} port; how one connection carries its lines is in connection.ts.
 *
 * What it keeps of TCP: within a connection lines stay in order (unless a run asks for worse), a dead process
 * is noticed at once and a dead machine or a cut cable only late, and what is held up by a cut comes all
 * together when it ends, if the connection lasted that long.
 */
import type { NodeId } from '../../src/base/ids.js'
import type { Random } from '../../src/base/random.js'
import type { Peer, PeerHello, Refusal, Transport, TransportEvents } from '../../src/net/transport.js'
import { Connection, type LinkOptions } from './connection.js'
import type { Life } from './machine.js'
import type { World } from './world.js'

/** A node that could not connect tries again after this long at first ... */
const retryDelayMinMs = 20
/** ... and after at most this long later. */
const retryDelayMaxMs = 500
/** A node that gets no answer at all to its connecting gives up after this long. */
const connectTimeoutMs = 1000

/** One end: the transport of one life of a node. */
interface Endpoint {
  readonly life: Life
  readonly hello: PeerHello
  readonly events: TransportEvents
  readonly peers: Map<NodeId, Dialer>
  /** It was closed, or its process is dead. */
  gone: boolean
}

/** A node's will to be connected to one peer. */
interface Dialer {
  readonly peer: Peer
  connection: Connection | undefined
  retryDelayMs: number
  /** Counts the attempts, so that the answer to an earlier one is not taken for one to this. */
  attempt: number
  /** It failed, and the next attempt is some time off. */
  isWaiting: boolean
}

export class SimulatedNetwork {
  readonly #world: World
  readonly #random: Random
  readonly #options: LinkOptions
  readonly #endpoints = new Map<string, Endpoint>()
  readonly #connections = new Set<Connection>()
  readonly #blocked = new Set<string>()
  #isHealthy = false

  constructor(world: World, options: LinkOptions) {
    this.#world = world
    this.#random = world.random.fork('network')
    this.#options = options
  }

  /** Gives a starting process its transport. It listens at the peer address of its `hello`. */
  attach(life: Life, hello: PeerHello, events: TransportEvents): Transport {
    const endpoint: Endpoint = { life, hello, events, peers: new Map(), gone: false }
    this.#endpoints.set(hello.peerAddress, endpoint)
    // What still counts as connected to an earlier life at this address is told so by the first packet.
    for (const connection of this.#connections) {
      if (connection.isDead() && connection.reaches(life.name)) connection.breakOff()
    }
    return {
      setPeers: peers => this.#setPeers(endpoint, peers),
      send: (to, line) => endpoint.peers.get(to)?.connection?.send(line),
      flush: () => {},
      close: done => {
        this.#shut(endpoint)
        endpoint.life.deliver(done)
      },
    }
  }

  /**
   * The process at this end was killed: its kernel closes the connections, and whoever can be reached hears of
   * it at once. With `silently`, the whole machine went, and nobody hears anything.
   */
  killed(life: Life, silently: boolean): void {
    for (const endpoint of this.#endpoints.values()) {
      if (endpoint.life !== life) continue
      if (!silently) this.#shut(endpoint)
      endpoint.gone = true
      for (const dialer of endpoint.peers.values()) dialer.attempt++
    }
  }

  /** Cuts the way from one machine to another; the way back is a link of its own. */
  block(from: string, to: string): void {
    this.#blocked.add(linkName(from, to))
  }

  /** Mends the way from one machine to another. Connections that were held up go on or turn out to be broken. */
  unblock(from: string, to: string): void {
    if (!this.#blocked.delete(linkName(from, to))) return
    for (const connection of this.#connections) {
      if (connection.reaches(from) && connection.reaches(to)) this.#unblocked(connection)
    }
  }

  /** Whether a message from one machine to another would find a connection. */
  isConnected(from: string, to: string): boolean {
    for (const { life, gone, peers } of this.#endpoints.values()) {
      if (gone || life.name !== from) continue
      for (const { connection } of peers.values()) {
        if (connection?.reaches(to) === true && !connection.isOver && !connection.isDead()) return true
      }
    }
    return false
  }

  isBlocked(from: string, to: string): boolean {
    return this.#blocked.has(linkName(from, to))
  }

  /** Breaks the connections between two machines, as a router does that forgot them. */
  breakConnections(one: string, other: string): void {
    for (const connection of this.#connections) {
      if (connection.reaches(one) && connection.reaches(other)) connection.breakOff()
    }
  }

  /** Mends all links, and from here on nothing is lost, repeated, reordered or slow. */
  heal(): void {
    this.#isHealthy = true
    this.#blocked.clear()
    for (const connection of this.#connections) this.#unblocked(connection)
  }

  #unblocked(connection: Connection): void {
    if (this.isBlocked(connection.from.name, connection.to.name)) return
    if (connection.isDead() || this.#random.chance(this.#options.brokenByCut)) connection.breakOff()
    else connection.release()
  }

  #setPeers(endpoint: Endpoint, peers: readonly Peer[]): void {
    const wanted = new Map(peers.map(peer => [peer.id, peer]))
    for (const [id, dialer] of endpoint.peers) {
      const still = wanted.get(id)
      if (still !== undefined && still.peerAddress === dialer.peer.peerAddress) continue
      endpoint.peers.delete(id)
      dialer.attempt++
      dialer.connection?.closedBy(endpoint.life)
    }
    for (const connection of this.#connections) {
      if (connection.to === endpoint.life && !wanted.has(connection.fromNode))
        connection.closedBy(endpoint.life)
    }
    for (const peer of peers) {
      if (endpoint.peers.has(peer.id) || peer.id === endpoint.hello.node) continue
      const dialer: Dialer = {
        peer,
        connection: undefined,
        retryDelayMs: retryDelayMinMs,
        attempt: 0,
        isWaiting: false,
      }
      endpoint.peers.set(peer.id, dialer)
      this.#dial(endpoint, dialer)
    }
  }

  /** Opens the connection to a peer, and keeps trying. */
  #dial(endpoint: Endpoint, dialer: Dialer): void {
    const attempt = ++dialer.attempt
    dialer.isWaiting = false
    const { peer } = dialer
    const isCurrent = (): boolean => !endpoint.gone && dialer.attempt === attempt
    const giveUp = endpoint.life.clock.after(connectTimeoutMs, () => {
      if (isCurrent()) this.#dialLater(endpoint, dialer)
    })
    this.#carry(endpoint.life.name, peer, target => {
      const refusal = target === undefined ? 'nobody listens' : target.events.onHello(endpoint.hello, peer.id)
      this.#world.note(
        endpoint.life.name,
        `connects to ${target?.life.name ?? peer.peerAddress}: ${describeAnswer(refusal)}`,
      )
      const connection =
        target !== undefined && refusal === undefined ? this.#connect(endpoint, dialer, target) : undefined
      const answer = (): void => {
        giveUp()
        if (!isCurrent()) connection?.closedBy(endpoint.life)
        else if (connection !== undefined && !connection.isOver) {
          dialer.connection = connection
          dialer.retryDelayMs = retryDelayMinMs
        } else {
          this.#dialLater(endpoint, dialer)
          if (typeof refusal === 'object') endpoint.events.onRefused(peer.id, refusal.code, refusal.detail)
        }
      }
      const back = target?.life.name
      if (back !== undefined && this.isBlocked(back, endpoint.life.name)) connection?.breakOff()
      else this.#world.after(this.#delayMs(), () => endpoint.life.deliver(answer))
    })
  }

  #dialLater(endpoint: Endpoint, dialer: Dialer): void {
    const attempt = ++dialer.attempt
    dialer.isWaiting = true
    const delayMs = dialer.retryDelayMs * (0.5 + this.#random.float())
    dialer.retryDelayMs = Math.min(retryDelayMaxMs, dialer.retryDelayMs * 2)
    endpoint.life.clock.after(delayMs, () => {
      if (!endpoint.gone && dialer.attempt === attempt) this.#dial(endpoint, dialer)
    })
  }

  /** Carries the first packet of a connection: lost where the link is cut or the machine is off. */
  #carry(from: string, peer: Peer, arrive: (target: Endpoint | undefined) => void): void {
    this.#world.after(this.#delayMs(), () => {
      const target = this.#endpoints.get(peer.peerAddress)
      if (target === undefined || target.gone) {
        arrive(undefined)
        return
      }
      if (this.isBlocked(from, target.life.name)) return
      target.life.deliver(() => {
        if (!target.gone) arrive(target)
      })
    })
  }

  #connect(endpoint: Endpoint, dialer: Dialer, target: Endpoint): Connection {
    const { peer } = dialer
    const fromNode = endpoint.hello.node
    const connection: Connection = new Connection(
      this.#world,
      this.#random.fork('connection'),
      this.#options,
      { from: endpoint.life, to: target.life, fromNode },
      {
        isBlocked: (from, to) => this.isBlocked(from, to),
        isHealthy: () => this.#isHealthy,
        onLine: line => {
          if (!target.gone) target.events.onLine(fromNode, line)
        },
        onSlow: () => endpoint.events.onSlow(peer.id),
        onSenderNotices: () => {
          if (endpoint.gone || dialer.connection !== connection) return
          dialer.connection = undefined
          this.#dialLater(endpoint, dialer)
          endpoint.events.onDisconnected(peer.id)
        },
        onReceiverNotices: () => {
          if (!target.gone) target.events.onDisconnected(fromNode)
        },
        onOver: () => this.#connections.delete(connection),
      },
    )
    this.#connections.add(connection)
    // Whoever calls is there: no reason to wait with the call back.
    const back = target.peers.get(fromNode)
    if (back?.isWaiting === true) this.#dial(target, back)
    return connection
  }

  #shut(endpoint: Endpoint): void {
    endpoint.gone = true
    for (const connection of this.#connections) {
      if (connection.from === endpoint.life || connection.to === endpoint.life) {
        connection.closedBy(endpoint.life)
      }
    }
    endpoint.peers.clear()
  }

  #delayMs(): number {
    return this.#options.delay(this.#random)
  }
}

function linkName(from: string, to: string): string {
  return `${from}>${to}`
}

function describeAnswer(refusal: Refusal | string | undefined): string {
  if (refusal === undefined) return 'taken'
  return typeof refusal === 'string' ? refusal : `refused (${refusal.code})`
}
