/**
 * Keeps a client connected: finds a node, watches it, follows the leader, and finds another one when it is lost.
 * The requests go over a connection beside the one on which the node is watched.
 */
import { Connection } from './connection.js'
import { QuorateError } from './errors.js'
import type { ClientEvent } from './events.js'
import { Monitor } from './monitor.js'
import type { ClientOptions } from './options.js'
import { Requests } from './requests.js'
import type { Heartbeat } from './results.js'
import { Search } from './search.js'

/** The node a client talks to. */
interface Node {
  readonly monitor: Monitor
  readonly data: Connection
}

/** How long a node that this client found dead is taken for dead whatever others say. */
const awayMs = 5000
/** How long after a failed attempt to reach a leader the client stays where it is. */
const stayMs = 10_000
/** Pauses between rounds in which nobody was found: the first, and the longest. */
const pauseFirstMs = 100
const pauseMostMs = 1000
/** Addresses that are remembered at most. */
const addressesMax = 1000

/** See the head of this file. One for each client. */
export class Link {
  readonly requests: Requests
  readonly #seeds: readonly string[]
  readonly #options: Required<ClientOptions>
  readonly #tell: (event: ClientEvent) => void
  readonly #away = new Map<string, number>()
  #search: Search | undefined
  #searchingSinceMs = performance.now()
  #pauseMs = pauseFirstMs
  #pause: NodeJS.Timeout | undefined
  #node: Node | undefined
  /** A leader that is asked whether it is there, to move to it. */
  #moving: Monitor | undefined
  /** A node that answers, to which the second connection is being opened. */
  #arrival: Node | undefined
  #stayUntilMs = 0
  #latest: Heartbeat | undefined
  #nodesTold = ''
  #leaderTold: string | undefined
  #warnings: ReadonlySet<string> = new Set()
  #wantsNews = false
  #wasConnected = false
  #isClosed = false

  constructor(
    seeds: readonly string[],
    options: Required<ClientOptions>,
    tell: (event: ClientEvent) => void,
  ) {
    this.#seeds = seeds
    this.#options = options
    this.#tell = tell
    this.requests = new Requests(options, {
      onUnfit: reason => this.#lose(reason),
      hasOthers: () => this.#candidates().some(other => other !== this.address && !this.#isAway(other)),
    })
    this.#startSearch()
  }

  /** The node it talks to, if there is one. */
  get address(): string | undefined {
    return this.#node?.monitor.address
  }

  /** What a node last said of its cluster. */
  get latest(): Heartbeat | undefined {
    return this.#latest
  }

  /** The members that are not known to be away, in the order in which they joined. */
  get nodes(): readonly string[] {
    const here = this.address
    const nodes = (this.#latest?.active ?? []).filter(address => address === here || !this.#isAway(address))
    // One that does not belong to a cluster yet names nobody.
    return nodes.length === 0 && here !== undefined ? [here] : nodes
  }

  /** Asks to be told what happens to the cluster. */
  watch(): void {
    this.#wantsNews = true
    this.#node?.monitor.watch()
  }

  /** Ends everything. What is under way fails with `error`. */
  close(error: QuorateError): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#pause)
    this.#search?.stop()
    this.#stopMoving()
    this.requests.failAll(error)
    const node = this.#node
    this.#node = undefined
    if (node !== undefined) closeNode(node)
  }

