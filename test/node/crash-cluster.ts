/**
 * Simulated nodes, one of which (the victim) loses power at a stated operation of its disk. What is checked here
 * beside the answers of clients: what was durable on the victim's disk is there again (ledger.ts), and the
 * invariants of the cluster hold (checkers.ts).
 */
import { clusterId, logIndex, type Member, nodeId } from '../../src/base/ids.js'
import { seededRandom } from '../../src/base/random.js'
import { type Identity, plainIdentity, readIdentity } from '../../src/node/identity.js'
import type { ClusterEvent, Request, Response } from '../../src/protocol/request.js'
import { firstConfiguration } from '../../src/raft/configuration.js'
import { JsonFile } from '../../src/storage/json-file.js'
import { Invariants, type Observation } from '../sim/checkers.js'
import { PowerCut, SimulatedDisk } from '../sim/disk.js'
import type { Loss } from '../sim/loss.js'
import { SimulatedNetwork } from '../sim/network.js'
import { type NodeOptions, SimulatedNode } from '../sim/node.js'
import { World } from '../sim/world.js'
import { CrashWrites } from './crash-writes.js'

/** The power of the victim went. */
export class PowerWent extends Error {}

/** How long, in simulated time, anything may take without faults. */
const patienceMs = 30_000
/** A request that was refused is asked again after this time. */
const retryMs = 20
/** Up to so many writes are under way together: they often share a flush. */
const burstMax = 3

const identityFile = 'identity.json'
/** Stands for the directory in which a node keeps what belongs to its identity. */
const nodeDirectory = 'node'

export interface CrashOptions {
  readonly nodes: number
  readonly seed: number
  readonly loss: Loss
  /** Whether flushes hold the loop, or go on beside it. */
  readonly inlineFlushes: boolean
  /** How long messages are under way. */
  readonly linkMs: number
}

export class CrashCluster {
  readonly writes = new CrashWrites()
  /** How often the victim told of each kind of event. */
  readonly happened = new Map<ClusterEvent['kind'], number>()
  readonly nodes: readonly SimulatedNode[]
  readonly network: SimulatedNetwork
  victim: SimulatedNode
  readonly #world: World
  readonly #invariants: Invariants
  readonly #cluster = clusterId('00000000-0000-4000-a000-00000000c1c1')
  /** The data directory of the first node; the disk of a node is the directory in it that is its own. */
  readonly #top: SimulatedDisk
  #unanswered = 0
  #failure: string | undefined
  #cutAt = Number.POSITIVE_INFINITY

