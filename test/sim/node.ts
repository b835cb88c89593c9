/**
 * One simulated node: the real driver, replica, journal and peer codec on a simulated machine, disk, table and
 * network. It lives, is killed or loses power, and starts again from what its disk holds.
 *
 * What a process does before it is a member (finding its cluster, adopting nodes) is not played here: a node
 * either holds the first configuration from its founding or waits, promised, for a leader to bring it up.
 */
import { present } from '../../src/base/assert.js'
import { type ClusterId, logIndex, type Member, type NodeId, term } from '../../src/base/ids.js'
import type { Random } from '../../src/base/random.js'
import { decodeProposal } from '../../src/kv/command.js'
import type { Peer, PeerHello, Refusal, Transport } from '../../src/net/transport.js'
import { type ConsensusStore, openConsensusStore } from '../../src/node/consensus-store.js'
import { Driver, type Store } from '../../src/node/driver.js'
import type { ClusterEvent, Request, Response } from '../../src/protocol/request.js'
import { encodeConfiguration, findMember } from '../../src/raft/configuration.js'
import type { Configuration, RaftSaved } from '../../src/raft/types.js'
import { decodeMeta } from '../../src/replica/checkpoint.js'
import { decodeMessage, messageEncoder } from '../../src/replica/codec.js'
import { type ConsensusOptions, ConsensusReplica } from '../../src/replica/consensus.js'
import type { ConsensusMessage } from '../../src/replica/messages.js'
import { RecoveryError } from '../../src/replica/saved.js'
import { JournalDamaged } from '../../src/storage/journal.js'
import { isDiskError } from '../../src/storage/journal-spares.js'
import { MemoryTable } from '../../src/storage/memory-table.js'
import { digestOf } from './digest.js'
import { PowerCut, SimulatedDisk } from './disk.js'
import { openDiskTable } from './disk-table.js'
import { Ledger } from './ledger.js'
import { type Life, Machine, type MachineOptions } from './machine.js'
import type { SimulatedNetwork } from './network.js'
import { WatchedTable } from './watched-table.js'
import type { World } from './world.js'

export interface NodeOptions {
  readonly replica: ConsensusOptions
  readonly segmentBytes: number
  readonly flushMs: readonly [low: number, high: number]
  readonly checkpointMs: readonly [low: number, high: number]
  /** Whether flushes may hold the loop, as they do on a fast disk. */
  readonly inlineFlushes: boolean
  /** Timers come at most this much too late. */
  readonly timerLatenessMaxMs: number
  /** Checkpoints and snapshots are files on the disk, each step of which may be the last before a power cut. */
  readonly isTableOnDisk?: boolean
}

/** Where a node lives and who it is. */
export interface NodePlace {
  readonly name: string
  readonly member: Member
  readonly cluster: ClusterId
  readonly machine: MachineOptions
}

/** What a node tells those who watch the run. */
export interface NodeEvents {
  /** After every turn of its driver. */
  onTurn(node: SimulatedNode): void
  /** A checkpoint at this index begins, with this meta beside it. */
  onCheckpoint(node: SimulatedNode, index: number, meta: Uint8Array): void
  /** The table took the write of this identity, which stands at this index of the log. */
  onCarriedOut(node: SimulatedNode, index: number, identity: string): void
  /** Something broke a promise: the run has failed. */
  onViolation(what: string): void
  onEvent(node: SimulatedNode, event: ClusterEvent): void
}

/** What runs while the process lives. */
interface Running {
  readonly life: Life
  readonly replica: ConsensusReplica
  readonly driver: Driver<ConsensusMessage, RaftSaved>
  readonly store: ConsensusStore
  readonly transport: Transport
  /** Who introduced itself, though this node's own log does not know it yet. */
  readonly introduced: Map<NodeId, Peer>
  configuration: Configuration | undefined
  isStopping: boolean
}

/** Why a node cannot be started again. */
type Ending = 'removed' | 'damaged'

export class SimulatedNode {
  readonly name: string
  readonly member: Member
  readonly disk: SimulatedDisk
  readonly ledger = new Ledger()
  readonly machine: Machine
  readonly #world: World
  readonly #network: SimulatedNetwork
  readonly #options: NodeOptions
  readonly #events: NodeEvents
  readonly #random: Random
  readonly #cluster: ClusterId
  /** Outlives the process: what is not durable of it goes with each crash. */
  #table: MemoryTable
  #running: Running | undefined
  #life: Life | undefined
  #lives = 0
  #ending: Ending | undefined
  /** Somebody damaged what its disk holds: refusing to start is then right. */
  #mayBeDamaged = false

