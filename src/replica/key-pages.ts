/**
 * Pages of keys: no node holds all of them, so every member that can be reached is asked for its page, and the
 * pages are merged. A page that was full says nothing of the keys behind its last one, so neither does the whole.
 */
import type { NodeId, RequestId } from '../base/ids.js'
import { failure, type Request, type Response } from '../protocol/request.js'
import type { Ring } from '../ring/ring.js'
import { keysPerErrandMax } from './leaderless-codec.js'
import type { KeysErrand, KeysFound, LeaderlessMessage } from './leaderless-messages.js'

type KeysRequest = Extract<Request, { op: 'keys' }>

/** The keys held by this node that have a value, in the order of their UTF-8 bytes. */
export type HeldKeys = (prefix: string, after: string, limit: number) => readonly string[]

interface Gathering {
  readonly id: RequestId
  readonly request: KeysRequest
  readonly expiresAtTick: number
  /** Members whose page has not come. */
  readonly asked: Set<NodeId>
  readonly pages: (readonly string[])[]
}

/** See the head of this file. */
export class KeyPages {
  readonly #ring: Pick<Ring, 'list' | 'status'>
  readonly #held: HeldKeys
  readonly #self: NodeId
  readonly #send: (to: NodeId, message: LeaderlessMessage) => void
  readonly #answer: (id: RequestId, response: Response) => void
  readonly #gatherings = new Map<number, Gathering>()
  #next = 1

  constructor(
    ring: Pick<Ring, 'list' | 'status'>,
    held: HeldKeys,
    self: NodeId,
    send: (to: NodeId, message: LeaderlessMessage) => void,
    answer: (id: RequestId, response: Response) => void,
  ) {
    this.#ring = ring
    this.#held = held
    this.#self = self
    this.#send = send
    this.#answer = answer
  }

  /** Takes a client's request. */
  add(id: RequestId, request: KeysRequest, expiresAtTick: number): void {
    const { prefix, after, limit } = request
    const number = this.#next++
    const others = this.#ring
      .status()
      .members.filter(({ member, reachable }) => reachable && member.id !== this.#self)
      .map(({ member }) => member.id)
    const pages = [this.#held(prefix, after, limit + 1)]
    const gathering = { id, request, expiresAtTick, asked: new Set(others), pages }
    this.#gatherings.set(number, gathering)
    for (const node of others) {
      this.#send(node, { kind: 'desk-keys', id: number, prefix, after, limit: limit + 1 })
    }
    this.#settle(number, gathering, false)
  }

  /** Another node asks. */
  serve(from: NodeId, { id, prefix, after, limit }: KeysErrand): void {
    const keys = this.#held(prefix, after, Math.min(limit, keysPerErrandMax))
    this.#send(from, { kind: 'desk-keys-found', id, keys })
  }

  /** A page came. */
  take(from: NodeId, { id, keys }: KeysFound): void {
    const gathering = this.#gatherings.get(id)
    if (gathering?.asked.delete(from) !== true) return
    gathering.pages.push(keys)
    this.#settle(id, gathering, false)
  }

  /** Gives up those who have not answered, and those who cannot be reached any more. */
  expire(tick: number): void {
    if (this.#gatherings.size === 0) return
    const lost = new Set(
      this.#ring
        .status()
        .members.filter(({ reachable }) => !reachable)
        .map(({ member }) => member.id),
    )
    for (const [number, gathering] of [...this.#gatherings]) {
      for (const node of lost) gathering.asked.delete(node)
      this.#settle(number, gathering, tick >= gathering.expiresAtTick)
    }
  }

  /** Answers when all have answered who will. A key has so many owners that some may be missing. */
  #settle(number: number, gathering: Gathering, isOver: boolean): void {
    if (gathering.asked.size > 0 && !isOver) return
    this.#gatherings.delete(number)
    const { copies, members } = this.#ring.list
    const owners = members.filter(({ standing }) => standing === 'member' || standing === 'leaving').length
    const needed = Math.max(1, owners - Math.min(copies, owners) + 1)
    const reached = gathering.pages.length
    const response =
      reached < needed
        ? failure('QUORUM_UNREACHABLE', { reached, quorum: needed })
        : mergedPage(gathering.pages, gathering.request.limit)
    this.#answer(gathering.id, response)
  }
}

function mergedPage(pages: readonly (readonly string[])[], limit: number): Response {
  // Behind the last key of a page that was full there may be others, which that node did not name.
  const ends = pages.filter(page => page.length > limit).map(page => page.at(-1) ?? '')
  const all = [...new Set(pages.flat())].sort(compareUtf8)
  const known = ends.length === 0 ? all : all.filter(key => ends.every(end => compareUtf8(key, end) <= 0))
  return { kind: 'keys', keys: known.slice(0, limit), more: known.length > limit }
}

/** The order of the keys' UTF-8 bytes. */
function compareUtf8(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}
