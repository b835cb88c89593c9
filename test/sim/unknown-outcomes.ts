/**
 * What can be told of operations of unknown outcome before the search for an order begins. Each of them that
 * is left open doubles what can be, so it pays to look: a write whose value somebody saw did happen, and one
 * whose value nobody saw matters only for whether the key exists.
 */
import { isUnknown, type Operation } from './history.js'

export interface Settled {
  readonly operations: readonly Operation[]
  /** The numbers of the writes of unknown outcome whose values nobody saw, deletes among them. */
  readonly unseen: ReadonlySet<number>
  /**
   * The numbers of the operations that name a version no known write was given. Only before one of these may
   * a write that nobody saw matter where the key exists anyway.
   */
  readonly oddities: ReadonlySet<number>
}

/** Settles what can be settled among the operations of one key. */
export function settle(operations: readonly Operation[]): Settled {
  const sightings = firstSightings(operations)
  const writers = countWriters(operations)
  const unseen = new Set<number>()
  const settled = operations.map(operation => {
    const { action } = operation
    if (!isUnknown(operation) || action.op === 'get') return operation
    if (action.op === 'delete') {
      unseen.add(operation.id)
      return operation
    }
    const seen = sightings.get(action.value)
    if (seen === undefined) unseen.add(operation.id)
    const isItsOwn = writers.get(action.value) === 1
    if (seen === undefined || !isItsOwn || seen.returnedAt < operation.calledAt) return operation
    // Whoever saw it was answered by then, so it had taken effect.
    const outcome = { kind: 'written', version: seen.version } as const
    return { ...operation, returnedAt: seen.returnedAt, outcome }
  })
  return { operations: settled, unseen, oddities: findOddities(settled) }
}

interface Sighting {
  /** Just before the first answer that showed the value; kept apart from the moment of the answer itself. */
  readonly returnedAt: number
  readonly version: number | undefined
}

function firstSightings(operations: readonly Operation[]): Map<string, Sighting> {
  const sightings = new Map<string, Sighting>()
  for (const { outcome, returnedAt } of operations) {
    if (outcome.kind !== 'value') continue
    const known = sightings.get(outcome.value)
    sightings.set(outcome.value, {
      returnedAt: Math.min(known?.returnedAt ?? Infinity, returnedAt - 0.5),
      version: known?.version ?? outcome.version,
    })
  }
  return sightings
}

function countWriters(operations: readonly Operation[]): Map<string, number> {
  const writers = new Map<string, number>()
  for (const { action } of operations) {
    if (action.op === 'get' || action.op === 'delete') continue
    writers.set(action.value, (writers.get(action.value) ?? 0) + 1)
  }
  return writers
}

function findOddities(operations: readonly Operation[]): ReadonlySet<number> {
  const given = new Set<number | undefined>([0])
  for (const { action, outcome } of operations) {
    if (outcome.kind === 'written' && action.op !== 'delete') given.add(outcome.version)
  }
  // A write whose answer told no version explains none.
  given.delete(undefined)
  const oddities = new Set<number>()
  for (const { id, action, outcome } of operations) {
    if (action.op !== 'cas') continue
    if (outcome.kind === 'mismatch' && !given.has(outcome.current)) oddities.add(id)
    if (outcome.kind === 'written' && !given.has(action.version)) oddities.add(id)
  }
  return oddities
}
