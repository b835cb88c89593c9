/**
 * The applier: takes what was decided from the log to the state machine, and knows up to which entry that was done and
 * who is a member there. Now and then it has the table made durable, after which the log may forget what the table
 * holds. A snapshot puts another table in its place, with everything that is known of it.
 *
 * What must always hold:
 * - entries are applied in order, once, and only when they are committed and durable here;
 * - what stands beside the table in a checkpoint is of the same entry as the table.
 */
import { present } from '../base/assert.js'
import { type LogIndex, logIndex } from '../base/ids.js'
import { type Applied, StateMachine } from '../kv/state-machine.js'
import type { Table } from '../kv/table.js'
import { majority, voters } from '../raft/configuration.js'
import type { Log } from '../raft/log.js'
import type { Raft } from '../raft/raft.js'
import type { Configuration } from '../raft/types.js'
import { type CheckpointMeta, decodeMeta, encodeMeta } from './checkpoint.js'
import { type CheckpointLimits, CheckpointPace } from './checkpoint-pace.js'
import type { DueCheckpoint } from './contract.js'

export interface ApplierOptions extends CheckpointLimits {
  /** Commands applied in one turn at most, where other entries count as one; an entry that was begun is finished. */
  readonly applySlice: number
}

/** Told what entries come to, one after the other. */
export interface ApplierListener {
  /** A command was applied. */
  onCommand(applied: Applied): void
  /** All commands of an entry of so many bytes were applied. */
  onCommands(bytes: number): void
  /** A configuration was applied, in the place of the one before. */
  onConfiguration(index: LogIndex, before: Configuration, now: Configuration): void
}

/** See the head of this file. */
export class Applier {
  /** What entries are applied to. */
  readonly state: StateMachine
  readonly #log: Log
  readonly #table: Table
  readonly #options: ApplierOptions
  readonly #listener: ApplierListener
  readonly #pace: CheckpointPace
  readonly #told: (applied: Applied) => void
  #index: LogIndex
  #configuration: Configuration
  /** The applied configuration, the one in force, and what {@link copies} is of these two. */
  #copiesOf: readonly [Configuration | undefined, Configuration | undefined, copies: number] = [
    undefined,
    undefined,
    0,
  ]

  /** Goes on where the table's last checkpoint ends, in a log that follows it. */
  constructor(table: Table, log: Log, options: ApplierOptions, listener: ApplierListener) {
    this.#table = table
    this.#log = log
    this.#options = options
    this.#listener = listener
    this.#told = applied => listener.onCommand(applied)
    this.state = new StateMachine(table)
    const bytes = table.meta()
    const meta = bytes && readMeta(bytes)
    if (meta !== undefined) this.state.load(meta.state)
    this.#index = meta?.position.index ?? logIndex(0)
    this.#configuration = log.configurationAt(this.#index)
    this.#pace = new CheckpointPace(options, this.#index)
  }

  /** The last entry applied. */
  get index(): LogIndex {
    return this.#index
  }

  /** The configuration that is applied, and so committed. */
  get configuration(): Configuration {
    return this.#configuration
  }

  /**
   * How many voters at least have on their disks what is applied here: a majority, for without one it would not be
   * committed. Where a change of the members is in the log and not applied yet, either may have been counted.
   */
  get copies(): number {
    const applied = this.#configuration
    const inForce = this.#log.configuration
    if (this.#copiesOf[0] !== applied || this.#copiesOf[1] !== inForce) {
      const copies = Math.min(majority(voters(applied).length), majority(voters(inForce).length))
      this.#copiesOf = [applied, inForce, copies]
    }
    return this.#copiesOf[2]
  }

  /** Applies the entries up to `applicable`, as many as one turn takes. */
  apply(applicable: LogIndex, tick: number): void {
    let left = this.#options.applySlice
    const { state } = this
    const writtenBytes = state.writtenBytes
    while (this.#index < applicable && left > 0) {
      // A few bytes of a command may make a large value.
      if (state.writtenBytes - writtenBytes > this.#options.checkpointBytes) break
      const { index, kind, data } = present(this.#log.entry(logIndex(this.#index + 1)), 'an entry to apply')
      this.#index = index
      this.#pace.noteApplied(data.length, tick)
      if (kind === 'command') {
        left -= Math.max(1, state.apply(index, data, this.#told))
        this.#listener.onCommands(data.length)
        continue
      }
      if (kind === 'configuration') this.#applyConfiguration(index)
      left--
    }
  }

  #applyConfiguration(index: LogIndex): void {
    const before = this.#configuration
    const now = this.#log.configurationAt(index)
    this.#configuration = now
    this.#listener.onConfiguration(index, before, now)
  }

  /** A snapshot that ends with `index` took the place of the table. */
  install(index: LogIndex): void {
    const meta = readMeta(present(this.#table.meta(), 'meta of a snapshot'))
    this.state.load(meta.state)
    this.#index = index
    this.#configuration = meta.configuration
    this.#pace.noteInstalled(index)
  }

  /** The checkpoint that is to be begun now, if one is due; not to be asked for while a snapshot is installed. */
  beginCheckpoint(tick: number): DueCheckpoint | undefined {
    if (!this.#pace.isDue(this.#table.pendingBytes(), tick)) return undefined
    const index = this.#index
    const term = this.#log.termAt(index)
    if (term === undefined) return undefined
    this.#pace.begin()
    const configuration = this.#log.configurationAt(index)
    return { index, meta: encodeMeta({ position: { index, term }, configuration, state: this.state.save() }) }
  }

  /** There was no room for the checkpoint that was begun. */
  failCheckpoint(tick: number): void {
    this.#pace.fail(tick)
  }

  /** The checkpoint up to `index` is durable; returns up to where the log has entries that may be forgotten now. */
  finishCheckpoint(index: LogIndex, view: Raft['view']): LogIndex | undefined {
    const forgettable = this.#pace.finish(index, view)
    return forgettable > this.#log.base.index ? forgettable : undefined
  }
}

/** Reads what stands beside this node's own table; where it came from another node, it was checked before. */
function readMeta(bytes: Uint8Array): CheckpointMeta {
  return present(decodeMeta(bytes), 'meta that can be read')
}
