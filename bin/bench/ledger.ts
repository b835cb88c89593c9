/**
 * What a load has written, so that it can be read back. Every write has a number, and the number is in its value;
 * a key is written by one connection at a time, in order, so what it must hold afterwards is known: the value of
 * the last acknowledged write, or of one that was sent after that.
 */
import { assert } from '../../src/base/assert.js'

/** A value holds the run, the number of the write and two dashes; the rest is padding. */
export const valueBytesMin = 20

const numberLength = 10

/** See the head of this file. */
export class Ledger {
  readonly keys: number
  readonly #run: string
  readonly #padding: string
  #next = 1
  readonly #sent: Uint32Array
  readonly #acknowledged: Uint32Array
  /** Keys with a write that may still happen, or have happened late: what they hold is not known. */
  readonly #unsure = new Set<number>()

  /** `run` is eight characters that no other run has. */
  constructor(keys: number, valueBytes: number, run: string) {
    assert(run.length === 8 && valueBytes >= valueBytesMin, 'a value has room for what tells it apart')
    this.keys = keys
    this.#run = run
    this.#padding = 'v'.repeat(valueBytes - valueBytesMin)
    this.#sent = new Uint32Array(keys)
    this.#acknowledged = new Uint32Array(keys)
  }

  /** The name of a key. */
  static keyName(key: number): string {
    return `key${String(key).padStart(9, '0')}`
  }

  /** The number of the next write, which is to that key; every number is there once. */
  begin(key: number): number {
    this.#sent[key] = this.#next
    return this.#next++
  }

  /** The value of the write with that number. */
  value(number: number): string {
    return `${this.#run}-${String(number).padStart(numberLength, '0')}-${this.#padding}`
  }

  /** The write was acknowledged. */
  acknowledge(key: number, number: number): void {
    this.#acknowledged[key] = number
  }

  /** The outcome of a write to the key is not known, and may never be. */
  doubt(key: number): void {
    this.#unsure.add(key)
  }

  /** How many keys have a write whose outcome is not known. */
  get doubted(): number {
    return this.#unsure.size
  }

  /** Whether the key may hold that value now; undefined stands for no value. */
  mayHold(key: number, value: string | undefined): boolean {
    if (value === undefined || !value.startsWith(`${this.#run}-`)) return false
    const number = Number(value.slice(9, 9 + numberLength))
    if (value !== this.value(number)) return false
    return number >= (this.#acknowledged[key] ?? 0) && number <= (this.#sent[key] ?? 0)
  }

  /** At most `most` of the keys whose last acknowledged write is known, spread over all of them. */
  sample(most: number): number[] {
    const known: number[] = []
    for (let key = 0; key < this.keys; key++) {
      if (this.#acknowledged[key] !== 0 && !this.#unsure.has(key)) known.push(key)
    }
    if (known.length <= most) return known
    return Array.from({ length: most }, (_, at) => known[Math.floor((at * known.length) / most)] ?? 0)
  }
}
