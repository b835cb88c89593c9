/** A small value in a file of its own, replaced whole: after a crash it is the old one or the new one. */
import zlib from 'node:zlib'
import type { Disk } from './disk.js'

/** Thrown when a file's contents are not what was stored. The message names it, and what to do. */
export class StoredFileDamaged extends Error {
  override readonly name = 'StoredFileDamaged'
}

export class JsonFile {
  readonly #disk: Disk
  readonly #name: string

  /** The file `name` of `disk`; it is made by the first `store`. */
  constructor(disk: Disk, name: string) {
    this.#disk = disk
    this.#name = name
  }

  /**
   * What was stored last, or undefined if nothing was; durable when this returns, so that whoever has seen it may
   * act on it. Throws {@link StoredFileDamaged} or what the disk throws.
   */
  load(): unknown {
    const bytes = this.#disk.read(this.#name)
    if (bytes === undefined) return undefined
    const stored = parse(Buffer.from(bytes).toString())
    if (stored === undefined) {
      throw new StoredFileDamaged(
        `File ${this.#name} in the data directory is damaged: its checksum does not match its contents. If other ` +
          'members of the cluster live: remove this node there, empty its data directory and add it again. ' +
          'Otherwise restore the data directory from a back-up.',
      )
    }
    // A process that was killed while it stored may have renamed the file and not flushed the name: what was read
    // would be gone after a power cut, and the one before it be back.
    this.#disk.flushDirectory()
    return stored.value
  }

  /** Stores `value`, which must be plain data; durable when this returns. Throws what the disk throws. */
  store(value: unknown): void {
    const text = `${JSON.stringify({ checksum: checksumOf(value), value }, undefined, 2)}\n`
    const unfinished = `${this.#name}.unfinished`
    // What an earlier crash left is thrown away, longer contents too.
    this.#disk.remove(unfinished)
    const file = this.#disk.open(unfinished, true)
    try {
      file.write(0, [Buffer.from(text)])
      file.flushSync()
    } finally {
      file.close()
    }
    this.#disk.rename(unfinished, this.#name)
    this.#disk.flushDirectory()
  }
}

function parse(text: string): { readonly value: unknown } | undefined {
  try {
    const stored: unknown = JSON.parse(text)
    if (typeof stored !== 'object' || stored === null) return undefined
    if (!('checksum' in stored) || !('value' in stored)) return undefined
    return stored.checksum === checksumOf(stored.value) ? { value: stored.value } : undefined
  } catch {
    return undefined
  }
}

/** A checksum of the value itself, so that the file may be laid out for people. */
function checksumOf(value: unknown): string {
  return zlib.crc32(JSON.stringify(value)).toString(16).padStart(8, '0')
}
