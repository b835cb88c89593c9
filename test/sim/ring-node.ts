/** A simulated node of a ring: the process of process.ts with the real leaderless replica and store. */
import type { Member } from '../../src/base/ids.js'
import { openLeaderlessStore } from '../../src/node/leaderless-store.js'
import { type LeaderlessOptions, LeaderlessReplica } from '../../src/replica/leaderless.js'
import { decodeLeaderless, encodeLeaderless } from '../../src/replica/leaderless-codec.js'
import type { LeaderlessMessage } from '../../src/replica/leaderless-messages.js'
import type { SavedRow } from '../../src/replica/saved-rows.js'
import type { Ring } from '../../src/ring/ring.js'
import type { RingRows } from '../../src/ring/types.js'
import type { KnownMembers } from './acquaintances.js'
import type { SimulatedNetwork } from './network.js'
import {
  type NodePlace,
  type OpenedEngine,
  type ProcessOptions,
  type ProcessParts,
  SimulatedProcess,
} from './process.js'
import type { World } from './world.js'

export interface RingNodeOptions extends ProcessOptions {
  readonly replica: LeaderlessOptions
}

/** What a node tells those who watch the run. */
export interface RingNodeEvents {
  /** A row was written to its table, durable or not. */
  onRow(rowKey: string, value: Uint8Array): void
  /** Something broke a promise: the run has failed. */
  onViolation(what: string): void
}

export class SimulatedRingNode extends SimulatedProcess<LeaderlessMessage, SavedRow, LeaderlessReplica> {
  readonly #options: LeaderlessOptions
  readonly #events: RingNodeEvents

  constructor(
    world: World,
    network: SimulatedNetwork,
    place: NodePlace,
    options: RingNodeOptions,
    events: RingNodeEvents,
  ) {
    super(world, network, place, options)
    this.#options = options.replica
    this.#events = events
  }

  /** The ring, while the process lives. */
  get ring(): Ring | undefined {
    return this.replica?.ring
  }

  /** Writes the first list of members onto the empty disk, as a node does that founds a ring. */
  found(members: readonly Member[], copies: number): void {
    this.saveFounding(parts => {
      const { store, ...held } = openLeaderlessStore(parts.disk, parts.table, parts)
      const founding = { members, copies }
      const random = this.random.fork('founding')
      const { self } = parts
      const replica = new LeaderlessReplica({ ...held, self, founding, random, options: this.#options })
      return { store, records: replica.takeEffects().save }
    })
  }

  /** Starts the process, which calls whom it knows before its first turn. */
  override start(): void {
    super.start()
    this.followMembers()
  }

  protected override open(parts: ProcessParts): OpenedEngine<LeaderlessMessage, SavedRow, LeaderlessReplica> {
    const { store, rows, ...held } = openLeaderlessStore(parts.disk, parts.table, parts)
    const replica = new LeaderlessReplica({
      ...held,
      rows: this.#watchRows(rows),
      self: parts.self,
      founding: undefined,
      random: this.random.fork(`life ${this.lives}`),
      options: this.#options,
    })
    return { replica, store, encode: encodeLeaderless, decode: decodeLeaderless }
  }

  protected override knownMembers({ ring: { list } }: LeaderlessReplica): KnownMembers {
    const isGone = ({ standing }: (typeof list.members)[number]): boolean => standing === 'gone'
    return {
      inForce: list,
      reached: list.members.filter(member => !isGone(member)),
      removed: list.members.filter(isGone).map(({ id }) => id),
    }
  }

  protected override onViolation(what: string): void {
    this.#events.onViolation(what)
  }

  #watchRows(rows: RingRows): RingRows {
    return {
      get: rowKey => rows.get(rowKey),
      set: (rowKey, value) => {
        rows.set(rowKey, value)
        this.#events.onRow(rowKey, value)
      },
      delete: rowKey => rows.delete(rowKey),
      keys: (prefix, after, limit) => rows.keys(prefix, after, limit),
    }
  }
}
