/**
 * A node: the client port, and, once it belongs to a cluster, the replica behind it. This file puts the parts together
 * and passes requests on. Where the node belongs is kept in residence.ts, and how nodes come to be of one cluster is in
 * control-desk.ts.
 */
import { requestId } from '../base/ids.js'
import type { AdminRequest, Backend } from '../net/client-backend.js'
import { type ClientServer, listenForClients } from '../net/client-server.js'
import type { Engine } from '../protocol/commands.js'
import {
  type ClusterEvent,
  type ClusterStatus,
  type Failure,
  failure,
  type Receiver,
  type Request,
  type Response,
} from '../protocol/request.js'
import { joinCluster } from './admission.js'
import { copiesDefault, type NodeConfig } from './config.js'
import { ControlDesk } from './control-desk.js'
import { formCluster } from './formation.js'
import type { Standing } from './identity.js'
import { notYet, Residence } from './residence.js'
import { programVersion } from './version.js'
import { type Preset, presetOf } from './warehouse.js'
import type { NodeWorld } from './world.js'

/** Why a node ended by itself, and what it exits with. */
export interface Ending {
  readonly reason: string
  readonly exitCode: number
}

/** How long a pause between two attempts to form or join is. */
const pauseMs = 200
/** How long requests under way may take to finish when the node stops. */
const drainMs = 2000

export class QuorateNode implements Backend {
  readonly engine: Engine
  readonly #config: NodeConfig
  readonly #preset: Preset
  readonly #world: NodeWorld
  readonly #residence: Residence
  readonly #desk: ControlDesk
  readonly #watchers = new Set<(event: ClusterEvent) => void>()
  readonly #onEnd: (ending: Ending) => void
  #server: ClientServer | undefined
  #isStopping = false

