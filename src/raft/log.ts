/**
 * The log in memory: the entries after the last compaction, which the journal holds as well.
 *
 * What must always hold:
 * - entries follow each other without a gap, from `base.index + 1` to `lastIndex`, and terms never fall;
 * - `stable` entries are durable on this node; truncation takes them back;
 * - the configuration in force is that of the newest configuration entry, or the one that `base` came with.
 */
import { assert, present } from '../base/assert.js'
import { type LogIndex, logIndex, type Term } from '../base/ids.js'
import { decodeConfiguration } from './configuration.js'
import type { Configuration, Entry } from './types.js'

/** A place in the log, with its term. */
export interface LogPosition {
  readonly index: LogIndex
  readonly term: Term
}

interface ConfigurationAt {
  readonly index: LogIndex
  readonly configuration: Configuration
}

export class Log {
  #base: LogPosition
  #entries: Entry[] = []
  #bytes = 0
  #stable: LogIndex
  /** Oldest first; the first one is that of the base. Never empty. */
  #configurations: ConfigurationAt[]

  /** An empty log after `base`, where `configuration` was in force. */
  constructor(base: LogPosition, configuration: Configuration) {
    this.#base = base
    this.#stable = base.index
    this.#configurations = [{ index: base.index, configuration }]
  }

  /** The last entry that was compacted away. */
  get base(): LogPosition {
    return this.#base
  }

  get lastIndex(): LogIndex {
    return logIndex(this.#base.index + this.#entries.length)
  }

  get lastTerm(): Term {
    return this.#entries.at(-1)?.term ?? this.#base.term
  }

  /** Entries up to here are durable on this node. */
  get stable(): LogIndex {
    return this.#stable
  }

  /** Bytes of the data of all entries in memory. */
  get bytes(): number {
    return this.#bytes
  }

  /** The configuration in force: that of the newest entry, committed or not. */
  get configuration(): Configuration {
    return present(this.#configurations.at(-1), 'a configuration').configuration
  }

  /** Where the configuration in force stands. */
  get configurationIndex(): LogIndex {
    return present(this.#configurations.at(-1), 'a configuration').index
  }

  /** The configuration that was in force at `index` (which must not lie before the base). */
  configurationAt(index: LogIndex): Configuration {
    const found = this.#configurations.findLast(at => at.index <= index)
    return present(found, 'the configuration at an index that is not compacted').configuration
  }

  entry(index: LogIndex): Entry | undefined {
    return this.#entries[index - this.#base.index - 1]
  }

  /** The term of an entry, or undefined where it is compacted away or not there yet. */
  termAt(index: LogIndex): Term | undefined {
    return index === this.#base.index ? this.#base.term : this.entry(index)?.term
  }

  /** Appends an entry that follows the last one. */
  append(entry: Entry): void {
    assert(entry.index === this.lastIndex + 1, 'an appended entry follows the last one')
    assert(entry.term >= this.lastTerm, 'terms never fall along the log')
    this.#entries.push(entry)
    this.#bytes += entry.data.length
    if (entry.kind === 'configuration') {
      const configuration = present(decodeConfiguration(entry.data), 'a configuration in its entry')
      this.#configurations.push({ index: entry.index, configuration })
    }
  }

  /** Removes the entries from `from` on. */
  truncateFrom(from: LogIndex): void {
    assert(from > this.#base.index, 'what is compacted is never truncated')
    for (const entry of this.#entries.splice(from - this.#base.index - 1)) this.#bytes -= entry.data.length
    while (this.configurationIndex >= from) this.#configurations.pop()
    if (this.#stable >= from) this.#stable = logIndex(from - 1)
  }

  /** Notes that the entries up to `index` are durable here. */
  markStable(index: LogIndex): void {
    assert(index <= this.lastIndex, 'only entries that are there become durable')
    if (index > this.#stable) this.#stable = index
  }

  /** Forgets the entries up to `index`, which a durable checkpoint covers. */
  compact(index: LogIndex): void {
    if (index <= this.#base.index) return
    assert(index <= this.#stable, 'only durable entries are compacted')
    const term = present(this.termAt(index), 'the term of the entry that becomes the base')
    const configuration = this.configurationAt(index)
    for (const entry of this.#entries.splice(0, index - this.#base.index)) this.#bytes -= entry.data.length
    this.#base = { index, term }
    const later = this.#configurations.filter(at => at.index > index)
    this.#configurations = [{ index, configuration }, ...later]
  }

  /** Begins anew after a snapshot that ends at `base`. */
  reset(base: LogPosition, configuration: Configuration): void {
    this.#base = base
    this.#entries = []
    this.#bytes = 0
    this.#stable = base.index
    this.#configurations = [{ index: base.index, configuration }]
  }

  /** Entries from `from` on: at least one if there is one, then as many as fit in `bytesMax`. */
  slice(from: LogIndex, bytesMax: number): readonly Entry[] {
    const entries: Entry[] = []
    let bytes = 0
    for (let position = from - this.#base.index - 1; position < this.#entries.length; position++) {
      const entry = present(this.#entries[position], 'an entry inside the log')
      bytes += entry.data.length
      if (entries.length > 0 && bytes > bytesMax) break
      entries.push(entry)
    }
    return entries
  }

  /** The entries that are not durable here yet. */
  unstable(): readonly Entry[] {
    return this.#entries.slice(this.#stable - this.#base.index)
  }

  /** The lowest index from which on the entries have at most `bytesMax` bytes together. */
  firstIndexWithin(bytesMax: number): LogIndex {
    let bytes = 0
    let position = this.#entries.length
    while (position > 0) {
      bytes += present(this.#entries[position - 1], 'an entry inside the log').data.length
      if (bytes > bytesMax) break
      position--
    }
    return logIndex(this.#base.index + position + 1)
  }

  /** Whether a log that ends at `position` is at least as complete as this one (Raft paper, section 5.4.1). */
  isUpToDate(position: LogPosition): boolean {
    if (position.term !== this.lastTerm) return position.term > this.lastTerm
    return position.index >= this.lastIndex
  }

  /**
   * The greatest index up to `index` whose entry has a term of at most `term`: the last place where this log
   * can agree with one that has `term` at `index`. One question then skips a whole term instead of one entry
   * (Raft paper, end of section 5.3).
   */
  lastIndexWithTermUpTo(index: LogIndex, term: Term): LogIndex {
    let candidate = index < this.lastIndex ? index : this.lastIndex
    while (candidate > this.#base.index) {
      const candidateTerm = this.termAt(candidate)
      if (candidateTerm !== undefined && candidateTerm <= term) break
      candidate = logIndex(candidate - 1)
    }
    // Not even the base agrees: what the other log needs begins before it.
    const isBeforeBase = candidate === this.#base.index && candidate > 0 && this.#base.term > term
    return isBeforeBase ? logIndex(candidate - 1) : candidate
  }
}