  constructor({ nodes, seed, loss, inlineFlushes, linkMs }: CrashOptions) {
    this.#world = new World(seed)
    const link = {
      delay: () => linkMs,
      loss: 0,
      duplication: 0,
      reordering: 0,
      queueBytesMax: 1_000_000,
      bytesPerMs: 100_000,
      brokenByCut: 1,
      deadAfterMs: 500,
    }
    this.network = new SimulatedNetwork(this.#world, link)
    this.#invariants = new Invariants(
      (name, index, term) => this.nodes.find(node => node.name === name)?.ledger.holds(index, term) === true,
      () => undefined,
      what => this.#violated(what),
    )
    this.nodes = Array.from({ length: nodes }, (_, number) => this.#addNode(number, inlineFlushes))
    const clock = { monotonicMs: () => 0, wallMs: () => 0, after: () => () => {}, soon: () => {} }
    this.#top = new SimulatedDisk(seededRandom(seed), clock)
    this.setLoss(loss)
    this.victim = this.#node(0)
  }

  /** Cuts the victim's power at the `operation`-th operation on its disks from now on. */
  cutAt(operation: number): void {
    this.#cutAt = this.#operations() + operation
    this.#armed(this.victim.disk)
  }

  /** Runs `act`; returns whether the victim lost its power meanwhile, which ended it. */
  untilCut(act: () => void): boolean {
    try {
      act()
      return false
    } catch (error) {
      if (error instanceof PowerCut) this.victim.disk.crash()
      else if (!(error instanceof PowerWent)) throw error
      this.#top.crash()
      return true
    } finally {
      this.#cutAt = Number.POSITIVE_INFINITY
      this.#throwFailure()
    }
  }

  /** Cuts the victim's power now. */
  cutPower(): void {
    this.victim.cutPower()
    this.#top.crash()
  }

  /** From here on, a crash loses what was not flushed in this way. */
  setLoss(loss: Loss): void {
    for (const node of this.nodes) node.disk.setLoss(loss)
    this.#top.setLoss(loss)
  }

  /**
   * Starts the first node from whatever its disks hold, as a node does: it takes an identity, founds its cluster,
   * says so in its identity, and runs.
   */
  startFounder(): void {
    const { disk, member } = this.#node(0)
    const cluster = this.#cluster
    const file = new JsonFile(this.#armed(this.#top), identityFile)
    const store = (identity: Identity): void =>
      file.store(plainIdentity({ ...identity, preset: 'quorate', replicationFactor: undefined }))
    const stored = file.load()
    const kept = stored === undefined ? undefined : readIdentity(stored)
    if (stored !== undefined && kept?.node !== member.id) throw new Error('the identity is another one')
    const isMember = kept?.standing.kind === 'member'
    if (!isMember && this.writes.acknowledged > 0) throw new Error('the standing of a member is lost')
    if (kept === undefined) {
      store({
        engine: 'raft',
        node: member.id,
        standing: { kind: 'forming', nodes: [member.address], cluster },
      })
    }
    if (!isMember) {
      this.#top.remove(nodeDirectory)
      this.#makeNodeDirectory()
      this.#armed(disk)
      const members = this.nodes.map(node => node.member)
      this.#node(0).found(firstConfiguration(members, 'linearizable'))
      this.#armed(this.#top)
      store({ engine: 'raft', node: member.id, standing: { kind: 'member', cluster } })
    }
    this.#makeNodeDirectory()
    this.#armed(disk)
    this.#node(0).start()
    this.#throwFailure()
  }

  /** Lets `count` writes be made through `door`, some together, and waits for their answers. */
  write(door: SimulatedNode, count: number): void {
    let left = count
    for (let number = 0; left > 0; number++) {
      const together = Math.min(left, 1 + (number % burstMax))
      left -= together
      for (let each = together; each > 0; each--) this.#write(door)
      this.until('answers', () => this.writes.isAnswered)
    }
  }

  /** The same, one every `everyMs`, whether those before were answered or not. */
  pour(door: SimulatedNode, count: number, everyMs: number): void {
    let begun = 0
    let isOver = false
    const next = (): void => {
      if (isOver || begun === count) return
      begun++
      this.#write(door)
      this.#world.after(everyMs, next)
    }
    next()
    try {
      this.until('answers', () => begun === count && this.writes.isAnswered)
    } finally {
      isOver = true
    }
  }

  /** Waits for the answers to the writes that were under way when the victim's power went, where the door lives. */
  awaitAnswers(): void {
    this.until('the answers to what was under way', () => this.#unanswered === 0)
  }

  /** Reads everything, and repeats what may be repeated: everything that was acknowledged must be there, once. */
  verify(door: SimulatedNode): void {
    let open = 0
    const check = (request: Request, judge: (response: Response) => string | undefined): void => {
      open++
      this.#insist(door, request, response => {
        open--
        const wrong = judge(response)
        if (wrong !== undefined) this.#violated(wrong)
      })
    }
    for (const key of this.writes.keys()) {
      check({ op: 'get', key, local: false }, response => this.writes.found(key, response))
    }
    this.until('reads', () => open === 0)
    for (const write of this.writes.repeat()) {
      check(write.request, response => this.writes.repeated(write, response))
    }
    this.until('repeats', () => open === 0)
  }

  /** Lets time pass until `isDone`. Throws {@link PowerWent}, or what was broken. */
  until(what: string, isDone: () => boolean): void {
    const isOver = (): boolean => this.#failure !== undefined || !this.victim.isRunning || isDone()
    const ended = isDone() || this.#world.runUntil(this.#world.nowMs() + patienceMs, isOver)
    this.#throwFailure()
    if (!this.victim.isRunning) throw new PowerWent()
    if (!ended) throw new Error(`waited in vain for ${what}`)
  }

  /** All nodes must soon have applied the same and hold the same. */
  agree(): void {
    this.until('agreement', () => {
      const applied = this.nodes.map(({ replica }) => replica?.appliedIndex)
      const isSame = applied.every(index => index === applied[0] && index === this.#invariants.committedUpTo)
      return isSame && new Set(this.nodes.map(node => node.digest())).size === 1
    })
  }

  /** Whether, in a segment of the victim's journal, records of its earlier life stand behind newer ones. */
  hasLeftovers(): boolean {
    const { disk } = this.victim
    return disk.list().some(name => {
      const text = name.startsWith('journal.') ? Buffer.from(disk.read(name) ?? []).toString('latin1') : ''
      const numbers = [...text.matchAll(/"<(\d+)>/g)].map(match => Number(match[1]))
      return numbers.some((number, at) => number < (numbers[at - 1] ?? 0))
    })
  }

  /** Who leads, and the others. */
  roles(): { readonly leader: SimulatedNode; readonly others: readonly SimulatedNode[] } {
    const find = () => this.nodes.find(node => node.replica?.raft.role.kind === 'leader')
    this.until('a leader', () => find() !== undefined)
    const leader = find() ?? this.victim
    return { leader, others: this.nodes.filter(node => node !== leader) }
  }

  /** Makes the first node's own directory, if it is not there (any more): then nothing is in it. */
  #makeNodeDirectory(): void {
    const { disk } = this.#node(0)
    if (!this.#top.list().includes(nodeDirectory)) {
      for (const name of disk.list()) disk.remove(name)
      disk.flushDirectory()
      this.#top.open(nodeDirectory, true).close()
    }
    this.#top.flushDirectory()
  }

  /** The disk that is in use from here on, which is where the power is cut when its time has come. */
  #armed(disk: SimulatedDisk): SimulatedDisk {
    const left = this.#cutAt - this.#operations()
    for (const each of [this.#top, this.victim.disk]) {
      each.powerCutAt(each === disk ? left : Number.POSITIVE_INFINITY)
    }
    return disk
  }

  #operations(): number {
    return this.#top.operations() + this.victim.disk.operations()
  }

  #write(door: SimulatedNode): void {
    const write = this.writes.begin()
    this.#unanswered++
    this.#ask(door, write.request, response => {
      this.#unanswered--
      const wrong = this.writes.answered(write, response)
      if (wrong !== undefined) this.#violated(wrong)
      if (response.kind !== 'written' || response.version === 0) return
      const { version } = response
      // The client hears of it after the turn that is looked at.
      this.#world.after(0, () => this.#invariants.acknowledged(version, 'a client'))
    })
  }

  #ask(door: SimulatedNode, request: Request, done: (response: Response) => void): void {
    door.deliver(() => door.submit(request, done))
  }

  /** Asks until the answer is one of the state, and not of who leads. */
  #insist(door: SimulatedNode, request: Request, done: (response: Response) => void): void {
    this.#ask(door, request, response => {
      const isOfState = response.kind !== 'error' || response.code === 'KEY_NOT_FOUND'
      if (isOfState) done(response)
      else this.#world.after(retryMs, () => this.#insist(door, request, done))
    })
  }

  #addNode(number: number, inlineFlushes: boolean): SimulatedNode {
    const member: Member = {
      id: nodeId(`00000000-0000-4000-a000-00000000000${number}`),
      address: `10.0.0.${number}:5000`,
      peerAddress: `10.0.0.${number}:6000`,
    }
    const machine = { clockRate: 1, wallOffsetMs: 0, timerLatenessMaxMs: 0 }
    const place = { name: `n${number}`, member, cluster: this.#cluster, machine }
    return new SimulatedNode(this.#world, this.network, place, nodeOptions(inlineFlushes), {
      onTurn: node => this.#invariants.observe(observe(node)),
      onCheckpoint: (of, index, meta) => this.#invariants.checkpointed(of.name, index, meta),
      onCarriedOut: (of, write) => this.#invariants.carriedOut(of.name, write),
      onViolation: what => this.#violated(what),
      onEvent: (of, event) => {
        if (of === this.victim) this.happened.set(event.kind, (this.happened.get(event.kind) ?? 0) + 1)
      },
    })
  }

  #node(number: number): SimulatedNode {
    const node = this.nodes[number]
    if (node === undefined) throw new Error('there is such a node')
    return node
  }

  #violated(what: string): void {
    this.#failure ??= what
  }

  #throwFailure(): void {
    if (this.#failure === undefined) return
    throw new Error(`${this.#failure}\n${this.#world.events.tail().slice(-60).join('\n')}`)
  }
}

