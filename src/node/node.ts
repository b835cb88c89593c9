/**
 * A node: who it is, the client port, and, once it belongs to a cluster, the replica behind it. This file puts
 * the parts together and takes a node from one standing to the next (see identity.ts).
 */
import type { Clock } from '../base/clock.js'
import { type ClusterId, type Member, type NodeId, requestId } from '../base/ids.js'
import type { AdminRequest, Backend } from '../net/client-backend.js'
import { type ClientServer, listenForClients } from '../net/client-server.js'
import { type PeerHello, peerProtocolVersion } from '../net/transport.js'
import type { DataRequest } from '../protocol/command.js'
import type { Engine } from '../protocol/commands.js'
import { errorText } from '../protocol/errors.js'
import {
  type ClusterEvent,
  type ClusterStatus,
  type Failure,
  failure,
  type Receiver,
  type Request,
  type Response,
} from '../protocol/request.js'
import { type Adopter, adopt, joinCluster } from './admission.js'
import { copiesDefault, type NodeConfig } from './config.js'
import { plainIntroduction, readClusterId, type ToldStanding } from './control.js'
import { type Ask, whyNoAnswer } from './conversation.js'
import { formCluster } from './formation.js'
import type { Host, HostEvents } from './host.js'
import {
  type Identity,
  isUnbound,
  type KeptIdentity,
  newClusterId,
  newNodeId,
  type Standing,
} from './identity.js'
import { whyUnlike } from './likeness.js'
import { type Logger, logClusterEvent } from './logger.js'
import { programVersion } from './version.js'
import { type Preset, presetOf } from './warehouse.js'

/** The world of a node; real-world.ts gives the real one. */
export interface NodeWorld {
  readonly clock: Clock
  readonly ask: Ask
  /** The identity kept in the data directory, if there is one. */
  loadIdentity(): KeptIdentity | undefined
  /** Keeps the identity, durably, before it returns. */
  storeIdentity(identity: KeptIdentity): void
  /** Opens what belongs to an identity and begins to run. */
  openHost(self: Member, cluster: ClusterId, events: HostEvents): Promise<Host>
  /** Writes what a new cluster of these members begins with, in the place of whatever was there. */
  writeFoundation(self: Member, members: readonly Member[]): Promise<void>
  /** Appends, beside all safety, an entry to the node's log that makes it the only member of its cluster. */
  writeLoneConfiguration(self: Member): Promise<void>
  /** Removes what belongs to other identities than this one. */
  forgetOthers(node: NodeId): void
  readonly log: Logger
}

/** Why a node ended by itself, and what it exits with. */
export interface Ending {
  readonly reason: string
  readonly exitCode: number
}

/** How long a pause between two attempts to form or join is. */
const pauseMs = 200
/** How long requests under way may take to finish when the node stops. */
const drainMs = 2000
/** Joining may take that many request timeouts: a share of all the data takes its time to copy. */
const joinTimeouts = 60

export class QuorateNode implements Backend {
  readonly engine: Engine
  readonly #config: NodeConfig
  readonly #preset: Preset
  readonly #world: NodeWorld
  readonly #watchers = new Set<(event: ClusterEvent) => void>()
  readonly #onEnd: (ending: Ending) => void
  #identity: Identity
  #host: Host | undefined
  #server: ClientServer | undefined
  /** The cluster that knows this address under another identity, once it has called. */
  #mistakenBy: ClusterId | undefined
  /** Set while this node goes over to the cluster that adopts it. */
  #isMoving = false
  #isStopping = false

  private constructor(config: NodeConfig, world: NodeWorld, onEnd: (ending: Ending) => void) {
    this.#config = config
    this.engine = config.engine
    this.#preset = presetOf(config)
    this.#world = world
    this.#onEnd = onEnd
    const found = world.loadIdentity()
    const kept = found !== undefined && isToldAnew(found.standing, config) ? undefined : found
    if (kept !== undefined && kept.engine !== config.engine) throw new Error(otherEngine(config, kept))
    this.#identity = kept ?? { ...this.#firstIdentity(), engine: config.engine }
    // Only once: a node starts on a full disk, too, where it can still read.
    if (kept === undefined) this.#stand(this.#identity.standing)
    else {
      const mismatch = whyUnlike(kept, config)
      if (mismatch !== undefined) throw new Error(`this node does not fit to its data directory: ${mismatch}`)
    }
  }

