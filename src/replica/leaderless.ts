/**
 * The leaderless replica: the ring, and the way of a request to it. It meets the contract of contract.ts and is
 * pure: no socket, file, timer or chance of its own.
 *
 * The ring knows reads and writes of one key, and members. What people ask beyond that is put together here:
 * writes that read first and the order of writes (key-writes.ts), changes of the membership that take their
 * time (ring-desk.ts), the status (ring-status.ts), the numbers of rows and their checkpoints (numbered-rows.ts).
 *
 * What must always hold: a request is answered once.
 */
import { unreachable } from '../base/assert.js'
import { type LogIndex, type Member, type NodeId, type RequestId, requestId } from '../base/ids.js'
import type { Random } from '../base/random.js'
import { type ClusterEvent, failure, type Request, type Response } from '../protocol/request.js'
import { Ring } from '../ring/ring.js'
import type { RingAnswer, RingOptions, RingRequest, RingRows, RingStart } from '../ring/types.js'
import type { Effects, Input, Replica, To } from './contract.js'
import { KeyWrites, type KeyWritesLimits } from './key-writes.js'
import type { LeaderlessMessage } from './leaderless-messages.js'
import { NumberedRows, type NumberedRowsLimits } from './numbered-rows.js'
import { answered } from './ring-answers.js'
import { RingDesk } from './ring-desk.js'
import { RingNews, ringStatus } from './ring-status.js'
import type { SavedRow } from './saved-rows.js'

/** Times in ticks, sizes in bytes. */
export interface LeaderlessOptions extends RingOptions, NumberedRowsLimits {
  /** How long one tick is, for what is told in milliseconds. */
  readonly tickMs: number
}

/** What a replica starts with. */
export interface LeaderlessStart extends RingStart {
  readonly rows: RingRows
  /** The number of the last row that was saved. */
  readonly saved: LogIndex
  /** Bytes of rows that no checkpoint holds. */
  readonly uncheckpointedBytes: number
  readonly random: Random
  readonly options: LeaderlessOptions
}

export class LeaderlessReplica implements Replica<LeaderlessMessage, SavedRow> {
  readonly #self: Member
  readonly #options: LeaderlessOptions
  readonly #ring: Ring
  readonly #limits: KeyWritesLimits
  readonly #writes: KeyWrites
  readonly #desk: RingDesk
  readonly #news: RingNews
  readonly #rows: NumberedRows
  /** Who waits for the ring's answers; the ring knows requests by numbers of ours. */
  readonly #asked = new Map<RequestId, (answer: RingAnswer) => void>()
  /** The ring's number of a client's read, so that it can be abandoned. */
  readonly #reads = new Map<RequestId, RequestId>()
  #nextAsked = 1
  /** What found too few nodes a moment ago, in the order in which it is asked again. */
  #again: { readonly atTick: number; readonly ask: () => void }[] = []
  #tick = 0
  #wallMs = 0
  /** The ring left background work to the next turn. */
  #hasMore = false
  #compactTo: LogIndex | undefined
  #stopping = false
  /** Another member says that this one is none any more. */
  #removed = false
  /** The ring was asked since its output was taken. */
  #hasAsked = false
  #replies: { id: RequestId; response: Response }[] = []
  #outgoing: To<LeaderlessMessage>[] = []
  #events: ClusterEvent[] = []

