/** Makes a directory with those above it. */
import fs from 'node:fs'
import path from 'node:path'
import { hasCode } from './system-error.js'

/**
 * Makes `directory`, open to this user only, and those above it that are missing. Returns the highest one made, or
 * undefined if `directory` was there. Throws what the file system says.
 *
 * Not by the `recursive` of Node: where a file system says of a directory that is there that it is not, as `/proc`
 * does when something is to be made in it, that tries for ever, and is deaf to signals meanwhile.
 */
export function makeDirectory(directory: string): string | undefined {
  try {
    fs.mkdirSync(directory, { mode: 0o700 })
    return directory
  } catch (error) {
    if (hasCode(error, 'EEXIST') && isDirectory(directory)) return undefined
    if (!hasCode(error, 'ENOENT') || fs.existsSync(path.dirname(directory))) throw error
  }
  const highest = makeDirectory(path.dirname(directory))
  const made = makeDirectory(directory)
  return highest ?? made
}

function isDirectory(name: string): boolean {
  return fs.statSync(name, { throwIfNoEntry: false })?.isDirectory() === true
}
