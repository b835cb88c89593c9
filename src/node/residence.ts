/**
 * Where a node lives: its identity, where it stands (identity.ts), and, once it belongs to a cluster, the host that runs
 * for it there. All steps from one standing to the next are taken here. Who asks for them is elsewhere: the node itself
 * (node.ts), and other nodes (control-desk.ts).
 *
 * What must always hold:
 * - a standing is durable before anything is done that depends on it;
 * - between two clusters nothing is acknowledged: one host is sealed and closed before the next is opened.
 */
import type { ClusterId, Member, NodeId } from '../base/ids.js'
import type { PeerHello } from '../net/transport.js'
import { errorText } from '../protocol/errors.js'
import { type ClusterEvent, type Failure, failure } from '../protocol/request.js'
import type { NodeConfig } from './config.js'
import type { ToldStanding } from './control.js'
import type { Host } from './host.js'
import { type Identity, isUnbound, newClusterId, newNodeId, type Standing } from './identity.js'
import { whyUnlike } from './likeness.js'
import { logClusterEvent } from './logger.js'
import type { NodeWorld } from './world.js'

/** What a residence tells its node. */
export interface ResidenceEvents {
  /** What happens in its cluster; it is in the log already. */
  onEvent(event: ClusterEvent): void
  /** The disk or our own reasoning failed: the node must stop. */
  onFailure(error: Error): void
}

/** The refusal of whoever does not belong to a cluster, or not yet. */
export const notYet = failure('NOT_A_MEMBER')

/** See the head of this file. */
export class Residence {
  readonly #config: NodeConfig
  readonly #world: NodeWorld
  readonly #events: ResidenceEvents
  #identity: Identity
  #host: Host | undefined
  /** The cluster that knows this address under another identity, once it has called. */
  #mistakenBy: ClusterId | undefined
  /** Set while this node goes over to the cluster that adopts it. */
  #isMoving = false

  /**
   * Who the node is by its data directory, or somebody new, which is then kept there. Fails where the node is started as
   * something that its data directory is not.
   */
  constructor(config: NodeConfig, world: NodeWorld, events: ResidenceEvents) {
    this.#config = config
    this.#world = world
    this.#events = events
    const found = world.loadIdentity()
    const kept = found !== undefined && isToldAnew(found.standing, config) ? undefined : found
    if (kept !== undefined && kept.engine !== config.engine) throw new Error(otherEngine(config, kept))
    this.#identity = kept ?? { ...firstIdentity(config), engine: config.engine }
    // Only once: a node starts on a full disk, too, where it can still read.
    if (kept === undefined) this.#stand(this.#identity.standing)
    else {
      const mismatch = whyUnlike(kept, config)
      if (mismatch !== undefined) throw new Error(`this node does not fit to its data directory: ${mismatch}`)
    }
  }