  #stopMoving(): void {
    this.#moving?.close()
    this.#moving = undefined
    const arrival = this.#arrival
    this.#arrival = undefined
    if (arrival !== undefined) closeNode(arrival)
  }

  #startSearch(): void {
    const { connectTimeoutMs, silenceMs, followLeader } = this.#options
    this.#search = new Search({
      candidates: this.#candidates(),
      timing: { connectTimeoutMs, silenceMs },
      // After a loss the leader is preferred in any case: it is the one that answers without a detour.
      wantsLeader: followLeader || this.#wasConnected,
      isAway: address => this.#isAway(address),
      onAway: address => this.#away.set(address, performance.now() + awayMs),
      onFound: (monitor, heartbeat) => this.#onFound(monitor, heartbeat),
      onFailed: reasons => this.#onFailed(reasons),
    })
  }

  /** Whom to try, the most promising first. */
  #candidates(): string[] {
    const { leader, active = [], nodes = [] } = this.#latest ?? {}
    const others = shuffled(active)
    const all = [...(leader === undefined ? [] : [leader]), ...others, ...nodes, ...this.#seeds]
    const isHere = (address: string): boolean => !this.#isAway(address)
    return [...all.filter(isHere), ...all].slice(0, addressesMax)
  }

  #onFound(monitor: Monitor, heartbeat: Heartbeat): void {
    this.#search = undefined
    this.#arrive(
      monitor,
      node => this.#settle(node, heartbeat, this.#wasConnected ? 'reconnected' : 'connected'),
      () => this.#searchAgain(monitor.address),
    )
  }

  /** Opens the second connection to a node that answers; one of the two is called, unless it is called off. */
  #arrive(monitor: Monitor, onReady: (node: Node) => void, onFailed: () => void): void {
    const fail = (): void => {
      if (this.#arrival !== node) return
      this.#arrival = undefined
      monitor.close()
      data.close('the node was lost')
      onFailed()
    }
    const data = new Connection(monitor.address, this.#options.connectTimeoutMs, {
      onOpen: () => {
        if (this.#arrival === node) onReady(node)
      },
      onClosed: reason => {
        if (this.#node === node) this.#lose(reason)
        else fail()
      },
      onRoom: () => this.requests.pump(),
    })
    const node: Node = { monitor, data }
    this.#arrival = node
    monitor.takeOver(this.#options.heartbeatIntervalMs, {
      onHeartbeat: heartbeat => {
        if (this.#node === node) this.#onHeartbeat(heartbeat)
      },
      onLost: reason => {
        if (this.#node === node) this.#lose(reason)
        else fail()
      },
      onNews: fields => this.#onNews(fields),
    })
  }

  /** From here on the client talks to this node. */
  #settle(node: Node, heartbeat: Heartbeat, kind: 'connected' | 'reconnected' | 'moved'): void {
    const { address } = node.monitor
    const old = this.#node
    this.#arrival = undefined
    this.#node = node
    if (old !== undefined) closeNode(old)
    if (this.#wantsNews) node.monitor.watch()
    this.#pauseMs = pauseFirstMs
    this.#wasConnected = true
    this.#away.delete(address)
    this.#latest = heartbeat
    this.#nodesTold = this.nodes.join()
    this.#tell({ kind, address, nodes: this.nodes })
    this.#tellLeader(heartbeat)
    this.#tellWarnings(heartbeat)
    this.requests.attach(node.data)
  }

  #onFailed(reasons: ReadonlyMap<string, string>): void {
    this.#search = undefined
    const reason = [...reasons].map(([address, why]) => `${address} (${why})`).join(', ')
    this.#tell({ kind: 'unreachable', reason })
    const isGivenUp = performance.now() - this.#searchingSinceMs >= this.#options.unreachableAfterMs
    if (isGivenUp) this.requests.failWaiting(new QuorateError('UNREACHABLE', { reason }))
    if (this.#isClosed) return
    this.#pause = setTimeout(() => this.#startSearch(), this.#pauseMs * (0.5 + Math.random()))
    this.#pauseMs = Math.min(2 * this.#pauseMs, pauseMostMs)
  }

  /** The node is gone, or of no use: another one is looked for. */
  #lose(reason: string): void {
    const node = this.#node
    if (node === undefined || this.#isClosed) return
    const { address } = node.monitor
    this.#node = undefined
    this.#stopMoving()
    this.requests.detach()
    closeNode(node, reason)
    this.#tell({ kind: 'disconnected', address, reason })
    this.#searchingSinceMs = performance.now()
    this.#searchAgain(address)
  }

  #searchAgain(lost: string): void {
    this.#away.set(lost, performance.now() + awayMs)
    this.#startSearch()
  }

  #onHeartbeat(heartbeat: Heartbeat): void {
    this.#latest = heartbeat
    this.#noteNodes()
    this.#tellLeader(heartbeat)
    this.#tellWarnings(heartbeat)
    if (this.requests.isUnanswered(this.#options.answerWithinMs)) {
      this.#lose(`it left requests unanswered for ${this.#options.answerWithinMs} ms`)
      return
    }
    this.#follow(heartbeat.leader)
  }

  #noteNodes(): void {
    const nodes = this.nodes
    if (nodes.join() === this.#nodesTold) return
    this.#nodesTold = nodes.join()
    this.#tell({ kind: 'nodes', nodes })
  }

  #tellLeader({ leader }: Heartbeat): void {
    if (leader === this.#leaderTold) return
    this.#leaderTold = leader
    this.#tell({ kind: 'leader', address: leader })
  }

  /** Says once of each warning when it becomes true, and once when it no longer is. */
  #tellWarnings(heartbeat: Heartbeat): void {
    const before = this.#warnings
    this.#warnings = new Set(heartbeat.warnings)
    for (const text of before) if (!this.#warnings.has(text)) this.#tell({ kind: 'warning-over', text })
    for (const text of this.#warnings) if (!before.has(text)) this.#tell({ kind: 'warning', text })
  }

  #onNews(fields: Readonly<Record<string, unknown>>): void {
    const { event, message, missedEvents } = fields
    if (typeof missedEvents === 'number') this.#tell({ kind: 'missed', count: missedEvents })
    if (typeof event !== 'object' || event === null) return
    // An object of JSON; whoever is told looks at its fields.
    this.#tell({ kind: 'cluster', event: event as Record<string, unknown>, message: String(message ?? '') })
  }

  /** Goes to the leader, if it is another node and can be reached. */
  #follow(leader: string | undefined): void {
    const mayMove = this.#options.followLeader && performance.now() >= this.#stayUntilMs
    const isMoving = this.#moving !== undefined || this.#arrival !== undefined
    if (leader === undefined || leader === this.address || !mayMove || isMoving) return
    if (this.requests.isAdministering) return
    const { connectTimeoutMs, silenceMs, heartbeatIntervalMs } = this.#options
    const stay = (): void => {
      this.#moving = undefined
      this.#stayUntilMs = performance.now() + stayMs
    }
    const timing = { connectTimeoutMs, silenceMs }
    const monitor: Monitor = new Monitor(leader, heartbeatIntervalMs, timing, {
      onHeartbeat: heartbeat => {
        this.#moving = undefined
        if (heartbeat.leader === leader) this.#move(monitor, heartbeat, stay)
        else monitor.close()
      },
      onLost: stay,
    })
    this.#moving = monitor
  }

  /** The leader answers: once everything under way is answered, requests go there, so that their order is kept. */
  #move(monitor: Monitor, heartbeat: Heartbeat, stay: () => void): void {
    const { answerWithinMs } = this.#options
    let patience: NodeJS.Timeout | undefined
    this.#arrive(
      monitor,
      node => {
        patience = setTimeout(() => {
          if (this.#arrival === node) this.#lose(`it left requests unanswered for ${answerWithinMs} ms`)
        }, answerWithinMs).unref()
        this.requests.hold(() => {
          clearTimeout(patience)
          this.#settle(node, heartbeat, 'moved')
        })
      },
      () => {
        clearTimeout(patience)
        stay()
        this.requests.resume()
      },
    )
  }

  #isAway(address: string): boolean {
    const untilMs = this.#away.get(address)
    if (untilMs === undefined) return false
    if (untilMs > performance.now()) return true
    this.#away.delete(address)
    return false
  }
}

function closeNode(node: Node, reason = 'it was closed here'): void {
  node.monitor.close()
  node.data.close(reason)
}

/** The same in a random order, so that the clients of a lost node do not all go to the same one. */
function shuffled<T>(items: readonly T[]): T[] {
  const left = [...items]
  const order: T[] = []
  while (left.length > 0) order.push(...left.splice(Math.floor(Math.random() * left.length), 1))
  return order
}
