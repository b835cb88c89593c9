/**
 * Which of the directories in the data directory is the table. Each environment is a directory `table.<n>`,
 * with numbers that grow; `table.json` names the one in use, and is replaced whole. Others are what an
 * unfinished snapshot or a replaced table left, and are removed at the next start.
 */
import fs from 'node:fs'
import path from 'node:path'
import { JsonFile } from './json-file.js'
import { Environment } from './lmdb-environment.js'
import { TableDamaged } from './lmdb-row.js'
import { realDisk } from './real-disk.js'

const pointerName = 'table.json'
const namePattern = /^table\.(\d+)$/

/**
 * Knows the directory in use and replaces it in one step: after a crash it is either the old or the new one, and
 * whole.
 */
export class TableDirectories {
  readonly #dataDirectory: string
  readonly #pointer: JsonFile
  #current: string
  /** The highest number in use. */
  #number: number

  /** Makes an empty table if there is none. Throws {@link TableDamaged}. */
  constructor(dataDirectory: string) {
    this.#dataDirectory = dataDirectory
    this.#pointer = new JsonFile(realDisk(dataDirectory), pointerName)
    const name = this.#named()
    this.#current = path.join(dataDirectory, name ?? 'table.1')
    this.#number = Number(namePattern.exec(path.basename(this.#current))?.[1])
    this.#removeOthers(name)
    if (name === undefined) {
      new Environment(this.#current).close()
      this.switchTo(this.#current)
    }
    if (!fs.existsSync(path.join(this.#current, 'data.mdb'))) {
      throw new TableDamaged(path.join(path.basename(this.#current), 'data.mdb'), 'which is missing')
    }
  }

  /** The directory in use, in full like all that are given and taken here. */
  current(): string {
    return this.#current
  }

  /** A directory that was never in use, not made yet. */
  next(): string {
    this.#number++
    return path.join(this.#dataDirectory, `table.${this.#number}`)
  }

  /** Makes `directory`, whose environment is complete, the table, in one step; durable when this returns. */
  switchTo(directory: string): void {
    // It must be durable with its name before it is named. LMDB has synced what was committed, but not the
    // first page of a file that it has just made.
    const inside = realDisk(directory)
    const file = inside.open('data.mdb', false)
    try {
      file.flushSync()
    } finally {
      file.close()
    }
    inside.flushDirectory()
    realDisk(this.#dataDirectory).flushDirectory()
    this.#pointer.store({ directory: path.basename(directory) })
    this.#current = directory
  }

  /** Removes a directory, beside other work. What cannot be removed now is removed at the next start. */
  remove(directory: string): void {
    fs.rm(directory, { recursive: true, force: true }, () => {})
  }

  /** The name of the directory in use, or undefined if there was never one. */
  #named(): string | undefined {
    const stored = this.#pointer.load()
    if (stored === undefined) return undefined
    if (typeof stored === 'object' && stored !== null && 'directory' in stored) {
      const { directory } = stored
      if (typeof directory === 'string' && namePattern.test(directory)) return directory
    }
    throw new TableDamaged(pointerName, 'which names no table')
  }

  #removeOthers(named: string | undefined): void {
    for (const name of fs.readdirSync(this.#dataDirectory)) {
      if (!namePattern.test(name) || name === named) continue
      fs.rmSync(path.join(this.#dataDirectory, name), { recursive: true, force: true })
    }
  }
}
