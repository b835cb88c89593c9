/**
 * A running replica with its disk and its peers: everything that exists once a node belongs to a cluster, and
 * that is taken down and built anew when it moves from one cluster to another.
 */
import type { Clock } from '../base/clock.js'
import type { ClusterId, Member, NodeId, RequestId } from '../base/ids.js'
import {
  type Peer,
  type PeerHello,
  peerProtocolVersion,
  type RefusalCode,
  type Transport,
  type TransportEvents,
} from '../net/transport.js'
import {
  type ClusterEvent,
  failure,
  type Receiver,
  type Request,
  type Response,
} from '../protocol/request.js'
import { Driver } from './driver.js'
import type { EngineParts, Membership, Resident, RunningEngine } from './engine.js'

/** What a host is made of. */
export interface HostParts<Message, Saved> {
  readonly self: Member
  readonly cluster: ClusterId
  readonly clock: Clock
  readonly tickMs: number
  /** Opens what the disk holds of the node. */
  openEngine(told: Pick<EngineParts, 'onDiskState' | 'onFailure'>): RunningEngine<Message, Saved>
  /** Opens the peer port. */
  openTransport(hello: PeerHello, events: TransportEvents): Promise<Transport>
}

/** What a host tells its node. */
export interface HostEvents {
  onEvent(event: ClusterEvent): void
  /** The node must stop. */
  onFailure(error: Error): void
  /** A cluster believes that another identity lives at this address. */
  onMistaken(caller: PeerHello, expected: NodeId): void
  /** A peer refuses us; told once per peer and reason. */
  onRefused(node: NodeId, code: RefusalCode, detail: Readonly<Record<string, string>>): void
}

/** A host as its node knows it, whatever engine it runs. */
export interface Host extends Resident {
  /** Asks the replica; `receiver` is told the answer, in a later turn, unless it is abandoned before. */
  request(request: Request, receiver: Receiver): RequestId
  /** Says that the answer is no longer wanted. */
  abandon(id: RequestId): void
  /** Ends the loop at once: nothing is acknowledged from here on. What waits is answered with `response`. */
  seal(response: Response): void
  /** Refuses new requests, finishes those under way and hands leadership over; at the latest at the deadline. */
  drain(deadlineMs: number): Promise<void>
  /** Closes peer port and files; {@link Host.drain} or {@link Host.seal} comes before. */
  close(): Promise<void>
}

/** Opens disk and peer port and begins to run. Fails with what the disk or the port says. */
export async function openHost<Message, Saved>(
  parts: HostParts<Message, Saved>,
  events: HostEvents,
): Promise<Host> {
  const host = new EngineHost(parts, events)
  try {
    await host.start()
  } catch (error) {
    host.seal(failure('STOPPING'))
    await host.close()
    throw error
  }
  return host
}

class EngineHost<Message, Saved> implements Host {
  readonly #parts: HostParts<Message, Saved>
  readonly #events: HostEvents
  readonly #engine: RunningEngine<Message, Saved>
  readonly #driver: Driver<Message, Saved>
  /** Members that introduced themselves and are not known as such here (yet). */
  readonly #acquaintances = new Map<NodeId, Peer>()
  readonly #refusalsTold = new Set<string>()
  /** The membership that the peers were last taken from. */
  #peersFor: Membership | undefined
  #transport: Transport | undefined
  #onDrained: (() => void) | undefined

