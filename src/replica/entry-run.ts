/**
 * How entries that follow each other stand in a message and in the journal: their bytes as they are, with a comma
 * between them, and before those what tells them apart, as plain data for JSON: for each run of entries of one
 * term and kind these two and the sizes, `[[3,0,58,61],[4,2,4]]`.
 *
 * Entries that were proposed together, or came together, lie so in memory already. Then the bytes of all of them
 * are one part, which nobody copies on its way to the journal and to every follower.
 */
import { type LogIndex, logIndex, type Term, term } from '../base/ids.js'
import { decodeConfiguration } from '../raft/configuration.js'
import type { Entry, EntryKind } from '../raft/types.js'

/** A kind stands as its place in this list. */
const entryKinds: readonly EntryKind[] = ['command', 'configuration', 'no-op']
const comma = Buffer.from(',')
const commaByte = 0x2c
/** Stands for no bytes at all, so that a message stays JSON. */
const nothing = Buffer.from('null')

/** Entries as described above. */
export interface EncodedEntries {
  readonly runs: readonly (readonly number[])[]
  /** The bytes, in parts that are written one after the other. */
  readonly parts: readonly Uint8Array[]
}

/** For one entry at least; each follows the one before it. */
export function encodeEntries(entries: readonly Entry[]): EncodedEntries {
  const runs: number[][] = []
  const parts: Uint8Array[] = []
  let run: number[] = []
  let runTerm: Term | undefined
  let runKind: EntryKind | undefined
  /** The entries that lie together in memory. */
  let stretch: Stretch | undefined
  for (const { term: entryTerm, kind, data } of entries) {
    if (entryTerm !== runTerm || kind !== runKind) {
      run = [entryTerm, entryKinds.indexOf(kind)]
      runs.push(run)
      runTerm = entryTerm
      runKind = kind
    }
    const bytes = data.length === 0 ? nothing : data
    run.push(bytes.length)
    if (stretch === undefined) stretch = new Stretch(bytes)
    else if (!stretch.extend(bytes)) {
      parts.push(stretch.bytes, comma)
      stretch = new Stretch(bytes)
    }
  }
  if (stretch !== undefined) parts.push(stretch.bytes)
  return { runs, parts }
}

/**
 * The entries after `previousIndex` that these runs and bytes are, as views of the bytes; undefined if they are
 * none that {@link encodeEntries} made.
 */
export function decodeEntries(
  runs: unknown,
  bytes: Buffer,
  previousIndex: LogIndex,
  previousTerm: Term,
): Entry[] | undefined {
  if (!Array.isArray(runs)) return undefined
  const entries: Entry[] = []
  let lastTerm: number = previousTerm
  let at = 0
  for (const run of runs as readonly unknown[]) {
    if (!Array.isArray(run)) return undefined
    const [runTerm, kindNumber] = run as readonly unknown[]
    const kind = typeof kindNumber === 'number' ? entryKinds[kindNumber] : undefined
    if (!isCount(runTerm) || runTerm < lastTerm || kind === undefined) return undefined
    lastTerm = runTerm
    for (let position = 2; position < run.length; position++) {
      const size: unknown = run[position]
      if (!isCount(size) || at + size > bytes.length) return undefined
      const data = bytes.subarray(at, kind === 'no-op' ? at : at + size)
      if (kind === 'configuration' && decodeConfiguration(data) === undefined) return undefined
      entries.push({ index: logIndex(previousIndex + 1 + entries.length), term: term(runTerm), kind, data })
      at += size + 1
    }
  }
  return at - 1 === bytes.length ? entries : undefined
}

/** Bytes that lie in memory as they are to be written, one comma apart. */
class Stretch {
  readonly #first: Uint8Array
  #last: Uint8Array
  /** The memory from the first one on; where there is more than one. */
  #memory: Buffer | undefined

  constructor(first: Uint8Array) {
    this.#first = first
    this.#last = first
  }

  /** Adds the next bytes, or answers false if they lie elsewhere. */
  extend(next: Uint8Array): boolean {
    const last = this.#last
    const gapAt = last.byteOffset + last.length
    if (next.buffer !== last.buffer || next.byteOffset !== gapAt + 1) return false
    const { buffer, byteOffset } = this.#first
    this.#memory ??= Buffer.from(buffer, byteOffset)
    // It may be by chance that they are neighbours: then anything may stand between them.
    if (this.#memory[gapAt - byteOffset] !== commaByte) return false
    this.#last = next
    return true
  }

  get bytes(): Uint8Array {
    const length = this.#last.byteOffset + this.#last.length - this.#first.byteOffset
    return this.#memory?.subarray(0, length) ?? this.#first
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
