/**
 * What the nodes of a ring say to each other. Every message is plain JSON (`JSON.stringify` makes the line,
 * `readMessage` in message-check.ts checks what came), and any of them may be lost, repeated or reordered
 * without harm.
 *
 * A message that carries records, or asks for some, names a *fence*: a word that its receiver gave out and
 * changes when it starts, and whenever a round of collecting tombstones closes. Records behind an older fence
 * are refused, so that a late message never brings back what was collected meanwhile (see collect.ts).
 */
import type { NodeId } from '../base/ids.js'
import type { PlainEpoch } from './epochs.js'
import type { OrderedAnswer, OrderedChange, Refusal, RingMember } from './types.js'

/** A record (the versions of a key) as it travels; versions.ts reads and checks it. */
export type PlainRecord = readonly unknown[]

/** A record of a key, on its way to be kept. */
export interface CarriedRow {
  readonly key: string
  readonly record: PlainRecord
  /** The owners in whose place the receiver keeps it, if it is no owner itself. */
  readonly owed: readonly NodeId[]
}

/** A message between members. */
export type RingMessage =
  | Heartbeat
  | Members
  | Read
  | ReadReply
  | Write
  | WriteReply
  | Store
  | Stored
  | Stale
  | Compare
  | Compared
  | List
  | Listed
  | Want
  | Wanted
  | Settle
  | Settled
  | Gather
  | Gathered
  | Ask
  | Asked

/** "I live." Goes to every member now and then; makes no use of the disk. */
export interface Heartbeat {
  readonly kind: 'heartbeat'
  /** What the receiver must name in messages to the sender that carry records. */
  readonly fence: string
  /** The start of the receiver that the sender has heard of late ('' for none): they can talk both ways. */
  readonly hears: string
  /** A digest of the sender's list of members; whoever has another list sends its own. */
  readonly list: string
  /** The sender's disk takes no writes. */
  readonly isFull: boolean
  /** Where all requests go through a leader: the highest epoch that the sender has heard of. */
  readonly epoch?: PlainEpoch | undefined
  /** There: how many writes this start of the sender has acknowledged without the receiver, which should have had them. */
  readonly skipped?: number | undefined
  /** There: the sender has yet to get what others hold of its ranges. */
  readonly isBehind?: boolean | undefined
}

/** The full list of members (Dynamo paper, section 4.8.1). */
export interface Members {
  readonly kind: 'members'
  readonly copies: number
  readonly members: readonly RingMember[]
}

/** Asks for a record. The reply names the sender's `fence` again. */
export interface Read {
  readonly kind: 'read'
  readonly id: number
  readonly key: string
  readonly fence: string
}

/** The record as it stands at the sender; `isWhole` is false where it is yet to fetch its share. */
export interface ReadReply {
  readonly kind: 'read-reply'
  readonly id: number
  readonly fence: string
  readonly record: PlainRecord
  readonly isWhole: boolean
}

/** A client's write for the receiver to coordinate. It is carried out at most once by one start of a node. */
export interface Write {
  readonly kind: 'write'
  readonly id: number
  /** Names the start of the sender that counts these ids. */
  readonly start: string
  /** All lower ids of the sender are done with. */
  readonly lowest: number
  readonly fence: string
  readonly key: string
  /** As records carry values (see versions.ts); null for a tombstone. */
  readonly value: unknown
  readonly context: string
  readonly quorum: number
  /** What names the write, whoever coordinates it. */
  readonly identity: string
  /** The write may have been carried out before: look for it first. */
  readonly isRepeat: boolean
  /** How long the sender waits for the answer. */
  readonly ticks: number
}

/** What became of a forwarded write; without an answer, that it is being worked on. */
export interface WriteReply {
  readonly kind: 'write-reply'
  readonly id: number
  readonly answer: PlainAnswer | null
}

/** The answer to a forwarded write. Contexts and versions are made of the record by the node that was asked. */
export type PlainAnswer =
  | { readonly kind: 'written'; readonly record: PlainRecord; readonly copies: number }
  | {
      readonly kind: 'quorum-not-met'
      readonly reached: number
      readonly needed: number
      readonly maybe: boolean
    }
  | { readonly kind: 'refused'; readonly reason: Refusal }

/** Records to be kept. With id 0 no acknowledgement is wanted. */
export interface Store {
  readonly kind: 'store'
  readonly id: number
  readonly fence: string
  readonly rows: readonly CarriedRow[]
}

/** The records are durable at the sender, or it keeps none of them. */
export interface Stored {
  readonly kind: 'stored'
  readonly id: number
  readonly kept: boolean
}

/** The message of this id named an old fence, and was not looked at. */
export interface Stale {
  readonly kind: 'stale'
  readonly id: number
  readonly fence: string
}

/**
 * Digests of parts of the key space, to find where two nodes differ (Dynamo paper, section 4.7). A part is named
 * by the beginning of its paths (`@` for all that both share), or is one key after a `=`.
 */