  /**
   * Starts a node: opens its ports and data, and goes on where it stood. `onEnd` is called if it must end by
   * itself. Fails with what the ports and the disk say.
   */
  static async start(
    config: NodeConfig,
    world: NodeWorld,
    onEnd: (ending: Ending) => void,
  ): Promise<QuorateNode> {
    const node = new QuorateNode(config, world, onEnd)
    await node.#start()
    return node
  }

  /** Finishes what is under way, hands leadership over and closes everything. */
  async stop(): Promise<void> {
    if (this.#isStopping) return
    this.#isStopping = true
    this.#world.log.info({}, 'stopping')
    await this.#host?.drain(drainMs)
    await this.#server?.close(drainMs)
    await this.#host?.close()
    this.#world.log.info({}, 'stopped')
  }

  submit(asked: Request, asker: Receiver): number {
    const request = this.#preset.check(asked)
    if ('kind' in request) {
      asker.answered(request)
      return 0
    }
    const receiver = request.op === 'status' ? this.#decorated(asker) : asker
    const refusal = this.#refusal()
    if (this.#host !== undefined && refusal === undefined) return this.#host.request(request, receiver)
    // Whoever waits to belong to a cluster can at least say so.
    const isWaiting = request.op === 'status' && (refusal === undefined || refusal === notYet)
    receiver.answered(isWaiting ? { kind: 'status', status: statusAlone(this.#config) } : (refusal ?? notYet))
    return 0
  }

  /** What is under way was asked of the host of today: one that is taken down answers everything first. */
  abandon(submission: number): void {
    this.#host?.abandon(requestId(submission))
  }

  /** Passes the state of the cluster on as the preset shows it. */
  #decorated(receiver: Receiver): Receiver {
    return {
      answered: response =>
        receiver.answered(
          response.kind === 'status'
            ? { kind: 'status', status: this.#preset.decorate(response.status) }
            : response,
        ),
    }
  }

  administer(request: AdminRequest, receiver: Receiver): void {
    const { op, address } = request
    const done = (response: Response): void => receiver.answered(response)
    const refusal = this.#refusal() ?? (this.#host === undefined ? notYet : undefined)
    if (refusal !== undefined) done(refusal)
    else if (op === 'add-node') void this.#addNode(address).then(done, error => this.#fail(error))
    else if (op === 'remove-node')
      this.submit({ op: 'remove-member', address }, this.#hearing(address, receiver))
    else if (op === 'leave') this.submit({ op: 'leave' }, receiver)
    else if (op === 'join') void this.#joinRing(address).then(done, error => this.#fail(error))
    else this.submit({ op: 'transfer-leader', address }, receiver)
  }

  /**
   * Passes on what became of the removal of the node at `address`. If it is this one, the cluster may tell it that it
   * was removed before it answers the question.
   */
  #hearing(address: string, receiver: Receiver): Receiver {
    const isDone = ({ kind }: Response): boolean =>
      kind === 'error' && address === this.#config.address && this.#standing.kind === 'removed'
    return {
      answered: response => receiver.answered(isDone(response) ? { kind: 'done' } : response),
    }
  }

  watch(listener: (event: ClusterEvent) => void): () => void {
    this.#watchers.add(listener)
    return () => this.#watchers.delete(listener)
  }

  async control(message: Record<string, unknown>): Promise<Record<string, unknown>> {
    switch (message['op']) {
      case 'hello':
        return this.#introduce(message)
      case 'promise':
        return this.#promise(message)
      case 'adopt':
        return this.#beAdopted(message)
      case 'join':
        return this.#admit(message)
      default:
        return refuse(failure('UNKNOWN_COMMAND', { command: String(message['op']).slice(0, 64) }))
    }
  }

  get #self(): Member {
    const { address, peerAddress } = this.#config
    return { id: this.#identity.node, address, peerAddress }
  }

  get #standing(): Standing {
    return this.#identity.standing
  }

  /** Where a node stands that starts on an empty data directory. */
  #firstIdentity(): Pick<Identity, 'node' | 'standing'> {
    const node = newNodeId()
    const { cluster: nodes, join } = this.#config
    if (nodes.length > 0) return { node, standing: { kind: 'forming', nodes, cluster: undefined } }
    if (join.length > 0) return { node, standing: { kind: 'joining' } }
    return { node, standing: { kind: 'forming', nodes: [this.#config.address], cluster: newClusterId() } }
  }

  async #start(): Promise<void> {
    this.#world.forgetOthers(this.#identity.node)
    const standing = this.#standing
    // A cluster of one is founded on the spot, and so is one whose founding a crash interrupted. It stands only once
    // both ports are open: a start that fails leaves no cluster that a right one would have to go on with.
    const lone = standing.kind === 'forming' && standing.nodes.length === 1 ? standing.cluster : undefined
    if (lone !== undefined) {
      await this.#world.writeFoundation(this.#self, [this.#self])
      await this.#openHost(lone)
    } else if (standing.kind === 'member') {
      if (this.#config.forceNewCluster) await this.#forceNewCluster()
      else await this.#openHost(standing.cluster)
    } else if (this.#config.forceNewCluster) {
      throw new Error('--force-new-cluster needs the data directory of a member of a cluster.')
    }
    const { listenHost: host, port, address, lineBytesMax, connectionsMax, banner } = this.#config
    const version = programVersion()
    try {
      const { text } = this.#preset
      this.#server = await listenForClients(this, {
        host,
        port,
        address,
        version,
        lineBytesMax,
        connectionsMax,
        banner,
        text,
      })
    } catch (error) {
      this.#host?.seal(failure('STOPPING'))
      await this.#host?.close()
      throw error
    }
    const { peerAddress } = this.#config
    if (lone !== undefined) {
      this.#stand({ kind: 'member', cluster: lone })
      this.#world.log.info({ cluster: lone, members: [address] }, 'cluster formed')
    }
    this.#world.log.info(
      { identity: this.#identity.node, address, peerAddress, standing: this.#standing.kind },
      'ready',
    )
    this.#warnOfIdleFlags()
    this.#goOn(this.#standing)
  }

  /** Whoever gave them may think that this node is with the others, where it is a cluster of its own. */
  #warnOfIdleFlags(): void {
    const { join, cluster } = this.#config
    const isAlone = this.#standing.kind === 'member' && this.#host?.membership.members.length === 1
    const flag = join.length > 0 ? '--join' : cluster.length > 1 ? '--cluster' : undefined
    if (!isAlone || flag === undefined) return
    this.#world.log.warn(
      {},
      `${flag} is not looked at: this node is a cluster of its own, as its data directory says. To have it in ` +
        'another cluster, empty its data directory first, or type add-node there while it holds no data.',
    )
  }

  /** Takes up what the standing asks for and that goes on beside everything else. */
  #goOn(standing: Standing): void {
    const { log, ask } = this.#world
    const common = {
      self: this.#self,
      ask,
      waitingFor: (reason: string) => log.info({}, `waiting for ${reason}`),
      pause: () => this.#pause(),
    }
    const isStill = (kind: Standing['kind']) => () => this.#standing.kind === kind && !this.#isStopping
    const end = (reason: string | undefined): void => {
      if (reason !== undefined) this.#end({ reason, exitCode: 1 })
    }
    if (standing.kind === 'forming') {
      const formed = formCluster({
        ...common,
        nodes: standing.nodes,
        likeness: this.#config,
        isForming: isStill('forming'),
        clusterBegun: () => (this.#standing.kind === 'forming' ? this.#standing.cluster : undefined),
        beginCluster: () => this.#beginCluster(standing.nodes),
        found: (cluster, members) => this.#found(cluster, members),
      })
      formed.then(end, error => this.#fail(error))
    } else if (standing.kind === 'joining') {
      const joined = joinCluster({ ...common, members: this.#config.join, isJoining: isStill('joining') })
      joined.then(end, error => this.#fail(error))
    }
  }

  #beginCluster(nodes: readonly string[]): ClusterId {
    const { standing } = this.#identity
    if (standing.kind === 'forming' && standing.cluster !== undefined) return standing.cluster
    const cluster = newClusterId()
    this.#stand({ kind: 'forming', nodes, cluster })
    return cluster
  }

  async #found(cluster: ClusterId, members: readonly Member[]): Promise<void> {
    await this.#world.writeFoundation(this.#self, members)
    this.#stand({ kind: 'member', cluster })
    await this.#openHost(cluster)
    this.#world.log.info({ cluster, members: members.map(member => member.address) }, 'cluster formed')
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
    await this.#world.writeLoneConfiguration(this.#self)
    await this.#openHost(cluster)
  }

  #stand(standing: Standing, node: NodeId = this.#identity.node): void {
    const { preset, replicationFactor } = this.#config
    const identity = { node, engine: this.engine, standing }
    this.#world.storeIdentity({ ...identity, preset, replicationFactor })
    this.#identity = identity
  }

  async #openHost(cluster: ClusterId): Promise<void> {
    const host = await this.#world.openHost(this.#self, cluster, {
      onEvent: event => this.#onEvent(event),
      onFailure: error => this.#fail(error),
      onMistaken: (caller, expected) => this.#onMistaken(caller, expected),
      onRefused: (node, code, detail) =>
        this.#world.log.warn({ peer: node, code, ...detail }, 'peer refuses us'),
    })
    this.#host = host
  }