  private constructor(config: NodeConfig, world: NodeWorld, onEnd: (ending: Ending) => void) {
    this.#config = config
    this.engine = config.engine
    this.#preset = presetOf(config)
    this.#world = world
    this.#onEnd = onEnd
    this.#residence = new Residence(config, world, {
      onEvent: event => {
        for (const watcher of this.#watchers) watcher(event)
      },
      onFailure: error => this.#fail(error),
    })
    this.#desk = new ControlDesk({
      config,
      world,
      residence: this.#residence,
      ask: request => new Promise(resolve => this.submit(request, { answered: resolve })),
      whyNotServing: () => this.#whyNotServing(),
      isOpen: () => !this.#isStopping,
      pause: () => this.#pause(),
    })
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
    await this.#residence.host?.drain(drainMs)
    await this.#server?.close(drainMs)
    await this.#residence.host?.close()
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
    const { host } = this.#residence
    if (host !== undefined && refusal === undefined) return host.request(request, receiver)
    // Whoever waits to belong to a cluster can at least say so.
    const isWaiting = request.op === 'status' && (refusal === undefined || refusal === notYet)
    receiver.answered(isWaiting ? { kind: 'status', status: statusAlone(this.#config) } : (refusal ?? notYet))
    return 0
  }

  /** What is under way was asked of the host of today: one that is taken down answers everything first. */
  abandon(submission: number): void {
    this.#residence.host?.abandon(requestId(submission))
  }

  administer(request: AdminRequest, receiver: Receiver): void {
    const { op, address } = request
    const done = (response: Response): void => receiver.answered(response)
    const refusal = this.#whyNotServing()
    if (refusal !== undefined) done(refusal)
    else if (op === 'add-node') void this.#desk.addNode(address).then(done, error => this.#fail(error))
    else if (op === 'remove-node')
      this.submit({ op: 'remove-member', address }, this.#hearing(address, receiver))
    else if (op === 'leave') this.submit({ op: 'leave' }, receiver)
    else if (op === 'join') void this.#desk.joinRing(address).then(done, error => this.#fail(error))
    else this.submit({ op: 'transfer-leader', address }, receiver)
  }

  watch(listener: (event: ClusterEvent) => void): () => void {
    this.#watchers.add(listener)
    return () => this.#watchers.delete(listener)
  }

  control(message: Record<string, unknown>): Promise<Record<string, unknown>> {
    return this.#desk.answer(message)
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

  /**
   * Passes on what became of the removal of the node at `address`. If it is this one, the cluster may tell it that it
   * was removed before it answers the question.
   */
  #hearing(address: string, receiver: Receiver): Receiver {
    const isDone = ({ kind }: Response): boolean =>
      kind === 'error' && address === this.#config.address && this.#residence.standing.kind === 'removed'
    return {
      answered: response => receiver.answered(isDone(response) ? { kind: 'done' } : response),
    }
  }

  /** Why this node serves no clients, if it does not. */
  #refusal(): Failure | undefined {
    return this.#isStopping ? failure('STOPPING') : this.#residence.refusal
  }

  /** The same, where also whoever waits to belong to a cluster has nothing to say. */
  #whyNotServing(): Failure | undefined {
    return this.#refusal() ?? (this.#residence.host === undefined ? notYet : undefined)
  }

  async #start(): Promise<void> {
    const residence = this.#residence
    await residence.enter()
    try {
      this.#server = await this.#listen()
    } catch (error) {
      residence.host?.seal(failure('STOPPING'))
      await residence.host?.close()
      throw error
    }
    residence.settle()
    const { address, peerAddress } = this.#config
    const { self, standing } = residence
    this.#world.log.info({ identity: self.id, address, peerAddress, standing: standing.kind }, 'ready')
    this.#warnOfIdleFlags()
    this.#goOn(standing)
  }

  #listen(): Promise<ClientServer> {
    const { listenHost: host, port, address, lineBytesMax, connectionsMax, banner } = this.#config
    const { text } = this.#preset
    const version = programVersion()
    return listenForClients(this, {
      host,
      port,
      address,
      version,
      lineBytesMax,
      connectionsMax,
      banner,
      text,
    })
  }

  /** Whoever gave them may think that this node is with the others, where it is a cluster of its own. */
  #warnOfIdleFlags(): void {
    const { join, cluster } = this.#config
    const { standing, host } = this.#residence
    const isAlone = standing.kind === 'member' && host?.membership.members.length === 1
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
    const residence = this.#residence
    const common = {
      self: residence.self,
      ask,
      waitingFor: (reason: string) => log.info({}, `waiting for ${reason}`),
      pause: () => this.#pause(),
    }
    const isStill = (kind: Standing['kind']) => () => residence.standing.kind === kind && !this.#isStopping
    const end = (reason: string | undefined): void => {
      if (reason !== undefined) this.#end({ reason, exitCode: 1 })
    }
    if (standing.kind === 'forming') {
      const formed = formCluster({
        ...common,
        nodes: standing.nodes,
        likeness: this.#config,
        isForming: isStill('forming'),
        clusterBegun: () => {
          const now = residence.standing
          return now.kind === 'forming' ? now.cluster : undefined
        },
        beginCluster: () => residence.beginCluster(standing.nodes),
        found: (cluster, members) => residence.found(cluster, members),
      })
      formed.then(end, error => this.#fail(error))
    } else if (standing.kind === 'joining') {
      const joined = joinCluster({ ...common, members: this.#config.join, isJoining: isStill('joining') })
      joined.then(end, error => this.#fail(error))
    }
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

/** What a node can say that waits to belong to a cluster. */
function statusAlone({ engine, replicationFactor = copiesDefault }: NodeConfig): ClusterStatus {
  const alone = { leader: undefined, members: [], canLose: 0 }
  if (engine === 'raft') return { engine, ...alone }
  const nothingHeld = { records: 0, hintsMax: 0, moving: undefined, tombstones: 0 }
  return { engine, ...alone, replicationFactor, ...nothingHeld }
}