export interface Compare {
  readonly kind: 'compare'
  readonly id: number
  readonly nodes: readonly (readonly [path: string, digest: string])[]
  /** The sender wants what the receiver has, and not to know what it lacks. */
  readonly fetching?: true | undefined
}

/** Those of the parts asked for in which the sender has something else. */
export interface Compared {
  readonly kind: 'compared'
  readonly id: number
  readonly differing: readonly string[]
  /**
   * To one that is fetching whole ranges: of which of them, by their place in the question, the sender has got all
   * that another node holds (see coverage.ts).
   */
  readonly covered?: readonly (readonly [node: NodeId, places: readonly number[]])[] | undefined
  /** To one that is fetching: the records in differing parts, as far as they fit; such parts are not `differing`. */
  readonly entries?: readonly (readonly [key: string, digest: string])[] | undefined
}

/** Asks which records there are in one part, from the key after `after` on. */
export interface List {
  readonly kind: 'list'
  readonly id: number
  readonly path: string
  readonly after: string
}

/** The records in one part, in the order of their row keys; `more` says that others follow. */
export interface Listed {
  readonly kind: 'listed'
  readonly id: number
  readonly entries: readonly (readonly [key: string, digest: string])[]
  readonly more: boolean
}

/** Asks for records. The reply names the sender's `fence` again. */
export interface Want {
  readonly kind: 'want'
  readonly id: number
  readonly fence: string
  readonly keys: readonly string[]
}

/** As many of the records as fit; keys that are not among them may be asked for again. */
export interface Wanted {
  readonly kind: 'wanted'
  readonly id: number
  readonly fence: string
  readonly rows: readonly (readonly [key: string, record: PlainRecord])[]
}

/** One step of settling records everywhere: collecting tombstones, and pruning pasts (see collect.ts). */
export interface Settle {
  readonly kind: 'settle'
  readonly id: number
  readonly step: 'watch' | 'close' | 'finish' | 'forget'
  /** A digest of the sender's list of members: whoever has another list does not take part. */
  readonly list: string
  /** The keys that it goes on with, by their place in the list. */
  readonly fine: readonly number[]
  /** The starts whose dots are to be pruned: nobody may be running as one of them. With the first step only. */
  readonly over: readonly string[]
  /** The keys, and the records that there are of them wherever there are any. With the first step only. */
  readonly rows: readonly (readonly [key: string, record: PlainRecord])[]
}

/** The answer to a step: the keys (by their place in the list) for which all is well at the sender. */
export interface Settled {
  readonly kind: 'settled'
  readonly id: number
  readonly step: Settle['step']
  readonly fine: readonly number[]
}

/** A leader asks for what there is of a key. The reply names the sender's `fence` again. */
export interface Gather {
  readonly kind: 'gather'
  readonly id: number
  readonly key: string
  readonly fence: string
  /** The epoch that it leads in. */
  readonly epoch: PlainEpoch
}

/** The record as it stands at the sender. */
export interface Gathered {
  readonly kind: 'gathered'
  readonly id: number
  readonly fence: string
  readonly record: PlainRecord
  /** Of whose share of the key's range the sender may lack some; null where it is no owner, and may lack anything. */
  readonly lacking: readonly NodeId[] | null
  /** The highest epoch that the sender has heard of. */
  readonly epoch: PlainEpoch
}

/** A client's request, for the leader to carry out. It is taken at most once by one start of a node. */
export interface Ask {
  readonly kind: 'ask'
  readonly id: number
  /** Names the start of the sender that counts these ids. */
  readonly start: string
  /** All lower ids of the sender are done with. */
  readonly lowest: number
  readonly fence: string
  readonly verb: OrderedVerb
  readonly key: string
  /** As records carry values; null where there is none. */
  readonly value: unknown
  /** What names a write, however often it is sent; '' for `get`. */
  readonly identity: string
  /** How long the sender waits for the answer. */
  readonly ticks: number
}

/** What is asked of a leader. */
export type OrderedVerb = 'get' | OrderedChange['verb']

/** What became of a request; without an answer, that it is being worked on. */
export interface Asked {
  readonly kind: 'asked'
  readonly id: number
  readonly answer: PlainServed | null
}

/** The answer to a request, with the value as records carry it. */
export type PlainServed =
  | Exclude<Served, { kind: 'entry' }>
  | { readonly kind: 'entry'; readonly value: unknown; readonly version: number }

/** What a leader comes to. */
export type Served =
  | OrderedAnswer
  /** Certainly nothing was done. */
  | { readonly kind: 'refused'; readonly reason: Refusal }
  /** It may have been done. */
  | { readonly kind: 'unknown' }
  /** Nothing was done, because the sender does not lead, or not in this epoch any more: ask again. */
  | { readonly kind: 'again' }
