/** The consensus engine, put together: its store, its replica, and what a node looks at of it. */
import { randomUUID } from 'node:crypto'
import { seededRandom } from '../base/random.js'
import type { Configuration, RaftSaved } from '../raft/types.js'
import { decodeMessage, messageEncoder } from '../replica/codec.js'
import { type ConsensusOptions, ConsensusReplica } from '../replica/consensus.js'
import type { ConsensusMessage } from '../replica/messages.js'
import { openConsensusStore } from './consensus-store.js'
import type { EngineParts, Membership, Resident, RunningEngine } from './engine.js'

/**
 * Opens what the disk holds.
 * @throws RecoveryError, JournalDamaged, or what the disk throws.
 */
export function openConsensus(
  parts: EngineParts,
  options: ConsensusOptions,
): RunningEngine<ConsensusMessage, RaftSaved> {
  const { self, table } = parts
  const { store, state, log } = openConsensusStore(parts.disk, table, parts)
  // Chance of this start alone: sessions and tokens must not be those of an earlier one.
  const random = seededRandom(randomUUID())
  const replica = new ConsensusReplica({ self, state, log, table, random, options })
  const resident = new ConsensusResident(replica)
  return { replica, store, resident, encode: messageEncoder(), decode: decodeMessage }
}

class ConsensusResident implements Resident {
  readonly #replica: ConsensusReplica
  /** The configurations, in force and applied, that the membership was last taken from. */
  #takenFrom: readonly [Configuration, Configuration] | undefined
  #membership: Membership = { members: [], reached: [], removed: [], copies: undefined }

  constructor(replica: ConsensusReplica) {
    this.#replica = replica
  }

  get membership(): Membership {
    const { configuration, appliedConfiguration } = this.#replica
    const [inForce, applied] = this.#takenFrom ?? []
    if (inForce !== configuration || applied !== appliedConfiguration) {
      this.#takenFrom = [configuration, appliedConfiguration]
      this.#membership = {
        members: configuration.members,
        // Members as committed, too: whoever is being removed may still be needed.
        reached: [...appliedConfiguration.members, ...configuration.members],
        // Only of what is committed: a removal in the log may yet be undone, and its node's vote be needed.
        removed: appliedConfiguration.removed,
        copies: undefined,
      }
    }
    return this.#membership
  }

  get isPristine(): boolean {
    return this.#replica.isPristine
  }

  get isBlank(): boolean {
    return this.#replica.raft.view.log.lastIndex === 0
  }

  get isDrained(): boolean {
    return this.#replica.isDrained
  }
}
