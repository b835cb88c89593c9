/** What one simulated run of a ring is like, drawn from its seed; see swarm.ts, which does the same for the log. */
import type { Random } from '../../src/base/random.js'
import type { LeaderlessOptions } from '../../src/replica/leaderless.js'
import type { Habits } from '../ring/customers.js'
import { type DrawnRun, describeFaults, describeLink, drawDisk, drawFaults, drawLink } from './drawing.js'
import type { MachineOptions } from './machine.js'
import type { RingNodeOptions } from './ring-node.js'

/** The faults that a run may see, in the order in which their chances are drawn. */
export const ringFaultKinds = [
  'partition',
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
  'membership',
] as const

export type RingFaultKind = (typeof ringFaultKinds)[number]

/** One run. */
export interface RingSwarm extends DrawnRun<RingFaultKind, RingNodeOptions> {
  readonly copies: number
  readonly timerLatenessMaxMs: number
  readonly customers: number
  readonly habits: Habits
}

/** Draws a run. */
export function drawRingSwarm(random: Random): RingSwarm {
  const electionMs = random.pick([150, 300, 1000])
  const faultEveryMs = drawFaults(random, ringFaultKinds, ['membership'])
  return {
    nodes: random.pick([1, 2, 3, 3, 4, 5, 6, 6]),
    copies: random.pick([2, 3, 3, 3]),
    spares: faultEveryMs.has('membership') ? random.between(1, 2) : 0,
    link: drawLink(random, electionMs, 20_000),
    node: {
      replica: drawReplica(random, electionMs),
      ...drawDisk(random),
      isTableOnDisk: random.chance(0.5),
    },
    driftMax: random.pick([0, 0.2]),
    timerLatenessMaxMs: random.pick([0, 1, 5]),
    customers: random.between(2, 5),
    habits: {
      thinkMs: random.pick([20, 60, 150]),
      blind: random.pick([1, 3, 6]),
      deletions: random.pick([0, 1, 4]),
      quorums: random.pick([[undefined], [1], [1, 2, undefined], [2]]),
    },
    faultEveryMs,
    faultsMs: random.between(1, 4) * 1000,
    settleMs: 30_000 + 60 * electionMs,
  }
}

/** The machine of one node of a run. */
export function drawRingMachine(random: Random, swarm: RingSwarm): MachineOptions {
  return {
    clockRate: 1 + swarm.driftMax * (2 * random.float() - 1),
    wallOffsetMs: random.pick([0, -60_000, 60_000]),
    timerLatenessMaxMs: swarm.timerLatenessMaxMs,
  }
}

/** The run in a line, for the log. */
export function describeRingSwarm(swarm: RingSwarm): string {
  const { nodes, copies, spares, link, node, customers, habits } = swarm
  const { silentTicks, tickMs, checkpointBytes } = node.replica
  return [
    `${nodes}+${spares} nodes, ${copies} copies`,
    `silence ${silentTicks * tickMs} ms`,
    describeLink(link),
    `segment ${node.segmentBytes} checkpoint ${checkpointBytes} flush ${node.flushMs}`,
    `${customers} customers, quorums ${habits.quorums.map(quorum => quorum ?? 'majority')}`,
    describeFaults(swarm),
  ].join('; ')
}

function drawReplica(random: Random, electionMs: number): LeaderlessOptions {
  const tickMs = random.pick([5, 10, 25])
  const silentTicks = Math.round(electionMs / tickMs)
  return {
    tickMs,
    gossipTicks: Math.max(1, Math.floor(silentTicks / random.pick([5, 10]))),
    silentTicks,
    deadTicks: 10 * silentTicks,
    evict: random.chance(0.1),
    ordered: false,
    copyTicks: Math.ceil(silentTicks / 2),
    requestTicks: silentTicks * random.pick([2, 5]),
    repairTicks: Math.max(1, Math.floor(silentTicks / random.pick([1, 5]))),
    rangesPerRepair: 1024,
    rowsPerMessage: random.pick([2, 20]),
    bytesPerMessage: random.pick([300, 100_000]),
    hintsMax: 1000,
    requestsMax: 1000,
    versionsWarning: 25,
    versionsMax: 100,
    valueBytesMax: 100_000,
    recordBytesMax: 1_000_000,
    pastMax: random.pick([4, 8]),
    checkpointBytes: random.pick([500, 5000, 1_000_000]),
  }
}
