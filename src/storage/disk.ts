/**
 * The disk as the journal sees it: a port, so that the simulator can lose, tear, reorder and corrupt what was
 * not flushed. Paths are relative to the data directory.
 *
 * Writes return at once and promise nothing; only a flush whose callback came without an error does. Renames,
 * creations and removals of files are durable after {@link Disk.flushDirectory}.
 */

export interface Disk {
  /** Names of the files in the data directory, sorted. */
  list(): string[]
  /** Whole contents of a file, or undefined if there is none. */
  read(path: string): Uint8Array | undefined
  /** Opens a file for reading and writing, making it if `create` is set. Throws if it is not there. */
  open(path: string, create: boolean): DiskFile
  rename(from: string, to: string): void
  /** Removes a file; one that is not there is no error. */
  remove(path: string): void
  /** Makes creations, renames and removals durable. Throws on failure. */
  flushDirectory(): void
  /**
   * Makes a new file of `size` zero bytes that really occupy space, flushed, in slices that do not hold the
   * loop. `done` gets an error whose `code` is `ENOSPC` when there is no room (and the file is removed).
   */
  makeZeroFile(path: string, size: number, done: (error: DiskError | undefined) => void): void
}

/** An error of the file system; `code` is the operating system's name for it (`ENOSPC`, `EIO`, ...). */
export interface DiskError extends Error {
  readonly code?: string | undefined
}

export interface DiskFile {
  readonly path: string
  size(): number
  /** Reads up to `length` bytes at `offset`; fewer at the end of the file. */
  read(offset: number, length: number): Uint8Array
  /** Writes the parts one after the other from `offset` on. Throws a {@link DiskError}. */
  write(offset: number, parts: readonly Uint8Array[]): void
  truncate(size: number): void
  /** Makes all earlier writes to this file durable (fdatasync); `done` is never called before this returns. */
  flush(done: (error: DiskError | undefined) => void): void
  /** The same, before it returns. Throws a {@link DiskError}. */
  flushSync(): void
  close(): void
}
