/**
 * What a power cut leaves of what was not flushed. By chance any part of it is lost, which finds much in many
 * runs; the other ways are the corners, and are gone through one by one where every place of a cut is tried.
 */
import type { Random } from '../../src/base/random.js'

/** The ways in which what was not flushed is lost. */
export const losses = [
  /** Any part of it. */
  'chance',
  /** All of it. */
  'everything',
  /** None of it. */
  'nothing',
  /** What came last: a write stops in its midst. */
  'last',
  /** What came first, while what came later reached the disk. */
  'first',
  /** None of it yet: only the process is gone, and what it did not flush waits for the next crash. */
  'none yet',
] as const

export type Loss = (typeof losses)[number]

/**
 * Tells of one change after the other, `count` of them in order, whether it reached the disk. `byChance` gives
 * the rule for {@link Loss} `chance`; it is told the position.
 */
export function survivors(
  loss: Loss,
  random: Random,
  count: number,
  byChance: () => (position: number) => boolean,
): () => boolean {
  const rule = loss === 'chance' ? byChance() : inCorner(loss, random, count)
  let position = 0
  return () => rule(position++)
}

function inCorner(
  loss: Exclude<Loss, 'chance'>,
  random: Random,
  count: number,
): (position: number) => boolean {
  if (loss === 'everything') return () => false
  if (loss === 'nothing' || loss === 'none yet') return () => true
  // Somewhere between the first and the last, if there are two of them.
  const cut = count > 1 ? random.between(1, count - 1) : random.below(2)
  return position => (loss === 'last' ? position < cut : position >= cut)
}
