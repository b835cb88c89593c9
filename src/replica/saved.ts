/**
 * How what a consensus replica saves stands in the journal, and how a log is put together again from it.
 * The journal knows nothing of Raft: it keeps records of a kind, an index to compact by, and a body.
 */
import { type LogIndex, logIndex, type NodeId, nodeId, term } from '../base/ids.js'
import { emptyConfiguration } from '../raft/configuration.js'
import { Log, type LogPosition } from '../raft/log.js'
import type { Configuration, Entry, EntryKind, HardState } from '../raft/types.js'

/** A record for the journal; the body is the parts, one after the other. */
export interface SavedRecord {
  readonly kind: number
  readonly index: number
  readonly parts: readonly Uint8Array[]
}

/** The kinds of records; what is on a disk keeps its number for ever. */
const recordKinds = { state: 1, command: 2, configuration: 3, 'no-op': 4, reset: 5 } as const

/** Bytes of an entry's body before its data: its term. */
const termBytes = 8

/**
 * Keeps term and vote (Raft paper, figure 2); the last such record counts. It stands for no entry: index 0.
 */
export function stateRecord(state: HardState): SavedRecord {
  return { kind: recordKinds.state, index: 0, parts: [Buffer.from(JSON.stringify(state))] }
}

/**
 * Keeps an entry, under its own index. It voids the entries that were kept from that index on, as when a leader
 * overwrites them (Raft paper, section 5.3).
 */
export function entryRecord(entry: Entry): SavedRecord {
  return { kind: recordKinds[entry.kind], index: entry.index, parts: [encodeTerm(entry.term), entry.data] }
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
      default:
        this.#take(decodeEntry(kind, logIndex(index), body))
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

function decodeEntry(kind: number, index: LogIndex, body: Uint8Array): Entry {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const names = Object.keys(recordKinds) as (keyof typeof recordKinds)[]
  const name = names.find(candidate => recordKinds[candidate] === kind)
  if (name === undefined || name === 'state' || name === 'reset') {
    throw new RecoveryError(`The journal holds a record of kind ${kind}, which this version does not know.`)
  }
  const entryKind: EntryKind = name
  return { index, term: term(bytes.readUIntBE(2, 6)), kind: entryKind, data: bytes.subarray(termBytes) }
}

function decodeState(body: Uint8Array): HardState {
  const state = JSON.parse(Buffer.from(body).toString()) as { term: number; votedFor?: string }
  const votedFor: NodeId | undefined = state.votedFor === undefined ? undefined : nodeId(state.votedFor)
  return { term: term(state.term), votedFor }
}
