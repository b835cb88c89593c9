/**
 * Keys that are gathered as they come and read in order: every thousand of them is sorted into a run, and every few
 * runs into a longer one. With 200,000 keys in random order adding one costs 1 us, where keeping all of them in order
 * (sorted-keys.ts) costs 3 to 4; reading begins with a search in each run. Keys are never removed.
 */
import { compareKeys } from './key-order.js'
import { mergedOrder } from './merged-order.js'

/** Keys in a run, and runs that make a longer one. */
const runKeys = 1024
const runsMax = 16

/** See the head of this file. */
export class KeyRuns {
  /** Less than a run. */
  #pending: string[] = []
  #isPendingSorted = true
  #runs: string[][] = []
  readonly #longRuns: string[][] = []
  /** Without surrogates the order of the language is that of the bytes, and sorting takes a part of the time. */
  #hasSurrogates = false

  /** Adds a key that was not added before. */
  add(key: string): void {
    this.#hasSurrogates ||= surrogate.test(key)
    this.#pending.push(key)
    this.#isPendingSorted = false
    if (this.#pending.length < runKeys) return
    this.#sortPending()
    this.#runs.push(this.#pending)
    this.#pending = []
    if (this.#runs.length < runsMax) return
    this.#longRuns.push(this.#sort(this.#runs.flat()))
    this.#runs = []
  }

  /** The keys from `start` on, in order. It is to be read before another one is added. */
  *from(start: string): Generator<string, undefined> {
    this.#sortPending()
    const runs = [this.#pending, ...this.#runs, ...this.#longRuns]
    for (const { word } of mergedOrder(runs.map(run => keysFrom(run, start)))) yield word
    return undefined
  }

  #sortPending(): void {
    if (!this.#isPendingSorted) this.#sort(this.#pending)
    this.#isPendingSorted = true
  }

  #sort(keys: string[]): string[] {
    return this.#hasSurrogates ? keys.sort(compareKeys) : keys.sort()
  }
}

const surrogate = /[\ud800-\udfff]/

function* keysFrom(run: readonly string[], start: string): Generator<string, undefined> {
  let low = 0
  let high = run.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareKeys(run[middle] ?? '', start) < 0) low = middle + 1
    else high = middle
  }
  for (let position = low; position < run.length; position++) yield run[position] ?? ''
  return undefined
}
