import { expect } from 'chai'
import fc from 'fast-check'
import { bornItems, mergedValue, ruleFor } from '../../src/ring/merge-rules.js'
import { plainRecord, readRecord } from '../../src/ring/record-code.js'
import {
  contextOf,
  covers,
  coversAll,
  type Dot,
  joinPasts,
  joinRecords,
  type KeyRecord,
  noPast,
  type Past,
  replaceCovered,
  type Version,
  withVersion,
} from '../../src/ring/versions.js'

const rule = ruleFor('xcart')
const shelf = ['eggs', 'milk', 'tea']

/** What happens to the copies of one cart: somebody reads one and writes to another one, or one hears of another. */
type Step =
  | {
      readonly kind: 'write'
      readonly readFrom: number | undefined
      readonly at: number
      readonly items: readonly string[]
    }
  | { readonly kind: 'hear'; readonly at: number; readonly from: number }

const place = fc.integer({ min: 0, max: 2 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('write' as const),
    readFrom: fc.option(place, { nil: undefined, freq: 5 }),
    at: place,
    items: fc.subarray(shelf),
  }),
  fc.record({ kind: fc.constant('hear' as const), at: place, from: place }),
)

/** What one write meant: which items it put in, and the puts of others that it took out again. */
interface Meaning {
  readonly dot: Dot
  readonly added: readonly string[]
  /** As `actor-count item`. */
  readonly removed: readonly string[]
}

/** As the coordinator of a write makes it of what it holds. */
function written(base: KeyRecord, dot: Dot, context: Past, text: string): KeyRecord {
  const value = Buffer.from(text)
  const items = bornItems(value, dot, context, base)
  const version: Version = { dot, past: context, value, writtenMs: 0, identity: undefined, items }
  const others = replaceCovered(base, context)
  if (rule === undefined || others.length === 0) return [version]
  const merged = mergedValue(rule, withVersion(others, version))
  return [{ ...version, ...merged, past: joinPasts([context, contextOf(others)]) }]
}

/** The items that a reader is shown. */
function shown(record: KeyRecord): string[] {
  const merged = rule === undefined ? undefined : mergedValue(rule, record)
  const items = Buffer.from(merged?.value ?? '')
    .toString()
    .split(',')
  return items.filter(item => item !== '').sort()
}

/** Puts that stand for whoever has seen so much, by their names. */
function standing(meanings: readonly Meaning[], seen: Past): Map<string, string> {
  const known = meanings.filter(({ dot }) => covers(seen, dot))
  const removed = new Set(known.flatMap(meaning => meaning.removed))
  return new Map([...putsOf(known)].filter(([put]) => !removed.has(put)))
}

/** All puts, with their items. */
function putsOf(meanings: readonly Meaning[]): Map<string, string> {
  return new Map(
    meanings.flatMap(({ dot, added }) =>
      added.map(item => [`${dot.actor}-${dot.count} ${item}`, item] as const),
    ),
  )
}

function itemsOf(puts: ReadonlyMap<string, string>): string[] {
  return [...new Set(puts.values())].sort()
}

/**
 * Plays the steps; calls `look` with each copy after each step, and with what its items must be. A write that does not
 * go anywhere, by what its writer is shown and what it names, goes only to a copy that knows all that the writer saw.
 */
function play(
  steps: readonly Step[],
  goesAnywhere: (there: readonly string[], items: readonly string[]) => boolean,
  look: (record: KeyRecord, expected: readonly string[]) => void,
): void {
  const copies: KeyRecord[] = [[], [], []]
  const counts = [0, 0, 0]
  const meanings: Meaning[] = []
  for (const each of steps) {
    if (each.kind === 'hear') {
      copies[each.at] = joinRecords(copies[each.at] ?? [], copies[each.from] ?? [])
    } else {
      const { items, readFrom } = each
      const seen = readFrom === undefined ? noPast : contextOf(copies[readFrom] ?? [])
      // Whoever names what was shown puts in nothing, be it shown by mistake.
      const there = readFrom === undefined ? [] : shown(copies[readFrom] ?? [])
      const isAnywhere = goesAnywhere(there, items) || coversAll(contextOf(copies[each.at] ?? []), seen)
      const at = isAnywhere ? each.at : (readFrom ?? each.at)
      const puts = standing(meanings, seen)
      const count = (counts[at] ?? 0) + 1
      counts[at] = count
      const dot = { actor: `r${at}.0`, count }
      meanings.push({
        dot,
        added: items.filter(item => !there.includes(item)),
        removed: [...puts].filter(([, item]) => !items.includes(item)).map(([put]) => put),
      })
      copies[at] = written(copies[at] ?? [], dot, seen, items.join(','))
    }
    for (const copy of copies) look(copy, itemsOf(standing(meanings, contextOf(copy))))
  }
}

describe('an xcart', () => {
  it('holds what was put in and not taken out by somebody who saw it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 15 }), steps => {
        play(
          steps,
          () => false,
          (record, expected) => expect(shown(record)).to.deep.equal(expected),
        )
      }),
      { numRuns: 2000 },
    )
  })

  it('keeps an item that was named where only part of what its writer saw was known', () => {
    const steps: readonly Step[] = [
      { kind: 'write', readFrom: undefined, at: 0, items: ['tea'] },
      // Nothing is known there of what is in; so the tea is put in there once more.
      { kind: 'write', readFrom: 0, at: 2, items: ['tea'] },
      { kind: 'write', readFrom: 2, at: 0, items: ['tea'] },
      { kind: 'write', readFrom: undefined, at: 2, items: [] },
      { kind: 'hear', at: 0, from: 2 },
    ]
    let last: readonly string[] = []
    play(
      steps,
      () => true,
      record => {
        if (record.length > 0) last = shown(record)
        expect(last).to.deep.equal(['tea'])
      },
    )
  })

  it('travels and comes back the same', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), steps => {
        play(
          steps,
          () => true,
          record => {
            const plain: unknown = JSON.parse(JSON.stringify(plainRecord(record)))
            expect(readRecord(plain)).to.deep.equal(record)
          },
        )
      }),
      { numRuns: 200 },
    )
  })
})
