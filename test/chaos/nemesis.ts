/** Lets things go wrong, one fault after the other, in an order that a seed decides. */
import { setTimeout } from 'node:timers/promises'
import type { Random } from '../../src/base/random.js'
import type { ChaosCluster } from './cluster.js'
import { type FaultKind, faultKinds } from './faults.js'
import type { Slowness } from './network-faults.js'
import type { Fault } from './pauses.js'
import type { Family, PlannedHost } from './plan.js'

/** How long a fault lasts: short ones hit a cluster that is still recovering, long ones outlast every timeout. */
const lastsMs = { low: 300, high: 4000 }
/** How long it is quiet after one, before the next leader is looked for. */
const restMs = { low: 100, high: 1200 }

export interface NemesisOptions {
  readonly random: Random
  readonly cluster: ChaosCluster
  readonly clientHost: PlannedHost
  readonly families: readonly Family[]
  readonly slowness: Slowness | undefined
  /** Told of each fault and of each healing, for the log. */
  note(line: string): void
}

/** Strikes until the time has passed; returns what it did, with everything healed again. */
export async function runNemesis(options: NemesisOptions, untilMs: number): Promise<readonly Fault[]> {
  const { random, cluster, clientHost, slowness, note } = options
  const faults: Fault[] = []
  let deck: FaultKind[] = []
  while (performance.now() < untilMs) {
    const { leader, followers } = await cluster.roles()
    if (deck.length === 0) deck = newDeck(options)
    const kind = deck.pop()
    if (kind === undefined) throw new Error('there is no fault to try')
    const forMs = Math.min(random.between(lastsMs.low, lastsMs.high), untilMs - performance.now())
    if (forMs < lastsMs.low) break
    faults.push({ name: kind.name, startedAtMs: performance.now() })
    note(`${kind.name} for ${Math.round(forMs)} ms (the leader is ${leader.host.name})`)
    const undo = await kind.strike({ random, cluster, clientHost, leader, followers, slowness })
    await setTimeout(forMs)
    await undo()
    note(`healed: ${kind.name}`)
    await setTimeout(random.between(restMs.low, restMs.high))
  }
  await cluster.roles()
  return faults
}

/** The kinds that were asked for, shuffled: all of them come before one comes again. */
function newDeck({ random, families, slowness }: NemesisOptions): FaultKind[] {
  const kinds = faultKinds.filter(
    ({ family }) => families.includes(family) && (family !== 'slow' || slowness !== undefined),
  )
  const cards = kinds.flatMap(kind => Array.from({ length: kind.weight }, () => kind))
  const keyed = cards.map(card => ({ card, rank: random.float() }))
  return keyed.sort((left, right) => left.rank - right.rank).map(({ card }) => card)
}
