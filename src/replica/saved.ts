/**
 * How what a consensus replica saves stands in the journal, and how a log is put together again from it.
 * The journal knows nothing of Raft: it keeps records of a kind, an index to compact by, and a body.
 */
import { present } from '../base/assert.js'
import { logIndex, type NodeId, nodeId, term } from '../base/ids.js'
import { emptyConfiguration } from '../raft/configuration.js'
import { Log, type LogPosition } from '../raft/log.js'
import type { Configuration, Entry, HardState } from '../raft/types.js'
import { decodeEntries, encodeEntries } from './entry-run.js'

/** A record for the journal; the body is the parts, one after the other. */
export interface SavedRecord {
  readonly kind: number
  readonly index: number
  readonly parts: readonly Uint8Array[]
}

/** The kinds of records; what is on a disk keeps its number for ever. 2 to 4 were entries, one in each record. */
const recordKinds = { state: 1, reset: 5, entries: 6 } as const

const termBytes = 8
/** Before the head of a record of entries: its length. */
const headLengthBytes = 4
/** Entries of one record together have at most about this many bytes (one entry may be larger). */
const recordEntriesBytes = 1024 * 1024

/**
 * Keeps term and vote (Raft paper, figure 2); the last such record counts. It stands for no entry: index 0.
 */
export function stateRecord(state: HardState): SavedRecord {
  return { kind: recordKinds.state, index: 0, parts: [Buffer.from(JSON.stringify(state))] }
}

/**
 * Keep entries that follow each other; each record stands under the index of its last one. They void the entries
 * that were kept from the first index on, as when a leader overwrites them (Raft paper, section 5.3).
 *
 * A body is the length of its head, the head (JSON: the first index, and the runs of entry-run.ts), and the bytes
 * of the entries as they stand in a message. So a batch costs one header and one checksum.
 */
export function entryRecords(entries: readonly Entry[]): SavedRecord[] {
  const records: SavedRecord[] = []
  let from = 0
  while (from < entries.length) {
    const upTo = endOfRecord(entries, from)
    records.push(entryRecord(from === 0 && upTo === entries.length ? entries : entries.slice(from, upTo)))
    from = upTo
  }
  return records
}

function endOfRecord(entries: readonly Entry[], from: number): number {
  let bytes = 0
  for (let position = from; position < entries.length; position++) {
    bytes += entries[position]?.data.length ?? 0
    if (bytes > recordEntriesBytes && position > from) return position
  }
  return entries.length
}

function entryRecord(entries: readonly Entry[]): SavedRecord {
  const { runs, parts } = encodeEntries(entries)
  const first = present(entries[0], 'an entry to keep')
  const json = JSON.stringify([first.index, runs])
  const head = Buffer.allocUnsafe(headLengthBytes + json.length)
  head.writeUInt32BE(json.length)
  head.write(json, headLengthBytes, 'latin1')
  return { kind: recordKinds.entries, index: first.index + entries.length - 1, parts: [head, ...parts] }
}

/**
 * Voids all entries that were kept before: the log begins anew after `base`, which a snapshot covers (Raft paper,
 * section 7).
 */
export function resetRecord(base: LogPosition): SavedRecord {
  return { kind: recordKinds.reset, index: base.index, parts: [encodeTerm(base.term)] }
}

/** The journal's records do not fit together with the table: something is missing. */
export class RecoveryError extends Error {
  override readonly name = 'RecoveryError'
}

/** Puts a log together from the records of a journal, in their order. */
export class Recovery {
  #state: HardState = { term: term(0), votedFor: undefined }
  /** Following each other without a gap. */
  #entries: Entry[] = []

  get state(): HardState {
    return this.#state
  }

  /** Takes the next record. The body is kept. */
  replay(kind: number, index: number, body: Uint8Array): void {
    switch (kind) {
      case recordKinds.state:
        this.#state = decodeState(body)
        break
      case recordKinds.reset:
        this.#entries = []
        break
      case recordKinds.entries:
        for (const entry of decodeRecord(index, body)) this.#take(entry)
        break
      default:
        throw new RecoveryError(
          `The journal holds a record of kind ${kind}, which this version does not know.`,
        )
    }
  }

  /**
   * The log after `base`, up to which the table holds everything. Entries that the table covers are dropped,
   * and all of them where they contradict it: a snapshot took the table further than the log.
   * @throws RecoveryError if entries between the table and the log are missing.
   */
  log(base: LogPosition, configuration: Configuration | undefined): Log {
    const log = new Log(base, configuration ?? emptyConfiguration)
    const [first] = this.#entries
    if (first === undefined) return log
    const atBase = this.#entries[base.index - first.index]
    const isContradicted = atBase !== undefined && atBase.term !== base.term
    if (isContradicted) return log
    if (first.index > base.index + 1) {
      throw new RecoveryError(
        `The journal begins at entry ${first.index}, the table ends at ${base.index}: entries between them ` +
          'are missing. Restore this data directory from a back-up, or remove this node and add it anew.',
      )
    }
    for (const entry of this.#entries) if (entry.index > base.index) log.append(entry)
    log.markStable(log.lastIndex)
    return log
  }

  #take(entry: Entry): void {
    const [first] = this.#entries
    const next = first === undefined ? entry.index : first.index + this.#entries.length
    if (entry.index > next || (first !== undefined && entry.index <= first.index)) {
      // A jump ahead follows a snapshot; at or before the first entry all of them are overwritten.
      this.#entries = []
    } else if (first !== undefined && entry.index < next) {
      this.#entries.length = entry.index - first.index
    }
    this.#entries.push(entry)
  }
}

function encodeTerm(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(termBytes)
  bytes.writeUIntBE(0, 0, 2)
  bytes.writeUIntBE(value, 2, 6)
  return bytes
}

function decodeRecord(index: number, body: Uint8Array): readonly Entry[] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const headEnd = headLengthBytes + bytes.readUInt32BE()
  // It is what entryRecord made: the journal vouches for every byte of it.
  const [first, runs] = JSON.parse(bytes.toString('latin1', headLengthBytes, headEnd)) as [number, unknown]
  const entries = decodeEntries(runs, bytes.subarray(headEnd), logIndex(first - 1), term(0))
  if (entries === undefined) {
    throw new RecoveryError(
      `The journal's record up to entry ${index} cannot be read: another version may have written it.`,
    )
  }
  return entries
}

function decodeState(body: Uint8Array): HardState {
  const state = JSON.parse(Buffer.from(body).toString()) as { term: number; votedFor?: string }
  const votedFor: NodeId | undefined = state.votedFor === undefined ? undefined : nodeId(state.votedFor)
  return { term: term(state.term), votedFor }
}
