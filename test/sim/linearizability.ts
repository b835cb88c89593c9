/**
 * The judge of histories: is there an order of the operations, each taking effect at one moment between its
 * question and its answer, that explains every answer? (Herlihy and Wing, "Linearizability", 1990.)
 *
 * Linearizability is local, so each key is judged by itself, as a register (register.ts). The search is that
 * of Wing and Gong with the memory of Lowe ("Testing for linearizability", 2017): depth first, one operation
 * at a time, never twice into the same configuration. What changes nothing is placed as soon as it can be,
 * without a choice. Writes whose versions were told are placed in the order of these, and not before everybody
 * who saw the version before.
 *
 * Operations of unknown outcome are what makes it hard, because each of them doubles what can be. So they are
 * tried last and only where they may help, one of those that are all the same stands for the others, and a
 * configuration in which fewer of them were used, all else equal, stands for those in which more were.
 *
 * The question is NP-complete, so the search is bounded; beyond the bound the verdict is `undecided`, which is
 * for the caller to treat as loudly as a violation.
 */
import { type Action, isUnknown, type Operation, type Outcome, shorten } from './history.js'
import { carryOut, missing, type Register } from './register.js'
import { settle } from './unknown-outcomes.js'

export type Verdict =
  | { readonly kind: 'linearizable'; readonly steps: number }
  | { readonly kind: 'violation'; readonly key: string; readonly explanation: readonly string[] }
  | { readonly kind: 'undecided'; readonly key: string; readonly steps: number }

/** Steps of one key's search at most, unless told otherwise: some seconds. */
export const stepsMaxDefault = 5_000_000

/** Judges a whole history. A violation of any key goes before an undecided one. */
export function judge(operations: readonly Operation[], stepsMax = stepsMaxDefault): Verdict {
  let steps = 0
  let undecided: Verdict | undefined
  for (const [key, ofKey] of groupByKey(operations)) {
    const search = new Search(ofKey, stepsMax)
    const ending = search.run()
    steps += search.steps
    if (ending === 'exhausted') return { kind: 'violation', key, explanation: explain(ofKey, search) }
    if (ending === 'out of steps') undecided ??= { kind: 'undecided', key, steps: search.steps }
  }
  return undecided ?? { kind: 'linearizable', steps }
}

function groupByKey(operations: readonly Operation[]): Map<string, Operation[]> {
  const groups = new Map<string, Operation[]>()
  for (const operation of operations) {
    // Neither of these had an effect or tells anything.
    if (operation.outcome.kind === 'refused') continue
    if (operation.action.op === 'get' && isUnknown(operation)) continue
    const { key } = operation.action
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [operation])
    else group.push(operation)
  }
  return groups
}

/** Shows how far the search came at best, by going there once more. */
function explain(operations: readonly Operation[], exhausted: Search): string[] {
  const search = new Search(operations, stepsMaxDefault)
  search.run(exhausted.mostPlaced)
  return search.describe()
}

/** An operation while it is being placed. */
interface Candidate {
  readonly operation: Operation
  /** What it does; the value of a write that nobody saw is left out, because it makes no difference. */
  readonly action: Action
  /** Its number among those of known outcome, or among those of unknown outcome, by the time of the question. */
  readonly number: number
  readonly isKnown: boolean
  /** It was answered with an unknown outcome, or not at all. */
  readonly isDoubtful: boolean
  /** Of unknown outcome, and nobody saw what it wrote. */
  readonly isUnseen: boolean
  placed: boolean
  /** The version it was told to have written. */
  readonly version: number | undefined
  /** The version that was there when it took effect, as its answer tells. */
  readonly observed: number | undefined
  /** Once it is placed, some operation of unknown outcome may not be. */
  isBlocking: boolean
  /** Operations of known outcome asked before it on its connection, which must be placed before it. */
  readonly before: Candidate[]
  /** Operations asked after it on its connection: once one of them is placed, it may not be. */
  readonly after: Candidate[]
  /** The last one asked before it that would do just the same, so that it need not be tried before that one. */
  twin: Candidate | undefined
}

