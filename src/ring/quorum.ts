/**
 * Whom to ask for the copies of one key, and how many have done it: the sloppy quorum (Dynamo paper, sections
 * 4.5 and 4.6). As many nodes as there are copies are asked, the first usable ones of the preference list; one
 * that fails is stood in for by the next. It only counts, and neither sends nor waits.
 */
import type { NodeId } from '../base/ids.js'

/** Who was asked for one key, and who has done it. */
export class CopySet {
  readonly #order: readonly NodeId[]
  readonly #copies: number
  readonly #asked = new Set<NodeId>()
  readonly #failed = new Set<NodeId>()
  readonly #done = new Set<NodeId>()
  /** For each stand-in, the owner in whose place it was asked. */
  readonly #standsFor = new Map<NodeId, NodeId>()

  /** `order` is the preference list of the key. */
  constructor(order: readonly NodeId[], copies: number) {
    this.#order = order
    this.#copies = Math.min(copies, order.length)
  }

  /** The nodes to be asked now, beside those that were: until enough of them have not failed. */
  ask(isUsable: (node: NodeId) => boolean): NodeId[] {
    const asked: NodeId[] = []
    let active = this.hoped
    for (const [place, node] of this.#order.entries()) {
      if (active >= this.#copies) break
      if (this.#asked.has(node) || !isUsable(node)) continue
      this.#asked.add(node)
      if (place >= this.#copies) this.#assign(node)
      asked.push(node)
      active++
    }
    return asked
  }

  /** The node did what it was asked. Others than those asked do not count. */
  done(node: NodeId): void {
    if (!this.#asked.has(node)) return
    this.#failed.delete(node)
    this.#done.add(node)
  }

  /** The node did not, or not in time. What it has done all the same, it has. */
  fail(node: NodeId): void {
    if (this.#asked.has(node) && !this.#done.has(node)) this.#failed.add(node)
  }

  /** The owner in whose place a node was asked; undefined for an owner. */
  standsFor(node: NodeId): NodeId | undefined {
    return this.#standsFor.get(node)
  }

  /** Whether a node was asked, done or not. */
  wasAsked(node: NodeId): boolean {
    return this.#asked.has(node)
  }

  /** Those asked of whom nothing is known yet. */
  get open(): NodeId[] {
    return [...this.#asked].filter(node => !this.#done.has(node) && !this.#failed.has(node))
  }

  /** How many copies there are: a stand-in and the owner in whose place it was asked are one, as it hands over. */
  get reached(): number {
    return [...this.#done].filter(node => !this.#isSpare(node)).length
  }

  /** How many could have done it if all goes well: those that did, and those of whom nothing is known. */
  get hoped(): number {
    return [...this.#asked].filter(node => !this.#failed.has(node) && !this.#isSpare(node)).length
  }

  /** A stand-in whose owner has done it after all. */
  #isSpare(node: NodeId): boolean {
    const owner = this.#standsFor.get(node)
    return owner !== undefined && this.#done.has(owner)
  }

  #assign(standIn: NodeId): void {
    const taken = new Set(this.#standsFor.values())
    const owners = this.#order.slice(0, this.#copies)
    const missing = owners.find(owner => this.#isMissing(owner) && !taken.has(owner))
    if (missing !== undefined) this.#standsFor.set(standIn, missing)
  }

  #isMissing(owner: NodeId): boolean {
    return !this.#asked.has(owner) || this.#failed.has(owner)
  }
}
