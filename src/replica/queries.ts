/**
 * Reads and administrative requests on their way to the leader and back: those of this node's own clients,
 * and, while this node leads, those of other nodes. All of them may be asked again without harm, so they
 * simply are, when the leader changes or stays silent.
 *
 * What must always hold: reads of this node's clients (see isOrdered) see the log in the order in which they were asked. So their
 * answers leave in that order, and one that shows an older state than the answer before it is asked for again;
 * that happens where the earlier one was lost on its way and had to be repeated.
 */
import { type LogIndex, logIndex, type Member, type NodeId, type RequestId, type Term } from '../base/ids.js'
import type { Random } from '../base/random.js'
import { replyBytes } from '../kv/operations.js'
import { isWalk, type Walk } from '../kv/walk.js'
import { failure, type Request, type Response } from '../protocol/request.js'
import type { To } from './contract.js'
import type { ConsensusMessage } from './messages.js'
import type { Answer } from './outbox.js'

type Origin =
  | { readonly kind: 'client'; id: RequestId | undefined }
  | { readonly kind: 'peer'; readonly node: NodeId; readonly id: number }
  /** The node itself: it tells the leader that its address changed. */
  | { readonly kind: 'own' }

/** A read or an administrative request that is not answered yet. */
export interface Question {
  readonly token: number
  readonly request: Request
  readonly origin: Origin
  /** Until then some leader must have been asked. */
  readonly askedByTick: number
  readonly expiresAtTick: number
  /** How often a leader was asked, this node as one included. */
  asked: number
  /** What is left to do of a read that takes several steps. */
  walk: Walk | undefined
  /** The answer to a read, while one that was asked before it has none. */
  held: HeldAnswer | undefined
}

/** What was answered, and the index that was applied where it was read; undefined if nothing was read. */
interface HeldAnswer {
  readonly response: Response
  readonly index: LogIndex | undefined
}

/** A read that may be served from a table in which `index` is applied. */
export interface ReadyQuestion {
  readonly question: Question
  readonly index: LogIndex
  /** The index is that of an entry that told the time, on account of this read. */
  readonly isTimed: boolean
}

/** Foreign questions a leader holds at most; further ones are dropped, and will be asked again. */
const foreignMax = 100_000
/** Questions of this node's clients that wait at most. */
const clientMax = 100_000

export class Queries {
  readonly #answer: Answer
  readonly #questions = new Map<number, Question>()
  /** Foreign questions by who asked and under which number, so that a repeat is not taken twice. */
  readonly #foreign = new Map<string, Question>()
  /** The questions that ask for another leader. */
  readonly #transfers = new Set<Question>()
  /** The reads of this node's clients, in the order in which they were asked. */
  readonly #reads = new Set<Question>()
  /** What the last of their answers has seen. */
  #seenIndex = logIndex(0)
  /** Not sent or begun under the present leader, oldest first. */
  #waiting: Question[] = []
  /** Reads that may be served here once their index is applied, by token. */
  readonly #awaiting = new Map<number, ReadyQuestion>()
  /** The term for whose leader the questions that do not wait were sent; undefined while this node leads. */
  #sentInTerm: Term | undefined
  #resendAtTick = Number.POSITIVE_INFINITY
  #moveAtTick = 0
  /** Answers must not be taken for those to questions of an earlier start, so tokens begin at random. */
  #nextToken: number

  constructor(random: Random, answer: Answer) {
    this.#answer = answer
    this.#nextToken = random.uint32() * 2 ** 20
  }

  /** Questions of this node's clients that are not answered. */
  get size(): number {
    return this.#questions.size - this.#foreign.size
  }

  /** Takes a client's question; a leader must be asked by one tick, and have answered by another. */
  add(id: RequestId, request: Request, askedByTick: number, expiresAtTick: number): void {
    if (this.size >= clientMax) this.#answer(id, failure('BUSY'))
    else this.#ask(request, { kind: 'client', id }, askedByTick, expiresAtTick)
  }

  /** Takes a client's read that is served here, from what is applied now. */
  addLocal(id: RequestId, request: Request, applied: LogIndex, expiresAtTick: number): void {
    if (this.size >= clientMax) {
      this.#answer(id, failure('BUSY'))
      return
    }
    const question = this.#ask(request, { kind: 'client', id }, expiresAtTick, expiresAtTick)
    this.#waiting.pop()
    this.await(question.token, applied)
  }

