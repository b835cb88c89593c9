/**
 * Known mistakes, planted one at a time into a copy of the compiled program: the simulator must find each. What
 * it does not find, it would not find either when somebody makes that mistake by accident.
 *
 * A row forces the weather in which its mistake shows often. Whatever is not forced is drawn, as in every run,
 * and the program without the mistake must stand the same runs.
 */
import { present } from '../../src/base/assert.js'
import type { Random } from '../../src/base/random.js'
import type { CheckerName } from './mutant-checkers.js'
import type { Weather } from './mutant-weather.js'

/** A piece of a compiled file, which must be in it exactly once, and what takes its place. */
export interface Edit {
  /** Relative to the root of the compiled program. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface Mutant {
  readonly name: string
  /** The promise that it breaks. */
  readonly breaks: string
  readonly edits: readonly Edit[]
  /** The checkers that may find it. */
  readonly caughtBy: readonly CheckerName[]
  /** It must be found within this many runs. */
  readonly seeds: number
  readonly weather: Weather
}

/** Elections and requests that are quick, so that much happens in a short run. */
const quick = { tickMs: 10, electionTicks: 20, heartbeatTicks: 3, requestTicks: 40 } as const
/** Snapshots, checkpoints and reuse of segments all the time. */
const restless = { checkpointBytes: 300, logKeepBytes: 0, snapshotChunkBytes: 300 } as const
/** Nothing but the faults holds anybody up. */
const brisk = {
  link: {
    delay: (random: Random) => 0.1 + 0.4 * random.float(),
    loss: 0,
    duplication: 0,
    reordering: 0,
    bytesPerMs: 100_000,
  },
  node: { flushMs: [0.1, 0.5], timerLatenessMaxMs: 1 },
} as const
/** Now and then a line takes its time. */
const straggling = {
  delay: (random: Random) => 0.2 + (random.chance(0.1) ? 200 * random.float() : 0),
} as const
/** Clients that mostly read, and so go on where writes would wait: at a leader that was cut off. */
const readers = {
  clients: 6,
  keys: 1,
  window: 1,
  thinkMs: 8,
  operationsMax: 3000,
  moves: 0.001,
  reads: 0.9,
} as const
/** Clients that are eager, on few keys. */
const eager = { clients: 6, keys: 2, thinkMs: 5, operationsMax: 2000, valueBytes: 0, moves: 0.02 } as const

