/**
 * Changes of the table that are not made yet: what operations that belong together read and write, until it is
 * known that all of it is to happen. It shows no key that has expired.
 */
import type { RecordHead, Table, TableRecord } from './table.js'

export class Draft {
  readonly #table: Table
  readonly #nowMs: number
  readonly #version: number
  /** Undefined: the key was deleted. */
  readonly #changes = new Map<string, TableRecord | undefined>()
  #isCleared = false
  #keysAdded = 0
  #bytes = 0

  /** The table at a moment of log time; what is written gets the `version`. */
  constructor(table: Table, nowMs: number, version: number) {
    this.#table = table
    this.#nowMs = nowMs
    this.#version = version
  }

  /** Log time. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** Bytes of values that were set, each time. */
  get bytes(): number {
    return this.#bytes
  }

  get(key: string): TableRecord | undefined {
    const record = this.#stored(key)
    return record !== undefined && isExpired(record, this.#nowMs) ? undefined : record
  }

  /** Stores a value that expires then, or never; one that has expired is not there afterwards. */
  set(key: string, value: Uint8Array, expiresAt: number | undefined): void {
    const record = { value, version: this.#version, expiresAt }
    if (isExpired(record, this.#nowMs)) {
      this.delete(key)
      return
    }
    if (this.#stored(key) === undefined) this.#keysAdded++
    this.#changes.set(key, record)
    this.#bytes += value.length
  }

  delete(key: string): void {
    if (this.#stored(key) !== undefined) this.#keysAdded--
    this.#changes.set(key, undefined)
  }

  clear(): void {
    this.#changes.clear()
    this.#isCleared = true
    this.#keysAdded = 0
  }

  /** How many keys there are, those included that have expired and wait to be removed. */
  count(): number {
    return (this.#isCleared ? 0 : this.#table.count()) + this.#keysAdded
  }

  /** How many of them expire. */
  expiring(): number {
    let expiring = this.#isCleared ? 0 : this.#table.expiring()
    for (const [key, record] of this.#changes) {
      if (!this.#isCleared && this.#table.head(key)?.expiresAt !== undefined) expiring--
      if (record?.expiresAt !== undefined) expiring++
    }
    return expiring
  }

  /** Makes the changes. */
  commit(): void {
    if (this.#isCleared) this.#table.clear()
    for (const [key, record] of this.#changes) {
      if (record === undefined) this.#table.delete(key)
      else this.#table.set(key, record)
    }
  }

  #stored(key: string): TableRecord | undefined {
    if (this.#changes.has(key)) return this.#changes.get(key)
    return this.#isCleared ? undefined : this.#table.get(key)
  }
}

/** Whether a record is not there any more at that time, removed or not. */
export function isExpired({ expiresAt }: RecordHead, nowMs: number): boolean {
  return expiresAt !== undefined && expiresAt <= nowMs
}
