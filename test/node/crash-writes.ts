/**
 * Writes whose answers are known in advance, and what must be found of them after a crash: what was acknowledged
 * with the value and the version that were told, what was under way whole or not at all, and nothing else.
 */
import type { Request, Response } from '../../src/protocol/request.js'

type WriteRequest = Extract<Request, { op: 'put' | 'update' | 'set' | 'delete' | 'cas' }>

export interface Write {
  readonly request: WriteRequest
  /** What its key holds once it is carried out; undefined for nothing. */
  readonly value: string | undefined
  /** The error that it must be answered with, if it must. */
  readonly refusal: 'KEY_EXISTS' | 'VERSION_MISMATCH' | undefined
}

/** What a key holds; undefined for nothing. */
type Kept = { readonly value: string; readonly version: number } | undefined

/** Values are up to this long: a few of them fill a segment of a small journal, and lie across sectors. */
const paddingMax = 700

export class CrashWrites {
  /** As acknowledged, or as found after a crash. */
  readonly #kept = new Map<string, Kept>()
  readonly #underWay = new Map<string, Write>()
  /** Writes that their client named, and the version that their repeats must be told. */
  readonly #named = new Map<Write, number | undefined>()
  #count = 0
  #acknowledged = 0

  /** How many writes were acknowledged. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  get isAnswered(): boolean {
    return this.#underWay.size === 0
  }

  /** All keys that were ever written to. */
  keys(): string[] {
    return [...this.#kept.keys()]
  }

  /** Begins the writes that their clients named once more: they can be repeated without harm. */
  repeat(): Write[] {
    for (const [write, version] of this.#named) {
      if (version === undefined) this.#underWay.set(write.request.key, write)
    }
    return [...this.#named.keys()]
  }

  /** The next one; it touches no key of another one that is under way. */
  begin(): Write {
    const write = this.#make(this.#count++)
    const { key } = write.request
    this.#underWay.set(key, write)
    if (!this.#kept.has(key)) this.#kept.set(key, undefined)
    if (write.request.identity !== undefined) this.#named.set(write, undefined)
    return write
  }

  /** The answer came. Returns what is wrong with it, or undefined. */
  answered(write: Write, response: Response): string | undefined {
    const { op, key } = write.request
    if (response.kind === 'written' && write.refusal === undefined) {
      this.#acknowledged++
      this.#take(write, response.version)
      return undefined
    }
    if (response.kind === 'error' && response.code === write.refusal) {
      this.#underWay.delete(key)
      return undefined
    }
    // What the last turn of a node says whose power goes: whether it is there is found out by looking.
    if (response.kind === 'error' && response.code === 'OUTCOME_UNKNOWN') return undefined
    return `${op} ${key} was answered with ${JSON.stringify(response)}`
  }

  /** After a crash, this was read under `key`. Returns what is wrong with it, or undefined. */
  found(key: string, response: Response): string | undefined {
    const kept = this.#kept.get(key)
    const open = this.#underWay.get(key)
    this.#underWay.delete(key)
    const isGone = response.kind === 'error' && response.code === 'KEY_NOT_FOUND'
    if (isGone) {
      if (kept !== undefined && (open === undefined || open.value !== undefined)) return `${key} is lost`
      this.#kept.set(key, undefined)
      return undefined
    }
    if (response.kind !== 'value') return `${key} was answered with ${JSON.stringify(response)}`
    const value = Buffer.from(response.value).toString()
    const { version } = response
    if (kept?.value === value) return kept.version === version ? undefined : `${key} was written twice`
    const isOpen = open !== undefined && open.refusal === undefined && open.value === value
    if (!isOpen || version <= (kept?.version ?? 0)) return `${key} holds what nobody wrote last: ${value}`
    this.#take(open, version)
    return undefined
  }

  /** A write that its client named was repeated. Returns what is wrong with the answer, or undefined. */
  repeated(write: Write, response: Response): string | undefined {
    const version = this.#named.get(write)
    if (response.kind !== 'written') return `a repeat was answered with ${JSON.stringify(response)}`
    if (version === undefined) this.#take(write, response.version)
    else if (version !== response.version)
      return `${write.request.key} was written twice, the second time by a repeat`
    return undefined
  }

  #take(write: Write, version: number): void {
    const { key } = write.request
    this.#underWay.delete(key)
    this.#kept.set(key, write.value === undefined ? undefined : { value: write.value, version })
    if (this.#named.has(write)) this.#named.set(write, version)
  }

  #make(number: number): Write {
    const value = `<${number}>${'x'.repeat((number * 137) % paddingMax)}`
    const bytes = Buffer.from(value)
    const fresh = `key ${number}`
    const done = { value, refusal: undefined }
    const living = [...this.#kept].filter(([key, kept]) => kept !== undefined && !this.#underWay.has(key))
    const [key, kept] = living[(number * 5) % living.length] ?? []
    if (key === undefined || kept === undefined)
      return { request: { op: 'put', key: fresh, value: bytes }, ...done }
    switch (number % 8) {
      case 0:
        return { request: { op: 'put', key: fresh, value: bytes }, ...done }
      case 1:
        return { request: { op: 'update', key, value: bytes }, ...done }
      case 2:
        return { request: { op: 'set', key, value: bytes }, ...done }
      case 3:
        return { request: { op: 'cas', key, version: kept.version, value: bytes }, ...done }
      case 4:
        return { request: { op: 'put', key, value: bytes }, value: kept.value, refusal: 'KEY_EXISTS' }
      case 5:
        return { request: { op: 'put', key: fresh, value: bytes, identity: nameOf(number) }, ...done }
      case 6:
        return { request: { op: 'delete', key }, value: undefined, refusal: undefined }
      default:
        return {
          request: { op: 'cas', key, version: kept.version + 1000, value: bytes },
          value: kept.value,
          refusal: 'VERSION_MISMATCH',
        }
    }
  }
}

/** A UUID4 of its own for each number. */
function nameOf(number: number): string {
  return `00000000-0000-4000-a000-${String(number).padStart(12, '0')}`
}
