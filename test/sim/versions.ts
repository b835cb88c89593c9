/**
 * What versions promise beyond a single key: a version is the place of its write in the one log of the
 * cluster, so no two writes share one, and they grow in the order of time and of each connection. This ties
 * the keys together, which judging each key by itself cannot.
 */
import { isUnknown, type Operation } from './history.js'
import { describeOperation } from './linearizability.js'

/** The first contradiction in the versions of a history, in words; undefined if there is none. */
export function findVersionConflict(operations: readonly Operation[]): readonly string[] | undefined {
  return (
    findSharedVersion(operations) ?? findBackwardsInTime(operations) ?? findBackwardsOnConnection(operations)
  )
}

/** The version that an operation wrote or saw, if its answer told one. */
function versionOf(operation: Operation): number | undefined {
  const { outcome } = operation
  if (outcome.kind !== 'written' && outcome.kind !== 'value') return undefined
  // A delete leaves no version behind, which is told as 0.
  return outcome.version === 0 ? undefined : outcome.version
}

function findSharedVersion(operations: readonly Operation[]): readonly string[] | undefined {
  const meanings = new Map<number, { readonly meaning: string; readonly operation: Operation }>()
  const writers = new Map<number, Operation>()
  for (const operation of operations) {
    const { action, outcome } = operation
    const version = versionOf(operation)
    if (version === undefined || action.op === 'delete') continue
    const value = action.op === 'get' ? (outcome.kind === 'value' ? outcome.value : '') : action.value
    const meaning = `${action.key} ${value}`
    const known = meanings.get(version)
    if (known === undefined) meanings.set(version, { meaning, operation })
    else if (known.meaning !== meaning) {
      return conflict(`version ${version} stands for two values:`, known.operation, operation)
    }
    if (action.op === 'get') continue
    const writer = writers.get(version)
    if (writer !== undefined)
      return conflict(`version ${version} was given to two writes:`, writer, operation)
    writers.set(version, operation)
  }
  return undefined
}

/** A write that was asked after another operation was answered has a higher version than that one saw. */
function findBackwardsInTime(operations: readonly Operation[]): readonly string[] | undefined {
  const told = operations.filter(operation => !isUnknown(operation) && versionOf(operation) !== undefined)
  const byAnswer = [...told].sort((one, other) => one.returnedAt - other.returnedAt)
  const writes = told
    .filter(operation => operation.action.op !== 'get')
    .sort((one, other) => one.calledAt - other.calledAt)
  let position = 0
  let newest: Operation | undefined
  for (const write of writes) {
    for (let next = byAnswer[position]; next !== undefined && next.returnedAt < write.calledAt; ) {
      if (newest === undefined || (versionOf(next) ?? 0) > (versionOf(newest) ?? 0)) newest = next
      next = byAnswer[++position]
    }
    if (newest !== undefined && (versionOf(write) ?? 0) <= (versionOf(newest) ?? 0)) {
      return conflict('a later write has a version that is not higher:', newest, write)
    }
  }
  return undefined
}

function findBackwardsOnConnection(operations: readonly Operation[]): readonly string[] | undefined {
  const newest = new Map<string, Operation>()
  for (const operation of [...operations].sort((one, other) => one.calledAt - other.calledAt)) {
    const { connection, action } = operation
    const version = versionOf(operation)
    if (connection === undefined || version === undefined || action.op === 'get') continue
    const before = newest.get(connection)
    if (before !== undefined && version <= (versionOf(before) ?? 0)) {
      return conflict(`writes of connection ${connection} took effect out of order:`, before, operation)
    }
    newest.set(connection, operation)
  }
  return undefined
}

function conflict(what: string, one: Operation, other: Operation): readonly string[] {
  return [what, `  ${describeOperation(one)}`, `  ${describeOperation(other)}`]
}