/** Everything is small, so that segments, checkpoints and snapshots come within a few writes. */
function nodeOptions(inlineFlushes: boolean): NodeOptions {
  return {
    replica: {
      tickMs: 10,
      electionTicks: 20,
      heartbeatTicks: 4,
      requestTicks: 100,
      appendBytesMax: 65_536,
      appendsInFlightMax: 2,
      snapshotChunkBytes: 1000,
      checkpointBytes: 4000,
      logKeepBytes: 0,
      applySlice: 1000,
      answerSlice: 1_000_000,
      proposedBytesMax: 100_000,
    },
    segmentBytes: 4096,
    flushMs: [0.1, 0.1],
    checkpointMs: [0, 0],
    inlineFlushes,
    timerLatenessMaxMs: 0,
    isTableOnDisk: true,
  }
}

function observe(node: SimulatedNode): Observation {
  const { replica } = node
  if (replica === undefined) throw new Error('a node that takes a turn runs')
  const { view } = replica.raft
  return {
    node: node.name,
    life: node.lives,
    isLeader: view.role.kind === 'leader',
    term: view.term,
    votedFor: view.votedFor,
    commitIndex: view.commitIndex,
    appliedIndex: replica.appliedIndex,
    baseIndex: view.log.base.index,
    baseTerm: view.log.base.term,
    lastIndex: view.log.lastIndex,
    voters: view.configuration.members.map(member => `n${Number(member.id.slice(-1))}`),
    entry: index => view.log.entry(logIndex(index)),
    digest: () => node.digest() ?? '',
  }
}
