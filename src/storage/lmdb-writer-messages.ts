/**
 * What the table and the thread that writes for it say to each other. Messages are carried out in order;
 * `commit` and `finish` are answered, once each.
 */
import type { SharedRows } from './row-map.js'

/** What the writer is told. `table` is the environment in use, `snapshot` the one that is built beside it. */
export type WriterMessage =
  /** Changes for the next commit of that environment. Their memory belongs to the writer until that is answered. */
  | { readonly kind: 'rows'; readonly into: 'table' | 'snapshot'; readonly rows: SharedRows }
  /** The next commit of the table begins by removing everything; it precedes that commit's rows. */
  | { readonly kind: 'clear' }
  /** Writes what was gathered for the table and `meta`, in one transaction. */
  | { readonly kind: 'commit'; readonly meta: Uint8Array }
  /** Begins a snapshot in that new directory; one that was not finished is forgotten. */
  | { readonly kind: 'begin'; readonly directory: string }
  /** Writes the rest of the snapshot and `meta`. */
  | { readonly kind: 'finish'; readonly meta: Uint8Array }
  /** The finished snapshot is the table from now on. */
  | { readonly kind: 'adopt' }

/**
 * The answer to a `commit` or `finish`. Without an error all of it is durable; with one, nothing of it may
 * be relied on. The error is plain data, as an Error would lose its `code` between threads.
 */
export interface WriterAnswer {
  readonly error: { readonly message: string; readonly code: string | undefined } | undefined
}

/** What the writer is started with: the directory of the environment that is the table at that moment. */
export interface WriterData {
  readonly directory: string
  /** One word: see {@link writerState}. */
  readonly state: SharedArrayBuffer
}

/** Values of the shared word. Told to stop, the writer gives up what it is at, closes and says so. */
export const writerState = { running: 0, stopping: 1, stopped: 2 } as const
