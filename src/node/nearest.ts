/** What somebody probably meant, when they typed a name that is none of ours. */

/**
 * The candidate that takes the fewest edits (letters put in, left out, replaced, or two swapped) from `typed`;
 * undefined if even that one differs in more than half of its letters, because then it is a guess.
 */
export function nearest(typed: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  let fewest = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const edits = editDistance(typed.toLowerCase(), candidate.toLowerCase())
    if (edits < fewest && edits <= Math.max(1, candidate.length / 2)) {
      best = candidate
      fewest = edits
    }
  }
  return best
}

/** The optimal string alignment distance: swapping two neighbours counts as one edit. */
function editDistance(from: string, to: string): number {
  let beforePrevious: readonly number[] = []
  let previous: readonly number[] = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const replaced = at(previous, column - 1) + (from[row - 1] === to[column - 1] ? 0 : 1)
      const removed = at(previous, column) + 1
      const added = at(current, column - 1) + 1
      const isSwap = row > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      const swapped = isSwap ? at(beforePrevious, column - 2) + 1 : replaced
      current.push(Math.min(replaced, removed, added, swapped))
    }
    beforePrevious = previous
    previous = current
  }
  return at(previous, to.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY
}