/** A question or an answer in the list of what is not placed yet, in the order of time. */
interface Moment {
  readonly candidate: Candidate | undefined
  readonly isAnswer: boolean
  readonly at: number
  previous: Moment | undefined
  next: Moment | undefined
}

/** What must be put back when a choice is taken back. */
interface Choice {
  readonly candidate: Candidate
  /** Nothing else is worth trying in its place. */
  readonly isForced: boolean
  readonly register: Register
  readonly highest: number
  readonly used: bigint
}

/** Ways in which one situation was entered: with these unknown operations used and at this version or above. */
interface Visit {
  readonly used: bigint
  readonly version: number
}

class Search {
  readonly #stepsMax: number
  readonly #known: Candidate[] = []
  readonly #unknown: Candidate[] = []
  /** Stands before the first moment. */
  readonly #head: Moment = {
    candidate: undefined,
    isAnswer: false,
    at: -1,
    previous: undefined,
    next: undefined,
  }
  readonly #questions: Moment[] = []
  readonly #answers: Moment[] = []
  readonly #visits = new Map<string, Visit[]>()
  readonly #choices: Choice[] = []
  #register: Register = missing
  /** The highest number of a known operation that is placed. */
  #highest = -1
  /** One bit for each unknown operation that is placed. */
  #used = 0n
  #placed = 0
  /** Known writes in the order of their versions, and how many of them are placed. */
  readonly #versioned: Candidate[]
  #versionedPlaced = 0
  /** How many known operations that observed a version are not placed yet, by version. */
  readonly #observers = new Map<number, number>()
  /** How many known operations were placed at best. */
  mostPlaced = 0
  steps = 0

  readonly #oddities: ReadonlySet<number>

  constructor(unsettled: readonly Operation[], stepsMax: number) {
    this.#stepsMax = stepsMax
    const { operations, oddities, doubtful, unseen } = settle(unsettled)
    this.#oddities = oddities
    const connections = new Map<string, Candidate[]>()
    for (const operation of [...operations].sort((one, other) => one.calledAt - other.calledAt)) {
      const isKnown = !isUnknown(operation)
      const group = isKnown ? this.#known : this.#unknown
      const { action } = operation
      const isUnseen = unseen.has(operation.id)
      const candidate: Candidate = {
        operation,
        action: isUnseen && 'value' in action ? { ...action, value: '' } : action,
        number: group.length,
        isKnown,
        isDoubtful: doubtful.has(operation.id),
        isUnseen,
        placed: false,
        version: writtenVersion(operation),
        observed: observedVersion(operation),
        isBlocking: false,
        before: [],
        after: [],
        twin: undefined,
      }
      group.push(candidate)
      const { connection } = operation
      if (connection === undefined) continue
      const earlier = connections.get(connection) ?? []
      connections.set(connection, earlier)
      followOn(earlier, candidate)
    }
    linkTwins(this.#unknown)
    this.#versioned = this.#known.filter(({ version }) => version !== undefined)
    this.#versioned.sort((one, other) => (one.version ?? 0) - (other.version ?? 0))
    for (const { observed } of this.#known) this.#countObserver(observed, 1)
    this.#linkMoments()
  }

  /** Looks for an order of all known operations, or, to show it, for one of `enough` of them. */
  run(enough = this.#known.length): 'found' | 'exhausted' | 'out of steps' {
    let moment = this.#head.next
    let nextUnknown = 0
    while (this.#placed < enough) {
      let chosen = false
      // Any of those asked before the first answer may have been the next to take effect.
      while (moment !== undefined && !moment.isAnswer && !chosen) {
        chosen = moment.candidate !== undefined && this.#place(moment.candidate)
        moment = moment.next
      }
      while (moment !== undefined && !chosen) {
        const candidate = this.#unknown[nextUnknown++]
        if (candidate === undefined || candidate.operation.calledAt > moment.at) break
        chosen = !candidate.placed && this.#place(candidate)
      }
      if (this.steps > this.#stepsMax) return 'out of steps'
      if (chosen) {
        moment = this.#head.next
        nextUnknown = 0
        continue
      }
      const taken = this.#takeBackChoice()
      if (taken === undefined) return 'exhausted'
      moment = taken.isKnown ? this.#questions[taken.number]?.next : this.#firstAnswer()
      nextUnknown = taken.isKnown ? 0 : taken.number + 1
    }
    return 'found'
  }

  /** What was placed last, and what could not be placed behind it. */
  describe(): string[] {
    const { exists, value, version, isExact } = this.#register
    const stored = exists
      ? `'${shorten(value)}' (version ${isExact ? '' : 'at least '}${version})`
      : 'nothing'
    const lines = [
      `${this.#placed} of ${this.#known.length} operations can be put in order; the last of them:`,
    ]
    for (const { candidate } of this.#choices.slice(-shownOperations)) {
      lines.push(`  ${describeOperation(candidate.operation)}`)
    }
    lines.push(`after which the key holds ${stored}; none of these can follow, and the first answered must:`)
    const waiting: Operation[] = []
    for (let moment = this.#head.next; moment !== undefined && !moment.isAnswer; moment = moment.next) {
      if (moment.candidate !== undefined) waiting.push(moment.candidate.operation)
    }
    waiting.sort((one, other) => one.returnedAt - other.returnedAt)
    lines.push(...waiting.map(operation => `  ${describeOperation(operation)}`))
    const bound = this.#known.filter(({ placed, observed }) => isExact && !placed && observed === version)
    if (bound.length > 0) lines.push(`because these saw version ${version} and have not come yet:`)
    return [...lines, ...bound.map(({ operation }) => `  ${describeOperation(operation)}`)]
  }

  /** Lets a candidate take effect now, unless it cannot, or that leads to where the search has been. */
  #place(candidate: Candidate): boolean {
    this.steps++
    const { operation, before, after } = candidate
    if (before.some(earlier => !earlier.placed) || after.some(later => later.placed)) return false
    if (candidate.twin?.placed === false || this.#isPointless(candidate)) return false
    const register = carryOut(this.#register, candidate.action, operation.outcome)
    if (register === undefined || this.#wasPossibleBefore(candidate, register)) return false
    const isChange = register !== this.#register
    if (isChange && this.#comesTooEarly(candidate)) return false

    this.#choices.push({
      candidate,
      isForced: !isChange && candidate.isKnown && !candidate.isBlocking,
      register: this.#register,
      highest: this.#highest,
      used: this.#used,
    })
    candidate.placed = true
    this.#register = register
    if (candidate.isKnown) {
      this.#placed++
      if (candidate.version !== undefined) this.#versionedPlaced++
      this.#countObserver(candidate.observed, -1)
      this.#highest = Math.max(this.#highest, candidate.number)
      this.#unlink(candidate.number)
    } else {
      this.#used |= 1n << BigInt(candidate.number)
    }
    if (this.#wasHere()) {
      this.#takeBack()
      return false
    }
    this.mostPlaced = Math.max(this.mostPlaced, this.#placed)
    return true
  }

  /** A write that nobody saw, on a key that exists anyway: only an odd version could be explained by it. */
  #isPointless(candidate: Candidate): boolean {
    if (!candidate.isUnseen || !this.#register.exists || candidate.action.op === 'delete') return false
    for (let moment = this.#head.next; moment !== undefined && !moment.isAnswer; moment = moment.next) {
      if (moment.candidate !== undefined && this.#oddities.has(moment.candidate.operation.id)) return false
    }
    return true
  }

  /**
   * Whether the last choice was an unknown operation that was not needed for this one, which leads to `register`: then
   * this one by itself, or the two the other way round, lead as far. Not so where this one tells the version of a value that it does not
   * tell: before the unknown one it would speak of another.
   */
  #wasPossibleBefore(candidate: Candidate, register: Register): boolean {
    const last = this.#choices.at(-1)
    if (last === undefined || last.candidate.isKnown || last.candidate.after.includes(candidate)) return false
    const before = carryOut(last.register, candidate.action, candidate.operation.outcome)
    if (before === undefined) return false
    return before === last.register || before.value === register.value
  }

  /** Whether a change would leave behind somebody who must have come before it. */
  #comesTooEarly(candidate: Candidate): boolean {
    if (candidate.version !== undefined && this.#versioned[this.#versionedPlaced] !== candidate) return true
    const { isExact, version } = this.#register
    if (!isExact) return false
    const observers = this.#observers.get(version) ?? 0
    return observers > (candidate.isKnown && candidate.observed === version ? 1 : 0)
  }

  #countObserver(version: number | undefined, by: number): void {
    if (version !== undefined) this.#observers.set(version, (this.#observers.get(version) ?? 0) + by)
  }

  /** Takes back the last choice that had alternatives; undefined if there is none. */
  #takeBackChoice(): Candidate | undefined {
    let isForced = true
    let taken: Candidate | undefined
    while (isForced) {
      isForced = this.#choices.at(-1)?.isForced === true
      taken = this.#takeBack()
    }
    return taken
  }

  /** Takes the last choice back; undefined if there is none. */
  #takeBack(): Candidate | undefined {
    const choice = this.#choices.pop()
    if (choice === undefined) return undefined
    const { candidate, register, highest, used } = choice
    candidate.placed = false
    this.#register = register
    this.#highest = highest
    this.#used = used
    if (candidate.isKnown) {
      this.#placed--
      if (candidate.version !== undefined) this.#versionedPlaced--
      this.#countObserver(candidate.observed, 1)
      this.#relink(candidate.number)
    }
    return candidate
  }

  /** Whether the present configuration, or one that allows as much, was visited; if not, it is now. */
  #wasHere(): boolean {
    const { exists, value, version, isExact } = this.#register
    // The known operations that are placed are those up to the highest, except for some that overlap it.
    let situation = `${this.#highest}`
    for (let moment = this.#head.next; moment !== undefined; moment = moment.next) {
      if (moment.candidate === undefined || moment.isAnswer) continue
      if (moment.candidate.number > this.#highest) break
      situation += `,${moment.candidate.number}`
    }
    situation += isExact ? `=${version}` : exists ? '+' : '-'
    situation += value
    const visits = this.#visits.get(situation)
    if (visits === undefined) {
      this.#visits.set(situation, [{ used: this.#used, version }])
      return false
    }
    if (visits.some(visit => (visit.used & ~this.#used) === 0n && visit.version <= version)) return true
    visits.push({ used: this.#used, version })
    return false
  }

  #firstAnswer(): Moment | undefined {
    let moment = this.#head.next
    while (moment !== undefined && !moment.isAnswer) moment = moment.next
    return moment
  }

  #linkMoments(): void {
    const moments: Moment[] = []
    for (const candidate of this.#known) {
      const { calledAt, returnedAt } = candidate.operation
      const question: Moment = {
        candidate,
        isAnswer: false,
        at: calledAt,
        previous: undefined,
        next: undefined,
      }
      const answer: Moment = {
        candidate,
        isAnswer: true,
        at: returnedAt,
        previous: undefined,
        next: undefined,
      }
      this.#questions.push(question)
      this.#answers.push(answer)
      moments.push(question, answer)
    }
    moments.sort((one, other) => one.at - other.at)
    let last = this.#head
    for (const moment of moments) {
      moment.previous = last
      last.next = moment
      last = moment
    }
  }

  /** Takes question and answer out of the list; they remember where they stood. */
  #unlink(number: number): void {
    for (const moment of [this.#questions[number], this.#answers[number]]) {
      if (moment?.previous !== undefined) moment.previous.next = moment.next
      if (moment?.next !== undefined) moment.next.previous = moment.previous
    }
  }

  /** Undoes the last {@link #unlink}, in the opposite order. */
  #relink(number: number): void {
    for (const moment of [this.#answers[number], this.#questions[number]]) {
      if (moment?.next !== undefined) moment.next.previous = moment
      if (moment?.previous !== undefined) moment.previous.next = moment
    }
  }
}

/** How many of the operations that were put in order an explanation shows. */
const shownOperations = 12

/**
 * Notes what the order of a connection asks of its next operation and of the `earlier` ones. Writes keep their
 * order, and so do a read and a write; reads that are under way together may change places, because one of
 * them may have to be asked again. A write of unknown outcome comes before later writes, if at all; a later
 * read may have been carried out after it was given up, and before it happened nevertheless.
 */
function followOn(earlier: Candidate[], candidate: Candidate): void {
  for (let position = earlier.length - 1; position >= 0; position--) {
    const other = earlier[position]
    if (other === undefined) break
    if (isRead(candidate) && (isRead(other) || other.isDoubtful)) continue
    if (other.isKnown) candidate.before.push(other)
    else {
      other.after.push(candidate)
      candidate.isBlocking = true
    }
    // What stands before a known write is bound by it already.
    if (other.isKnown && !isRead(other)) break
  }
  earlier.push(candidate)
}

function writtenVersion({ action, outcome }: Operation): number | undefined {
  return action.op !== 'delete' && outcome.kind === 'written' ? outcome.version : undefined
}

function observedVersion({ action, outcome }: Operation): number | undefined {
  if (outcome.kind === 'value') return outcome.version
  if (outcome.kind === 'mismatch') return outcome.current
  const isSwap = action.op === 'cas' && outcome.kind === 'written' && action.version !== 0
  return isSwap ? action.version : undefined
}

function isRead(candidate: Candidate): boolean {
  return candidate.operation.action.op === 'get'
}

/**
 * Finds which operations of unknown outcome are all the same: of one kind, their values seen by nobody (or they
 * would not be unknown any more), and bound to no order.
 */
function linkTwins(unknown: readonly Candidate[]): void {
  const last = new Map<string, Candidate>()
  for (const candidate of unknown) {
    const { op } = candidate.operation.action
    if (op === 'cas' || !candidate.isUnseen || candidate.before.length > 0 || candidate.after.length > 0)
      continue
    candidate.twin = last.get(op)
    last.set(op, candidate)
  }
}

/** One operation on a line, for people. */
export function describeOperation(operation: Operation): string {
  const { client, connection, action, outcome, calledAt, returnedAt } = operation
  const span = `${calledAt}..${returnedAt === Infinity ? '' : returnedAt}`
  const who = connection === undefined ? client : `${client}/${connection}`
  return `${span.padEnd(13)} ${who.padEnd(8)} ${describeAction(action)} -> ${describeOutcome(outcome)}`
}

/** What was asked, for people. */
export function describeAction(action: Action): string {
  switch (action.op) {
    case 'get':
    case 'delete':
      return `${action.op} ${action.key}`
    case 'cas':
      return `cas ${action.key} ${action.version} ${shorten(action.value)}`
    default:
      return `${action.op} ${action.key} ${shorten(action.value)}`
  }
}

/** What was heard, for people. */
export function describeOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'value':
      return `'${shorten(outcome.value)}'${outcome.version === undefined ? '' : ` (version ${outcome.version})`}`
    case 'written':
      return outcome.version === undefined ? 'written' : `written (version ${outcome.version})`
    case 'mismatch':
      return `mismatch${outcome.current === undefined ? '' : ` (current ${outcome.current})`}`
    default:
      return outcome.kind
  }
}
