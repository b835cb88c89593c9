/**
 * The life of one simulated node, whatever engine it runs: a process with the real driver on a simulated machine,
 * disk, table and network. It starts, is paused, killed or loses power, and starts again from what its disk holds.
 * What its replica is, how its messages are read and what is found wrong with it is for those who extend this.
 *
 * What a process does before it is a member (finding its cluster, adopting nodes) is not played here: a node
 * either holds what its cluster was founded on or waits, promised, for a member to bring it in.
 */
import { present } from '../../src/base/assert.js'
import type { ClusterId, Member } from '../../src/base/ids.js'
import type { Random } from '../../src/base/random.js'
import type { TableRecord } from '../../src/kv/table.js'
import type { PeerHello, Transport } from '../../src/net/transport.js'
import { Driver, type Store } from '../../src/node/driver.js'
import type { ClosableStore, EngineParts, RunningEngine } from '../../src/node/engine.js'
import type { ClusterEvent, Request, Response } from '../../src/protocol/request.js'
import type { Replica } from '../../src/replica/contract.js'
import { RecoveryError } from '../../src/replica/saved.js'
import { JournalDamaged } from '../../src/storage/journal.js'
import { isDiskError } from '../../src/storage/journal-spares.js'
import { MemoryTable } from '../../src/storage/memory-table.js'
import { Acquaintances, type KnownMembers } from './acquaintances.js'
import { PowerCut, SimulatedDisk } from './disk.js'
import { openDiskTable } from './disk-table.js'
import { type Life, Machine, type MachineOptions } from './machine.js'
import type { SimulatedNetwork } from './network.js'
import { WatchedTable } from './watched-table.js'
import type { World } from './world.js'

export interface ProcessOptions {
  readonly replica: { readonly tickMs: number }
  readonly segmentBytes: number
  readonly flushMs: readonly [low: number, high: number]
  readonly checkpointMs: readonly [low: number, high: number]
  /** Whether flushes may hold the loop, as they do on a fast disk. */
  readonly inlineFlushes: boolean
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

/** What an engine is opened with; its journal is to have segments of this size. */
export interface ProcessParts extends EngineParts {
  readonly segmentBytes: number
}

/** An engine as one life of its process runs it. */
export interface OpenedEngine<Message, Saved, Engine>
  extends Pick<RunningEngine<Message, Saved>, 'encode' | 'decode'> {
  readonly replica: Engine
  readonly store: Store<Saved>
}

/** What runs while the process lives. */
interface Running<Message, Saved, Engine> {
  readonly life: Life
  readonly replica: Engine
  readonly driver: Driver<Message, Saved>
  readonly acquaintances: Acquaintances
  isStopping: boolean
}

/** Why a node cannot be started again. */
type Ending = 'removed' | 'damaged'

export abstract class SimulatedProcess<Message, Saved, Engine extends Replica<Message, Saved>> {
  readonly name: string
  readonly member: Member
  readonly disk: SimulatedDisk
  readonly machine: Machine
  protected readonly random: Random
  /** Outlives the process: what is not durable of it goes with each crash. */
  protected table: MemoryTable
  /** Somebody damaged what its disk holds: refusing to start is then right. */
  protected mayBeDamaged = false
  readonly #world: World
  readonly #network: SimulatedNetwork
  readonly #options: ProcessOptions
  readonly #cluster: ClusterId
  #running: Running<Message, Saved, Engine> | undefined
  #life: Life | undefined
  #lives = 0
  #ending: Ending | undefined

