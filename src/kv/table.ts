/**
 * The table: where what was decided is kept, by key. A port; memory and LMDB implement it (src/storage), one
 * contract suite holds them both (test/contract).
 *
 * What must always hold:
 * - reads see every write made before them, at once;
 * - what is durable is always the state of one moment (a checkpoint), together with that moment's `meta`;
 * - a snapshot being received is invisible until it is finished, and then replaces everything.
 */

/** What is known of a key beside its value. */
export interface RecordHead {
  /** The number of the command that stored it; see state-machine.ts. */
  readonly version: number
  /** When it expires, in whole milliseconds since 1970 on the state's clock; undefined: never. */
  readonly expiresAt: number | undefined
}

/** What is stored under one key. */
export interface TableRecord extends RecordHead {
  readonly value: Uint8Array
}

/** The table as the state machine uses it: synchronous, and never failing (a read error stops the node). */
export interface Table {
  get(key: string): TableRecord | undefined
  /** The same without the value, which costs less: for a write that needs to know what is there. */
  head(key: string): RecordHead | undefined
  set(key: string, record: TableRecord): void
  delete(key: string): void
  /** Up to `limit` keys that begin with `prefix` and follow `after`, in the order of their UTF-8 bytes. */
  keys(prefix: string, after: string, limit: number): string[]
  /** One step of a walk over all keys, in the order of their UTF-8 bytes; see {@link WalkStep}. */
  walk(after: string, visitsMax: number): WalkStep
  /** Up to `limit` keys that expire at `nowMs` or before, those first that expire first, then by their bytes. */
  expired(nowMs: number, limit: number): string[]
  /** How many keys there are. */
  count(): number
  /** How many of them expire at some time. */
  expiring(): number
  /** Bytes of what was written since the last checkpoint began, as they are held in memory. */
  pendingBytes(): number
  /** Removes everything, in a time that does not depend on how much there is. */
  clear(): void
  /**
   * The `meta` of the last durable checkpoint or finished snapshot, or undefined for a table that never had
   * one. Right after opening, the table holds exactly that state.
   */
  meta(): Uint8Array | undefined
  /** A view of the last durable checkpoint, which stays as it is while it is open; undefined if there is none. */
  view(): TableView | undefined
}

/**
 * What a bounded step of a walk found behind the key at which the last one ended. A key that is there during the
 * whole walk is found once.
 */
export interface WalkStep {
  /** Perhaps none: places of keys that were removed count as visited, too. */
  readonly keys: readonly string[]
  /** Where the next step begins; undefined at the end. */
  readonly next: string | undefined
}

/** A checkpoint held still, to be streamed as a snapshot. */
export interface TableView {
  readonly meta: Uint8Array
  /**
   * The rows that follow the key `after` (the first ones for undefined), in byte order: at least one, then
   * as many as fit in about `bytesMax` bytes of keys and values; empty at the end.
   */
  rows(after: string | undefined, bytesMax: number): [key: string, record: TableRecord][]
  close(): void
}

/** The table as the driver and the storage use it. */
export interface TableStore extends Table {
  /**
   * Makes the state of this moment durable with `meta`, in one transaction, without holding up reads and
   * writes; `done` is called when it is on the disk. One at a time.
   */
  checkpoint(meta: Uint8Array, done: (error: Error | undefined) => void): void
  /** Starts to build a snapshot beside the table; what an earlier, unfinished one left is thrown away. */
  beginSnapshot(): void
  addSnapshotRows(rows: readonly (readonly [key: string, record: TableRecord])[]): void
  /**
   * Makes the snapshot durable with `meta` and puts it in the place of the table, whole; from `done` on,
   * reads see it. Writes made since the last checkpoint are dropped.
   */
  finishSnapshot(meta: Uint8Array, done: (error: Error | undefined) => void): void
  /** Closes files. What was not checkpointed is lost here; the journal has it. */
  close(): void
}
