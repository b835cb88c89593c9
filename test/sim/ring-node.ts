/**
 * One simulated node of a ring: the real driver, leaderless replica, journal, store and peer codec on a simulated
 * machine, disk, table and network. It lives, is killed or loses power, and starts again from what its disk holds.
 *
 * As in node.ts, what a process does before it is a member is not played: a node holds the list of members from its
 * founding, or waits, promised, for a member to let it in.
 */
import { present } from '../../src/base/assert.js'
import type { ClusterId, Member, NodeId } from '../../src/base/ids.js'
import type { Random } from '../../src/base/random.js'
import type { Peer, PeerHello, Refusal, Transport } from '../../src/net/transport.js'
import { Driver } from '../../src/node/driver.js'
import { type LeaderlessStore, openLeaderlessStore } from '../../src/node/leaderless-store.js'
import type { ClusterEvent, Request, Response } from '../../src/protocol/request.js'
import { type LeaderlessOptions, LeaderlessReplica } from '../../src/replica/leaderless.js'
import { decodeLeaderless, encodeLeaderless } from '../../src/replica/leaderless-codec.js'
import type { LeaderlessMessage } from '../../src/replica/leaderless-messages.js'
import { RecoveryError } from '../../src/replica/saved.js'
import type { SavedRow } from '../../src/replica/saved-rows.js'
import type { Ring } from '../../src/ring/ring.js'
import type { MemberList, RingRows } from '../../src/ring/types.js'
import { JournalDamaged } from '../../src/storage/journal.js'
import { isDiskError } from '../../src/storage/journal-spares.js'
import { MemoryTable } from '../../src/storage/memory-table.js'
import { PowerCut, SimulatedDisk } from './disk.js'
import { openDiskTable } from './disk-table.js'
import { type Life, Machine, type MachineOptions } from './machine.js'
import type { SimulatedNetwork } from './network.js'
import type { World } from './world.js'

export interface RingNodeOptions {
  readonly replica: LeaderlessOptions
  readonly segmentBytes: number
  readonly flushMs: readonly [low: number, high: number]
  readonly checkpointMs: readonly [low: number, high: number]
  /** Whether flushes may hold the loop, as they do on a fast disk. */
  readonly inlineFlushes: boolean
  /** Checkpoints are files on the disk, each step of which may be the last before a power cut. */
  readonly isTableOnDisk: boolean
}

/** Where a node lives and who it is. */
export interface RingNodePlace {
  readonly name: string
  readonly member: Member
  readonly cluster: ClusterId
  readonly machine: MachineOptions
}

/** What a node tells those who watch the run. */
export interface RingNodeEvents {
  /** A row was written to its table, durable or not. */
  onRow(rowKey: string, value: Uint8Array): void
  /** Something broke a promise: the run has failed. */
  onViolation(what: string): void
}

/** What runs while the process lives. */
interface Running {
  readonly life: Life
  readonly replica: LeaderlessReplica
  readonly driver: Driver<LeaderlessMessage, SavedRow>
  readonly store: LeaderlessStore
  readonly transport: Transport
  /** Who introduced itself, though this node's own list does not name it yet. */
  readonly introduced: Map<NodeId, Peer>
  list: MemberList | undefined
  isStopping: boolean
}

export class SimulatedRingNode {
  readonly name: string
  readonly member: Member
  readonly disk: SimulatedDisk
  readonly machine: Machine
  readonly #world: World
  readonly #network: SimulatedNetwork
  readonly #options: RingNodeOptions
  readonly #events: RingNodeEvents
  readonly #random: Random
  readonly #cluster: ClusterId
  /** Outlives the process: what is not durable of it goes with each crash. */
  #table: MemoryTable
  #running: Running | undefined
  #life: Life | undefined
  #lives = 0

