/**
 * A simulated node of a replicated log: the process of process.ts with the real consensus replica and store. What it
 * saves is noted in a ledger, and those who watch the run are told what it does.
 */
import { present } from '../../src/base/assert.js'
import { logIndex, term } from '../../src/base/ids.js'
import type { Command } from '../../src/kv/command.js'
import { decodeProposal } from '../../src/kv/proposal.js'
import type { TableRecord } from '../../src/kv/table.js'
import { type ConsensusStore, openConsensusStore } from '../../src/node/consensus-store.js'
import type { Store } from '../../src/node/driver.js'
import type { ClusterEvent } from '../../src/protocol/request.js'
import { encodeConfiguration } from '../../src/raft/configuration.js'
import type { Configuration, RaftSaved } from '../../src/raft/types.js'
import { decodeMeta } from '../../src/replica/checkpoint.js'
import { decodeMessage, messageEncoder } from '../../src/replica/codec.js'
import { type ConsensusOptions, ConsensusReplica } from '../../src/replica/consensus.js'
import type { ConsensusMessage } from '../../src/replica/messages.js'
import type { KnownMembers } from './acquaintances.js'
import type { CarriedOut } from './checkers.js'
import { digestOf } from './digest.js'
import { Ledger } from './ledger.js'
import type { SimulatedNetwork } from './network.js'
import {
  type NodePlace,
  type OpenedEngine,
  type ProcessOptions,
  type ProcessParts,
  SimulatedProcess,
} from './process.js'
import type { World } from './world.js'

export interface NodeOptions extends ProcessOptions {
  readonly replica: ConsensusOptions
  /** Timers come at most this much too late. */
  readonly timerLatenessMaxMs: number
}

/** What a node tells those who watch the run. */
export interface NodeEvents {
  /** After every turn of its driver. */
  onTurn(node: SimulatedNode): void
  /** A checkpoint at this index begins, with this meta beside it. */
  onCheckpoint(node: SimulatedNode, index: number, meta: Uint8Array): void
  /** The table took a write. */
  onCarriedOut(node: SimulatedNode, write: CarriedOut): void
  /** Something broke a promise: the run has failed. */
  onViolation(what: string): void
  onEvent(node: SimulatedNode, event: ClusterEvent): void
}

export class SimulatedNode extends SimulatedProcess<ConsensusMessage, RaftSaved, ConsensusReplica> {
  readonly ledger = new Ledger()
  readonly #options: ConsensusOptions
  readonly #events: NodeEvents
  /** The entry that was applied last, and how many of its commands were looked at. */
  #applying: { readonly replica: ConsensusReplica | undefined; readonly index: number; position: number } = {
    replica: undefined,
    index: 0,
    position: 0,
  }

  constructor(
    world: World,
    network: SimulatedNetwork,
    place: NodePlace,
    options: NodeOptions,
    events: NodeEvents,
  ) {
    super(world, network, place, options)
    this.#options = options.replica
    this.#events = events
  }

  /** How many records the table has that are to expire, or have. */
  countExpiring(): number {
    return this.isRunning ? this.table.expired(Number.MAX_SAFE_INTEGER, 1000).length : 0
  }

  /** Stands for the contents of the table. */
  digest(): string | undefined {
    return this.isRunning ? digestOf(this.table) : undefined
  }

  /** Writes the first entry of a new cluster onto the empty disk, as the node does that founds one. */
  found(configuration: Configuration): void {
    const first = { index: logIndex(1), term: term(1) }
    const data = encodeConfiguration(configuration)
    const records: RaftSaved[] = [
      { kind: 'state', state: { term: term(1), votedFor: undefined } },
      { kind: 'entries', entries: [{ ...first, kind: 'configuration', data }] },
    ]
    this.saveFounding(parts => ({ ...openConsensusStore(parts.disk, parts.table, parts), records }))
    this.ledger.saved(records)
  }

  protected override open(parts: ProcessParts): OpenedEngine<ConsensusMessage, RaftSaved, ConsensusReplica> {
    const { self, table } = parts
    const random = this.random.fork('life')
    const { store, state, log } = openConsensusStore(parts.disk, table, parts)
    if (!this.mayBeDamaged) {
      const missing = this.ledger.recovered(state, log)
      if (missing !== undefined) this.onViolation(`${this.name} lost what was durable: ${missing}`)
    }
    const replica = new ConsensusReplica({ self, state, log, table, random, options: this.#options })
    return { replica, store: this.#watchSaves(store), encode: messageEncoder(), decode: decodeMessage }
  }

  protected override knownMembers(replica: ConsensusReplica): KnownMembers {
    const { configuration, appliedConfiguration } = replica
    return {
      inForce: configuration,
      // Members as committed, too: whoever is being removed may still be needed.
      reached: [...appliedConfiguration.members, ...configuration.members],
      removed: appliedConfiguration.removed,
    }
  }

  protected override onViolation(what: string): void {
    this.#events.onViolation(what)
  }

  protected override onTurn(): void {
    this.#events.onTurn(this)
  }

  protected override onEvent(event: ClusterEvent): void {
    this.#events.onEvent(this, event)
  }

  /** The table took a write: whose it was stands in the log. */
  protected override onSet(key: string, record: TableRecord): void {
    const { replica } = this
    if (replica === undefined) return
    const index = replica.appliedIndex
    const entry = replica.raft.view.log.entry(index)
    const writes = entry && decodeProposal(entry.data)?.writes
    if (writes === undefined) return
    const { identity, commands } = writes
    if (this.#applying.index !== index || this.#applying.replica !== replica)
      this.#applying = { replica, index, position: 0 }
    // One command may write several records; of those that stand together each writes what it says, in their order.
    if (commands.length > 1) {
      const { position } = this.#applying
      const found = commands.findIndex((command, at) => at >= position && isWrittenBy(command, key, record))
      if (found < 0) {
        this.onViolation(`${this.name} stored what no command of entry ${index} is left for: ${key}`)
        return
      }
      this.#applying.position = found + 1
    }
    const counter = identity.counter + Math.max(0, this.#applying.position - 1)
    const { version } = record
    this.#events.onCarriedOut(this, { index, version, identity: `${identity.session}/${counter}` })
  }

  /** The store, with the end of every flush noted in the ledger before anything can depend on it. */
  #watchSaves(store: ConsensusStore): Store<RaftSaved> {
    return {
      save: (records, mode, done) =>
        store.save(records, mode, error => {
          if (error === undefined) this.ledger.saved(records)
          done(error)
        }),
      checkpoint: (meta, done) => {
        const { index, term } = present(decodeMeta(meta), 'a meta to read').position
        if (!this.mayBeDamaged && !this.ledger.holds(index, term)) {
          this.onViolation(`${this.name} begins a checkpoint of what its journal does not hold: ${index}`)
        }
        this.#events.onCheckpoint(this, index, meta)
        store.checkpoint(meta, done)
      },
      compact: index => store.compact(index),
    }
  }
}

function isWrittenBy(command: Command, key: string, { value }: TableRecord): boolean {
  const writes = command.op === 'redis' ? command.operations : [command]
  return writes.some(
    write => 'key' in write && write.key === key && 'value' in write && isEqual(write.value, value),
  )
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}
