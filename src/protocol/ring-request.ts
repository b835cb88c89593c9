/**
 * What can be asked of the ring engine, and what it answers: its requests differ from those of consensus in more
 * than their names, since a key may have several versions at once and the client says how many copies it wants.
 */

/**
 * A checked request. `quorum` is how many copies have to answer; undefined stands for a majority of them. A
 * `context` is what an earlier answer gave, as it was: opaque to everybody but the engine.
 */
export type RingRequest =
  | { readonly op: 'read-versions'; readonly key: string; readonly quorum: number | undefined }
  | RingWrite
  /** Which nodes keep a key. */
  | { readonly op: 'lookup'; readonly key: string }
  /** How many records this node holds. */
  | { readonly op: 'count' }
  /** This node hands over what it holds and leaves. */
  | { readonly op: 'leave' }

/**
 * A write. `put` replaces what its context covers and nothing else; `update`, `set` and `delete` replace what is
 * there now where they come without a context, and `update` and `delete` want a key that exists.
 */
export interface RingWrite {
  readonly op: 'write-version'
  readonly verb: 'put' | 'update' | 'set' | 'delete'
  readonly key: string
  /** Undefined for `delete`. */
  readonly value: Uint8Array | undefined
  readonly quorum: number | undefined
  readonly context: string | undefined
  /** Which write it is, where the client said so. */
  readonly identity: string | undefined
}

/** The answer to a {@link RingRequest}. */
export type RingResponse =
  /**
   * The versions that stand, as far as this request has seen: one after the usual read or write, more where nobody
   * has reconciled them yet (in an order that is the same on every node), none after a delete. `context` covers all of them, and removed ones too.
   */
  | {
      readonly kind: 'versions'
      readonly versions: readonly RingVersion[]
      readonly context: string
    }
  /** Client addresses in full, those of the owners first and in order. */
  | { readonly kind: 'owners'; readonly addresses: readonly string[] }
  | { readonly kind: 'count'; readonly records: number }

/** One version of a key. */
export interface RingVersion {
  readonly value: Uint8Array
  /** Covers this version and what it replaced. */
  readonly context: string
  /** When it was written, by the clock of the node that coordinated it, in milliseconds since 1970. */
  readonly writtenMs: number
}
