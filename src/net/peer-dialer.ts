/**
 * The connection to one peer, on which we send: opened, introduced, and opened again for as long as the peer is
 * wanted.
 *
 * What must always hold:
 * - there is at most one socket, and at most one timer that will open another;
 * - nothing but the hello is written before the peer has welcomed us;
 * - a peer that is away costs one attempt per `retryMsMax`, whatever it or the network does.
 */
import { lookup } from 'node:dns'
import { connect, type LookupFunction, type Socket } from 'node:net'
import type { NodeId } from '../base/ids.js'
import { parseAddress } from '../protocol/address.js'
import { onFirstLine, readAnswer, writeHello } from './peer-handshake.js'
import { type PeerLimits, peerKeepAliveMs } from './peer-limits.js'
import { watchPulse } from './peer-pulse.js'
import { PeerQueue } from './peer-queue.js'
import type { PeerHello, Refusal } from './transport.js'

/** What a dialer tells its owner. Whatever it tells, it goes on connecting until it is closed. */
export interface DialerEvents {
  /** The peer welcomed us: from now on lines can be sent. */
  onOpen(): void
  /** A connection that was open ended, and we did not end it. */
  onBroken(): void
  onRefused(refusal: Refusal): void
}

type State =
  | { readonly kind: 'waiting'; readonly timer: NodeJS.Timeout }
  | { readonly kind: 'connecting'; readonly socket: Socket; timer: NodeJS.Timeout }
  | { readonly kind: 'open'; readonly socket: Socket; readonly queue: PeerQueue; readonly sinceMs: number }
  | { readonly kind: 'closed' }

export class PeerDialer {
  readonly #node: NodeId
  readonly #own: PeerHello
  readonly #limits: PeerLimits
  readonly #events: DialerEvents
  #peerAddress: string
  #state: State
  /** Attempts without a steady connection since the last one that had worked. */
  #failures = 0
  /** A host name is being looked up. That cannot be called off, and a second one would only wait behind it. */
  #isLookingUp = false

  /** Opens the connection in a later turn of the loop. */
  constructor(node: NodeId, peerAddress: string, own: PeerHello, limits: PeerLimits, events: DialerEvents) {
    this.#node = node
    this.#peerAddress = peerAddress
    this.#own = own
    this.#limits = limits
    this.#events = events
    this.#state = this.#waiting(0)
  }

  /** The queue of the open connection; undefined while there is none. */
  get queue(): PeerQueue | undefined {
    return this.#state.kind === 'open' ? this.#state.queue : undefined
  }

  /** Connects to another address from now on. */
  redirect(peerAddress: string): void {
    if (peerAddress === this.#peerAddress || this.#state.kind === 'closed') return
    this.#peerAddress = peerAddress
    this.#failures = 0
    this.#dialAfter(0)
  }

  /** The peer has shown that it is there: there is no reason to wait for the next attempt. */
  hurry(): void {
    if (this.#state.kind === 'waiting') this.#dialAfter(0)
  }

  /** Ends the connection after what was sent has left, or after a short time; settles when it is gone. */
  close(): Promise<void> {
    const state = this.#state
    if (state.kind !== 'open') {
      this.#leave()
      this.#state = { kind: 'closed' }
      return Promise.resolve()
    }
    this.#state = { kind: 'closed' }
    const { socket, queue } = state
    const deadline = setTimeout(() => socket.destroy(), this.#limits.farewellMs)
    queue.end()
    return new Promise(resolve => {
      socket.once('close', () => {
        clearTimeout(deadline)
        resolve()
      })
    })
  }

  #waiting(delayMs: number): State {
    return { kind: 'waiting', timer: setTimeout(() => this.#connect(), delayMs) }
  }

  #connect(): void {
    const address = parseAddress(this.#peerAddress)
    if (address === undefined || this.#isLookingUp) {
      this.#state = this.#waiting(this.#nextDelayMs())
      return
    }
    const socket = connect({
      ...address,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: peerKeepAliveMs,
      lookup: this.#lookUp,
    })
    const timer = setTimeout(() => this.#failed(socket), this.#limits.connectMs)
    this.#state = { kind: 'connecting', socket, timer }
    socket.once('connect', () => this.#introduce(socket))
    // The end of a dead process's connection may come as any of these, and the first one is the soonest.
    const onGone = (): void => this.#onGone(socket)
    socket.on('end', onGone)
    socket.on('error', onGone)
    socket.on('close', onGone)
  }

  #introduce(socket: Socket): void {
    const state = this.#state
    if (state.kind !== 'connecting' || state.socket !== socket) return
    clearTimeout(state.timer)
    state.timer = setTimeout(() => this.#failed(socket), this.#limits.handshakeMs)
    socket.write(writeHello(this.#own, this.#node))
    onFirstLine(socket, this.#limits.helloBytesMax, (line, rest) => {
      if (state === this.#state) this.#onAnswer(socket, rest.length === 0 ? line : undefined)
    })
  }

  #onAnswer(socket: Socket, line: Buffer | undefined): void {
    const answer = readAnswer(line, this.#own, this.#node)
    if (answer === undefined) {
      this.#failed(socket)
      return
    }
    if (answer.kind === 'refused') {
      this.#dialAfter(jittered(this.#limits.retryAfterRefusalMs))
      this.#events.onRefused(answer.refusal)
      return
    }
    this.#clearTimer()
    const queue = new PeerQueue(socket, this.#limits, () => this.#failed(socket))
    // After its welcome the peer has nothing to say here but that it hears us; what it says is not kept.
    watchPulse(socket, queue, this.#limits, () => this.#failed(socket))
    this.#state = { kind: 'open', socket, queue, sinceMs: performance.now() }
    this.#events.onOpen()
  }

  #onGone(socket: Socket): void {
    const state = this.#state
    if (state.kind !== 'open' || state.socket !== socket) {
      this.#failed(socket)
      return
    }
    // One that broke soon after it was opened may do so again and again.
    const wasSteady = performance.now() - state.sinceMs >= this.#limits.steadyMs
    if (wasSteady) this.#failures = 0
    this.#dialAfter(wasSteady ? 0 : this.#nextDelayMs())
    this.#events.onBroken()
  }

  /** Gives the socket up, unless that was done before, and opens another one after a growing delay. */
  #failed(socket: Socket): void {
    const state = this.#state
    const isCurrent = (state.kind === 'open' || state.kind === 'connecting') && state.socket === socket
    if (isCurrent) this.#dialAfter(this.#nextDelayMs())
  }

  /** Ends whatever is under way and opens a connection later. */
  #dialAfter(delayMs: number): void {
    this.#leave()
    this.#state = this.#waiting(delayMs)
  }

  /** Ends whatever is under way. */
  #leave(): void {
    this.#clearTimer()
    if (this.#state.kind === 'connecting' || this.#state.kind === 'open') this.#state.socket.destroy()
  }

  #clearTimer(): void {
    if (this.#state.kind === 'waiting' || this.#state.kind === 'connecting') clearTimeout(this.#state.timer)
  }

  #nextDelayMs(): number {
    const { retryMsMin, retryMsMax } = this.#limits
    return jittered(Math.min(retryMsMax, retryMsMin * 2 ** this.#failures++))
  }

  readonly #lookUp: LookupFunction = (host, options, done) => {
    this.#isLookingUp = true
    lookup(host, options, (error, address, family) => {
      this.#isLookingUp = false
      done(error, address, family)
    })
  }
}

/** Between half of it and all of it, so that nodes that lost each other together do not all come together. */
function jittered(delayMs: number): number {
  return delayMs * (0.5 + Math.random() / 2)
}
