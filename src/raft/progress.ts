/** What a leader knows of one follower, and how it sends to it. */
import { type LogIndex, logIndex } from '../base/ids.js'
import type { OutgoingSnapshot } from './types.js'

/** How entries reach a follower. */
export type Sending =
  /** Where the logs agree is being looked for, one question at a time. */
  | { readonly kind: 'probing'; next: LogIndex; waiting: boolean }
  /** The logs agree: entries are sent ahead of the answers, a bounded number of appends at a time. */
  | { readonly kind: 'streaming'; next: LogIndex; readonly inFlight: LogIndex[] }
  /** What it lacks is compacted away: it gets a snapshot, piece by piece. */
  | {
      readonly kind: 'snapshotting'
      readonly snapshot: OutgoingSnapshot
      sequence: number
      /** The piece on its way, kept until it is acknowledged. */
      piece: { readonly data: Uint8Array; readonly meta: Uint8Array | undefined }
      sentAtTick: number
    }

export class Progress {
  /** Everything up to here equals the leader's log and is durable there. */
  matched: LogIndex = logIndex(0)
  sending: Sending
  /** When it was last heard, in the leader's ticks. */
  heardAtTick: number
  /** Whether it was heard at all in this term. */
  heard = false
  /** Its connection closed and it was not heard since: a hint that it died. */
  isGone = false
  /** The newest read round it has answered. */
  round = 0
  /** It reads for its clients what it was not told to be committed: the next round tells it. */
  wantsCommit = false
  /** The greatest commit index it was told. */
  toldCommit: LogIndex = logIndex(0)
  lastIndex: LogIndex = logIndex(0)
  appliedIndex: LogIndex = logIndex(0)
  diskFull = false

  constructor(next: LogIndex, tick: number) {
    this.sending = { kind: 'probing', next, waiting: false }
    this.heardAtTick = tick
  }

  /** Notes that it answered in this term. */
  noteHeard(tick: number): void {
    this.heard = true
    this.heardAtTick = tick
    this.isGone = false
  }

  /** Notes that everything up to `index` is there; says whether that is news. */
  acknowledge(index: LogIndex): boolean {
    if (this.sending.kind === 'streaming') {
      const { inFlight } = this.sending
      while (inFlight[0] !== undefined && inFlight[0] <= index) inFlight.shift()
    }
    if (index <= this.matched) return false
    this.matched = index
    return true
  }

  probeFrom(next: LogIndex): void {
    this.closeSnapshot()
    this.sending = { kind: 'probing', next, waiting: false }
  }

  stream(): void {
    this.closeSnapshot()
    this.sending = { kind: 'streaming', next: logIndex(this.matched + 1), inFlight: [] }
  }

  closeSnapshot(): void {
    if (this.sending.kind === 'snapshotting') this.sending.snapshot.close()
  }
}
