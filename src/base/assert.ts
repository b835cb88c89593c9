/**
 * Checks of our own reasoning. They stay on in production: a node that stops can be repaired, a wrong one
 * spreads. Bytes that came from outside must never reach one of these.
 */

/** Thrown when something that must hold does not: a fault of ours, never of the input. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** Throws an {@link AssertionError} saying `mustHold` unless `condition` is true. */
export function assert(condition: boolean, mustHold: string): asserts condition {
  if (!condition) throw new AssertionError(`must hold: ${mustHold}`)
}

/** Returns `value`, which our reasoning says is there; throws an {@link AssertionError} if it is not. */
export function present<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new AssertionError(`must be present: ${what}`)
  return value
}

/** Ends a `switch` over a union, so that a variant somebody adds later fails to compile where it is forgotten. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`)
}