  constructor(
    world: World,
    network: SimulatedNetwork,
    place: RingNodePlace,
    options: RingNodeOptions,
    events: RingNodeEvents,
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
    this.#table = new MemoryTable({
      complete: finish => this.#life?.clock.after(low + (high - low) * this.#random.float(), finish),
    })
  }

  /** The ring, while the process lives. */
  get ring(): Ring | undefined {
    return this.#running?.replica.ring
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** It was asked to stop, and has not ended yet. */
  get isStopping(): boolean {
    return this.#running?.isStopping === true
  }

  setFlushMs([low, high]: readonly [low: number, high: number]): void {
    this.disk.setFlushMs(low, high)
  }

  /** Writes the first list of members onto the empty disk, as a node does that founds a ring. */
  found(members: readonly Member[], copies: number): void {
    const clock = { monotonicMs: () => 0, wallMs: () => 0, after: () => () => {}, soon: () => {} }
    const fail = (error: Error | undefined): void => {
      if (error !== undefined) throw error
    }
    const { segmentBytes, replica: options } = this.#options
    const told = { clock, segmentBytes, onDiskState: () => {}, onFailure: fail }
    const { store, ...held } = openLeaderlessStore(this.disk, new MemoryTable(), told)
    const random = this.#random.fork('founding')
    const founding = { members, copies }
    const replica = new LeaderlessReplica({ ...held, self: this.member, founding, random, options })
    store.save(replica.takeEffects().save, 'inline', fail)
    store.close()
    this.disk.kill()
  }

  /** Starts the process, if it is not running. */
  start(): void {
    if (this.#running !== undefined) return
    this.#lives++
    this.#life = this.machine.start(error => this.#onError(error))
    try {
      this.#running = this.#assemble(this.#life)
      this.#running.driver.start()
      this.#updatePeers(this.#running)
      this.#world.note(this.name, `starts (life ${this.#lives})`)
    } catch (error) {
      this.#onError(error)
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

  /** SIGTERM: it drains; whoever asks kills it a little later. */
  stop(): void {
    const running = this.#running
    if (running === undefined) return
    this.#world.note(this.name, 'is asked to stop')
    running.isStopping = true
    running.life.deliver(() => running.driver.input({ kind: 'stop' }))
  }

  /** Runs `task` as an input of the process: at once, when it wakes up, or never. */
  deliver(task: () => void): void {
    this.#life?.deliver(task)
  }

  /** Hands it a request, from within. */
  submit(request: Request, done: (response: Response) => void): void {
    present(this.#running, 'a process that takes a request').driver.request(request, { answered: done })
  }

  #assemble(life: Life): Running {
    const { segmentBytes, replica: options, inlineFlushes } = this.#options
    if (this.#options.isTableOnDisk) this.#table = openDiskTable(this.disk, () => {})
    let inputDiskState: ((state: 'full' | 'ok') => void) | undefined
    const { store, rows, ...held } = openLeaderlessStore(this.disk, this.#table, {
      clock: life.clock,
      segmentBytes,
      inlineFlushMsMax: inlineFlushes ? 1 : 0,
      onDiskState: state => inputDiskState?.(state),
      onFailure: error => this.#onError(error),
    })
    const watched: RingRows = {
      get: rowKey => rows.get(rowKey),
      set: (rowKey, value) => {
        rows.set(rowKey, value)
        this.#events.onRow(rowKey, value)
      },
      delete: rowKey => rows.delete(rowKey),
      keys: (prefix, after, limit) => rows.keys(prefix, after, limit),
    }
    const replica = new LeaderlessReplica({
      ...held,
      rows: watched,
      self: this.member,
      founding: undefined,
      random: this.#random.fork(`life ${this.#lives}`),
      options,
    })
    const transport = this.#connect(life)
    const driver = new Driver<LeaderlessMessage, SavedRow>(replica, {
      clock: life.clock,
      tickMs: options.tickMs,
      store,
      send: (to, message) => transport.send(to, encodeLeaderless(message)),
      flush: () => transport.flush(),
      onEvent: event => this.#world.note(this.name, describeEvent(event)),
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
      list: undefined,
      isStopping: false,
    }
  }

  #connect(life: Life): Transport {
    const { id, address, peerAddress } = this.member
    const hello: PeerHello = { protocol: 1, cluster: this.#cluster, node: id, address, peerAddress }
    return this.#network.attach(life, hello, {
      onLine: (from, line) => {
        const message = decodeLeaderless(line)
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
    const known = running.replica.ring.list.members.find(({ id }) => id === hello.node)
    if (known?.standing === 'gone') return { code: 'removed', detail: {} }
    if (known === undefined) {
      const { node: id, address, peerAddress } = hello
      running.introduced.set(id, { id, address, peerAddress })
      this.#updatePeers(running)
    }
    return undefined
  }

  #onTurn(life: Life): void {
    const running = this.#running
    if (running === undefined || running.life !== life) return
    if (running.replica.ring.list !== running.list) this.#updatePeers(running)
  }

  #updatePeers(running: Running): void {
    const { list } = running.replica.ring
    running.list = list
    const peers = new Map<NodeId, Peer>(running.introduced)
    for (const { id, address, peerAddress, standing } of list.members) {
      running.introduced.delete(id)
      if (standing === 'gone' || id === this.member.id) peers.delete(id)
      else peers.set(id, { id, address, peerAddress })
    }
    running.transport.setPeers([...peers.values()])
  }

  #onError(error: unknown): void {
    if (error instanceof PowerCut) {
      this.cutPower()
      return
    }
    this.#world.note(this.name, `stops: ${String(error)}`)
    this.#end(false)
    if (isDiskError(error)) {
      this.disk.kill()
      return
    }
    const isRefusal = error instanceof JournalDamaged || error instanceof RecoveryError
    const stack = error instanceof Error ? error.stack : undefined
    this.#events.onViolation(
      isRefusal
        ? `${this.name} refuses its own disk: ${error.message}`
        : `${this.name} stopped by itself: ${stack ?? String(error)}`,
    )
  }

  /** Nothing of this life runs any more. */
  #end(silently: boolean): void {
    const life = this.#life
    if (life === undefined) return
    this.#network.killed(life, silently)
    life.end()
    this.#table.crash()
    this.#life = undefined
    this.#running = undefined
  }
}

function describeEvent(event: ClusterEvent): string {
  const { kind, ...rest } = event
  const details = Object.entries(rest).map(([name, value]) => `${name} ${value}`)
  return `* ${[kind, ...details].join(' ')}`
}
