/**
 * Making two nodes equal in some ranges: the node that begins finds where they differ (merkle.ts), fetches what
 * it lacks, and, if it was asked to, gives what the other lacks (Dynamo paper, section 4.7). One question is under
 * way at a time; a lost one ends it, and it is begun anew later.
 */
import type { NodeId } from '../base/ids.js'
import { rangeOf, rangePath } from '../base/placement.js'
import type { Core, Operation } from './core.js'
import { carriedRows, digestsOfParts, isLeaf, partsOf, root } from './merkle.js'
import type { Compare, Compared, Listed, RingMessage, Wanted } from './messages.js'
import { readRecord } from './record-code.js'

/** What is still to be asked or given. */
type Task =
  | { readonly kind: 'compare'; readonly paths: readonly string[] }
  | { readonly kind: 'list'; readonly path: string; readonly after: string; readonly theirs: Set<string> }
  | { readonly kind: 'want'; readonly keys: readonly string[]; readonly theirs: ReadonlyMap<string, string> }
  | { readonly kind: 'push'; readonly keys: readonly string[] }

export class Syncing implements Operation {
  /** Records are joined with what is here as they come; none is held. */
  readonly key: undefined
  readonly #core: Core
  readonly #peer: NodeId
  readonly #gives: boolean
  readonly #done: (isComplete: boolean) => void
  readonly #onCovered: ((covered: Compared['covered']) => void) | undefined
  readonly #tasks: Task[] = []
  #asked: { readonly id: number; readonly sinceTick: number } | undefined
  #isOver = false

  /**
   * Begins; `done` is called once, with whether all went well. Without `ranges` it is about all that both nodes
   * own. With `onCovered` it wants to know what the other has got of others in these ranges, and fetches only.
   */
  constructor(
    core: Core,
    peer: NodeId,
    ranges: readonly number[] | undefined,
    gives: boolean,
    done: (isComplete: boolean) => void,
    onCovered?: (covered: Compared['covered']) => void,
  ) {
    this.#core = core
    this.#peer = peer
    this.#gives = gives
    this.#done = done
    this.#onCovered = onCovered
    this.#tasks.push({ kind: 'compare', paths: ranges?.map(rangePath) ?? [root] })
    this.#next()
  }

