/** Runs that look for one thing: what a mutant's row forces of a run; everything else is drawn as usual. */
import type { ReadMode } from '../../src/raft/types.js'
import type { ConsensusOptions } from '../../src/replica/consensus.js'
import type { ClientOptions } from './clients.js'
import type { LinkOptions } from './connection.js'
import type { NodeOptions } from './node.js'
import { type FaultKind, faultKinds, type Swarm } from './swarm.js'

/** What is forced. */
export interface Weather {
  readonly nodes?: number
  readonly spares?: number
  readonly reads?: ReadMode
  readonly driftMax?: number
  readonly clocks?: Swarm['clocks']
  readonly wallOffsetMaxMs?: number
  readonly faultsMs?: number
  /** Mean time between two faults of a kind; if this is given, no other kind happens. */
  readonly faults?: Partial<Record<FaultKind, number>>
  readonly replica?: Partial<ConsensusOptions>
  readonly node?: Partial<Omit<NodeOptions, 'replica'>>
  readonly clients?: Partial<ClientOptions>
  readonly link?: Partial<LinkOptions>
}

/** The run that was drawn, with what the weather forces. */
export function withWeather(swarm: Swarm, weather: Weather): Swarm {
  const { replica, node, clients, link, faults, ...plain } = weather
  const forced: Swarm = {
    ...swarm,
    ...plain,
    link: { ...swarm.link, ...link },
    clients: { ...swarm.clients, ...clients },
    node: { ...swarm.node, ...node, replica: { ...swarm.node.replica, ...replica } },
  }
  const { electionTicks, tickMs } = forced.node.replica
  const faultEveryMs = new Map(swarm.faultEveryMs)
  if (faults !== undefined) {
    faultEveryMs.clear()
    for (const kind of faultKinds) {
      const everyMs = faults[kind]
      if (everyMs !== undefined) faultEveryMs.set(kind, everyMs)
    }
  }
  // As drawn runs have it: long enough for a few failed elections one after the other.
  return { ...forced, faultEveryMs, settleMs: 20_000 + 60 * electionTicks * tickMs }
}
