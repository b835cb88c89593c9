/**
 * The requests of a client from the moment they are made until they are answered: which are under way on the
 * present connection, which wait for one, and when they are given up.
 *
 * What must always hold:
 * - each request is settled once;
 * - requests are sent in the order in which they were made, also when they are sent again on a new connection;
 * - a write is repeated under one identity only, so that the cluster carries it out once;
 * - a write that may have happened is never reported as one that did nothing.
 */
import { randomUUID } from 'node:crypto'
import type { Connection, Fields, Outcome } from './connection.js'
import { QuorateError, type QuorateErrorCode } from './errors.js'
import { type RequestOptions, writeTimeoutMsMax } from './options.js'
import { readError } from './results.js'

/** What a request does, and so what may become of it when its connection is lost. */
export type RequestKind =
  /** Changes nothing: may be repeated. */
  | 'read'
  /** Has an identity: may be repeated, and happens once. */
  | 'write'
  /** Has none, and may take long: is repeated only where it certainly did nothing. */
  | 'admin'

/** What is to be asked, and how its answer is read. */
export interface Question<T> {
  readonly kind: RequestKind
  readonly fields: Fields
  /** Throws a `QuorateError` for an answer that it cannot read. */
  readonly read: (fields: Fields) => T
}

interface Task {
  /** Counts the requests of this client: their order. */
  readonly number: number
  readonly kind: RequestKind
  readonly fields: Fields
  readonly bytes: number
  readonly deadlineAtMs: number
  readonly timeoutMs: number
  sentAtMs: number
  isUnderWay: boolean
  /** An earlier attempt may have been carried out. */
  mayHaveHappened: boolean
  /** Why the last attempt came to nothing. */
  lastError: QuorateError | undefined
  settle(result: QuorateError | Fields): void
}

/** The bounds of what may wait. */
export interface RequestLimits {
  readonly timeoutMs: number
  readonly requestsMax: number
  readonly requestBytesMax: number
}

/** Where requests go. */
export interface RequestPlace {
  /** The node of the connection says that it takes no requests. */
  onUnfit(reason: string): void
  /** Whether there are other nodes to try. */
  hasOthers(): boolean
}

/** What a node answers that only wishes to be asked again, a little later. */
const retryHere: ReadonlySet<QuorateErrorCode> = new Set(['BUSY', 'LEADER_UNAVAILABLE', 'OUTCOME_UNKNOWN'])
/** What a node answers that cannot take requests, while others may. */
const retryElsewhere: ReadonlySet<QuorateErrorCode> = new Set([
  'STOPPING',
  'NOT_A_MEMBER',
  'NODE_REMOVED',
  'NODE_REPLACED',
  'TOO_MANY_CONNECTIONS',
])
/** What the state machine answers to a write that it has looked at. */
const verdicts: ReadonlySet<QuorateErrorCode> = new Set(['KEY_EXISTS', 'KEY_NOT_FOUND', 'VERSION_MISMATCH'])
/** How long to leave a node alone that wishes to be asked again. */
const retryPauseMs = 50
/** Requests under way on one connection; a node reads no more than these ahead. */
const windowMax = 256

/** See the head of this file. One for each client. */
export class Requests {
  readonly #limits: RequestLimits
  readonly #place: RequestPlace
  #connection: Connection | undefined
  #isHeld = false
  #onIdle: (() => void) | undefined
  /** In the order of their numbers. */
  readonly #waiting: Task[] = []
  readonly #tasks = new Set<Task>()
  #bytes = 0
  #made = 0

  constructor(limits: RequestLimits, place: RequestPlace) {
    this.#limits = limits
    this.#place = place
  }

