/**
 * Administrative requests (members, leadership) on their way to the leader and back: those of this node's own clients,
 * and, while this node leads, those of other nodes. All of them may be asked again without harm, so they simply are,
 * when the leader changes or stays silent.
 */
import type { Member, NodeId, RequestId, Term } from '../base/ids.js'
import { failure, type Request, type Response } from '../protocol/request.js'
import type { To } from './contract.js'
import type { ConsensusMessage } from './messages.js'
import type { Answer } from './outbox.js'

type Origin =
  | { readonly kind: 'client'; readonly id: RequestId }
  | { readonly kind: 'peer'; readonly node: NodeId; readonly id: number }
  /** The node itself: it tells the leader that its address changed. */
  | { readonly kind: 'own' }

/** An administrative request that is not answered yet. */
export interface Question {
  readonly token: number
  readonly request: Request
  readonly origin: Origin
  /** Until then some leader must have been asked. */
  readonly askedByTick: number
  readonly expiresAtTick: number
  /** How often a leader was asked, this node as one included. */
  asked: number
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
  /** Not sent or begun under the present leader, oldest first. */
  readonly #waiting = new Set<Question>()
  /** The term for whose leader the questions that do not wait were sent; undefined while this node leads. */
  #sentInTerm: Term | undefined
  #resendAtTick = Number.POSITIVE_INFINITY
  #moveAtTick = 0
  readonly #nextToken: () => number

  constructor(nextToken: () => number, answer: Answer) {
    this.#answer = answer
    this.#nextToken = nextToken
  }

  /** Questions of this node's clients that are not answered. */
  get size(): number {
    return this.#questions.size - this.#foreign.size
  }

  /** Whether there are no questions at all, other nodes' and this one's own among them. */
  get isEmpty(): boolean {
    return this.#questions.size === 0
  }

  /** Takes a client's question; a leader must be asked by one tick, and have answered by another. */
  add(id: RequestId, request: Request, askedByTick: number, expiresAtTick: number): void {
    if (this.size >= clientMax) this.#answer(id, failure('BUSY'))
    else this.#ask(request, { kind: 'client', id }, askedByTick, expiresAtTick)
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

  /** Another node leads: sends it what it was not asked yet, or everything if an answer is overdue. */
  sendTo(
    leader: NodeId,
    term: Term,
    tick: number,
    retryTicks: number,
    outgoing: To<ConsensusMessage>[],
  ): void {
    const isRepeat = term !== this.#sentInTerm || tick >= this.#resendAtTick
    if (!isRepeat && this.#waiting.size === 0) return
    const toSend = isRepeat ? this.#questions.values() : this.#waiting
    for (const question of toSend) {
      question.asked++
      const { token, request } = question
      outgoing.push({ to: leader, message: { kind: 'query', id: token, request } })
    }
    this.#waiting.clear()
    this.#sentInTerm = term
    if (isRepeat || this.#resendAtTick === Number.POSITIVE_INFINITY) {
      this.#resendAtTick = this.#questions.size === 0 ? Number.POSITIVE_INFINITY : tick + retryTicks
    }
  }

  /** This node leads: what waits, to be begun here. */
  takeWaiting(): readonly Question[] {
    if (this.#sentInTerm !== undefined) this.#waitAgain()
    if (this.#waiting.size === 0) return nothing
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const question of waiting) question.asked++
    return waiting
  }

  /** Answers a question that this node, as the leader, has worked on. */
  finish(token: number, response: Response, outgoing: To<ConsensusMessage>[]): void {
    const question = this.#questions.get(token)
    if (question === undefined) return
    const { origin } = question
    if (origin.kind === 'peer') {
      outgoing.push({ to: origin.node, message: { kind: 'query-reply', id: origin.id, response } })
      this.#drop(question)
    } else this.#conclude(question, forRepeated(question, response))
  }

  /** The leader answered. */
  settle(token: number, response: Response): void {
    const question = this.#questions.get(token)
    if (question === undefined || question.origin.kind === 'peer') return
    this.#conclude(question, forRepeated(question, response))
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
    for (const question of this.#foreign.values()) this.#drop(question)
  }

  /** Answers what has waited too long. */
  expire(tick: number): void {
    for (const question of this.#questions.values()) {
      const untilTick = question.asked > 0 ? question.expiresAtTick : question.askedByTick
      if (untilTick > tick) continue
      this.#conclude(question, failure(mayHaveHappened(question) ? 'OUTCOME_UNKNOWN' : 'LEADER_UNAVAILABLE'))
    }
  }

  /** This node was removed: answers everything, what was never asked of a leader with `unasked`. */
  refuseAll(unasked: Response): void {
    for (const question of this.#questions.values()) {
      if (question.origin.kind === 'peer') this.#drop(question)
      else this.#conclude(question, mayHaveHappened(question) ? failure('OUTCOME_UNKNOWN') : unasked)
    }
  }

  #ask(request: Request, origin: Origin, askedByTick: number, expiresAtTick: number): Question {
    const token = this.#nextToken()
    const question: Question = { token, request, origin, askedByTick, expiresAtTick, asked: 0 }
    this.#questions.set(token, question)
    if (request.op === 'transfer-leader') this.#transfers.add(question)
    this.#waiting.add(question)
    return question
  }

  #conclude(question: Question, response: Response): void {
    this.#drop(question)
    const { origin } = question
    if (origin.kind === 'client') this.#answer(origin.id, response)
  }

  #waitAgain(): void {
    this.#sentInTerm = undefined
    this.#resendAtTick = Number.POSITIVE_INFINITY
    for (const question of this.#questions.values()) this.#waiting.add(question)
  }

  #drop(question: Question): void {
    this.#questions.delete(question.token)
    this.#transfers.delete(question)
    if (question.origin.kind === 'peer') this.#foreign.delete(`${question.origin.node}/${question.origin.id}`)
    this.#waiting.delete(question)
  }
}

const nothing: readonly Question[] = []

/** Whether a leader that was asked may have changed the members, whatever became of its answer. */
function mayHaveHappened({ asked, request }: Question): boolean {
  return asked > 0 && request.op.endsWith('-member')
}

/** A repeated removal that finds nobody to remove was carried out the first time. */
function forRepeated(question: Question, response: Response): Response {
  const isGone = response.kind === 'error' && response.code === 'NODE_UNKNOWN'
  return isGone && question.asked > 1 && question.request.op === 'remove-member' ? { kind: 'done' } : response
}
