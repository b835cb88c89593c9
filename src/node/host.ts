/**
 * A running consensus replica with its disk and its peers: everything that exists once a node belongs to a
 * cluster, and that is taken down and built anew when it moves from one cluster to another.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../base/clock.js'
import type { ClusterId, Member, NodeId } from '../base/ids.js'
import { seededRandom } from '../base/random.js'
import type { TableStore } from '../kv/table.js'
import {
  type Peer,
  type PeerHello,
  peerProtocolVersion,
  type RefusalCode,
  type Transport,
  type TransportEvents,
} from '../net/transport.js'
import { type ClusterEvent, failure, type Request, type Response } from '../protocol/request.js'
import { findMember } from '../raft/configuration.js'
import type { Configuration, RaftSaved } from '../raft/types.js'
import { decodeMessage, encodeMessage } from '../replica/codec.js'
import { type ConsensusOptions, ConsensusReplica } from '../replica/consensus.js'
import type { ConsensusMessage } from '../replica/messages.js'
import type { Disk } from '../storage/disk.js'
import { type ConsensusStore, openConsensusStore } from './consensus-store.js'
import { Driver } from './driver.js'

/** What a host is made of. */
export interface HostParts {
  readonly self: Member
  readonly cluster: ClusterId
  readonly clock: Clock
  readonly disk: Disk
  readonly table: TableStore
  readonly options: ConsensusOptions
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

export class ConsensusHost {
  readonly #parts: HostParts
  readonly #events: HostEvents
  readonly #store: ConsensusStore
  readonly #replica: ConsensusReplica
  readonly #driver: Driver<ConsensusMessage, RaftSaved>
  /** Members that introduced themselves and are not in the configuration here (yet). */
  readonly #acquaintances = new Map<NodeId, Peer>()
  readonly #refusalsTold = new Set<string>()
  /** The configurations, in force and applied, that the peers were last taken from. */
  #peersFor: readonly [Configuration, Configuration] | undefined
  #transport: Transport | undefined
  #onDrained: (() => void) | undefined

  private constructor(parts: HostParts, events: HostEvents) {
    this.#parts = parts
    this.#events = events
    const opened = openConsensusStore(parts.disk, parts.table, {
      clock: parts.clock,
      onDiskState: state => this.#driver.input({ kind: 'disk', state }),
      onFailure: error => events.onFailure(error),
    })
    this.#store = opened.store
    this.#replica = new ConsensusReplica({
      self: parts.self,
      state: opened.state,
      log: opened.log,
      table: parts.table,
      // Chance of this start alone: sessions and tokens must not be those of an earlier one.
      random: seededRandom(randomUUID()),
      options: parts.options,
    })
    this.#driver = new Driver(this.#replica, {
      clock: parts.clock,
      tickMs: parts.options.tickMs,
      store: opened.store,
      send: (to, message) => this.#transport?.send(to, encodeMessage(message)),
      onEvent: event => events.onEvent(event),
      onTurn: () => this.#onTurn(),
      onFailure: error => events.onFailure(error),
    })
  }

  /** Opens disk and peer port and begins to run. Fails with what the disk or the port says. */
  static async open(parts: HostParts, events: HostEvents): Promise<ConsensusHost> {
    const host = new ConsensusHost(parts, events)
    try {
      await host.#start()
    } catch (error) {
      host.#driver.stop(failure('STOPPING'))
      host.#store.close()
      throw error
    }
    return host
  }

  get configuration(): Configuration {
    return this.#replica.configuration
  }

  /** True while no client has written anything here. */
  get isPristine(): boolean {
    return this.#replica.isPristine
  }

  /** True while no leader of the cluster has given it anything. */
  get isBlank(): boolean {
    return this.#replica.raft.view.log.lastIndex === 0
  }

  /** Asks the replica; the returned function says that the answer is no longer wanted. */
  request(request: Request, done: (response: Response) => void): () => void {
    return this.#driver.request(request, done)
  }

  /** Ends the loop at once: nothing is acknowledged from here on. What waits is answered with `response`. */
  seal(response: Response): void {
    this.#driver.stop(response)
  }

  /** Refuses new requests, finishes those under way and hands leadership over; at the latest at the deadline. */
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

  /** Closes peer port and files; {@link drain} or {@link seal} comes before. */
  async close(): Promise<void> {
    this.#driver.stop(failure('STOPPING'))
    await new Promise<void>(resolve => {
      if (this.#transport === undefined) resolve()
      else this.#transport.close(resolve)
    })
    this.#store.close()
  }

  async #start(): Promise<void> {
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
    const message = decodeMessage(line)
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
    const { configuration, appliedConfiguration } = this.#replica
    // Only of what is committed: a removal in the log may yet be undone, and its node's vote be needed.
    if (appliedConfiguration.removed.includes(caller.node)) return { code: 'removed', detail: { cluster } }
    const known = findMember(configuration, caller.node)
    if (known?.peerAddress !== caller.peerAddress) {
      // A new member that this node has not heard of yet, or one that moved: it is one of the same cluster.
      const { node: id, address, peerAddress } = caller
      this.#acquaintances.set(id, { id, address, peerAddress })
      this.#peersFor = undefined
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
    const { configuration, appliedConfiguration } = this.#replica
    const [inForce, applied] = this.#peersFor ?? []
    if (inForce !== configuration || applied !== appliedConfiguration) this.#updatePeers()
    if (this.#onDrained !== undefined && this.#replica.isDrained) {
      this.#onDrained()
      this.#onDrained = undefined
    }
  }

  #updatePeers(): void {
    const { configuration, appliedConfiguration } = this.#replica
    this.#peersFor = [configuration, appliedConfiguration]
    const peers = new Map<NodeId, Peer>()
    // Members as committed, too: whoever is being removed may still be needed, and has to be reached.
    for (const { id, address, peerAddress } of [...appliedConfiguration.members, ...configuration.members]) {
      if (id !== this.#parts.self.id) peers.set(id, { id, address, peerAddress })
    }
    for (const [id, peer] of this.#acquaintances) {
      const known = findMember(configuration, id)
      if (known?.peerAddress === peer.peerAddress || appliedConfiguration.removed.includes(id)) {
        this.#acquaintances.delete(id)
      } else peers.set(id, peer)
    }
    this.#transport?.setPeers([...peers.values()])
  }
}
