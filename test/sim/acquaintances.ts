/** Whom a simulated process wants to be connected with: the members it knows, and those who introduced themselves. */
import type { ClusterId, Member, NodeId } from '../../src/base/ids.js'
import type { Peer, PeerHello, Refusal, Transport } from '../../src/net/transport.js'

/** Who belongs to the cluster, as a replica sees it. */
export interface KnownMembers {
  /** Another object whenever the members are others. */
  readonly inForce: { readonly members: readonly Member[] }
  /** All whom this node has to reach. */
  readonly reached: readonly Member[]
  /** Who was a member and is none any more, for good. */
  readonly removed: readonly NodeId[]
}

/** The acquaintances of one life of a process. */
export class Acquaintances {
  readonly #self: NodeId
  readonly #cluster: ClusterId
  readonly #transport: Transport
  readonly #look: () => KnownMembers
  /** Who introduced itself, though this node does not know it as a member yet. */
  readonly #introduced = new Map<NodeId, Peer>()
  /** The members in force that the peers were last taken from. */
  #peersFor: KnownMembers['inForce'] | undefined

  /** `look` says whom the replica knows now. */
  constructor(self: NodeId, cluster: ClusterId, transport: Transport, look: () => KnownMembers) {
    this.#self = self
    this.#cluster = cluster
    this.#transport = transport
    this.#look = look
  }

  /** Tells the transport whom to reach, if the members are others than before. */
  follow(): void {
    const known = this.#look()
    if (known.inForce !== this.#peersFor) this.#setPeers(known)
  }

  /** Somebody calls who takes this node for `expected`. Returns why it is not let in, if so. */
  meet(caller: PeerHello, expected: NodeId): Refusal | undefined {
    if (caller.cluster !== this.#cluster) return { code: 'cluster', detail: {} }
    if (expected !== this.#self) return { code: 'identity', detail: {} }
    const known = this.#look()
    const { node: id, address, peerAddress } = caller
    if (known.removed.includes(id)) return { code: 'removed', detail: {} }
    if (!known.inForce.members.some(member => member.id === id)) {
      // It may be a member of which this node is yet to hear, and perhaps from nobody else.
      this.#introduced.set(id, { id, address, peerAddress })
      this.#setPeers(known)
    }
    return undefined
  }

  #setPeers({ inForce, reached, removed }: KnownMembers): void {
    const peers = new Map<NodeId, Peer>()
    for (const { id, address, peerAddress } of reached) {
      if (id !== this.#self) peers.set(id, { id, address, peerAddress })
    }
    for (const [id, peer] of this.#introduced) {
      if (removed.includes(id) || peers.has(id)) this.#introduced.delete(id)
      else peers.set(id, peer)
    }
    this.#peersFor = inForce
    this.#transport.setPeers([...peers.values()])
  }
}
