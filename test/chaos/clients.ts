/**
 * Clients that ask one node at a time over the text dialect, several lines at once now and then, and go to
 * another node when theirs fails them or by chance. Most of what they write goes to a few keys they fight over;
 * the rest goes to keys that are put once, so that at the end each acknowledged one can be looked for.
 */
import { setTimeout } from 'node:timers/promises'
import type { Random } from '../../src/base/random.js'
import type { Action, HistoryRecorder, Outcome } from '../sim/history.js'
import { type TextClient, textClient } from '../support/text-client.js'
import { toLine, toOutcome } from './replies.js'

const keys = 6
/** A client that hears nothing for so long hangs up, and cannot know what became of what it asked. */
const patienceMs = 3000
/** A client whose node failed it waits this long before it tries another one. */
const reconnectMs = 20
/** The mean pause between two questions of one client: fast enough to be everywhere, and judged in seconds. */
const thinkMs = 8
/** Lines that are sent at once at most. */
const burstMax = 4
/**
 * After so many writes of unknown outcome the clients leave their keys for fresh ones, because each of them
 * doubles what the judge may have to try.
 */
const unclearPerKeys = 24

/** What clients share. */
export interface Clients {
  readonly recorder: HistoryRecorder
  readonly addresses: readonly string[]
  /** When each acknowledged write was heard of, in order. */
  readonly acknowledgedAtMs: number[]
  /** Values of keys that were put once and acknowledged. */
  readonly kept: Map<string, string>
  /** Every key that was ever written to. */
  readonly keys: Set<string>
  /** Answers that no correct node gives. */
  readonly strange: string[]
  unclear: number
  isOver: boolean
}

/** A world in which nothing was asked yet. */
export function newClients(recorder: HistoryRecorder, addresses: readonly string[]): Clients {
  return {
    recorder,
    addresses,
    acknowledgedAtMs: [],
    kept: new Map(),
    keys: new Set(),
    strange: [],
    unclear: 0,
    isOver: false,
  }
}

/** Runs one client until `isOver` is set. */
export async function runClient(name: string, random: Random, shared: Clients): Promise<void> {
  const wishes = new Wishes(name, random, shared)
  for (let connections = 1; !shared.isOver; connections++) {
    const connection = `${name}.${connections}`
    const client = await connectPatiently(random.pick(shared.addresses))
    if (client !== undefined) {
      await useConnection(client, connection, wishes, random, shared)
      client.close()
    }
    await setTimeout(reconnectMs)
  }
}

/** Asks until the node fails the client, or it moves on by itself. */
async function useConnection(
  client: TextClient,
  connection: string,
  wishes: Wishes,
  random: Random,
  shared: Clients,
): Promise<void> {
  while (!shared.isOver && !random.chance(0.01)) {
    const burst = Array.from({ length: random.chance(0.2) ? random.between(2, burstMax) : 1 }, () =>
      wishes.next(),
    )
    const outcomes = await Promise.all(burst.map(action => ask(client, connection, action, wishes, shared)))
    if (outcomes.some(({ kind }) => kind === 'unknown' || kind === 'refused')) return
    await setTimeout(2 * thinkMs * random.float())
  }
}

/** Asks one thing, and records it with what comes of it. */
async function ask(
  client: TextClient,
  connection: string,
  action: Action,
  wishes: Wishes,
  shared: Clients,
): Promise<Outcome> {
  const { recorder } = shared
  const id = recorder.called(wishes.client, action, connection)
  if (action.op !== 'get') shared.keys.add(action.key)
  const patience = globalThis.setTimeout(() => client.close(), patienceMs)
  const reply = await client.ask(toLine(action)).catch(() => undefined)
  clearTimeout(patience)
  const heard = reply === undefined ? ({ kind: 'unknown' } as const) : toOutcome(action, reply)
  if (heard === undefined) shared.strange.push(`'${toLine(action)}' was answered '${reply?.slice(0, 200)}'`)
  const outcome = heard ?? { kind: 'unknown' }
  recorder.returned(id, outcome)
  if (action.op !== 'get') {
    if (outcome.kind === 'written') shared.acknowledgedAtMs.push(performance.now())
    if (outcome.kind === 'unknown') shared.unclear++
  }
  wishes.learn(action, outcome)
  return outcome
}

/** A connection, or undefined if nobody took it in time. */
async function connectPatiently(address: string): Promise<TextClient | undefined> {
  const connecting = textClient(address).catch(() => undefined)
  const patience = new AbortController()
  const late = setTimeout(patienceMs, 'late' as const, { signal: patience.signal }).catch(() => undefined)
  const first = await Promise.race([connecting, late])
  patience.abort()
  if (first !== 'late') return first
  // It may still come about, when nobody wants it any more.
  connecting.then(client => client?.close())
  return undefined
}

/** What one client asks next. */
class Wishes {
  readonly client: string
  readonly #random: Random
  readonly #shared: Clients
  /** The last version heard of each key, for compare-and-set. */
  readonly #versions = new Map<string, number>()
  #values = 0

  constructor(client: string, random: Random, shared: Clients) {
    this.client = client
    this.#random = random
    this.#shared = shared
  }

  next(): Action {
    const random = this.#random
    const value = `${this.client}-${++this.#values}`
    // The key's name tells that it is put once.
    if (random.chance(0.1)) return { op: 'put', key: `once:${value}`, value }
    const key = `k${random.below(keys)}.${Math.floor(this.#shared.unclear / unclearPerKeys)}`
    if (random.chance(0.4)) return { op: 'get', key }
    switch (random.below(7)) {
      case 0:
        return { op: 'delete', key }
      case 1:
      case 2:
        return { op: 'put', key, value }
      case 3:
        return { op: 'update', key, value }
      case 4:
      case 5:
        return { op: 'cas', key, version: random.chance(0.1) ? 0 : (this.#versions.get(key) ?? 0), value }
      default:
        return { op: 'set', key, value }
    }
  }

  learn(action: Action, outcome: Outcome): void {
    const { key } = action
    if (outcome.kind === 'written' && action.op === 'put' && key.startsWith('once:')) {
      this.#shared.kept.set(key, action.value)
    }
    const isTold = outcome.kind === 'written' || outcome.kind === 'value'
    const version = isTold ? outcome.version : outcome.kind === 'mismatch' ? outcome.current : undefined
    if (version !== undefined) this.#versions.set(key, version)
  }
}
