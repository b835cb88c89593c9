/** Which version of the program this is. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The version in the nearest `package.json` at or above this file: compiled code lies one folder deeper than
 * its sources, and elsewhere once more when it is installed.
 */
export function programVersion(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (true) {
    const version = versionIn(join(folder, 'package.json'))
    if (version !== undefined) return version
    const above = dirname(folder)
    if (above === folder) return 'unknown'
    folder = above
  }
}

function versionIn(path: string): string | undefined {
  try {
    const contents: unknown = JSON.parse(readFileSync(path, 'utf8'))
    const isOurs = typeof contents === 'object' && contents !== null && 'version' in contents
    return isOurs && typeof contents.version === 'string' ? contents.version : undefined
  } catch {
    return undefined
  }
}