  #onEvent(event: ClusterEvent): void {
    logClusterEvent(this.#world.log, event)
    if (event.kind === 'removed' && this.#standing.kind === 'member') {
      const { cluster } = this.#standing
      this.#stand({ kind: 'removed', cluster })
    }
    for (const watcher of this.#watchers) watcher(event)
  }

  /** A cluster looks for another identity at this address: this node lost its data directory. */
  #onMistaken(caller: PeerHello, expected: NodeId): void {
    const isAlone = (this.#host?.membership.members.length ?? 0) <= 1
    if (this.#standing.kind !== 'member' || caller.cluster === this.#standing.cluster) return
    if (!isAlone || this.#mistakenBy !== undefined) return
    this.#mistakenBy = caller.cluster
    const text = errorText('NODE_REPLACED', { cluster: caller.cluster, address: this.#config.address })
    this.#world.log.error({ cluster: caller.cluster, expected, member: caller.address }, text)
  }

  /** Why this node serves no clients, if it does not. */
  #refusal(): Failure | undefined {
    if (this.#isStopping) return failure('STOPPING')
    if (this.#standing.kind === 'removed') return failure('NODE_REMOVED')
    if (this.#isMoving) return notYet
    if (this.#mistakenBy === undefined) return undefined
    return failure('NODE_REPLACED', { cluster: this.#mistakenBy, address: this.#config.address })
  }

  #introduce(message: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const standing = this.#standing
    const asker = message['asker']
    const members = this.#host?.membership.members ?? []
    const introduction = {
      protocol: peerProtocolVersion,
      engine: this.engine,
      member: this.#self,
      standing: this.#toldStanding(),
      cluster: 'cluster' in standing ? standing.cluster : undefined,
      nodes:
        standing.kind === 'forming' ? standing.nodes : standing.kind === 'joining' ? this.#config.join : [],
      preset: this.#config.preset,
      replicationFactor: this.#config.replicationFactor,
      knownAs: members.find(member => member.address === asker)?.id,
    }
    return plainIntroduction(introduction)
  }

  #toldStanding(): ToldStanding {
    const { kind } = this.#standing
    if (kind !== 'member') return kind
    const host = this.#host
    if (host === undefined || host.isBlank) return 'promised'
    return host.membership.members.length === 1 && host.isPristine ? 'pristine' : 'member'
  }

  /** The first of the list asks this node to promise itself to the cluster that is being formed. */
  async #promise(message: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    const cluster = readClusterId(message['cluster'])
    const standing = this.#standing
    if (cluster === undefined) return refuse(failure('INVALID_JSON', { reason: 'cluster is missing.' }))
    if (standing.kind === 'member' && standing.cluster === cluster) return { ...plainMember(this.#self) }
    const nodes = message['nodes']
    const isSame =
      standing.kind === 'forming' &&
      Array.isArray(nodes) &&
      nodes.length === standing.nodes.length &&
      standing.nodes.every((node, at) => node === nodes[at])
    if (!isSame || standing.cluster !== undefined) {
      return refuse(this.#unwilling('it is not waiting for that list of nodes.'))
    }
    this.#stand({ kind: 'member', cluster })
    await this.#openHost(cluster)
    return plainMember(this.#self)
  }

  /** A member of a living cluster takes this unused node in. */
  async #beAdopted(message: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    const cluster = readClusterId(message['cluster'])
    if (cluster === undefined) return refuse(failure('INVALID_JSON', { reason: 'cluster is missing.' }))
    const standing = this.#standing
    const host = this.#host
    if (this.#isMoving) return refuse(this.#unwilling('it is being added already.'))
    if (standing.kind === 'member' && standing.cluster === cluster && host?.isBlank === true) {
      return plainMember(this.#self)
    }
    const refusal = this.#whyNotAdopted()
    if (refusal !== undefined) return refuse(this.#unwilling(refusal))
    // From here to the new standing nothing is acknowledged: the loop stands still, requests are refused.
    this.#isMoving = true
    host?.seal(failure('LEADER_UNAVAILABLE'))
    this.#host = undefined
    await host?.close()
    this.#stand({ kind: 'member', cluster }, newNodeId())
    this.#world.forgetOthers(this.#identity.node)
    this.#mistakenBy = undefined
    await this.#openHost(cluster)
    this.#isMoving = false
    this.#world.log.info({ cluster, identity: this.#identity.node }, 'adopted by a cluster')
    return plainMember(this.#self)
  }

  #whyNotAdopted(): string | undefined {
    switch (this.#toldStanding()) {
      case 'pristine':
      case 'joining':
        return undefined
      case 'forming':
        return 'it waits for the nodes of its --cluster list.'
      case 'promised':
        return 'it has promised itself to another cluster.'
      case 'removed':
        return 'it was removed from its cluster. Empty its data directory and start it again.'
      case 'member': {
        const isAlone = (this.#host?.membership.members.length ?? 0) <= 1
        return isAlone
          ? 'it holds data. Empty its data directory and start it again, or keep it as it is.'
          : 'it belongs to another cluster.'
      }
    }
  }

  #unwilling(reason: string): Failure {
    return failure('NODE_REFUSED', { node: this.#config.address, reason })
  }

  /** A node asks this member to add it. It is told as soon as it is adopted; the rest goes on by itself. */
  async #admit(message: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    const { address } = message
    if (typeof address !== 'string') return refuse(failure('INVALID_JSON', { reason: 'address is missing.' }))
    const refusal = this.#refusal() ?? (this.#host === undefined ? notYet : undefined)
    if (refusal !== undefined) return refuse(refusal)
    const adopted = await this.#adopt(address)
    if ('kind' in adopted) return refuse(adopted)
    this.#proposeMember(adopted)
    return {}
  }

  async #addNode(address: string): Promise<Response> {
    const adopted = await this.#adopt(address)
    if ('kind' in adopted) return adopted
    return new Promise(resolve => this.submit({ op: 'add-member', member: adopted }, { answered: resolve }))
  }

  /** Asks a member of a ring to add this node, and waits until it is a member with its share of the keys. */
  async #joinRing(address: string): Promise<Response> {
    const refusal = this.#whyNotJoining(address)
    if (refusal !== undefined) return failure('JOIN_REFUSED', { reason: refusal })
    const told = await this.#world.ask(address, { op: 'join', address: this.#config.address })
    if (told.kind !== 'answer') {
      const reason = told.kind === 'refused' ? told.reason : undefined
      return failure('JOIN_REFUSED', { reason: reason ?? whyNoAnswer(told) })
    }
    const { clock } = this.#world
    const deadlineMs = clock.monotonicMs() + joinTimeouts * this.#config.requestTimeoutMs
    while (!this.#isStopping && clock.monotonicMs() < deadlineMs) {
      const response = await this.#ask({ op: 'status' })
      const members = response.kind === 'status' ? response.status.members : []
      if (members.some(({ id, role }) => id === this.#identity.node && role === 'up')) return { kind: 'done' }
      await this.#pause()
    }
    return failure('OUTCOME_UNKNOWN')
  }

  /** As for being added; but whoever types it here has only this node in mind. */
  #whyNotJoining(address: string): string | undefined {
    if (address === this.#config.address) return 'that is this node itself. Name a member of the ring.'
    const isAmongOthers = (this.#host?.membership.members.length ?? 0) > 1
    if (this.#toldStanding() === 'member' && isAmongOthers) return 'it belongs to a ring already.'
    return this.#whyNotAdopted()
  }

  #ask(request: DataRequest): Promise<Response> {
    return new Promise(resolve => this.submit(request, { answered: resolve }))
  }

  /** Has a node promise itself to this node's cluster. */
  async #adopt(address: string): Promise<Member | Failure> {
    const standing = this.#standing
    const host = this.#host
    if (standing.kind !== 'member' || host === undefined) return notYet
    const { engine, preset, replicationFactor } = this.#config
    const adopter: Adopter = {
      ask: this.#world.ask,
      self: this.#self,
      cluster: standing.cluster,
      members: host.membership.members,
      // What a ring was founded with counts, whatever this member of it was started with.
      likeness: { engine, preset, replicationFactor: host.membership.copies ?? replicationFactor },
    }
    return adopt(adopter, address)
  }

  #proposeMember(member: Member): void {
    const answered = (response: Response): void => {
      if (response.kind !== 'error') return
      const text = errorText(response.code, response.details)
      this.#world.log.warn({ address: member.address, code: response.code }, `adding a node: ${text}`)
    }
    this.submit({ op: 'add-member', member }, { answered })
  }

  #pause(): Promise<void> {
    return new Promise(resolve => this.#world.clock.after(pauseMs, resolve))
  }

  #fail(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    this.#world.log.error({ error }, reason)
    this.#end({ reason, exitCode: 1 })
  }

  #end(ending: Ending): void {
    if (this.#isStopping) return
    this.#onEnd(ending)
  }
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

const notYet = failure('NOT_A_MEMBER')

/** What a node can say that waits to belong to a cluster. */
function statusAlone({ engine, replicationFactor = copiesDefault }: NodeConfig): ClusterStatus {
  const alone = { leader: undefined, members: [], canLose: 0 }
  if (engine === 'raft') return { engine, ...alone }
  const nothingHeld = { records: 0, hintsMax: 0, moving: undefined, tombstones: 0 }
  return { engine, ...alone, replicationFactor, ...nothingHeld }
}

function otherEngine({ dataDirectory, engine }: NodeConfig, kept: Identity): string {
  return (
    `The data directory ${dataDirectory} belongs to a node of the ${kept.engine} engine. Start it with ` +
    `--engine ${kept.engine}, or give the ${engine} engine another --data-dir.`
  )
}

function plainMember({ id, address, peerAddress }: Member): Record<string, unknown> {
  return { node: id, address, peerAddress }
}

/** A refusal as an answer of the control conversation. The reason by itself is for those who have words of their own. */
function refuse({ code, details }: Failure): Record<string, unknown> {
  return { ok: false, code, message: errorText(code, details), reason: details?.['reason'] }
}
