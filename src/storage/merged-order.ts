/** Several ordered lists read as one. */
import { compareKeys } from './key-order.js'

/** A word, and the first of the lists that has it. */
export interface Merged {
  readonly word: string
  readonly list: number
}

/** All words of the lists in order, each once; the lists are read no further than the words that are asked for. */
export function* mergedOrder(lists: readonly Iterable<string>[]): Generator<Merged, undefined> {
  const readers = lists.map(list => list[Symbol.iterator]())
  const heads = readers.map(reader => headOf(reader))
  try {
    for (;;) {
      let least: Merged | undefined
      for (const [list, word] of heads.entries()) {
        if (word !== undefined && (least === undefined || compareKeys(word, least.word) < 0))
          least = { word, list }
      }
      if (least === undefined) return undefined
      yield least
      for (const [list, reader] of readers.entries()) {
        if (heads[list] === least.word) heads[list] = headOf(reader)
      }
    }
  } finally {
    for (const reader of readers) reader.return?.()
  }
}

function headOf(reader: Iterator<string>): string | undefined {
  const { done, value } = reader.next()
  return done === true ? undefined : value
}