  constructor(world: World, network: SimulatedNetwork, place: NodePlace, options: ProcessOptions) {
    const { name } = place
    this.name = name
    this.member = place.member
    this.#world = world
    this.#network = network
    this.#options = options
    this.#cluster = place.cluster
    this.random = world.random.fork(`node ${name}`)
    this.machine = new Machine(world, name, place.machine)
    // What the disk has to say waits with the process.
    this.disk = new SimulatedDisk(this.random.fork('disk'), {
      monotonicMs: () => world.nowMs(),
      wallMs: () => 0,
      after: (delayMs, task) => world.after(delayMs, () => this.#life?.deliver(task)),
      soon: task => {
        world.after(0, () => this.#life?.deliver(task))
      },
    })
    this.setFlushMs(options.flushMs)
    const [low, high] = options.checkpointMs
    this.table = new WatchedTable((key, record) => this.onSet(key, record), {
      complete: finish => this.#life?.clock.after(low + (high - low) * this.random.float(), finish),
    })
  }

  /** Opens what the disk holds, for a life that begins. May throw what a real store throws. */
  protected abstract open(parts: ProcessParts): OpenedEngine<Message, Saved, Engine>

  protected abstract knownMembers(replica: Engine): KnownMembers

  /** Something broke a promise: the run has failed. */
  protected abstract onViolation(what: string): void

  /** After every turn of its driver, and before the process ends. */
  protected onTurn(): void {}

  /** The table took a record. */
  protected onSet(_key: string, _record: TableRecord): void {}

  protected onEvent(_event: ClusterEvent): void {}

  /** The replica, while the process lives. */
  get replica(): Engine | undefined {
    return this.#running?.replica
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

  /** Saves on the empty disk what `open` has made there: what a cluster is founded on. */
  protected saveFounding(
    open: (parts: ProcessParts) => {
      readonly store: ClosableStore<Saved>
      readonly records: readonly Saved[]
    },
  ): void {
    const fail = (error: Error | undefined): void => {
      if (error !== undefined) throw error
    }
    const { store, records } = open({
      self: this.member,
      clock: { monotonicMs: () => 0, wallMs: () => 0, after: () => () => {}, soon: () => {} },
      disk: this.disk,
      table: new MemoryTable(),
      segmentBytes: this.#options.segmentBytes,
      onDiskState: () => {},
      onFailure: fail,
    })
    store.save(records, 'inline', fail)
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
      this.note(`starts (life ${this.#lives})`)
    } catch (error) {
      if (error instanceof JournalDamaged || error instanceof RecoveryError) this.#refuse(error)
      else this.#onError(error)
    }
  }

  /** kill -9: the process is gone, its machine and what it wrote are not. */
  kill(): void {
    if (this.#life === undefined) return
    this.note('killed')
    this.#end(false)
    this.disk.kill()
  }

  /** The machine loses power, and with it any part of what was not flushed. */
  cutPower(): void {
    if (this.#life === undefined) return
    this.note('loses power')
    this.#end(true)
    this.disk.crash()
  }

  pause(): void {
    this.#life?.pause()
  }

  resume(): void {
    this.#life?.resume()
  }

  /** SIGTERM: it drains and hands over what it leads; whoever asks kills it a little later. */
  stop(): void {
    const running = this.#running
    if (running === undefined) return
    this.note('is asked to stop')
    running.isStopping = true
    running.life.deliver(() => running.driver.input({ kind: 'stop' }))
  }

  /** It is no member any more: what people do with such a process is to stop it. */
  retire(): void {
    this.#ending = 'removed'
    this.kill()
  }

  /** Flips a bit on the disk of a node that is down, in a segment that is not the newest. Returns whether it could. */
  damage(): boolean {
    if (this.#life !== undefined) return false
    const segments = this.disk.list().filter(name => /^journal\.\d+$/.test(name))
    // The newest ones may be spare, and damage to the last save cannot be told from a torn write.
    const old = segments.slice(0, -3)
    if (old.length === 0) return false
    const path = this.random.pick(old)
    const size = this.disk.read(path)?.length ?? 0
    const offset = this.random.below(Math.min(size, 1024))
    this.disk.corrupt(path, offset)
    this.mayBeDamaged = true
    this.note(`a bit of ${path} flips at ${offset}`)
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

  /** Connects it with whom it has to reach, if its members are others than before. */
  protected followMembers(): void {
    this.#running?.acquaintances.follow()
  }

  protected note(what: string): void {
    this.#world.note(this.name, what)
  }

  #assemble(life: Life): Running<Message, Saved, Engine> {
    const { segmentBytes, replica: options, inlineFlushes, isTableOnDisk } = this.#options
    if (isTableOnDisk === true)
      this.table = openDiskTable(this.disk, (key, record) => this.onSet(key, record))
    let inputDiskState: ((state: 'full' | 'ok') => void) | undefined
    const parts = {
      self: this.member,
      clock: life.clock,
      disk: this.disk,
      table: this.table,
      segmentBytes,
      inlineFlushMsMax: inlineFlushes ? 1 : 0,
      onDiskState: (state: 'full' | 'ok') => inputDiskState?.(state),
      onFailure: (error: Error) => this.#onError(error),
    }
    const { replica, store, encode, decode } = this.open(parts)
    const transport = this.#connect(life, decode)
    const driver = new Driver<Message, Saved>(replica, {
      clock: life.clock,
      tickMs: options.tickMs,
      store,
      send: (to, message) => transport.send(to, encode(message)),
      flush: () => transport.flush(),
      onEvent: event => {
        this.note(describeEvent(event))
        this.onEvent(event)
      },
      onTurn: () => this.#afterTurn(life),
      onFailure: error => this.#onError(error),
    })
    inputDiskState = state => driver.input({ kind: 'disk', state })
    const look = (): KnownMembers => this.knownMembers(replica)
    const acquaintances = new Acquaintances(this.member.id, this.#cluster, transport, look)
    return { life, replica, driver, acquaintances, isStopping: false }
  }

  #connect(life: Life, decode: (line: Uint8Array) => Message | undefined): Transport {
    const { id, address, peerAddress } = this.member
    const hello: PeerHello = { protocol: 1, cluster: this.#cluster, node: id, address, peerAddress }
    return this.#network.attach(life, hello, {
      onLine: (from, line) => {
        const message = decode(line)
        if (message === undefined) this.onViolation(`${this.name} cannot read a message`)
        else this.#running?.driver.input({ kind: 'message', from, message })
      },
      onDisconnected: node => this.#running?.driver.input({ kind: 'disconnected', node }),
      onSlow: node => this.#running?.driver.input({ kind: 'slow', node }),
      onRefused: (_node, code) => {
        if (code === 'removed') this.#running?.driver.input({ kind: 'removed' })
      },
      onHello: (caller, expected) => {
        // Before it runs it is of no cluster.
        if (this.#running === undefined) return { code: 'cluster', detail: {} }
        return this.#running.acquaintances.meet(caller, expected)
      },
    })
  }

  #afterTurn(life: Life): void {
    if (this.#running?.life !== life) return
    this.followMembers()
    this.onTurn()
  }

  #onError(error: unknown): void {
    if (error instanceof PowerCut) {
      this.cutPower()
      return
    }
    if (isDiskError(error)) {
      this.note(`stops: ${String(error)}`)
      this.#end(false)
      this.disk.kill()
      return
    }
    this.#end(false)
    const stack = error instanceof Error ? error.stack : undefined
    this.onViolation(`${this.name} stopped by itself: ${stack ?? String(error)}`)
  }

  #refuse(error: Error): void {
    this.note(`refuses to start: ${error.message}`)
    if (!this.mayBeDamaged) this.onViolation(`${this.name} refuses its own disk: ${error.message}`)
    this.#end(false)
    this.disk.kill()
    this.#ending = 'damaged'
  }

  /** Nothing of this life runs any more. */
  #end(silently: boolean): void {
    const life = this.#life
    if (life === undefined) return
    // The turn that is cut short may have told others what nobody has looked at yet.
    if (this.#running !== undefined) this.onTurn()
    this.#network.killed(life, silently)
    life.end()
    this.table.crash()
    this.#life = undefined
    this.#running = undefined
  }
}

function describeEvent(event: ClusterEvent): string {
  const { kind, ...rest } = event
  const details = Object.entries(rest).map(([name, value]) => `${name} ${value}`)
  return `* ${[kind, ...details].join(' ')}`
}
