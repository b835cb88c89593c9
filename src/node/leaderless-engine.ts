/** The leaderless engine, put together: its store, its replica, and what a node looks at of it. */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../base/clock.js'
import type { Member } from '../base/ids.js'
import { seededRandom } from '../base/random.js'
import type { TableStore } from '../kv/table.js'
import { type LeaderlessOptions, LeaderlessReplica } from '../replica/leaderless.js'
import { decodeLeaderless, encodeLeaderless } from '../replica/leaderless-codec.js'
import type { LeaderlessMessage } from '../replica/leaderless-messages.js'
import type { SavedRow } from '../replica/saved-rows.js'
import type { MemberList } from '../ring/types.js'
import type { Disk } from '../storage/disk.js'
import type { EngineParts, Membership, Resident, RunningEngine } from './engine.js'
import { openLeaderlessStore } from './leaderless-store.js'

/**
 * Opens what the disk holds.
 * @throws RecoveryError, JournalDamaged, or what the disk throws.
 */
export function openLeaderless(
  parts: EngineParts,
  options: LeaderlessOptions,
): RunningEngine<LeaderlessMessage, SavedRow> {
  const { store, ...held } = openLeaderlessStore(parts.disk, parts.table, parts)
  // Chance of this start alone: writes must not bear the names of those of an earlier one.
  const random = seededRandom(randomUUID())
  const replica = new LeaderlessReplica({ ...held, self: parts.self, founding: undefined, random, options })
  const resident = new LeaderlessResident(replica)
  return { replica, store, resident, encode: encodeLeaderless, decode: decodeLeaderless }
}

/** What a ring is founded on. */
export interface RingFoundation {
  readonly self: Member
  readonly members: readonly Member[]
  readonly copies: number
}

/** Writes the first list of members to an empty disk, durably, and closes everything. */
export function foundLeaderless(
  foundation: RingFoundation,
  files: { readonly clock: Clock; readonly disk: Disk; readonly table: TableStore },
  options: LeaderlessOptions,
): Promise<void> {
  const { self, members, copies } = foundation
  return new Promise((resolve, reject) => {
    const told = { clock: files.clock, onDiskState: () => {}, onFailure: reject }
    const { store, ...held } = openLeaderlessStore(files.disk, files.table, told)
    const random = seededRandom(randomUUID())
    const replica = new LeaderlessReplica({ ...held, self, founding: { members, copies }, random, options })
    store.save(replica.takeEffects().save, 'inline', error => {
      store.close()
      if (error === undefined) resolve()
      else reject(error)
    })
  })
}

class LeaderlessResident implements Resident {
  readonly #replica: LeaderlessReplica
  /** The list that the membership was last taken from. */
  #takenFrom: MemberList | undefined
  #membership: Membership = { members: [], reached: [], removed: [], copies: undefined }

  constructor(replica: LeaderlessReplica) {
    this.#replica = replica
  }

  get membership(): Membership {
    const { list } = this.#replica.ring
    if (list !== this.#takenFrom) {
      this.#takenFrom = list
      const present = list.members.filter(({ standing }) => standing !== 'gone')
      this.#membership = {
        members: present,
        reached: present,
        removed: list.members.filter(({ standing }) => standing === 'gone').map(({ id }) => id),
        copies: present.length === 0 ? undefined : list.copies,
      }
    }
    return this.#membership
  }

  get isPristine(): boolean {
    return this.#replica.isPristine
  }

  get isBlank(): boolean {
    return this.#replica.ring.standing === undefined
  }

  get isDrained(): boolean {
    return this.#replica.isDrained
  }
}