  constructor(parts: HostParts<Message, Saved>, events: HostEvents) {
    this.#parts = parts
    this.#events = events
    this.#engine = parts.openEngine({
      onDiskState: state => this.#driver.input({ kind: 'disk', state }),
      onFailure: error => events.onFailure(error),
    })
    this.#driver = new Driver(this.#engine.replica, {
      clock: parts.clock,
      tickMs: parts.tickMs,
      store: this.#engine.store,
      send: (to, message) => this.#transport?.send(to, this.#engine.encode(message)),
      flush: () => this.#transport?.flush(),
      onEvent: event => events.onEvent(event),
      onTurn: () => this.#onTurn(),
      onFailure: error => events.onFailure(error),
    })
  }

  get membership(): Membership {
    return this.#engine.resident.membership
  }

  get isPristine(): boolean {
    return this.#engine.resident.isPristine
  }

  get isBlank(): boolean {
    return this.#engine.resident.isBlank
  }

  get isDrained(): boolean {
    return this.#engine.resident.isDrained
  }

  request(request: Request, receiver: Receiver): RequestId {
    return this.#driver.request(request, receiver)
  }

  abandon(id: RequestId): void {
    this.#driver.abandon(id)
  }

  seal(response: Response): void {
    this.#driver.stop(response)
  }

  drain(deadlineMs: number): Promise<void> {
    return new Promise(resolve => {
      const cancel = this.#parts.clock.after(deadlineMs, resolve)
      this.#onDrained = () => {
        cancel()
        resolve()
      }
      this.#driver.input({ kind: 'stop' })
    })
  }

  async close(): Promise<void> {
    this.#driver.stop(failure('STOPPING'))
    await new Promise<void>(resolve => {
      if (this.#transport === undefined) resolve()
      else this.#transport.close(resolve)
    })
    this.#engine.store.close()
  }

  async start(): Promise<void> {
    const { self, cluster } = this.#parts
    const hello: PeerHello = {
      protocol: peerProtocolVersion,
      cluster,
      node: self.id,
      address: self.address,
      peerAddress: self.peerAddress,
    }
    this.#transport = await this.#parts.openTransport(hello, {
      onLine: (from, line) => this.#onLine(from, line),
      onDisconnected: node => this.#driver.input({ kind: 'disconnected', node }),
      onSlow: node => this.#driver.input({ kind: 'slow', node }),
      onRefused: (node, code, detail) => this.#onRefused(node, code, detail),
      onHello: (caller, expected) => this.#onHello(caller, expected),
    })
    this.#updatePeers()
    this.#driver.start()
  }

  #onLine(from: NodeId, line: Uint8Array): void {
    const message = this.#engine.decode(line)
    // A line that cannot be read is as good as lost; its sender runs other code or lies.
    if (message !== undefined) this.#driver.input({ kind: 'message', from, message })
  }

  #onHello(caller: PeerHello, expected: NodeId): ReturnType<TransportEvents['onHello']> {
    const { self, cluster } = this.#parts
    if (expected !== self.id || caller.cluster !== cluster) {
      if (expected !== self.id) this.#events.onMistaken(caller, expected)
      const code = caller.cluster === cluster ? 'identity' : 'cluster'
      return { code, detail: { cluster, node: self.id } }
    }
    const { members, removed } = this.membership
    if (removed.includes(caller.node)) return { code: 'removed', detail: { cluster } }
    const known = members.find(member => member.id === caller.node)
    if (known?.peerAddress !== caller.peerAddress) {
      // A new member that this node has not heard of yet, or one that moved: it is one of the same cluster.
      const { node: id, address, peerAddress } = caller
      this.#acquaintances.set(id, { id, address, peerAddress })
      this.#updatePeers()
    }
    return undefined
  }

  #onRefused(node: NodeId, code: RefusalCode, detail: Readonly<Record<string, string>>): void {
    if (code === 'removed') this.#driver.input({ kind: 'removed' })
    const told = `${node} ${code}`
    if (this.#refusalsTold.has(told)) return
    this.#refusalsTold.add(told)
    this.#events.onRefused(node, code, detail)
  }

  #onTurn(): void {
    if (this.#peersFor !== this.membership) this.#updatePeers()
    if (this.#onDrained !== undefined && this.isDrained) {
      this.#onDrained()
      this.#onDrained = undefined
    }
  }

  #updatePeers(): void {
    const { membership } = this
    const { members, reached, removed } = membership
    this.#peersFor = membership
    const peers = new Map<NodeId, Peer>()
    for (const { id, address, peerAddress } of reached) {
      if (id !== this.#parts.self.id) peers.set(id, { id, address, peerAddress })
    }
    for (const [id, peer] of this.#acquaintances) {
      const known = members.find(member => member.id === id)
      if (known?.peerAddress === peer.peerAddress || removed.includes(id)) {
        this.#acquaintances.delete(id)
      } else peers.set(id, peer)
    }
    this.#transport?.setPeers([...peers.values()])
  }
}