  /** Makes a request. Fails with a {@link QuorateError} only. */
  submit<T>(question: Question<T>, options: RequestOptions): Promise<T> {
    const { kind, read } = question
    const { signal } = options
    const fields = kind === 'write' ? { ...question.fields, request: randomUUID() } : question.fields
    const bytes = bytesOf(fields)
    const timeoutMs = this.#timeoutOf(kind, options)
    return new Promise<T>((resolve, reject) => {
      const { requestsMax, requestBytesMax } = this.#limits
      if (signal?.aborted) return reject(new QuorateError('ABORTED', {}, { cause: signal.reason }))
      if (this.#tasks.size >= requestsMax)
        return reject(new QuorateError('QUEUE_FULL', { limit: requestsMax }))
      if (this.#bytes > 0 && this.#bytes + bytes > requestBytesMax) {
        return reject(new QuorateError('QUEUE_FULL', { limit: `${requestBytesMax} bytes` }))
      }
      const giveUp = (): void => this.#giveUp(task, this.#whyLate(task))
      const deadline = setTimeout(giveUp, timeoutMs)
      const callOff = (): void =>
        this.#giveUp(task, new QuorateError('ABORTED', {}, { cause: signal?.reason }))
      signal?.addEventListener('abort', callOff, { once: true })
      const task: Task = {
        number: ++this.#made,
        kind,
        fields,
        bytes,
        deadlineAtMs: performance.now() + timeoutMs,
        timeoutMs,
        sentAtMs: 0,
        isUnderWay: false,
        mayHaveHappened: false,
        lastError: undefined,
        settle: result => {
          if (!this.#tasks.delete(task)) return
          this.#bytes -= bytes
          clearTimeout(deadline)
          signal?.removeEventListener('abort', callOff)
          if (result instanceof QuorateError) return reject(result)
          try {
            resolve(read(result))
          } catch (error) {
            reject(error)
          }
        },
      }
      this.#tasks.add(task)
      this.#bytes += bytes
      this.#waiting.push(task)
      this.pump()
    })
  }

  /** Requests go out on this connection from now on; it must be open. */
  attach(connection: Connection): void {
    this.#connection = connection
    this.#isHeld = false
    this.pump()
  }

  /** There is no connection; what is made waits. */
  detach(): void {
    this.#connection = undefined
    this.#isHeld = false
    this.#onIdle = undefined
  }

  /** Sends nothing more until {@link attach}; `onIdle` is called once everything under way is answered. */
  hold(onIdle: () => void): void {
    this.#isHeld = true
    this.#onIdle = onIdle
    this.#tellIdle()
  }

  /** Sends again, after all. */
  resume(): void {
    this.#isHeld = false
    this.#onIdle = undefined
    this.pump()
  }

  /** Whether the node owes answers for longer than `ms`, and has said nothing meanwhile. */
  isUnanswered(ms: number): boolean {
    const connection = this.#connection
    if (connection === undefined) return false
    const sinceMs = performance.now() - ms
    if (connection.heardAtMs > sinceMs) return false
    return [...this.#tasks].some(task => task.isUnderWay && task.kind !== 'admin' && task.sentAtMs < sinceMs)
  }

  /** Whether a change of the cluster is under way, which may take long and cannot be repeated. */
  get isAdministering(): boolean {
    return [...this.#tasks].some(task => task.kind === 'admin' && task.isUnderWay)
  }

  /** Gives up everything that waits for a connection. */
  failWaiting(error: QuorateError): void {
    for (const task of this.#waiting.splice(0)) this.#giveUp(task, error)
  }

  /** Gives up everything. */
  failAll(error: QuorateError): void {
    for (const task of [...this.#tasks]) this.#giveUp(task, error)
    this.#waiting.length = 0
  }

  /** Sends what may be sent. */
  pump(): void {
    const connection = this.#connection
    while (connection?.hasRoom && !this.#isHeld && connection.open < windowMax) {
      const task = this.#waiting.shift()
      if (task === undefined) return
      if (!this.#tasks.has(task)) continue
      task.isUnderWay = true
      task.sentAtMs = performance.now()
      connection.ask(task.fields, outcome => this.#onOutcome(task, outcome))
    }
  }

  #onOutcome(task: Task, outcome: Outcome): void {
    const wasUnderWay = task.isUnderWay
    task.isUnderWay = false
    // One that was given up meanwhile is no longer among them.
    if (wasUnderWay && this.#tasks.has(task)) {
      if (outcome.kind === 'lost') this.#onLost(task, outcome.reason)
      else this.#onAnswer(task, outcome.fields)
    }
    this.#tellIdle()
    this.pump()
  }

  #onLost(task: Task, reason: string): void {
    if (task.kind !== 'read') task.mayHaveHappened = true
    task.lastError = undefined
    if (task.kind === 'admin') this.#giveUp(task, new QuorateError('UNREACHABLE', { reason }))
    else this.#wait(task)
  }

  #onAnswer(task: Task, fields: Fields): void {
    const error = readError(fields)
    if (error === undefined) {
      task.settle(fields)
    } else if (verdicts.has(error.code)) {
      // Said of this very write, under its identity, however often it was sent.
      task.settle(error)
    } else if (retryElsewhere.has(error.code) && this.#mayGoElsewhere(error.code)) {
      task.lastError = error
      this.#wait(task)
      // Not in the middle of an answer: the loss settles all others of the connection.
      setImmediate(() => this.#place.onUnfit(error.message))
    } else if (retryHere.has(error.code) && (error.definite || task.kind === 'write')) {
      this.#retryHere(task, error)
    } else {
      this.#giveUp(task, error)
    }
  }

  /** A node that stops will be back, or another one; what else makes a node unfit for use lasts. */
  #mayGoElsewhere(code: QuorateErrorCode): boolean {
    return code === 'STOPPING' || this.#place.hasOthers()
  }

  #retryHere(task: Task, error: QuorateError): void {
    if (!error.definite) task.mayHaveHappened = true
    task.lastError = error
    const nowMs = performance.now()
    // An attempt that is under way at the deadline would hide this answer: it is made only if it could last as long as
    // this one, and a pause longer.
    const lastedMs = nowMs - task.sentAtMs
    if (nowMs + retryPauseMs + lastedMs + retryPauseMs > task.deadlineAtMs) this.#giveUp(task, error)
    else setTimeout(() => this.#wait(task), retryPauseMs)
  }

  /** Puts a request back among those that wait, before those that were made after it. */
  #wait(task: Task): void {
    if (!this.#tasks.has(task)) return
    let place = this.#waiting.length
    while (place > 0 && (this.#waiting[place - 1]?.number ?? 0) > task.number) place--
    this.#waiting.splice(place, 0, task)
    this.pump()
  }

  #giveUp(task: Task, why: QuorateError): void {
    const mayHaveHappened = task.kind !== 'read' && (task.mayHaveHappened || task.isUnderWay)
    if (!mayHaveHappened || why.code === 'OUTCOME_UNKNOWN') task.settle(why)
    else task.settle(new QuorateError('OUTCOME_UNKNOWN', {}, { cause: why }))
  }

  /** Why a request ended at its deadline: what the nodes said last, if they said anything. */
  #whyLate(task: Task): QuorateError {
    return task.lastError ?? new QuorateError('DEADLINE_EXCEEDED', { ms: task.timeoutMs })
  }

  #timeoutOf(kind: RequestKind, { timeoutMs = this.#limits.timeoutMs }: RequestOptions): number {
    if (!(timeoutMs > 0)) throw new RangeError(`timeoutMs must be above 0, not ${timeoutMs}`)
    // Timers cannot count further than that, and writes must not be repeated when they are forgotten.
    return Math.min(timeoutMs, kind === 'write' ? writeTimeoutMsMax : 2 ** 31 - 1)
  }

  #tellIdle(): void {
    if (this.#onIdle === undefined || (this.#connection?.open ?? 0) > 0) return
    const tell = this.#onIdle
    this.#onIdle = undefined
    tell()
  }
}

function bytesOf(fields: Fields): number {
  let bytes = 100
  for (const field of Object.values(fields)) if (typeof field === 'string') bytes += field.length
  return bytes
}