export const mutants: readonly Mutant[] = [
  {
    name: 'vote not persisted',
    breaks: 'A vote once given in a term is kept over crashes.',
    edits: [
      {
        file: 'src/replica/saved.js',
        find: 'JSON.stringify(state)',
        replace: 'JSON.stringify({ term: state.term })',
      },
    ],
    caughtBy: ['what was durable comes back', 'one leader a term'],
    seeds: 10,
    weather: { nodes: 3, faultsMs: 2000, faults: { kill: 200, power: 200 }, replica: quick },
  },
  {
    name: 'vote without comparing logs',
    breaks: 'Only somebody whose log is at least as complete gets a vote.',
    edits: [
      {
        file: 'src/raft/log.js',
        find: 'if (position.term !== this.lastTerm)',
        replace:
          'if (position.index >= 0)\n            return true;\n        if (position.term !== this.lastTerm)',
      },
    ],
    caughtBy: ['a leader has what is committed', 'what is committed stays'],
    seeds: 25,
    weather: {
      nodes: 3,
      faultsMs: 2000,
      faults: { partition: 200, coup: 100 },
      replica: quick,
      clients: eager,
    },
  },
  {
    name: 'commit by counting older terms',
    breaks: 'Only an entry of the own term is counted towards a commit.',
    edits: [
      {
        file: 'src/raft/leader.js',
        find: 'core.log.termAt(reached) !== core.term',
        replace: 'core.log.termAt(reached) === undefined',
      },
    ],
    caughtBy: ['a leader has what is committed', 'what is committed stays'],
    seeds: 45,
    weather: {
      nodes: 3,
      reads: 'linearizable',
      faultsMs: 5000,
      faults: { isolation: 400, coup: 400 },
      replica: { ...quick, appendBytesMax: 100, appendsInFlightMax: 1 },
      clients: { ...eager, window: 4, valueBytes: 30 },
      ...brisk,
    },
  },
  {
    name: 'acknowledging before the flush',
    breaks: 'What is committed is on the disks of a majority.',
    edits: [
      {
        file: 'src/raft/follower.js',
        find: 'core.owesReplyTo = from;\n    else',
        replace: "reply(core, from, { kind: 'matched', matched: core.verified });\n    else",
      },
    ],
    caughtBy: ['what is committed is on a majority of disks'],
    seeds: 10,
    weather: { nodes: 3, faultsMs: 2000, node: { flushMs: [1, 30] } },
  },
  {
    name: 'a leader counts its own copy before the flush',
    breaks: 'What is committed is on the disks of a majority.',
    edits: [
      {
        file: 'src/raft/leader.js',
        find: 'voter === core.id ? core.log.stable',
        replace: 'voter === core.id ? core.log.lastIndex',
      },
    ],
    caughtBy: ['what is committed is on a majority of disks'],
    seeds: 12,
    weather: { nodes: 3, faultsMs: 2000, node: { flushMs: [1, 30] } },
  },
  {
    name: 'no no-op',
    breaks: 'A new leader serves nothing before it knows what is committed.',
    edits: [
      {
        file: 'src/raft/leader.js',
        find: "appendEntry(core, 'no-op', new Uint8Array(0));",
        replace: 'leadership.firstIndex = 0;',
      },
    ],
    caughtBy: ['histories are linearizable', 'versions follow time and connections'],
    seeds: 15,
    weather: {
      nodes: 3,
      faultsMs: 3000,
      faults: { kill: 200, transfer: 200 },
      replica: quick,
      clients: { ...eager, reads: 0.7 },
    },
  },
  {
    name: 'read without asking a quorum',
    breaks: 'A read sees every write that was acknowledged before it was asked.',
    edits: [{ file: 'src/raft/leader.js', find: 'hasLease || isAlone(core)', replace: 'true' }],
    caughtBy: ['histories are linearizable', 'versions follow time and connections'],
    seeds: 30,
    weather: {
      nodes: 3,
      reads: 'linearizable',
      faultsMs: 1500,
      faults: { isolation: 400 },
      replica: quick,
      clients: readers,
      ...brisk,
    },
  },
  {
    name: "a follower's copy read before it holds the index",
    breaks: 'A read sees every write that was acknowledged before it was asked.',
    edits: [
      {
        file: 'src/replica/read-queue.js',
        find: 'if (batch.index === undefined || batch.index > applied)',
        replace: 'if (batch.index === undefined)',
      },
    ],
    caughtBy: ['histories are linearizable', 'versions follow time and connections'],
    seeds: 10,
    weather: {
      nodes: 3,
      reads: 'linearizable',
      faultsMs: 1500,
      faults: {},
      replica: quick,
      clients: { ...readers, reads: 0.5 },
      ...brisk,
      // The disks of some are slow: what is committed is not applied everywhere at once.
      node: { ...brisk.node, flushMs: [0.1, 20] },
    },
  },
  {
    name: 'membership change before the no-op',
    breaks: 'Two leaders never change the membership past each other.',
    edits: [
      {
        file: 'src/raft/leader.js',
        find: 'return (isServing(core, leadership) &&\n        leadership.transfer',
        replace: 'return (leadership.transfer',
      },
      {
        file: 'src/replica/consensus.js',
        find: 'const isOpen = leadership !== undefined && this.#applied >= leadership.firstIndex;',
        replace: "const isOpen = this.#raft.role.kind === 'leader';",
      },
      // Reads still wait for the no-op: only the change of members is early.
      {
        file: 'src/raft/leader.js',
        find: "assert(isServing(core, leadership), 'a leader reads only after its no-op is committed');",
        replace:
          'if (!isServing(core, leadership)) {\n' +
          '        leadership.reads.add({ token, index: leadership.firstIndex });\n        return;\n    }',
      },
    ],
    caughtBy: ['a leader has what is committed', 'what is committed stays', 'one leader a term'],
    seeds: 150,
    weather: {
      nodes: 4,
      spares: 8,
      reads: 'linearizable',
      faultsMs: 5000,
      faults: { isolation: 250, membership: 2000 },
      replica: { ...quick, requestTicks: 150 },
      ...brisk,
      // The vote of whoever is removed is late: so the change gets ahead of what it should wait for.
      node: { ...brisk.node, flushMs: [0.1, 20] },
    },
  },
  {
    name: 'stale snapshot installed over newer state',
    breaks: 'What is committed never goes back.',
    edits: [
      {
        file: 'src/raft/follower.js',
        find: 'if (chunk.index <= core.commitIndex) {',
        replace: 'if (chunk.index < 0) {',
      },
      {
        file: 'src/raft/follower.js',
        find: "assert(core.commitIndex <= base.index, 'what is committed is never dropped for a snapshot');",
        replace: '',
      },
    ],
    caughtBy: ['what is committed stays', 'tables are equal at equal indexes'],
    seeds: 80,
    weather: {
      nodes: 3,
      faultsMs: 4000,
      faults: { pause: 300 },
      replica: { ...quick, ...restless, snapshotChunkBytes: 65536 },
      clients: eager,
      link: { ...brisk.link, ...straggling, loss: 0.05, duplication: 0.3, reordering: 0.5 },
    },
  },
  {
    name: 'sessions not in the snapshot',
    breaks: 'A write happens once, also where a snapshot stands for the log.',
    edits: [
      {
        file: 'src/kv/state-machine.js',
        find: 'sessions: this.#sessions.save(this.#clockMs)',
        replace: 'sessions: []',
      },
    ],
    caughtBy: [
      'tables are equal at equal indexes',
      'a write is carried out once',
      'histories are linearizable',
    ],
    seeds: 20,
    weather: {
      nodes: 3,
      faultsMs: 3000,
      faults: { partition: 300, kill: 300 },
      replica: { ...quick, ...restless },
      clients: eager,
    },
  },
  {
    name: 'election timer reset by anything',
    breaks: 'Only the leader and a vote given put an election off: a lost leader is replaced in time.',
    edits: [
      {
        file: 'src/raft/raft.js',
        find: 'core.heardAtTick.set(from, core.tick);',
        replace: 'core.heardAtTick.set(from, core.tick);\n        core.resetElectionTimer();',
      },
    ],
    caughtBy: ['a lost leader is replaced in time'],
    seeds: 10,
    weather: { nodes: 3, faultsMs: 500, faults: {}, replica: quick },
  },
  {
    name: 'truncating on a late duplicate append',
    breaks: 'What a follower has acknowledged stays in its log.',
    edits: [
      {
        file: 'src/raft/follower.js',
        find: 'if (termHere === entry.term)\n            continue;',
        replace: '',
      },
    ],
    caughtBy: ['what is committed is on a majority of disks', 'what is committed stays'],
    seeds: 15,
    weather: {
      nodes: 3,
      faultsMs: 2000,
      faults: {},
      replica: { ...quick, appendBytesMax: 100, appendsInFlightMax: 4 },
      clients: { ...eager, window: 8 },
      link: { duplication: 0.2, reordering: 0.2 },
    },
  },
  {
    name: 'a lease that trusts a drifting clock',
    breaks: 'A lease ends before the promises that it rests on, as long as clocks keep to the stated bound.',
    edits: [{ file: 'src/raft/reads.js', find: 'leaseShare = 0.8', replace: 'leaseShare = 1' }],
    caughtBy: ['histories are linearizable', 'versions follow time and connections'],
    seeds: 40,
    weather: {
      nodes: 5,
      reads: 'lease',
      driftMax: 0.1,
      clocks: 'one-slow',
      // The first leader is the one with the slow clock, so what comes later matters less.
      faultsMs: 1500,
      faults: { isolation: 300 },
      replica: { tickMs: 5, electionTicks: 80, heartbeatTicks: 2, requestTicks: 120 },
      clients: { ...readers, clients: 8, readers: 5, reads: 0.3, thinkMs: 14, operationsMax: 4000 },
      ...brisk,
    },
  },
  {
    name: 'the closed-connection hint honoured under a lease',
    breaks: 'Under a lease nobody is helped to an election before the promise to the leader has run out.',
    edits: [
      { file: 'src/raft/raft.js', find: 'if (core.isLease)\n            return;', replace: '' },
      {
        file: 'src/raft/core.js',
        find: 'if (this.leaderGone && !this.isLease)',
        replace: 'if (this.leaderGone)',
      },
    ],
    caughtBy: ['histories are linearizable', 'versions follow time and connections'],
    seeds: 25,
    weather: {
      nodes: 3,
      reads: 'lease',
      driftMax: 0,
      faultsMs: 4000,
      faults: { isolation: 700 },
      replica: quick,
      clients: readers,
      ...brisk,
    },
  },
  {
    name: 'a transfer that keeps the lease',
    breaks: 'A leader drops its lease before it hands over.',
    edits: [{ file: 'src/raft/leader.js', find: 'leadership.reads.dropLease();', replace: '' }],
    caughtBy: ['histories are linearizable', 'versions follow time and connections'],
    seeds: 25,
    weather: {
      nodes: 3,
      reads: 'lease',
      driftMax: 0,
      faultsMs: 4000,
      faults: { transfer: 100 },
      replica: quick,
      clients: readers,
      ...brisk,
      // Now and then a link stalls: whoever is deposed hears of it late.
      link: { ...brisk.link, delay: random => 0.2 + (random.chance(0.02) ? 150 * random.float() : 0) },
    },
  },
  {
    name: 'a request counter that starts again after a restart',
    breaks: 'A write is never answered with the result of another one.',
    edits: [
      {
        file: 'src/replica/request-desk.js',
        find: 'return `${id.slice(0, 8)}.${word()}${word()}`;',
        replace: 'word();\n    word();\n    return `${id.slice(0, 8)}.0`;',
      },
    ],
    caughtBy: [
      'histories are linearizable',
      'versions follow time and connections',
      'what is acknowledged is committed',
    ],
    seeds: 10,
    weather: { nodes: 3, faultsMs: 3000, faults: { kill: 200 }, replica: quick, clients: eager },
  },
  {
    name: 'an expired session applied',
    breaks: 'A write of a forgotten session is refused: it may have been carried out before.',
    edits: [
      {
        file: 'src/kv/sessions.js',
        find: 'if (session === undefined && nowMs - identity.bornMs > sessionExpiryMs)',
        replace: 'if (session === undefined && nowMs < 0)',
      },
    ],
    caughtBy: [
      'a write is carried out once',
      'histories are linearizable',
      'versions follow time and connections',
    ],
    seeds: 80,
    weather: {
      nodes: 3,
      faultsMs: 4000,
      faults: { 'wall-clock': 20, transfer: 60, partition: 150 },
      replica: { ...quick, requestTicks: 300 },
      clients: { ...eager, clients: 10, window: 3, thinkMs: 20 },
    },
  },
  {
    name: 'a checkpoint ahead of the journal',
    breaks: 'A checkpoint covers at most what is flushed in the own journal.',
    edits: [
      {
        file: 'src/raft/raft.js',
        find: 'return commitIndex < log.stable ? commitIndex : log.stable;',
        replace: 'return commitIndex;',
      },
    ],
    caughtBy: ['a checkpoint stays behind the journal'],
    seeds: 10,
    weather: {
      nodes: 3,
      faultsMs: 2000,
      replica: { ...quick, ...restless },
      clients: eager,
      node: { flushMs: [1, 30] },
    },
  },
  {
    name: 'a record of an earlier life taken for a record',
    breaks: 'What is left in a file from its earlier use never comes back.',
    edits: [
      {
        file: 'src/storage/journal-record.js',
        find: 'return zlib.crc32(bytes);',
        replace: 'return zlib.crc32(bytes.fill(0));',
      },
    ],
    caughtBy: ['what was durable comes back'],
    seeds: 15,
    weather: {
      nodes: 3,
      faultsMs: 4000,
      faults: { kill: 200, power: 300 },
      replica: { ...quick, ...restless },
      clients: { ...eager, reads: 0.1 },
      node: { segmentBytes: 4096, checkpointMs: [0, 0], flushMs: [0, 0] },
    },
  },
  {
    name: 're-forwarded requests overtake later ones of their connection',
    breaks: 'Requests of one connection take effect in the order sent.',
    edits: [
      {
        file: 'src/replica/intake.js',
        find: 'if (counter <= proposed || counter <= applied) {',
        replace: 'if (state.sessions.result(session, counter) !== undefined) {',
      },
      {
        file: 'src/replica/intake.js',
        find: "if (counter > expected)\n                return refuse(intake.isPutOff && fresh.length === 0 ? 'busy' : 'gap');",
        replace: '',
      },
      {
        file: 'src/kv/sessions.js',
        find: 'if (identity.counter === expected)',
        replace:
          'if (session?.results.get(identity.counter) === undefined && identity.counter >= identity.lowest)',
      },
    ],
    caughtBy: ['versions follow time and connections', 'histories are linearizable'],
    seeds: 15,
    weather: {
      nodes: 3,
      faultsMs: 3000,
      faults: { transfer: 100, break: 100 },
      replica: quick,
      clients: { ...eager, window: 10, reads: 0.1 },
      link: { loss: 0.05, reordering: 0.2 },
    },
  },
]

/** The mutant of this name. */
export function findMutant(name: string | undefined): Mutant {
  return present(
    mutants.find(mutant => mutant.name === name),
    'a mutant of this name',
  )
}
