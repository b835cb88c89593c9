/**
 * What one node was promised to be durable: told by the end of each flush, and held against what the disk gives
 * back after a crash. It is kept outside of the node, which may be wrong about itself.
 *
 * What must always hold:
 * - after a restart the term is not lower, and in the same term a vote once given is the same;
 * - every entry whose flush had ended is there, unless a durable checkpoint covers it, or a newer leader has
 *   begun to write over it.
 */
import { logIndex, type NodeId } from '../../src/base/ids.js'
import { decodeConfiguration, emptyConfiguration, voters } from '../../src/raft/configuration.js'
import type { Log } from '../../src/raft/log.js'
import type { Configuration, Entry, HardState, RaftSaved } from '../../src/raft/types.js'
import { decodeMeta } from '../../src/replica/checkpoint.js'
import type { DurableLog } from './electable.js'

export class Ledger implements DurableLog {
  #state: HardState | undefined
  /** Terms of the durable entries by index. */
  readonly #terms = new Map<number, number>()
  #lastIndex = 0
  /** Up to here a snapshot or a checkpoint holds everything. */
  #covered = 0
  #coveredTerm = 0
  /** The configurations of the durable log, the oldest first: the one at its beginning, and those in entries. */
  #configurations: { readonly index: number; readonly configuration: Configuration }[] = []
  /** That of the last snapshot that was finished. */
  #snapshotConfiguration = emptyConfiguration

  get lastIndex(): number {
    return this.#lastIndex
  }

  get lastTerm(): number {
    return this.#terms.get(this.#lastIndex) ?? this.#coveredTerm
  }

  get voters(): readonly NodeId[] {
    return voters(this.#configurations.at(-1)?.configuration ?? emptyConfiguration)
  }

  /** A flush ended: these are durable. */
  saved(records: readonly RaftSaved[]): void {
    for (const record of records) {
      if (record.kind === 'state') this.#state = record.state
      if (record.kind === 'snapshot-end') {
        this.#snapshotConfiguration = decodeMeta(record.meta)?.configuration ?? emptyConfiguration
      }
      if (record.kind === 'reset') this.#reset(record.index, record.term, this.#snapshotConfiguration)
      if (record.kind === 'entries') for (const entry of record.entries) this.#append(entry)
    }
  }

  /** Whether the node's disk holds the entry of this index and term. */
  holds(index: number, term: number): boolean {
    return index <= this.#covered || this.#terms.get(index) === term
  }

  /**
   * Takes what a start found on the disk. Returns what is missing of what was durable, in words, or undefined
   * if nothing is.
   */
  recovered(state: HardState, log: Log): string | undefined {
    const before = this.#state
    if (before !== undefined) {
      if (state.term < before.term) return `term ${before.term} was durable, and ${state.term} came back`
      const isSameTerm = state.term === before.term
      if (isSameTerm && before.votedFor !== undefined && state.votedFor !== before.votedFor) {
        return `the vote of term ${before.term} for ${before.votedFor} was durable, and ${state.votedFor} came back`
      }
    }
    for (const [index, term] of this.#terms) {
      if (index <= log.base.index) continue
      const found = log.entry(logIndex(index))
      if (found?.term === term) continue
      // A newer leader has begun to write over it, and not all of that was flushed. What it writes may well be of
      // an older term than what it replaces (Raft paper, figure 8); and what follows is replaced with it.
      if (found !== undefined && state.term > term) break
      return `entry ${index} of term ${term} was durable, and ${describe(found)} came back`
    }
    this.#take(state, log)
    return undefined
  }

  /** What came back may be more than was promised; from now on it is durable. */
  #take(state: HardState, log: Log): void {
    this.#state = state
    this.#reset(log.base.index, log.base.term, log.configurationAt(log.base.index))
    for (let index = log.base.index + 1; index <= log.lastIndex; index++) {
      const entry = log.entry(logIndex(index))
      if (entry !== undefined) this.#append(entry)
    }
    this.#snapshotConfiguration = log.configurationAt(log.base.index)
  }

  #append({ index, term, kind, data }: Entry): void {
    for (let behind = index; behind <= this.#lastIndex; behind++) this.#terms.delete(behind)
    this.#configurations = this.#configurations.filter(at => at.index < index)
    this.#terms.set(index, term)
    this.#lastIndex = index
    const configuration = kind === 'configuration' ? decodeConfiguration(data) : undefined
    if (configuration !== undefined) this.#configurations.push({ index, configuration })
  }

  #reset(index: number, term: number, configuration: Configuration): void {
    this.#terms.clear()
    this.#covered = index
    this.#coveredTerm = term
    this.#lastIndex = index
    this.#configurations = [{ index, configuration }]
  }
}

function describe(entry: { readonly term: number; readonly index: number } | undefined): string {
  return entry === undefined ? 'nothing' : `entry ${entry.index} of term ${entry.term}`
}