  constructor(start: LeaderlessStart) {
    const { self, founding, rows, random, options } = start
    this.#self = self
    this.#options = options
    this.#rows = new NumberedRows(options, start.saved, start.uncheckpointedBytes)
    this.#ring = new Ring({ self, founding }, { random, options, rows })
    const answer = (id: RequestId, response: Response): void => this.#reply(id, response)
    const ring = this.#ring
    this.#limits = {
      requestsMax: options.requestsMax,
      isOrdered: options.ordered,
      valueBytesMax: options.valueBytesMax,
      get copies() {
        return ring.list.copies
      },
    }
    this.#writes = new KeyWrites((request, done) => this.#ask(request, done), answer, this.#limits)
    const send = (to: NodeId, message: LeaderlessMessage): void => {
      this.#outgoing.push({ to, message })
    }
    this.#desk = new RingDesk(this.#ring, self.id, send, answer)
    this.#news = new RingNews(self.id, this.#ring.list)
  }

  /** The ring's state, to look at. */
  get ring(): Ring {
    return this.#ring
  }

  /** True while no client's write is held here or under way. */
  get isPristine(): boolean {
    return this.#ring.isPristine && this.#writes.size === 0
  }

  /** After `stop`: whether nothing is under way any more. */
  get isDrained(): boolean {
    return this.#ring.pending === 0 && this.#writes.size === 0 && this.#again.length === 0
  }

  get quietTicks(): number {
    const isAsked = this.#again.length > 0 || this.#writes.size > 0 || !this.#desk.isIdle
    return this.#stopping || isAsked || this.#rows.isOwing ? 1 : this.#ring.quietTicks
  }

  step(input: Input<LeaderlessMessage>): void {
    switch (input.kind) {
      case 'tick':
        this.#onTick(input.count, input.wallMs)
        break
      case 'message':
        this.#onMessage(input.from, input.message)
        break
      case 'request':
        this.#onRequest(input.id, input.request)
        break
      case 'abandoned':
        this.#abandon(input.id)
        break
      case 'disconnected':
        this.#ring.disconnected(input.node)
        break
      case 'slow':
        this.#ring.slow(input.node)
        break
      case 'disk':
        this.#ring.setDiskFull(input.state === 'full')
        this.#events.push({ kind: 'disk', state: input.state })
        break
      case 'removed':
        this.#becomeRemoved()
        break
      case 'stop':
        this.#stopping = true
        this.#ring.stop()
        break
      case 'saved':
        this.#ring.saved()
        break
      case 'checkpointed':
        this.#onCheckpointed(input.index)
        break
      case 'checkpoint-failed':
        this.#rows.failCheckpoint(this.#tick)
        break
      default:
        unreachable(input)
    }
  }

  takeEffects(): Effects<LeaderlessMessage, SavedRow> {
    // Background work that one turn was not enough for goes on without waiting for time to pass.
    if (this.#hasMore) this.#ring.tick(0, this.#wallMs)
    const output = this.#ring.takeOutput()
    this.#hasMore = output.more
    const save = output.save.map(row => this.#rows.number(row))
    this.#hasAsked = false
    for (const { id, answer } of output.answers) {
      const done = this.#asked.get(id)
      this.#asked.delete(id)
      done?.(answer)
    }
    for (const event of output.events) this.#events.push(...this.#news.of(event))
    this.#desk.work(this.#tick)
    const effects: Effects<LeaderlessMessage, SavedRow> = {
      sendNow: [...this.#outgoing, ...output.sendNow],
      save,
      send: output.send,
      reply: this.#replies,
      checkpoint: this.#rows.beginCheckpoint(this.#tick),
      compactTo: this.#compactTo,
      more: output.more || this.#hasAsked,
      events: this.#events,
    }
    this.#outgoing = []
    this.#replies = []
    this.#events = []
    this.#compactTo = undefined
    return effects
  }

  #onTick(count: number, wallMs: number): void {
    // When this node itself stood still, answers wait to be read: the others were not silent for that long.
    const counted = Math.min(count, this.#options.gossipTicks)
    this.#tick += counted
    this.#wallMs = wallMs
    this.#ring.tick(counted, wallMs)
    this.#writes.expire(this.#tick)
    const due = this.#again.filter(({ atTick }) => atTick <= this.#tick)
    this.#again = this.#again.filter(({ atTick }) => atTick > this.#tick)
    for (const { ask } of due) ask()
  }

  #onMessage(from: NodeId, message: LeaderlessMessage): void {
    if (this.#removed) return
    switch (message.kind) {
      case 'desk-leave':
        this.#ring.leave()
        break
      default:
        this.#ring.receive(from, message)
    }
  }

  #onRequest(id: RequestId, request: Request): void {
    if (request.op === 'status') {
      const status = ringStatus(this.#ring.status(), this.#self.id, this.#options.tickMs)
      this.#reply(id, { kind: 'status', status })
      return
    }
    const refusal = this.#refusal()
    if (refusal !== undefined) {
      this.#reply(id, refusal)
      return
    }
    const expiresAtTick = this.#tick + this.#options.requestTicks
    switch (request.op) {
      case 'read-versions':
        this.#read(id, this.#reading(request))
        break
      case 'write-version':
        this.#writes.add(id, request, expiresAtTick)
        break
      case 'lookup':
        this.#reply(id, {
          kind: 'owners',
          addresses: this.#ring.owners(request.key).map(({ address }) => address),
        })
        break
      case 'count':
        this.#reply(id, { kind: 'count', records: this.#ring.status().records })
        break
      case 'leave':
      case 'add-member':
      case 'remove-member':
        this.#desk.take(id, request, this.#tick + membershipTimeouts * this.#options.requestTicks)
        break
      case 'get':
      case 'put':
      case 'update':
      case 'set':
      case 'delete':
      case 'cas':
      case 'keys':
      case 'redis-read':
      case 'redis-write':
      case 'move-member':
      case 'transfer-leader':
        // Nobody asks it: the ring's clients have requests of their own.
        this.#reply(id, failure('ENGINE_MISMATCH', { command: request.op, engine: 'raft' }))
        break
      default:
        unreachable(request)
    }
  }

  /** Why this node takes no request at all, if it takes none. */
  #refusal(): Response | undefined {
    if (this.#removed || this.#ring.standing === 'gone') return failure('NODE_REMOVED')
    if (this.#stopping) return failure('STOPPING')
    return this.#ring.standing === undefined ? failure('NOT_A_MEMBER') : undefined
  }

  #reading({ key, quorum }: Extract<Request, { op: 'read-versions' }>): RingRequest {
    return this.#options.ordered ? { op: 'get', key } : { op: 'read', key, quorum }
  }

  #read(id: RequestId, request: RingRequest): void {
    const asked = this.#ask(request, answer => {
      this.#reads.delete(id)
      this.#reply(id, answered(answer, this.#limits))
    })
    this.#reads.set(id, asked)
  }

  /** Only reads can be given up: a write may have been sent to others. */
  #abandon(id: RequestId): void {
    const asked = this.#reads.get(id)
    if (asked === undefined) return
    this.#reads.delete(id)
    this.#asked.delete(asked)
    this.#ring.abandon(asked)
  }

  /**
   * Asks the ring. Where too few nodes were to be reached, so that nothing was done, it is asked again for a moment: a
   * node that is busy, or whose connection was just made anew, is heard again within two heartbeats.
   */
  #ask(request: RingRequest, done: (answer: RingAnswer) => void, sinceTick = this.#tick): RequestId {
    const id = requestId(this.#nextAsked++)
    const { gossipTicks } = this.#options
    this.#asked.set(id, answer => {
      const isVain = answer.kind === 'quorum-not-met' && !answer.maybe
      if (!isVain || this.#stopping || this.#tick >= sinceTick + graceGossips * gossipTicks) done(answer)
      else {
        const ask = (): void => void this.#ask(request, done, sinceTick)
        this.#again.push({ atTick: this.#tick + gossipTicks, ask })
      }
    })
    this.#ring.request(id, request)
    this.#hasAsked = true
    return id
  }

  #reply(id: RequestId, response: Response): void {
    this.#replies.push({ id, response })
  }

  #onCheckpointed(index: LogIndex): void {
    this.#rows.finishCheckpoint()
    this.#compactTo = index
    this.#events.push({ kind: 'compacted', index })
  }

  #becomeRemoved(): void {
    if (this.#removed) return
    this.#removed = true
    this.#events.push(...this.#news.removed())
  }
}

/** For so many heartbeats a request that finds too few nodes is asked again. */
const graceGossips = 3
/** A change of the membership may wait for that many request timeouts: moving data takes its time. */
const membershipTimeouts = 60
