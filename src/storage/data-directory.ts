/**
 * The data directory of a node: made if it is not there, checked, and kept to this process. Journal and table
 * live in it under their own names; the node's identity is a small file.
 */
import fs from 'node:fs'
import path from 'node:path'
import { DirectoryInUse, lockDirectory } from './directory-lock.js'
import type { Disk } from './disk.js'
import { JsonFile } from './json-file.js'
import { makeDirectory } from './make-directory.js'
import { realDisk } from './real-disk.js'
import { hasCode } from './system-error.js'

/** Thrown when the data directory cannot be used. The message says why and what to do. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError'
}

export interface DataDirectory {
  /** In full. */
  readonly path: string
  readonly disk: Disk
  /** Who this node is; what is in it is the node's. Replaced whole, durable when `store` returns. */
  readonly identity: JsonFile
  /** Lets other processes have the directory. Call it when all files in it are closed. */
  close(): Promise<void>
}

/** Opens `directory`, making it if need be. Throws {@link DataDirectoryError}. */
export async function openDataDirectory(directory: string): Promise<DataDirectory> {
  const full = path.resolve(directory)
  try {
    const highestMade = makeDirectory(full)
    fs.accessSync(full, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK)
    flushNames(full, highestMade)
    const lock = await lockDirectory(full)
    const disk = realDisk(full)
    return {
      path: full,
      disk,
      identity: new JsonFile(disk, 'identity.json'),
      close: () => lock.release(),
    }
  } catch (error) {
    throw new DataDirectoryError(`Cannot use the data directory ${full}: ${explain(error, full)}`, {
      cause: error,
    })
  }
}

/**
 * Makes the names of a directory and of those above it, up to `highestMade`, durable. A power cut could otherwise
 * take away the directory with all that was flushed inside. With none made now, the directory's own name is tried
 * all the same: an earlier start may have been killed between making it and this.
 */
function flushNames(directory: string, highestMade: string | undefined): void {
  const highest = highestMade ?? directory
  for (let made = directory; ; made = path.dirname(made)) {
    try {
      realDisk(path.dirname(made)).flushDirectory()
    } catch (error) {
      // What is above an old directory may be another file system, or not to be looked at by this user.
      if (highestMade !== undefined && !hasCode(error, 'EACCES', 'EPERM')) throw error
    }
    if (made.length <= highest.length) return
  }
}

/** Why, and what to do, in words for whoever starts the node. */
function explain(error: unknown, full: string): string {
  if (hasCode(error, 'EACCES', 'EPERM')) return `permission denied. ${whose(full)}`
  if (hasCode(error, 'EEXIST', 'ENOTDIR'))
    return 'there is a file in its place, or of its parent. Choose another.'
  if (hasCode(error, 'ENOENT')) return 'no directory can be made there. Choose another.'
  if (hasCode(error, 'EROFS')) return 'it is on a read-only file system. Choose another.'
  if (hasCode(error, 'ENOSPC', 'EDQUOT'))
    return 'there is no space left on its disk. Make room, or choose another.'
  const reason = error instanceof Error ? error.message : String(error)
  const advice = error instanceof DirectoryInUse ? ' Stop that one first, or choose another directory.' : ''
  return `${reason}.${advice}`
}

/** Says who may write to the directory, or to the nearest one above it that is there. */
function whose(full: string): string {
  const user = process.getuid?.() ?? 'unknown'
  for (let at = full; ; at = path.dirname(at)) {
    try {
      const owner = fs.statSync(at).uid
      return `${at} belongs to user ${owner}, and this program runs as user ${user}. Change its owner, or choose another.`
    } catch {
      // Not there, or not to be looked at.
    }
    if (at === path.dirname(at)) return `This program runs as user ${user}. Choose another.`
  }
}
