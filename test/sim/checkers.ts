/**
 * What must hold in every run, looked at after every turn of every node. Nothing here trusts what a node
 * believes of others: each check compares what the nodes show with what all of them showed before.
 *
 * Checked (the names are those of the Raft paper, figure 3, where it has one):
 * - election safety: one leader a term;
 * - log matching: an entry of one index and term is the same everywhere, and so is what stands before it;
 * - leader completeness: a new leader's log holds what is committed, and nobody who lacks it could be elected;
 * - state machine safety: what is committed at an index never changes, and tables are equal at equal indexes,
 *   with all that stands beside them (clock, sessions, configuration);
 * - durability: what is committed is on the disks of a majority, and what is acknowledged is committed;
 * - a write is carried out once, whatever became of its repeats;
 * - within one life, terms and commit indexes never fall, and a vote once given is kept in its term (over
 *   crashes: see ledger.ts).
 */
import { crc32 } from 'node:zlib'

/** An entry of a log, as far as it is compared. */
export interface ObservedEntry {
  readonly term: number
  readonly kind: string
  readonly data: Uint8Array
}

/** What a node shows of itself. It may be the same object each time, with other contents. */
export interface Observation {
  /** For the messages; also stands for the node's identity. */
  readonly node: string
  /** How often it was started. */
  readonly life: number
  readonly isLeader: boolean
  readonly term: number
  readonly votedFor: string | undefined
  readonly commitIndex: number
  readonly appliedIndex: number
  /** The entry before the first one that is not compacted away. */
  readonly baseIndex: number
  readonly baseTerm: number
  readonly lastIndex: number
  readonly voters: readonly string[]
  entry(index: number): ObservedEntry | undefined
  /** Stands for the contents of the table. */
  digest(): string
}

/** A write that a table took: where it stands in the log, its version, and the identity that its repeats share. */
export interface CarriedOut {
  readonly index: number
  readonly version: number
  readonly identity: string
}

/** Whether a node's disk holds an entry. */
export type HoldsDurably = (node: string, index: number, term: number) => boolean

/** Somebody whose disk lacks an entry and who could yet be elected; undefined if there is nobody. */
export type FindUsurper = (index: number, term: number) => string | undefined

/** Thrown by nobody: handed to whoever runs the simulation. */
export type OnViolation = (what: string) => void

/** What a node showed last. */
interface Seen {
  life: number
  term: number
  votedFor: string | undefined
  wasLeader: boolean
  commitIndex: number
  appliedIndex: number
  lastIndex: number
  voters: readonly string[]
  /** Terms of the entries that were compared, by index. */
  readonly terms: Map<number, number>
}

/** An entry that exists somewhere, by index and term. */
interface KnownEntry {
  readonly checksum: number
  readonly previousTerm: number
}

export class Invariants {
  readonly #holdsDurably: HoldsDurably
  readonly #findUsurper: FindUsurper
  readonly #onViolation: OnViolation
  readonly #leaders = new Map<number, string>()
  readonly #entries = new Map<string, KnownEntry>()
  /** Terms of the committed entries, by index. */
  readonly #committed = new Map<number, number>()
  #committedUpTo = 0
  readonly #digests = new Map<number, { readonly digest: string; readonly node: string }>()
  readonly #metas = new Map<number, { readonly checksum: number; readonly node: string }>()
  readonly #seen = new Map<string, Seen>()
  /** The version of each write that was carried out, by the identity that its repeats share. */
  readonly #carriedOut = new Map<string, number>()
  /** Where the write of each version stands in the log. */
  readonly #indexes = new Map<number, number>()

  constructor(holdsDurably: HoldsDurably, findUsurper: FindUsurper, onViolation: OnViolation) {
    this.#holdsDurably = holdsDurably
    this.#findUsurper = findUsurper
    this.#onViolation = onViolation
  }

  /** The highest index that any node showed as committed. */
  get committedUpTo(): number {
    return this.#committedUpTo
  }

  /** How many terms had a leader. */
  get termsLed(): number {
    return this.#leaders.size
  }

  /** Looks at a node after a turn. */
  observe(now: Observation): void {
    const before = this.#seen.get(now.node)
    const seen = before?.life === now.life ? before : this.#newLife(now)
    if (now.term !== seen.term || now.votedFor !== seen.votedFor) this.#checkTerm(now, seen)
    this.#checkLog(now, seen)
    if (now.isLeader && (!seen.wasLeader || now.term !== seen.term)) this.#checkNewLeader(now)
    if (now.commitIndex !== seen.commitIndex) this.#checkCommit(now, seen)
    if (now.appliedIndex !== seen.appliedIndex) this.#checkApplied(now)
    seen.term = now.term
    seen.votedFor = now.votedFor
    seen.wasLeader = now.isLeader
    seen.commitIndex = now.commitIndex
    seen.appliedIndex = now.appliedIndex
    seen.lastIndex = now.lastIndex
    seen.voters = now.voters
  }

  /** A client was told that the write of this version happened. */
  acknowledged(version: number, by: string): void {
    const index = this.#indexes.get(version)
    if (index === undefined || !this.#committed.has(index)) {
      this.#onViolation(`${by} was told of a write of version ${version}, which nobody has committed`)
    }
  }

