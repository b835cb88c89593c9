/**
 * What there is of a key, as the leader finds out before it reads or writes: it asks every node that can be reached,
 * owner or not, so that it sees what a stand-in took, or a former owner still has.
 *
 * What must always hold:
 * - what is found is all there is only if each of the other nodes has answered, or one that has answered has got all
 *   that the silent one holds of the range, or the silent one was lost before what is found was written;
 * - everybody who has answered knows the leader's epoch, or a higher one, of which the leader hears.
 */
import type { NodeId } from '../base/ids.js'
import type { Core, Operation } from './core.js'
import { compareEpochs, type Epoch, plainEpoch, readEpoch } from './epochs.js'
import { isAbove, type Leading } from './leading.js'
import { unreleasedMembers } from './members.js'
import type { Gather, Gathered, RingMessage } from './messages.js'
import { storeMessage } from './reading.js'
import { digestOf, plainRecord, readRecord } from './record-code.js'
import { highest, joinRecords, type KeyRecord, type Version } from './versions.js'

/** What was found. */
export interface Findings {
  /** The highest version of the key. */
  readonly record: KeyRecord
  /** A version that was written under the wanted name. */
  readonly repeat: Version | undefined
  /** Whether nobody who did not answer may have something newer than what was found. */
  readonly isAll: boolean
  /** Somebody has heard of a higher epoch: whoever leads in this one must not go on. */
  readonly isOver: boolean
}

/** What is asked for. */
export interface Wanted {
  readonly key: string
  /** A write that may have been made before. */
  readonly identity: string | undefined
  readonly epoch: Epoch
  /** Whether owners that lack what was found are given it. */
  readonly repairs: boolean
}

export class Gathering implements Operation {
  readonly key: string
  readonly #core: Core
  readonly #leading: Leading
  readonly #wanted: Wanted
  readonly #id: number
  readonly #range: number
  readonly #deadlineTick: number
  readonly #waiting = new Map<NodeId, number>()
  readonly #digests = new Map<NodeId, string>()
  /** Of those who answered and own the range: whose share of it they may lack some of. */
  readonly #lacking: (readonly NodeId[])[] = []
  #record: KeyRecord = []
  #repeat: Version | undefined
  #done: ((findings: Findings) => void) | undefined

  /** Begins to ask; `done` is called once, perhaps before this returns. */
  constructor(
    core: Core,
    leading: Leading,
    wanted: Wanted,
    deadlineTick: number,
    done: (findings: Findings) => void,
  ) {
    this.key = wanted.key
    this.#core = core
    this.#leading = leading
    this.#wanted = wanted
    this.#id = core.nextId()
    this.#range = core.rangeOf(wanted.key)
    this.#deadlineTick = deadlineTick
    this.#done = done
    core.operations.set(this.#id, this)
    this.#take(core.id, core.records.get(this.key).record, core.coverage?.lacking(this.#range))
    this.#ask()
    this.#advance()
  }

  receive(from: NodeId, message: RingMessage): void {
    if (message.kind !== 'gathered' || !this.#waiting.has(from)) return
    if (message.fence !== this.#core.fence) {
      // It was sent before tombstones were collected here, and may hold what they covered.
      this.#send(from)
      return
    }
    const record = readRecord(message.record)
    const epoch = readEpoch(message.epoch)
    if (record === undefined || epoch === undefined) return
    this.#leading.note(epoch)
    this.#core.onRecord(this.key, record)
    this.#waiting.delete(from)
    this.#take(from, record, message.lacking ?? undefined)
    this.#advance()
  }

  tick(): void {
    const { tick, options } = this.#core
    for (const [node, askedAtTick] of [...this.#waiting]) {
      if (tick - askedAtTick >= options.copyTicks) this.#core.markUnreachable(node)
    }
    this.#ask()
    if (tick >= this.#deadlineTick) this.#end()
    else this.#advance()
  }

  lost(node: NodeId): void {
    this.#waiting.delete(node)
    this.#advance()
  }

  /** Asks all who can be reached, and have not been asked or have not answered. */
  #ask(): void {
    const core = this.#core
    for (const node of this.#silent()) {
      if (!core.isUsable(node) || this.#waiting.has(node)) continue
      this.#waiting.set(node, core.tick)
      this.#send(node)
    }
  }

  #send(node: NodeId): void {
    const { fence } = this.#core
    const epoch = plainEpoch(this.#wanted.epoch)
    this.#core.sendNow(node, { kind: 'gather', id: this.#id, key: this.key, fence, epoch })
  }

  #take(from: NodeId, record: KeyRecord, lacking: readonly NodeId[] | undefined): void {
    const version = highest(record)
    if (version?.identity !== undefined && version.identity === this.#wanted.identity) this.#repeat = version
    this.#record = joinRecords(this.#record, record)
    this.#digests.set(from, digestOf(this.key, record))
    if (lacking !== undefined) this.#lacking.push(lacking)
  }

  #advance(): void {
    if (this.#waiting.size > 0) return
    // A node that was lost just now may be heard again in a moment, and have what nobody else has.
    const isHopeful = !this.#isAll() && this.#silent().some(node => this.#leading.mayComeBack(node))
    if (!isHopeful) this.#end()
  }

  #silent(): NodeId[] {
    return unreleasedMembers(this.#core.list).filter(node => !this.#digests.has(node))
  }

  #end(): void {
    if (!this.#core.operations.delete(this.#id)) return
    const isOver = compareEpochs(this.#leading.known, this.#wanted.epoch) > 0
    const findings = { record: this.#record, repeat: this.#repeat, isAll: this.#isAll(), isOver }
    if (this.#wanted.repairs) this.#repair()
    const done = this.#done
    this.#done = undefined
    done?.(findings)
  }

  /** Whoever did not answer has nothing newer than what was found. */
  #isAll(): boolean {
    const found = highest(this.#record)
    return this.#silent().every(node => {
      const { lostAtMark } = this.#core.peer(node)
      const isOlder = found !== undefined && lostAtMark !== undefined && isAbove(found, lostAtMark)
      return isOlder || this.#lacking.some(lacking => !lacking.includes(node))
    })
  }

  /** Gives what was found to owners that have something older. */
  #repair(): void {
    const core = this.#core
    const digest = digestOf(this.key, this.#record)
    if (digest === '') return
    const record = plainRecord(this.#record)
    for (const node of core.shares.current.owners(this.#range)) {
      const theirs = this.#digests.get(node)
      if (theirs === undefined || theirs === digest || !core.isWritable(node)) continue
      if (node === core.id) core.keep(this.key, this.#record, [])
      else core.sendNow(node, storeMessage(core, node, 0, this.key, record, []))
    }
  }
}

/** Says what this node has of a key. */
export function onGather(core: Core, leading: Leading, from: NodeId, message: Gather): void {
  const { id, key, fence } = message
  const epoch = readEpoch(message.epoch)
  if (epoch !== undefined) leading.note(epoch)
  const record = plainRecord(core.records.get(key).record)
  const lacking = core.coverage?.lacking(core.rangeOf(key)) ?? null
  const reply: Gathered = {
    kind: 'gathered',
    id,
    fence,
    record,
    lacking,
    epoch: plainEpoch(leading.known),
  }
  // What a leader was told of its epoch must outlive a crash, since the next one has to find a higher one.
  core.batches.sendWhenSaved(from, reply)
}
