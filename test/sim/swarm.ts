/**
 * What one run is like, drawn from its seed. Each feature of the world is either off in a run or on with a rate
 * of its own ("swarm testing", Groce and others, 2012): runs in which everything happens at once hide what a
 * few things together would show, because the one fault keeps the other from mattering.
 */
import type { Random } from '../../src/base/random.js'
import type { ReadMode } from '../../src/raft/types.js'
import type { ConsensusOptions } from '../../src/replica/consensus.js'
import type { ClientOptions } from './clients.js'
import { type DrawnRun, describeFaults, describeLink, drawDisk, drawFaults, drawLink } from './drawing.js'
import type { MachineOptions } from './machine.js'
import type { NodeOptions } from './node.js'

/** The faults that a run may see, in the order in which their chances are drawn. */
export const faultKinds = [
  'partition',
  'isolation',
  'coup',
  'one-way',
  'break',
  'pause',
  'kill',
  'power',
  'blackout',
  'stop',
  'wall-clock',
  'full-disk',
  'slow-disk',
  'failed-flush',
  'damage',
  'transfer',
  'membership',
] as const

export type FaultKind = (typeof faultKinds)[number]

/** One run. Its nodes at the start are voters. */
export interface Swarm extends DrawnRun<FaultKind, NodeOptions> {
  readonly reads: ReadMode
  /** Whether clocks run anywhere within the limits, each at one of them, or one too slow and all others too fast. */
  readonly clocks: 'spread' | 'limits' | 'one-slow'
  readonly wallOffsetMaxMs: number
  readonly clients: ClientOptions
  /** Keys that are written with an expiry, over and over. */
  readonly expiringKeys: number
}

/** Draws a run. */
export function drawSwarm(random: Random): Swarm {
  const nodes = random.pick([1, 2, 3, 3, 3, 3, 4, 5, 5, 5, 6, 7])
  const reads: ReadMode = random.chance(0.3) ? 'lease' : 'linearizable'
  const electionMs = random.pick([150, 300, 600, 1000])
  const replica = drawReplica(random, electionMs)
  const faultEveryMs = drawSurvivableFaults(random, nodes)
  return {
    nodes,
    spares: faultEveryMs.has('membership') ? random.between(1, 3) : 0,
    reads,
    link: drawLink(random, electionMs, replica.appendBytesMax),
    node: {
      replica,
      ...drawDisk(random),
      timerLatenessMaxMs: random.pick([0, 1, 5]),
    },
    // A lease trusts clocks to within a tenth of each other; without one no clock is trusted.
    driftMax: random.chance(0.5) ? 0 : reads === 'lease' ? 0.04 : 0.2,
    clocks: random.pick(['spread', 'limits', 'one-slow']),
    wallOffsetMaxMs: random.pick([0, 100, 60_000]),
    clients: drawClients(random),
    expiringKeys: 0,
    faultEveryMs,
    faultsMs: random.between(2, 8) * 1000,
    settleMs: 20_000 + 60 * electionMs,
  }
}

/** Seeds that begin with this are runs in which clients also ask as Redis commands do, and keys expire. */
export const redisSeeds = 'redis-'

/** The same run with Redis clients. */
export function withRedis(swarm: Swarm, random: Random): Swarm {
  const redis = random.pick([0.3, 0.8])
  const { clients, window, keys } = swarm.clients
  const spread = Math.max(keys, Math.ceil((clients * window) / togetherMax))
  return { ...swarm, clients: { ...swarm.clients, redis, keys: spread }, expiringKeys: random.between(1, 4) }
}

/**
 * Operations of one key that are under way together in runs with Redis clients, about and at most. Their replies tell
 * no versions, so the judge has to search for their order, which takes too long where there are many.
 */
const togetherMax = 12

/** The machine of one node of a run, the first of which is number 0. */
export function drawMachine(random: Random, swarm: Swarm, number: number): MachineOptions {
  return {
    clockRate: 1 + drawDrift(random, swarm, number),
    wallOffsetMs: Math.round((2 * random.float() - 1) * swarm.wallOffsetMaxMs),
    timerLatenessMaxMs: swarm.node.timerLatenessMaxMs,
  }
}

/** Clocks at their limits are the ones that promises are made for; nothing tries a lease more than a slow leader. */
function drawDrift(random: Random, { driftMax, clocks }: Swarm, number: number): number {
  const drift = 2 * random.float() - 1
  if (clocks === 'spread') return driftMax * drift
  if (clocks === 'limits') return driftMax * Math.sign(drift)
  return number === 0 ? -driftMax : driftMax
}

/** The run in a line, for the log. */
export function describeSwarm(swarm: Swarm): string {
  const { nodes, spares, reads, link, node, driftMax, clients } = swarm
  const { electionTicks, tickMs, checkpointBytes, logKeepBytes } = node.replica
  return [
    `${nodes}+${spares} nodes`,
    reads,
    `election ${electionTicks * tickMs} ms`,
    describeLink(link),
    `queue ${link.queueBytesMax} segment ${node.segmentBytes} checkpoint ${checkpointBytes} keep ${logKeepBytes}`,
    `flush ${node.flushMs} drift ${driftMax}`,
    `${clients.clients} clients, ${clients.keys} keys, window ${clients.window}`,
    describeFaults(swarm),
  ].join('; ')
}

function drawReplica(random: Random, electionMs: number): ConsensusOptions {
  const tickMs = random.pick([5, 10, 10, 25])
  const electionTicks = Math.round(electionMs / tickMs)
  return {
    tickMs,
    electionTicks,
    heartbeatTicks: Math.max(1, Math.floor(electionTicks / random.pick([5, 10]))),
    requestTicks: electionTicks * random.pick([2, 5]),
    appendBytesMax: random.pick([100, 1000, 65536]),
    appendsInFlightMax: random.pick([1, 2, 2, 4]),
    snapshotChunkBytes: random.pick([50, 300, 65536]),
    checkpointBytes: random.pick([300, 1000, 5000, 1_000_000]),
    logKeepBytes: random.pick([0, 500, 3000]),
    applySlice: random.pick([1, 5, 1000]),
    answerSlice: random.pick([0, 1000]),
    proposedBytesMax: random.pick([2000, 100_000]),
  }
}

function drawClients(random: Random): ClientOptions {
  return {
    clients: random.between(1, 6),
    keys: random.between(1, 6),
    window: random.chance(0.4) ? random.between(2, 12) : 1,
    thinkMs: random.pick([2, 20, 60]),
    operationsMax: random.between(100, 600),
    valueBytes: random.pick([0, 0, 30, 400]),
    repeats: random.chance(0.3),
    moves: random.pick([0.001, 0.02, 0.2]),
    reads: random.pick([0.1, 0.4, 0.7]),
    readers: random.pick([0, 0, 1, 2]),
  }
}

function drawSurvivableFaults(random: Random, nodes: number): ReadonlyMap<FaultKind, number> {
  const faults = drawFaults(random, faultKinds, ['damage', 'membership', 'blackout'])
  // A node whose disk is damaged is lost for good; while members come and go nobody could say who may be lost.
  if (nodes < 3 || faults.has('membership')) faults.delete('damage')
  return faults
}
