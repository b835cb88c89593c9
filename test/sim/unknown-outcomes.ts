/**
 * What can be told of operations of unknown outcome before the search for an order begins. Each of them that
 * is left open doubles what can be, so it pays to look: a write whose value somebody saw did happen, and one
 * whose value nobody saw matters only for whether the key exists.
 */
import { isUnknown, type Operation } from './history.js'

export interface Settled {
  readonly operations: readonly Operation[]
  /** The numbers of those whose answer was unknown, though they may be settled now. */
  readonly doubtful: ReadonlySet<number>
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
  const values = collectValues(operations)
  const unseen = new Set<number>()
  const doubtful = new Set<number>()
  const settled = operations.map(operation => {
    const { action, id, calledAt } = operation
    if (!isUnknown(operation) || action.op === 'get') return operation
    doubtful.add(id)
    const value = action.op === 'delete' ? undefined : values.get(action.value)
    const [seen, ...others] = value === undefined ? [] : unexplainedSightings(value)
    if (value === undefined || seen === undefined) {
      unseen.add(id)
      return operation
    }
    const isTheOnly = value.unknownWriters === 1 && others.length === 0
    if (!isTheOnly || seen.returnedAt < calledAt) return operation
    // Whoever saw it was answered by then, so it had taken effect.
    const outcome = { kind: 'written', version: seen.version } as const
    return { ...operation, returnedAt: seen.returnedAt, outcome }
  })
  return { operations: settled, doubtful, unseen, oddities: findOddities(settled) }
}

/** Who wrote a value, and who saw it. */
interface Value {
  unknownWriters: number
  /** What the known writers were told; undefined where one was told no version. */
  readonly written: Set<number | undefined>
  /** The first sighting of each version of it. */
  readonly seen: Map<number | undefined, Sighting>
}

interface Sighting {
  readonly version: number | undefined
  /** Just before the first answer that showed the value; kept apart from the moment of the answer itself. */
  readonly returnedAt: number
}

function collectValues(operations: readonly Operation[]): Map<string, Value> {
  const values = new Map<string, Value>()
  const valueNamed = (text: string): Value => {
    const known = values.get(text)
    if (known !== undefined) return known
    const value: Value = { unknownWriters: 0, written: new Set(), seen: new Map() }
    values.set(text, value)
    return value
  }
  for (const operation of operations) {
    const { action, outcome, returnedAt } = operation
    if (outcome.kind === 'value') {
      const { seen } = valueNamed(outcome.value)
      const before = seen.get(outcome.version)?.returnedAt ?? Infinity
      const first = Math.min(before, returnedAt - 0.5)
      seen.set(outcome.version, { version: outcome.version, returnedAt: first })
    } else if ('value' in action) {
      if (isUnknown(operation)) valueNamed(action.value).unknownWriters++
      else if (outcome.kind === 'written') valueNamed(action.value).written.add(outcome.version)
    }
  }
  return values
}

/** The sightings of a value that no known write explains, so that one of unknown outcome must. */
function unexplainedSightings(value: Value): Sighting[] {
  const sightings = [...value.seen.values()]
  // Without versions nobody can say which write was seen; so each of them may have been.
  const isVague = value.written.has(undefined) || value.seen.has(undefined)
  if (isVague && value.written.size > 0) return [...sightings, ...sightings]
  return sightings.filter(({ version }) => version === undefined || !value.written.has(version))
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