  receive(from: NodeId, message: RingMessage): void {
    const task = this.#tasks.at(-1)
    if (from !== this.#peer || task === undefined) return
    const isAnswer =
      (message.kind === 'compared' && task.kind === 'compare') ||
      (message.kind === 'listed' && task.kind === 'list') ||
      (message.kind === 'wanted' && task.kind === 'want') ||
      (message.kind === 'stored' && task.kind === 'push')
    if (message.kind === 'stale' || (message.kind === 'wanted' && message.fence !== this.#core.fence)) {
      // What is sent again is read again: nothing that was collected meanwhile comes back.
      this.#next()
      return
    }
    if (!isAnswer) return
    this.#tasks.pop()
    if (message.kind === 'compared') this.#onCompared(message)
    else if (message.kind === 'listed' && task.kind === 'list') this.#onListed(task, message)
    else if (message.kind === 'wanted' && task.kind === 'want') this.#onWanted(task, message)
    else if (message.kind === 'stored' && !message.kept) {
      this.#end(false)
      return
    }
    this.#next()
  }

  tick(): void {
    const { tick, options } = this.#core
    if (this.#asked !== undefined && tick - this.#asked.sinceTick >= 4 * options.copyTicks) this.#end(false)
  }

  lost(node: NodeId): void {
    if (node === this.#peer) this.#end(false)
  }

  #next(): void {
    const core = this.#core
    if (this.#isOver) return
    if (this.#asked !== undefined) core.operations.delete(this.#asked.id)
    this.#asked = undefined
    const task = this.#tasks.at(-1)
    if (task === undefined) {
      this.#end(true)
      return
    }
    const id = core.nextId()
    this.#asked = { id, sinceTick: core.tick }
    core.operations.set(id, this)
    switch (task.kind) {
      case 'compare': {
        const digests = digestsOfParts(core, this.#peer, task.paths)
        const nodes = task.paths.map(path => [path, digests.get(path) ?? '?'] as const)
        const compare: Compare = { kind: 'compare', id, nodes }
        core.sendNow(this.#peer, this.#onCovered === undefined ? compare : { ...compare, fetching: true })
        break
      }
      case 'list':
        core.sendNow(this.#peer, { kind: 'list', id, path: task.path, after: task.after })
        break
      case 'want':
        core.sendNow(this.#peer, { kind: 'want', id, fence: core.fence, keys: task.keys })
        break
      case 'push':
        this.#push(id, task.keys)
        break
    }
  }

  #push(id: number, keys: readonly string[]): void {
    const core = this.#core
    const rows = carriedRows(core, keys, () => [])
    this.#tasks.pop()
    const last = rows.at(-1)?.key
    const rest = last === undefined ? [] : keys.slice(keys.indexOf(last) + 1)
    if (rest.length > 0) this.#tasks.push({ kind: 'push', keys: rest })
    if (rows.length === 0) {
      this.#next()
      return
    }
    this.#tasks.push({ kind: 'push', keys: rows.map(({ key }) => key) })
    core.sendNow(this.#peer, { kind: 'store', id, fence: core.peer(this.#peer).fence, rows })
  }

  #onCompared({ differing, covered, entries = [] }: Compared): void {
    const core = this.#core
    if (covered !== undefined) this.#onCovered?.(covered)
    this.#want(entries)
    if (differing[0] === root) {
      const paths = core.shares.current.sharedRanges(core.id, this.#peer).map(rangePath)
      for (let at = 0; at < paths.length; at += core.options.rangesPerRepair) {
        this.#tasks.push({ kind: 'compare', paths: paths.slice(at, at + core.options.rangesPerRepair) })
      }
      return
    }
    for (const path of differing) {
      const isSmall = core.records.inRange(rangeOf(path)) <= core.options.rowsPerMessage
      if (isLeaf(path) || isSmall) this.#tasks.push({ kind: 'list', path, after: '', theirs: new Set() })
      else this.#tasks.push({ kind: 'compare', paths: partsOf(path) })
    }
  }

  #onListed(task: Extract<Task, { kind: 'list' }>, { entries, more }: Listed): void {
    const { records } = this.#core
    const last = entries.at(-1)
    for (const [key] of entries) task.theirs.add(key)
    if (more && last !== undefined) this.#tasks.push({ ...task, after: last[0] })
    else if (this.#gives) {
      const lacking = records.keys(task.path, '', 1_000_000).filter(key => !task.theirs.has(key))
      if (lacking.length > 0) this.#tasks.push({ kind: 'push', keys: lacking })
    }
    this.#want(entries)
  }

  /** Those of the other's records that are not the same here. */
  #want(entries: Listed['entries']): void {
    const { records } = this.#core
    const wanted = entries.filter(([key, digest]) => records.digest(key) !== digest)
    if (wanted.length > 0) {
      this.#tasks.push({ kind: 'want', keys: wanted.map(([key]) => key), theirs: new Map(wanted) })
    }
  }

  #onWanted({ keys, theirs }: Extract<Task, { kind: 'want' }>, { rows }: Wanted): void {
    const core = this.#core
    const came = new Set<string>()
    const toGive: string[] = []
    for (const [key, plain] of rows) {
      const record = readRecord(plain)
      if (
        record === undefined ||
        !keys.includes(key) ||
        !core.shares.isMine(core.rangeOf(key)) ||
        core.isFull
      )
        continue
      came.add(key)
      if (core.keep(key, record, []).digest !== theirs.get(key)) toGive.push(key)
    }
    if (this.#gives && toGive.length > 0) this.#tasks.push({ kind: 'push', keys: toGive })
    const rest = keys.filter(key => !came.has(key))
    if (came.size > 0 && rest.length > 0) this.#tasks.push({ kind: 'want', keys: rest, theirs })
  }

  #end(isComplete: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    if (this.#asked !== undefined) this.#core.operations.delete(this.#asked.id)
    this.#done(isComplete)
  }
}
