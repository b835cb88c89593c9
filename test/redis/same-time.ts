/** Replies that tell a time differ by what passed between the same command here and there. */
import type { Shown } from './model.js'

/** How much that may be, in milliseconds. */
const toleranceMs = 20_000

/** Whether both replies to the command tell a time, and about the same. */
export function isSameTime([name = '']: readonly string[], one: Shown, other: Shown): boolean {
  if (!/^P?(?:TTL|EXPIRETIME)$/.test(name)) return false
  const [left, right] = [one, other].map(shown => Number(/^\(integer\) (\d+)$/.exec(shown)?.[1]))
  const unitMs = name.startsWith('P') ? 1 : 1000
  return Math.abs((left ?? Number.NaN) - (right ?? Number.NaN)) * unitMs < toleranceMs
}