  /** This node, as the others know it. */
  get self(): Member {
    const { address, peerAddress } = this.#config
    return { id: this.#identity.node, address, peerAddress }
  }

  get standing(): Standing {
    return this.#identity.standing
  }

  /** What runs for this node in its cluster; undefined while it belongs to none. */
  get host(): Host | undefined {
    return this.#host
  }

  /** Whether an adoption is under way. */
  get isMoving(): boolean {
    return this.#isMoving
  }

  /** Whether nobody else is a member of the cluster that it knows of. */
  get isAlone(): boolean {
    return (this.#host?.membership.members.length ?? 0) <= 1
  }

  /** Where it stands, as it tells other nodes. */
  get toldStanding(): ToldStanding {
    const { kind } = this.standing
    if (kind !== 'member') return kind
    const host = this.#host
    if (host === undefined || host.isBlank) return 'promised'
    return host.membership.members.length === 1 && host.isPristine ? 'pristine' : 'member'
  }

  /** Why the node serves no clients, if it does not; it may still wait to belong to a cluster. */
  get refusal(): Failure | undefined {
    if (this.standing.kind === 'removed') return failure('NODE_REMOVED')
    if (this.#isMoving) return notYet
    if (this.#mistakenBy === undefined) return undefined
    return failure('NODE_REPLACED', { cluster: this.#mistakenBy, address: this.#config.address })
  }

  /** Goes on where it stood; {@link settle} comes once the client port is open. */
  async enter(): Promise<void> {
    const { forceNewCluster } = this.#config
    const { standing } = this
    this.#world.forgetOthers(this.#identity.node)
    const lone = loneCluster(standing)
    if (lone !== undefined) {
      await this.#world.writeFoundation(this.self, [this.self])
      await this.#openHost(lone)
    } else if (standing.kind === 'member') {
      if (forceNewCluster) await this.#forceNewCluster()
      else await this.#openHost(standing.cluster)
    } else if (forceNewCluster) {
      throw new Error('--force-new-cluster needs the data directory of a member of a cluster.')
    }
  }

  /**
   * A cluster of one stands only now, with both ports open: a start that failed leaves no cluster that a right one would
   * have to go on with.
   */
  settle(): void {
    const lone = loneCluster(this.standing)
    if (lone === undefined) return
    this.#stand({ kind: 'member', cluster: lone })
    this.#world.log.info({ cluster: lone, members: [this.#config.address] }, 'cluster formed')
  }

  /** The cluster for which this node, as the first of its list, gathers promises; the first call names it. */
  beginCluster(nodes: readonly string[]): ClusterId {
    const { standing } = this
    if (standing.kind === 'forming' && standing.cluster !== undefined) return standing.cluster
    const cluster = newClusterId()
    this.#stand({ kind: 'forming', nodes, cluster })
    return cluster
  }

  /** All of the list have promised themselves: the cluster begins here. */
  async found(cluster: ClusterId, members: readonly Member[]): Promise<void> {
    await this.#world.writeFoundation(this.self, members)
    this.#stand({ kind: 'member', cluster })
    await this.#openHost(cluster)
    this.#world.log.info({ cluster, members: members.map(member => member.address) }, 'cluster formed')
  }

  /** Promises itself to a cluster of its list, whose first node brings it up. */
  async promise(cluster: ClusterId): Promise<void> {
    this.#stand({ kind: 'member', cluster })
    await this.#openHost(cluster)
  }

  /** Goes over to a cluster that adopts it, as somebody new and with nothing. */
  async moveTo(cluster: ClusterId): Promise<void> {
    // From here to the new standing nothing is acknowledged: the loop stands still, requests are refused.
    this.#isMoving = true
    const host = this.#host
    host?.seal(failure('LEADER_UNAVAILABLE'))
    this.#host = undefined
    await host?.close()
    this.#stand({ kind: 'member', cluster }, newNodeId())
    this.#world.forgetOthers(this.#identity.node)
    this.#mistakenBy = undefined
    await this.#openHost(cluster)
    this.#isMoving = false
    this.#world.log.info({ cluster, identity: this.#identity.node }, 'adopted by a cluster')
  }

  /**
   * The majority is lost for good, as somebody says. The new cluster's id comes first: whatever becomes of the
   * rest, this node never again speaks to members of the old one, who may have gone on without it.
   */
  async #forceNewCluster(): Promise<void> {
    const cluster = newClusterId()
    this.#world.log.warn(
      { cluster },
      'FORCING A NEW CLUSTER of this node alone. Writes that only the lost nodes knew of are gone. Never start ' +
        'nodes of the old cluster again on their old data: empty their data directories and add them.',
    )
    this.#stand({ kind: 'member', cluster })
    await this.#world.writeLoneConfiguration(this.self)
    await this.#openHost(cluster)
  }

  #stand(standing: Standing, node: NodeId = this.#identity.node): void {
    const { engine, preset, replicationFactor } = this.#config
    const identity = { node, engine, standing }
    this.#world.storeIdentity({ ...identity, preset, replicationFactor })
    this.#identity = identity
  }

  async #openHost(cluster: ClusterId): Promise<void> {
    const host = await this.#world.openHost(this.self, cluster, {
      onEvent: event => this.#onEvent(event),
      onFailure: error => this.#events.onFailure(error),
      onMistaken: (caller, expected) => this.#onMistaken(caller, expected),
      onRefused: (node, code, detail) =>
        this.#world.log.warn({ peer: node, code, ...detail }, 'peer refuses us'),
    })
    this.#host = host
  }

  #onEvent(event: ClusterEvent): void {
    logClusterEvent(this.#world.log, event)
    if (event.kind === 'removed' && this.standing.kind === 'member') {
      const { cluster } = this.standing
      this.#stand({ kind: 'removed', cluster })
    }
    this.#events.onEvent(event)
  }

  /** A cluster looks for another identity at this address: this node lost its data directory. */
  #onMistaken(caller: PeerHello, expected: NodeId): void {
    if (this.standing.kind !== 'member' || caller.cluster === this.standing.cluster) return
    if (!this.isAlone || this.#mistakenBy !== undefined) return
    this.#mistakenBy = caller.cluster
    const text = errorText('NODE_REPLACED', { cluster: caller.cluster, address: this.#config.address })
    this.#world.log.error({ cluster: caller.cluster, expected, member: caller.address }, text)
  }
}

/**
 * The cluster of a node that is alone in its list: it is founded on the spot, and so is one whose founding a crash
 * interrupted. Undefined for any other node.
 */
function loneCluster(standing: Standing): ClusterId | undefined {
  return standing.kind === 'forming' && standing.nodes.length === 1 ? standing.cluster : undefined
}

/** Who a node is, and where it stands, that starts on an empty data directory. */
function firstIdentity({ cluster: nodes, join, address }: NodeConfig): Pick<Identity, 'node' | 'standing'> {
  const node = newNodeId()
  if (nodes.length > 0) return { node, standing: { kind: 'forming', nodes, cluster: undefined } }
  if (join.length > 0) return { node, standing: { kind: 'joining' } }
  return { node, standing: { kind: 'forming', nodes: [address], cluster: newClusterId() } }
}

/**
 * Whether a node that stands here is told something else than it was. One that has only waited to be added has
 * nothing to go on with; one that waits for others goes on waiting for the same ones unless it is told of others.
 */
function isToldAnew(standing: Standing, { join, cluster }: NodeConfig): boolean {
  if (!isUnbound(standing)) return false
  if (standing.kind !== 'forming' || join.length > 0) return true
  return cluster.length > 0 && cluster.join() !== standing.nodes.join()
}

function otherEngine({ dataDirectory, engine }: NodeConfig, kept: Identity): string {
  return (
    `The data directory ${dataDirectory} belongs to a node of the ${kept.engine} engine. Start it with ` +
    `--engine ${kept.engine}, or give the ${engine} engine another --data-dir.`
  )
}