  constructor(
    world: World,
    network: SimulatedNetwork,
    place: NodePlace,
    options: NodeOptions,
    events: NodeEvents,
  ) {
    const { name } = place
    this.name = name
    this.member = place.member
    this.#world = world
    this.#network = network
    this.#options = options
    this.#events = events
    this.#cluster = place.cluster
    this.#random = world.random.fork(`node ${name}`)
    this.machine = new Machine(world, name, place.machine)
    // What the disk has to say waits with the process.
    this.disk = new SimulatedDisk(this.#random.fork('disk'), {
      monotonicMs: () => world.nowMs(),
      wallMs: () => 0,
      after: (delayMs, task) => world.after(delayMs, () => this.#life?.deliver(task)),
      soon: task => {
        world.after(0, () => this.#life?.deliver(task))
      },
    })
    this.setFlushMs(options.flushMs)
    const [low, high] = options.checkpointMs
    const onSet = (index: number): void => this.#onSet(index)
    this.#table = new WatchedTable(onSet, {
      complete: finish => this.#life?.clock.after(low + (high - low) * this.#random.float(), finish),
    })
  }

  /** The replica, while the process lives. */
  get replica(): ConsensusReplica | undefined {
    return this.#running?.replica
  }

  /** How many records the table has that are to expire, or have. */
  countExpiring(): number {
    return this.#running === undefined ? 0 : this.#table.expired(Number.MAX_SAFE_INTEGER, 1000).length
  }

  /** Stands for the contents of the table. */
  digest(): string | undefined {
    return this.#running && digestOf(this.#table)
  }

  /** How often it was started. */
  get lives(): number {
    return this.#lives
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** It was asked to stop, and has not ended yet. */
  get isStopping(): boolean {
    return this.#running?.isStopping === true
  }

  /** Why it will never start again, if so. */
  get ending(): Ending | undefined {
    return this.#ending
  }

  setFlushMs([low, high]: readonly [low: number, high: number]): void {
    this.disk.setFlushMs(low, high)
  }

  /** Writes the first entry of a new cluster onto the empty disk, as the node does that founds one. */
  found(configuration: Configuration): void {
    const clock = { monotonicMs: () => 0, wallMs: () => 0, after: () => () => {}, soon: () => {} }
    const table = new MemoryTable()
    const fail = (error: Error | undefined): void => {
      if (error !== undefined) throw error
    }
    const { segmentBytes } = this.#options
    const { store } = openConsensusStore(this.disk, table, {
      clock,
      segmentBytes,
      onDiskState: () => {},
      onFailure: fail,
    })
    const first = { index: logIndex(1), term: term(1) }
    const records: RaftSaved[] = [
      { kind: 'state', state: { term: term(1), votedFor: undefined } },
      {
        kind: 'entries',
        entries: [{ ...first, kind: 'configuration', data: encodeConfiguration(configuration) }],
      },
    ]
    store.save(records, 'inline', fail)
    this.ledger.saved(records)
    store.close()
    this.disk.kill()
  }

  /** Starts the process, if it is not running and may run. */
  start(): void {
    if (this.#running !== undefined || this.#ending !== undefined) return
    this.#lives++
    this.#life = this.machine.start(error => this.#onError(error))
    try {
      this.#running = this.#assemble(this.#life)
      this.#running.driver.start()
      this.#world.note(this.name, `starts (life ${this.#lives})`)
    } catch (error) {
      this.#onStartError(error)
    }
  }

  /** kill -9: the process is gone, its machine and what it wrote are not. */
  kill(): void {
    if (this.#life === undefined) return
    this.#world.note(this.name, 'killed')
    this.#end(false)
    this.disk.kill()
  }

  /** The machine loses power, and with it any part of what was not flushed. */
  cutPower(): void {
    if (this.#life === undefined) return
    this.#world.note(this.name, 'loses power')
    this.#end(true)
    this.disk.crash()
  }

  pause(): void {
    this.#life?.pause()
  }

  resume(): void {
    this.#life?.resume()
  }

  /** SIGTERM: it drains and hands leadership over; whoever asks kills it a little later. */
  stop(): void {
    const running = this.#running
    if (running === undefined) return
    this.#world.note(this.name, 'is asked to stop')
    running.isStopping = true
    running.life.deliver(() => running.driver.input({ kind: 'stop' }))
  }

  /** Flips a bit on the disk of a node that is down, in a segment that is not the newest. Returns whether it could. */
  damage(): boolean {
    if (this.#life !== undefined) return false
    const segments = this.disk.list().filter(name => /^journal\.\d+$/.test(name))
    // The newest ones may be spare, and damage to the last save cannot be told from a torn write.
    const old = segments.slice(0, -3)
    if (old.length === 0) return false
    const path = this.#random.pick(old)
    const size = this.disk.read(path)?.length ?? 0
    const offset = this.#random.below(Math.min(size, 1024))
    this.disk.corrupt(path, offset)
    this.#mayBeDamaged = true
    this.#world.note(this.name, `a bit of ${path} flips at ${offset}`)
    return true
  }

  /** Runs `task` as an input of the process: at once, when it wakes up, or never. */
  deliver(task: () => void): void {
    this.#life?.deliver(task)
  }

  /** Hands it a request, from within; the returned function says that nobody waits for the answer any more. */
  submit(request: Request, done: (response: Response) => void): () => void {
    const { driver } = present(this.#running, 'a process that takes a request')
    const id = driver.request(request, { answered: done })
    return () => driver.abandon(id)
  }

  #assemble(life: Life): Running {
    const random = this.#random.fork('life')
    const { segmentBytes, replica: options, inlineFlushes } = this.#options
    if (this.#options.isTableOnDisk === true) {
      this.#table = openDiskTable(this.disk, index => this.#onSet(index))
    }
    const table = this.#table
    let inputDiskState: ((state: 'full' | 'ok') => void) | undefined
    const storeOptions = {
      clock: life.clock,
      segmentBytes,
      inlineFlushMsMax: inlineFlushes ? 1 : 0,
      onDiskState: (state: 'full' | 'ok') => inputDiskState?.(state),
      onFailure: (error: Error) => this.#onError(error),
    }
    const opened = openConsensusStore(this.disk, table, storeOptions)
    const { store, state, log } = opened
    if (!this.#mayBeDamaged) {
      const missing = this.ledger.recovered(state, log)
      if (missing !== undefined) this.#events.onViolation(`${this.name} lost what was durable: ${missing}`)
    }
    const { member } = this
    const replica = new ConsensusReplica({ self: member, state, log, table, random, options })
    const transport = this.#connect(life)
    const encode = messageEncoder()
    const driver = new Driver<ConsensusMessage, RaftSaved>(replica, {
      clock: life.clock,
      tickMs: options.tickMs,
      store: this.#watchSaves(store),
      send: (to, message) => transport.send(to, encode(message)),
      flush: () => transport.flush(),
      onEvent: event => {
        this.#world.note(this.name, describeEvent(event))
        this.#events.onEvent(this, event)
      },
      onTurn: () => this.#onTurn(life),
      onFailure: error => this.#onError(error),
    })
    inputDiskState = state => driver.input({ kind: 'disk', state })
    return {
      life,
      replica,
      driver,
      store,
      transport,
      introduced: new Map(),
      configuration: undefined,
      isStopping: false,
    }
  }

  /** The table took a write: whose it was stands in the log. */
  #onSet(index: number): void {
    const entry = this.#running?.replica.raft.view.log.entry(logIndex(index))
    const identity = entry && decodeProposal(entry.data)?.write?.identity
    if (identity === undefined) return
    this.#events.onCarriedOut(this, index, `${identity.session}/${identity.counter}`)
  }

  /** The store, with the end of every flush noted in the ledger before anything can depend on it. */
  #watchSaves(store: ConsensusStore): Store<RaftSaved> {
    return {
      save: (records, mode, done) =>
        store.save(records, mode, error => {
          if (error === undefined) this.ledger.saved(records)
          done(error)
        }),
      checkpoint: (meta, done) => {
        const { index, term } = present(decodeMeta(meta), 'a meta to read').position
        if (!this.#mayBeDamaged && !this.ledger.holds(index, term)) {
          this.#events.onViolation(
            `${this.name} begins a checkpoint of what its journal does not hold: ${index}`,
          )
        }
        this.#events.onCheckpoint(this, index, meta)
        store.checkpoint(meta, done)
      },
      compact: index => store.compact(index),
    }
  }

  #connect(life: Life): Transport {
    const { id, address, peerAddress } = this.member
    const hello: PeerHello = { protocol: 1, cluster: this.#cluster, node: id, address, peerAddress }
    return this.#network.attach(life, hello, {
      onLine: (from, line) => {
        const message = decodeMessage(line)
        if (message === undefined) this.#events.onViolation(`${this.name} cannot read a message`)
        else this.#running?.driver.input({ kind: 'message', from, message })
      },
      onDisconnected: node => this.#running?.driver.input({ kind: 'disconnected', node }),
      onSlow: node => this.#running?.driver.input({ kind: 'slow', node }),
      onRefused: (_node, code) => {
        if (code === 'removed') this.#running?.driver.input({ kind: 'removed' })
      },
      onHello: (from, expected) => this.#onHello(from, expected),
    })
  }

  #onHello(hello: PeerHello, expected: NodeId): Refusal | undefined {
    const running = this.#running
    if (running === undefined || hello.cluster !== this.#cluster) return { code: 'cluster', detail: {} }
    if (expected !== this.member.id) return { code: 'identity', detail: {} }
    const { configuration, appliedConfiguration } = running.replica
    if (appliedConfiguration.removed.includes(hello.node)) return { code: 'removed', detail: {} }
    if (findMember(configuration, hello.node) === undefined) {
      // It may be a member of a later configuration that needs this node's vote to bring it here.
      const { node: id, address, peerAddress } = hello
      running.introduced.set(id, { id, address, peerAddress })
      this.#setPeers(running, configuration)
    }
    return undefined
  }

  #onTurn(life: Life): void {
    const running = this.#running
    if (running === undefined || running.life !== life) return
    const { configuration } = running.replica
    if (configuration !== running.configuration) {
      running.configuration = configuration
      this.#setPeers(running, configuration)
    }
    this.#events.onTurn(this)
  }

  #setPeers(running: Running, configuration: Configuration): void {
    const peers = new Map<NodeId, Peer>()
    const applied = running.replica.appliedConfiguration
    for (const { id, address, peerAddress } of [...applied.members, ...configuration.members]) {
      if (id !== this.member.id) peers.set(id, { id, address, peerAddress })
    }
    for (const [id, peer] of running.introduced) {
      if (running.replica.appliedConfiguration.removed.includes(id) || peers.has(id))
        running.introduced.delete(id)
      else peers.set(id, peer)
    }
    running.transport.setPeers([...peers.values()])
  }

  #onError(error: unknown): void {
    if (error instanceof PowerCut) {
      this.cutPower()
      return
    }
    if (isDiskError(error)) {
      this.#world.note(this.name, `stops: ${String(error)}`)
      this.#end(false)
      this.disk.kill()
      return
    }
    this.#end(false)
    const stack = error instanceof Error ? error.stack : undefined
    this.#events.onViolation(`${this.name} stopped by itself: ${stack ?? String(error)}`)
  }

  #onStartError(error: unknown): void {
    if (error instanceof JournalDamaged || error instanceof RecoveryError) {
      this.#world.note(this.name, `refuses to start: ${error.message}`)
      if (!this.#mayBeDamaged) this.#events.onViolation(`${this.name} refuses its own disk: ${error.message}`)
      this.#end(false)
      this.disk.kill()
      this.#ending = 'damaged'
      return
    }
    this.#onError(error)
  }

  /** Nothing of this life runs any more. */
  #end(silently: boolean): void {
    const life = this.#life
    if (life === undefined) return
    // The turn that is cut short may have told others what nobody has looked at yet.
    if (this.#running !== undefined) this.#events.onTurn(this)
    this.#network.killed(life, silently)
    life.end()
    this.#table.crash()
    this.#life = undefined
    this.#running = undefined
  }

  /** It is no member any more: what people do with such a process is to stop it. */
  retire(): void {
    this.#ending = 'removed'
    this.kill()
  }
}

function describeEvent(event: ClusterEvent): string {
  const { kind, ...rest } = event
  const details = Object.entries(rest).map(([name, value]) => `${name} ${value}`)
  return `* ${[kind, ...details].join(' ')}`
}