  /** A node carried out a write. */
  carriedOut(node: string, { index, version, identity }: CarriedOut): void {
    const known = this.#carriedOut.get(identity)
    if (known === undefined) this.#carriedOut.set(identity, version)
    else if (known !== version) {
      this.#onViolation(
        `${node}: the write ${identity} was carried out twice, as version ${known} and as version ${version}`,
      )
    }
    const stoodAt = this.#indexes.get(version)
    if (stoodAt === undefined) this.#indexes.set(version, index)
    else if (stoodAt !== index) {
      this.#onViolation(`${node}: version ${version} was given at ${index}, and before at ${stoodAt}`)
    }
  }

  /** What a node keeps beside its table at an index: configuration, clock, sessions. */
  checkpointed(node: string, index: number, meta: Uint8Array): void {
    const known = this.#metas.get(index)
    if (known === undefined) this.#metas.set(index, { checksum: crc32(meta), node })
    else if (known.checksum !== crc32(meta)) {
      this.#onViolation(`${node}: what stands beside its table at index ${index} differs from ${known.node}`)
    }
  }

  #newLife(now: Observation): Seen {
    const seen: Seen = {
      life: now.life,
      term: now.term,
      votedFor: now.votedFor,
      wasLeader: false,
      commitIndex: 0,
      appliedIndex: 0,
      lastIndex: now.baseIndex,
      voters: now.voters,
      terms: new Map(),
    }
    this.#seen.set(now.node, seen)
    return seen
  }

  #checkTerm(now: Observation, seen: Seen): void {
    if (now.term < seen.term) this.#violated(now, `its term fell from ${seen.term} to ${now.term}`)
    if (now.term === seen.term && seen.votedFor !== undefined) {
      this.#violated(now, `it took back its vote of term ${now.term} for ${seen.votedFor}`)
    }
  }

  #checkNewLeader(now: Observation): void {
    const other = this.#leaders.get(now.term)
    if (other !== undefined && other !== now.node)
      this.#violated(now, `term ${now.term} has two leaders, also ${other}`)
    this.#leaders.set(now.term, now.node)
    const index = this.#committedUpTo
    const term = this.#committed.get(index)
    if (term === undefined || index <= now.baseIndex) return
    const held = now.entry(index)?.term
    if (held !== term) {
      this.#violated(
        now,
        `leads term ${now.term} without the committed entry ${index} of term ${term} (it has ${held})`,
      )
    }
  }

  /** Compares what is new in the log, from its end back to where it was compared before. */
  #checkLog(now: Observation, seen: Seen): void {
    for (let index = seen.lastIndex; index > now.lastIndex; index--) seen.terms.delete(index)
    if (now.lastIndex < now.commitIndex)
      this.#violated(now, `its log ends at ${now.lastIndex}, before its commit`)
    for (let index = now.lastIndex; index > now.baseIndex; index--) {
      const entry = now.entry(index)
      if (entry === undefined) {
        this.#violated(now, `its log lacks entry ${index}`)
        return
      }
      if (seen.terms.get(index) === entry.term) return
      seen.terms.set(index, entry.term)
      const previousTerm = index - 1 === now.baseIndex ? now.baseTerm : (now.entry(index - 1)?.term ?? 0)
      this.#compareEntry(now, index, entry, previousTerm)
    }
  }

  #compareEntry(now: Observation, index: number, entry: ObservedEntry, previousTerm: number): void {
    const checksum = crc32(entry.data, crc32(entry.kind))
    const name = `${index}/${entry.term}`
    const known = this.#entries.get(name)
    if (known === undefined) {
      this.#entries.set(name, { checksum, previousTerm })
    } else if (known.checksum !== checksum) {
      this.#violated(now, `entry ${index} of term ${entry.term} differs from that of another log`)
    } else if (known.previousTerm !== previousTerm) {
      this.#violated(now, `what stands before entry ${index} of term ${entry.term} differs from another log`)
    }
  }

  #checkCommit(now: Observation, seen: Seen): void {
    if (now.commitIndex < seen.commitIndex) this.#violated(now, `its commit fell from ${seen.commitIndex}`)
    for (let index = Math.max(seen.commitIndex, now.baseIndex) + 1; index <= now.commitIndex; index++) {
      const term = now.entry(index)?.term ?? -1
      const committed = this.#committed.get(index)
      if (committed === undefined) this.#commit(now, seen, index, term)
      else if (committed !== term) {
        this.#violated(now, `committed entry ${index} has term ${term} here and ${committed} elsewhere`)
      }
    }
    const base = this.#committed.get(now.baseIndex)
    if (base !== undefined && base !== now.baseTerm) {
      this.#violated(now, `its base ${now.baseIndex} has term ${now.baseTerm}, committed was ${base}`)
    }
  }

  /** An entry is committed for the first time: from now on it must never be lost. */
  #commit(now: Observation, seen: Seen, index: number, term: number): void {
    this.#committed.set(index, term)
    this.#committedUpTo = Math.max(this.#committedUpTo, index)
    const isSafe = (voters: readonly string[]): boolean => {
      const holders = voters.filter(voter => this.#holdsDurably(voter, index, term))
      return 2 * holders.length > voters.length
    }
    // The configuration may have changed in the very turn in which the old one committed.
    if (!isSafe(now.voters) && !isSafe(seen.voters)) {
      this.#violated(
        now,
        `committed entry ${index} of term ${term}, which is on too few disks of [${now.voters}]`,
      )
    }
    const usurper = this.#findUsurper(index, term)
    if (usurper !== undefined) {
      this.#violated(
        now,
        `committed entry ${index} of term ${term}, which ${usurper} lacks, who could still be elected`,
      )
    }
  }

  #checkApplied(now: Observation): void {
    const index = now.appliedIndex
    if (index > now.commitIndex) this.#violated(now, `applied ${index}, committed only ${now.commitIndex}`)
    const digest = now.digest()
    const known = this.#digests.get(index)
    if (known === undefined) this.#digests.set(index, { digest, node: now.node })
    else if (known.digest !== digest) {
      this.#violated(now, `its table at index ${index} differs from that of ${known.node}`)
    }
  }

  #violated(now: Observation, what: string): void {
    this.#onViolation(`${now.node}: ${what}`)
  }
}
