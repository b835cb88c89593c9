/**
 * Looks for a node to talk to: asks those that may be there, a few at a time, and prefers the leader. One search is
 * one round through the candidates; whoever started it decides whether to go on with another.
 *
 * While an election runs the living nodes may still name the dead leader, or none. Then they are asked again until
 * they name another one, for a bounded time; after that any of them will do, because nodes pass requests on.
 */
import { Monitor, type MonitorTiming } from './monitor.js'
import type { Heartbeat } from './results.js'

/** What a search is given, and whom it tells. One of the two is called, once. */
export interface SearchParts {
  /** In the order in which to try them. */
  readonly candidates: readonly string[]
  readonly timing: MonitorTiming
  /** Whether to look for the leader, or be content with the first that answers. */
  readonly wantsLeader: boolean
  /** Whether this client has lately found the node dead, whatever others still say of it. */
  isAway(address: string): boolean
  /** A candidate did not answer. */
  onAway(address: string, reason: string): void
  /** It is connected, and its last heartbeat is there. */
  onFound(monitor: Monitor, heartbeat: Heartbeat): void
  /** Nobody answered; each candidate with its reason. */
  onFailed(reasons: ReadonlyMap<string, string>): void
}

/** How long living nodes may take to name a leader; an election takes one to two seconds. */
const leaderWaitMs = 3000
/** How often they are asked meanwhile. */
const askAgainMs = 50
/** Candidates that are tried at the same time, and the pause before the next one is tried beside a slow one. */
const atOnceMax = 5
const nextAfterMs = 150

/** See the head of this file. */
export class Search {
  readonly #parts: SearchParts
  readonly #queue: string[]
  readonly #probes = new Map<string, Monitor>()
  readonly #failed = new Map<string, string>()
  /** Whom this client had found dead when the search began; one that only cannot be reached is not among them. */
  readonly #awayBefore: ReadonlySet<string>
  readonly #patience: NodeJS.Timeout
  #stagger: NodeJS.Timeout | undefined
  #hasWaited = false
  #isOver = false

  constructor(parts: SearchParts) {
    this.#parts = parts
    this.#queue = [...new Set(parts.candidates)]
    this.#awayBefore = new Set(this.#queue.filter(address => parts.isAway(address)))
    this.#patience = setTimeout(() => {
      this.#hasWaited = true
      this.#decide()
    }, leaderWaitMs)
    this.#tryNext()
  }

  /** Ends it without a word. */
  stop(): void {
    this.#finish(undefined)
  }

  #tryNext(): void {
    clearTimeout(this.#stagger)
    if (this.#isOver || this.#probes.size >= atOnceMax) return
    const address = this.#queue.shift()
    if (address === undefined) return
    this.#try(address)
    this.#stagger = setTimeout(() => this.#tryNext(), nextAfterMs)
  }

  #try(address: string): void {
    const { timing } = this.#parts
    const probe = new Monitor(address, askAgainMs, timing, {
      onHeartbeat: () => this.#decide(),
      onLost: reason => {
        this.#probes.delete(address)
        this.#failed.set(address, reason)
        this.#parts.onAway(address, reason)
        this.#tryNext()
        this.#decide()
      },
    })
    this.#probes.set(address, probe)
  }

  /** Ends the search if what is known by now suffices. */
  #decide(): void {
    if (this.#isOver) return
    const answering = [...this.#probes.values()].filter(probe => probe.latest !== undefined)
    if (answering.length > 0) {
      const chosen = this.#choose(answering)
      if (chosen !== undefined) this.#find(chosen)
    } else if (this.#probes.size === 0 && this.#queue.length === 0) {
      this.#finish(undefined)
      this.#parts.onFailed(this.#failed)
    }
  }

  /** The one to talk to among those that answer; undefined to wait for a better one. */
  #choose(answering: readonly Monitor[]): Monitor | undefined {
    const leading = answering.find(probe => probe.latest?.leader === probe.address)
    if (leading !== undefined) return leading
    if (!this.#parts.wantsLeader || this.#hasWaited) return answering[0]
    for (const probe of answering) {
      const { leader, engine, epoch } = probe.latest ?? {}
      // A ring that counts no leaderships has no leader, and needs none.
      if (leader === undefined && engine === 'ring' && epoch === undefined) return probe
      // Nobody leads yet, or it is the one that died: they will hear of another.
      if (leader === undefined || this.#awayBefore.has(leader)) continue
      // It leads and cannot be reached from here: its follower passes requests on.
      if (this.#failed.has(leader)) return probe
      if (!this.#probes.has(leader)) this.#try(leader)
    }
    return undefined
  }

  #find(probe: Monitor): void {
    const heartbeat = probe.latest
    if (heartbeat === undefined) return
    this.#finish(probe)
    this.#parts.onFound(probe, heartbeat)
  }

  #finish(chosen: Monitor | undefined): void {
    this.#isOver = true
    clearTimeout(this.#patience)
    clearTimeout(this.#stagger)
    for (const probe of this.#probes.values()) if (probe !== chosen) probe.close()
    this.#probes.clear()
  }
}
