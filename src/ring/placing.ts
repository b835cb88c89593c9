/**
 * Giving the version that a leader made to all owners of its key that can be reached. It is written when all of them
 * have it on their disks, and at least one; those who do not answer in time cannot be reached any more. Where there
 * is no owner at all, others keep it for them, as many as there should be copies.
 */
import type { NodeId } from '../base/ids.js'
import type { Core, Operation } from './core.js'
import type { RingMessage } from './messages.js'
import { storeMessage } from './reading.js'
import { plainRecord } from './record-code.js'
import type { KeyRecord } from './versions.js'

/** What came of it: on how many copies it is, or why it is on none. */
export type Placed =
  | { readonly kind: 'placed'; readonly copies: number }
  /** No disk takes it. */
  | { readonly kind: 'full' }
  /** Nobody has said in time that he has it. */
  | { readonly kind: 'unknown' }

export class Placing implements Operation {
  readonly key: string
  readonly #core: Core
  readonly #record: KeyRecord
  readonly #id: number
  readonly #range: number
  readonly #deadlineTick: number
  readonly #waiting = new Map<NodeId, number>()
  readonly #asked = new Set<NodeId>()
  readonly #stored = new Set<NodeId>()
  /** Somebody was given it who has not said that he did not keep it. */
  #maybe = false
  #done: ((placed: Placed) => void) | undefined

  /** Begins; `done` is called once, perhaps before this returns. */
  constructor(
    core: Core,
    key: string,
    record: KeyRecord,
    deadlineTick: number,
    done: (placed: Placed) => void,
  ) {
    this.key = key
    this.#core = core
    this.#record = record
    this.#id = core.nextId()
    this.#range = core.rangeOf(key)
    this.#deadlineTick = deadlineTick
    this.#done = done
    core.operations.set(this.#id, this)
    this.#giveTo(this.#owners())
    this.#tellOthers()
    this.#advance()
  }

  receive(from: NodeId, message: RingMessage): void {
    if (!this.#waiting.has(from)) return
    if (message.kind === 'stale') this.#send(from)
    if (message.kind !== 'stored') return
    this.#waiting.delete(from)
    if (message.kept) this.#stored.add(from)
    this.#advance()
  }

  tick(): void {
    const { id, tick, options } = this.#core
    for (const [node, askedAtTick] of [...this.#waiting]) {
      if (node !== id && tick - askedAtTick >= options.copyTicks) this.#core.markUnreachable(node)
    }
    if (tick >= this.#deadlineTick) this.#end()
  }

  lost(node: NodeId): void {
    if (this.#waiting.delete(node)) this.#maybe = true
    this.#advance()
  }

  /** Those who have the key now and, while members come or go, those who will or may. */
  #owners(): readonly NodeId[] {
    return [...new Set(this.#core.shares.placements.flatMap(placement => placement.owners(this.#range)))]
  }

  #giveTo(nodes: readonly NodeId[]): void {
    const core = this.#core
    for (const node of nodes) {
      if (this.#asked.has(node) || !core.isWritable(node)) continue
      this.#asked.add(node)
      this.#waiting.set(node, core.tick)
      if (node !== core.id) {
        this.#send(node)
        continue
      }
      core.keep(this.key, this.#record, [])
      core.batches.whenSaved(() => {
        this.#waiting.delete(node)
        this.#stored.add(node)
        this.#advance()
      })
    }
  }

  /**
   * An owner that did not answer in time may only have stood still, and gets what was sent as soon as it goes on. Nobody
   * waits for it; but the fewer writes it misses, the better.
   */
  #tellOthers(): void {
    const core = this.#core
    for (const owner of this.#owners()) {
      const peer = core.peers.get(owner)
      if (peer === undefined || peer.fence === '' || peer.isFull || this.#asked.has(owner)) continue
      this.#send(owner)
    }
  }

  #send(node: NodeId): void {
    const record = plainRecord(this.#record)
    this.#core.sendNow(node, storeMessage(this.#core, node, this.#id, this.key, record, []))
  }

  #advance(): void {
    if (this.#waiting.size === 0 && this.#stored.size === 0) this.#standIn()
    if (this.#waiting.size === 0) this.#end()
  }

  /** No owner has it: the next nodes that can be reached keep it for them. */
  #standIn(): void {
    const core = this.#core
    const { shares, copies } = core
    const others = shares.current
      .preference(this.#range)
      .filter(id => !this.#asked.has(id) && core.isWritable(id))
    // Nobody of the present members may be left, but this node, which is coming or going.
    this.#giveTo(others.length > 0 ? others.slice(0, copies) : [core.id])
  }

  #end(): void {
    const core = this.#core
    if (!core.operations.delete(this.#id)) return
    const isStored = this.#stored.size > 0
    if (isStored) {
      const missing = this.#owners().filter(owner => owner !== core.id && !this.#stored.has(owner))
      for (const owner of missing) core.peer(owner).skipped++
    }
    const owners = core.shares.current.owners(this.#range).filter(owner => this.#stored.has(owner))
    const copies = owners.length > 0 ? owners.length : this.#stored.size
    const isMaybe = this.#maybe || this.#waiting.size > 0
    const done = this.#done
    this.#done = undefined
    done?.(isStored ? { kind: 'placed', copies } : { kind: isMaybe ? 'unknown' : 'full' })
  }
}
