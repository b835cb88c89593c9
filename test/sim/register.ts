/**
 * One key as a client may think of it: a register that may be missing, with a version that grows at each write.
 * The judge of histories tries orders of operations against it.
 *
 * Versions are places in a log, which the model cannot foresee: a write whose answer tells its version fixes
 * it, one whose answer was lost leaves it open until a read tells it, and it only has to be above the last one.
 */
import { unreachable } from '../../src/base/assert.js'
import type { Action, Outcome } from './history.js'

export interface Register {
  readonly exists: boolean
  readonly value: string
  /** The version of the last write, or, with `isExact` false, a lower bound of it. */
  readonly version: number
  readonly isExact: boolean
}

/** The key before anybody wrote it. */
export const missing: Register = { exists: false, value: '', version: 0, isExact: false }

/**
 * The register after `action` was carried out and answered with `outcome` (the same object if that changed
 * nothing), or undefined if it could not have been answered so. An unknown outcome stands for an action that had an effect; where it could have none, the
 * answer is undefined.
 */
export function carryOut(register: Register, action: Action, outcome: Outcome): Register | undefined {
  switch (action.op) {
    case 'get':
      if (outcome.kind === 'not-found') return register.exists ? undefined : register
      if (outcome.kind !== 'value' || !register.exists || register.value !== outcome.value) return undefined
      return withVersion(register, outcome.version)
    case 'put':
      if (outcome.kind === 'exists') return register.exists ? register : undefined
      return register.exists ? undefined : written(register, action.value, outcome)
    case 'update':
      if (outcome.kind === 'not-found') return register.exists ? undefined : register
      return register.exists ? written(register, action.value, outcome) : undefined
    case 'set':
      return written(register, action.value, outcome)
    case 'delete':
      if (outcome.kind === 'not-found') return register.exists ? undefined : register
      if (!register.exists || !isCarriedOut(outcome)) return undefined
      return { exists: false, value: '', version: register.version + 1, isExact: false }
    case 'cas':
      return compareAndSet(register, action, outcome)
    default:
      return unreachable(action)
  }
}

function compareAndSet(
  register: Register,
  action: Extract<Action, { op: 'cas' }>,
  outcome: Outcome,
): Register | undefined {
  // Version 0 is that of a key that does not exist.
  if (outcome.kind === 'not-found') return !register.exists && action.version !== 0 ? register : undefined
  if (outcome.kind === 'mismatch') {
    if (!register.exists || outcome.current === action.version) return undefined
    if (outcome.current !== undefined) return withVersion(register, outcome.current)
    return register.isExact && register.version === action.version ? undefined : register
  }
  if (action.version === 0) return register.exists ? undefined : written(register, action.value, outcome)
  if (!register.exists) return undefined
  const matching = withVersion(register, action.version)
  return matching && written(matching, action.value, outcome)
}

function isCarriedOut(outcome: Outcome): boolean {
  return outcome.kind === 'written' || outcome.kind === 'unknown'
}

function written(register: Register, value: string, outcome: Outcome): Register | undefined {
  if (outcome.kind === 'written' && outcome.version !== undefined) {
    const { version } = outcome
    return version > register.version ? { exists: true, value, version, isExact: true } : undefined
  }
  if (!isCarriedOut(outcome)) return undefined
  return { exists: true, value, version: register.version + 1, isExact: false }
}

/** The register once somebody was told its version, or undefined if it cannot be that one. */
function withVersion(register: Register, version: number | undefined): Register | undefined {
  if (version === undefined) return register
  if (register.isExact) return register.version === version ? register : undefined
  return register.version <= version ? { ...register, version, isExact: true } : undefined
}