  takeForeign(node: NodeId, id: number, request: Request): void {
    const name = `${node}/${id}`
    if (this.#foreign.has(name) || this.#foreign.size >= foreignMax) return
    const never = Number.POSITIVE_INFINITY
    const question = this.#ask(request, { kind: 'peer', node, id }, never, never)
    this.#foreign.set(name, question)
  }

  /** Sees to it that the leader is asked to note this node's new address, now and then. */
  ensureMove(member: Member, tick: number, everyTicks: number): void {
    if (tick < this.#moveAtTick) return
    this.#moveAtTick = tick + everyTicks
    this.#ask({ op: 'move-member', member }, { kind: 'own' }, tick + everyTicks, tick + everyTicks)
  }

  /** The client went away: nobody waits for the answer. */
  abandon(id: RequestId): void {
    for (const { origin } of this.#questions.values()) {
      if (origin.kind === 'client' && origin.id === id) origin.id = undefined
    }
  }

  /** Another node leads: sends it what it was not asked yet, or everything if an answer is overdue. */
  sendTo(
    leader: NodeId,
    term: Term,
    tick: number,
    retryTicks: number,
    outgoing: To<ConsensusMessage>[],
  ): void {
    const isRepeat = term !== this.#sentInTerm || tick >= this.#resendAtTick
    if (!isRepeat && this.#waiting.length === 0) return
    const toSend = isRepeat ? this.#questions.values() : this.#waiting
    for (const question of toSend) {
      if (question.held !== undefined) continue
      question.asked++
      const { token, request } = question
      outgoing.push({ to: leader, message: { kind: 'query', id: token, request } })
    }
    this.#waiting = []
    this.#sentInTerm = term
    if (isRepeat || this.#resendAtTick === Number.POSITIVE_INFINITY) {
      this.#resendAtTick = this.#questions.size === 0 ? Number.POSITIVE_INFINITY : tick + retryTicks
    }
  }

  /** This node leads: what waits, to be begun here. */
  takeWaiting(): readonly Question[] {
    if (this.#sentInTerm !== undefined) this.#waitAgain()
    const waiting = this.#waiting
    this.#waiting = []
    for (const question of waiting) question.asked++
    return waiting
  }

  /** The round of a read was answered, here or at the leader: it may be served once `index` is applied. */
  await(token: number, index: LogIndex, isTimed = false): void {
    const question = this.#questions.get(token)
    // Whoever waits longer than for a repeat hears of a later index, but the first one will do.
    if (question !== undefined && !this.#awaiting.has(token))
      this.#awaiting.set(token, { question, index, isTimed })
  }

  takeReady(applied: LogIndex): readonly ReadyQuestion[] {
    if (this.#awaiting.size === 0) return []
    const ready = [...this.#awaiting.values()].filter(({ index }) => index <= applied)
    for (const { question } of ready) this.#awaiting.delete(question.token)
    return ready
  }

  /** Answers a question that this node, as the leader, has worked on; a read with what is `applied` here. */
  finish(
    token: number,
    response: Response,
    applied: LogIndex | undefined,
    outgoing: To<ConsensusMessage>[],
  ): void {
    const question = this.#questions.get(token)
    if (question === undefined) return
    const { origin } = question
    if (origin.kind === 'peer') {
      const message = { kind: 'query-reply', id: origin.id, index: applied, response } as const
      outgoing.push({ to: origin.node, message })
      this.#drop(question)
    } else this.settle(token, response, applied)
  }

  /** The same for a read that is ready; a larger answer than a node is sent is left to its own copy. */
  finishRead(
    { question, index }: ReadyQuestion,
    response: Response,
    applied: LogIndex,
    carriedBytesMax: (to: NodeId) => number,
    outgoing: To<ConsensusMessage>[],
  ): void {
    const { token, origin } = question
    const isLarge = origin.kind === 'peer' && responseBytes(response) > carriedBytesMax(origin.node)
    if (!isLarge || !this.#questions.has(token)) {
      this.finish(token, response, applied, outgoing)
      return
    }
    outgoing.push({ to: origin.node, message: { kind: 'read-index', id: origin.id, index } })
    this.#drop(question)
  }

  /** The leader answered; a read with what was applied where it was read. */
  settle(token: number, response: Response, index?: LogIndex): void {
    const question = this.#questions.get(token)
    if (question === undefined || question.origin.kind === 'peer' || question.held !== undefined) return
    if (this.#reads.has(question)) {
      question.held = { response, index }
      this.#awaiting.delete(token)
      this.#release()
    } else this.#conclude(question, forRepeated(question, response))
  }

  /** Leadership came to be known: transfers to this address are done. */
  noteLeader(address: string): void {
    for (const { token, request } of this.#transfers) {
      if (request.op !== 'transfer-leader' || request.address !== address) continue
      this.settle(token, { kind: 'done' })
    }
  }

  /** This node leads no longer: what its clients asked goes to the next leader. */
  loseLeadership(): void {
    this.dropForeign()
    this.#waitAgain()
  }

  dropForeign(): void {
    for (const question of [...this.#foreign.values()]) this.#drop(question)
  }

  /** Answers what has waited too long. */
  expire(tick: number): void {
    for (const question of this.#questions.values()) {
      const untilTick = question.asked > 0 ? question.expiresAtTick : question.askedByTick
      if (untilTick > tick) continue
      const mayHaveHappened = question.asked > 0 && question.request.op.endsWith('-member')
      this.#conclude(question, failure(mayHaveHappened ? 'OUTCOME_UNKNOWN' : 'LEADER_UNAVAILABLE'))
      this.#release()
    }
  }

  refuseAll(response: Response): void {
    for (const question of [...this.#questions.values()]) {
      if (question.origin.kind === 'peer') this.#drop(question)
      else this.#conclude(question, response)
    }
  }

  #ask(request: Request, origin: Origin, askedByTick: number, expiresAtTick: number): Question {
    const token = this.#nextToken++
    const none = { walk: undefined, held: undefined }
    const question: Question = { token, request, origin, askedByTick, expiresAtTick, asked: 0, ...none }
    this.#questions.set(token, question)
    if (origin.kind === 'client' && isOrdered(request)) this.#reads.add(question)
    if (request.op === 'transfer-leader') this.#transfers.add(question)
    this.#waiting.push(question)
    return question
  }

  /** Lets the answers leave whose turn it is. */
  #release(): void {
    for (const question of this.#reads) {
      const { held } = question
      if (held === undefined) return
      if (held.index !== undefined && held.index < this.#seenIndex) {
        question.held = undefined
        this.#waiting.push(question)
        return
      }
      this.#seenIndex = held.index ?? this.#seenIndex
      this.#conclude(question, held.response)
    }
  }

  #conclude(question: Question, response: Response): void {
    this.#drop(question)
    const { origin } = question
    if (origin.kind === 'client' && origin.id !== undefined) this.#answer(origin.id, response)
  }

  #waitAgain(): void {
    this.#sentInTerm = undefined
    this.#resendAtTick = Number.POSITIVE_INFINITY
    this.#awaiting.clear()
    this.#waiting = [...this.#questions.values()].filter(({ held }) => held === undefined)
    // What was found so far is of a moment that may be too early for the next leader.
    for (const question of this.#waiting) question.walk = undefined
  }

  #drop(question: Question): void {
    this.#questions.delete(question.token)
    this.#awaiting.delete(question.token)
    this.#transfers.delete(question)
    this.#reads.delete(question)
    if (question.origin.kind === 'peer') this.#foreign.delete(`${question.origin.node}/${question.origin.id}`)
    const at = this.#waiting.indexOf(question)
    if (at >= 0) this.#waiting.splice(at, 1)
  }
}

/**
 * Whether a read is answered in its turn among those of this node. Not one of the own copy, which may be stale
 * anyway; nor one that walks over all keys for so long that everybody would wait (its connection waits for it).
 */
function isOrdered(request: Request): boolean {
  switch (request.op) {
    case 'get':
    case 'keys':
      return true
    case 'redis-read':
      return !request.local && !request.operations.some(isWalk)
    default:
      return false
  }
}

/** About how much an answer takes in a message. */
export function responseBytes(response: Response): number {
  if (response.kind === 'value') return response.value.length
  if (response.kind === 'redis')
    return response.replies.reduce((total, reply) => total + replyBytes(reply), 0)
  if (response.kind !== 'keys') return 0
  return response.keys.reduce((total, key) => total + key.length, 0)
}

/** A repeated removal that finds nobody to remove was carried out the first time. */
function forRepeated(question: Question, response: Response): Response {
  const isGone = response.kind === 'error' && response.code === 'NODE_UNKNOWN'
  return isGone && question.asked > 1 && question.request.op === 'remove-member' ? { kind: 'done' } : response
}
