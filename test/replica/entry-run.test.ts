import { expect } from 'chai'
import fc from 'fast-check'
import { logIndex, term } from '../../src/base/ids.js'
import { encodeProposals } from '../../src/kv/proposal.js'
import type { Entry } from '../../src/raft/types.js'
import { decodeEntries, encodeEntries } from '../../src/replica/entry-run.js'

interface Piece {
  readonly bytes: Uint8Array
  /** What stands before it in memory; undefined: it has memory of its own. */
  readonly gap: Uint8Array | undefined
  readonly termStep: number
  readonly isNoOp: boolean
}

const gaps = fc.option(
  fc.constantFrom(
    Buffer.from(','),
    Buffer.from(','),
    Buffer.from(','),
    Buffer.from('x'),
    Buffer.from(',,'),
    Buffer.alloc(0),
  ),
  { nil: undefined },
)
const pieces: fc.Arbitrary<Piece[]> = fc.array(
  fc.record({
    bytes: fc.uint8Array({ minLength: 1, maxLength: 20 }),
    gap: gaps,
    termStep: fc.nat(1),
    isNoOp: fc.boolean(),
  }),
  { minLength: 1, maxLength: 20 },
)

/** Entries from 8 on whose bytes lie in memory as the pieces say. */
function layOut(all: readonly Piece[]): Entry[] {
  const memory = Buffer.alloc(all.length * 32)
  let filled = 0
  let lastTerm = 3
  return all.map(({ bytes, gap, termStep, isNoOp }, position) => {
    lastTerm += termStep
    let data: Uint8Array = Buffer.from(new Uint8Array(bytes).buffer)
    if (gap !== undefined) {
      memory.set(gap, filled)
      memory.set(bytes, filled + gap.length)
      data = memory.subarray(filled + gap.length, filled + gap.length + bytes.length)
      filled += gap.length + bytes.length
    }
    const kind = isNoOp && gap === undefined ? 'no-op' : 'command'
    if (kind === 'no-op') data = Buffer.alloc(0)
    return { index: logIndex(8 + position), term: term(lastTerm), kind, data }
  })
}

function plain(entries: readonly Entry[] | undefined): unknown {
  return entries?.map(({ data, ...rest }) => ({ ...rest, data: Buffer.from(data).toString('latin1') }))
}

describe('entries in a message and in the journal', () => {
  it('come out as they went in, with commas between their bytes, wherever these lie in memory', () => {
    fc.assert(
      fc.property(pieces, all => {
        const entries = layOut(all)
        const { runs, parts } = encodeEntries(entries)
        const bytes = Buffer.concat(parts)
        const expected = entries.map(({ data }) =>
          data.length === 0 ? 'null' : Buffer.from(data).toString('latin1'),
        )
        expect(bytes.toString('latin1')).to.equal(expected.join(','))
        const carried: unknown = JSON.parse(JSON.stringify(runs))
        expect(plain(decodeEntries(carried, bytes, logIndex(7), term(3)))).to.deep.equal(plain(entries))
      }),
    )
  })

  it('that were proposed together leave as one part, and so do those that came together', () => {
    // A gap between their numbers keeps them apart.
    const writes = [1, 3, 5].map(counter => ({ counter, command: Buffer.from(`["delete","key${counter}"]`) }))
    const proposals = encodeProposals(17, { session: 's', bornMs: 1, lowest: 1 }, writes)
    const entries = proposals.map(({ data }, position): Entry => {
      return { index: logIndex(8 + position), term: term(3), kind: 'command', data }
    })
    const { runs, parts } = encodeEntries(entries)
    expect(parts).to.have.length(1)
    const came = decodeEntries(runs, Buffer.concat(parts), logIndex(7), term(3))
    expect(came).to.have.length(3)
    expect(encodeEntries(came ?? []).parts).to.have.length(1)
    expect(encodeEntries((came ?? []).slice(1)).parts).to.have.length(1)
  })

  it('are refused where runs and bytes do not fit together, or terms fall', () => {
    const read = (runs: unknown, text: string): unknown =>
      decodeEntries(runs, Buffer.from(text), logIndex(7), term(3))
    expect(read([[3, 0, 1, 2]], 'a,bb')).to.not.equal(undefined)
    const refused: unknown[] = [
      undefined,
      {},
      [],
      [[]],
      [[3]],
      [[3, 0]],
      [[3, 0, 1]],
      [[3, 0, 1, 3]],
      [[3, 0, 1, 2, 0]],
      [[3, 0, 1, '2']],
      [[3, 0, -1, 4]],
      [[3, 0, 1.5, 1.5]],
      [[3, 9, 1, 2]],
      [[3, '0', 1, 2]],
      [[2, 0, 1, 2]],
      [
        [4, 0, 1],
        [3, 0, 2],
      ],
      [[3, 1, 1, 2]],
      [3, 0, 1, 2],
    ]
    for (const runs of refused) expect(read(runs, 'a,bb'), JSON.stringify(runs)).to.equal(undefined)
  })
})
