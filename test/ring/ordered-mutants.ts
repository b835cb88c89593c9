/**
 * Known mistakes in what a ring with a leader does: its swarm must find each. See hunting.ts.
 *
 * `node dist/test/ring/ordered-mutants.js [<part of a name> [<first seed>]]` hunts them with other seeds.
 */
import { fileURLToPath } from 'node:url'
import { huntAll, type Mutant, type SwarmName } from './hunting.js'
import type { OrderedClimate } from './ordered-swarm.js'

/** The swarm that must find them. */
export const orderedSwarm: SwarmName = { file: 'ordered-swarm.js', run: 'runOrderedSwarm' }

const busy = { writers: 3, keysPerWriter: 2, thinkMs: 20, durationMs: 6000 } as const
const killing = { ...busy, kind: 'kills', faultMs: 300, awayMs: 1500, nodes: 4, copies: 2 } as const
const onlyCrashes = { crash: 1, part: 0, heal: 0, join: 0 } as const
const blackouts = { ...busy, kind: 'blackouts', faultMs: 400, awayMs: 3000, deletions: 0 } as const
/** Keys are left alone for a while, so that it shows what is said of them. */
const slowWriters = { keysPerWriter: 30, deletions: 0, faults: onlyCrashes } as const

/** The mistakes. */
export const orderedMutants: readonly Mutant<OrderedClimate>[] = [
  {
    name: 'a node vouches for what it may have slept through',
    edits: [
      {
        file: 'coverage.js',
        find: 'return this.#got.get(id)?.[range] === 1;',
        replace: 'return this.#got.get(id)?.[range] !== 2;',
      },
    ],
    adjust: climate => Object.assign(climate, blackouts, slowWriters, { nodes: 2, copies: 2 }),
    seeds: 10,
    isQuick: true,
  },
  {
    name: 'those who were evicted are not missed',
    edits: [
      {
        file: 'gathering.js',
        find: 'return unreleasedMembers(this.#core.list).filter(node => !this.#digests.has(node));',
        replace:
          "return this.#core.list.members.filter(one => !['gone', 'evicted'].includes(one.standing) && !this.#digests.has(one.id)).map(one => one.id);",
      },
    ],
    adjust: climate =>
      Object.assign(climate, killing, slowWriters, { copies: 1, deadTicks: 100, awayMs: 5000 }),
    seeds: 30,
    isQuick: true,
  },
  {
    name: 'a new leader goes on in the old epoch',
    edits: [
      {
        file: 'leading.js',
        find: 'const epoch = { number, node: core.id };',
        replace: 'const epoch = { number: 1, node: core.id };',
      },
      { file: 'serving.js', find: 'compareOrder(version, former) > 0', replace: 'true' },
      { file: 'gathering.js', find: 'const isOver = ', replace: 'const isOver = false && ' },
      {
        file: 'leading.js',
        find: 'this.#reign?.epoch !== this.#known',
        replace: 'this.#reign === undefined',
      },
      {
        file: 'leading.js',
        find: '&& reign.epoch === this.#known',
        replace: '',
      },
    ],
    adjust: climate => Object.assign(climate, killing, { faults: onlyCrashes }),
    seeds: 10,
    isQuick: true,
  },
  {
    name: 'a deletion loses against what it deleted',
    edits: [
      {
        file: 'versions.js',
        find: 'return compareOrder(one, other) >= 0 ? left : right;',
        replace:
          'return one.value === undefined ? right : other.value === undefined ? left : compareOrder(one, other) >= 0 ? left : right;',
      },
    ],
    adjust: climate => Object.assign(climate, killing, { deletions: 4, faults: onlyCrashes }),
    seeds: 10,
    isQuick: true,
  },
  {
    name: 'only owners are asked',
    edits: [
      {
        file: 'gathering.js',
        find: 'if (!core.isUsable(node) || this.#waiting.has(node))',
        replace:
          'if (!core.isUsable(node) || this.#waiting.has(node) || !core.shares.current.owners(this.#range).includes(node))',
      },
    ],
    adjust: climate =>
      Object.assign(climate, killing, { nodes: 5, copies: 1, deadTicks: 100, faults: onlyCrashes }),
    seeds: 30,
    isQuick: true,
  },
  {
    name: 'a write is acknowledged before it is durable',
    edits: [
      {
        file: 'placing.js',
        find: 'core.batches.whenSaved(() => {',
        replace: '(then => then())(() => {',
      },
    ],
    adjust: climate =>
      Object.assign(climate, killing, { nodes: 3, copies: 1, flushMs: 40, faults: onlyCrashes }),
    seeds: 30,
    isQuick: true,
  },
  {
    name: 'a node that starts leads before it has met the others',
    edits: [
      {
        file: 'leading.js',
        find: 'return tick - knownSinceTick < options.silentTicks + 2 * options.gossipTicks;',
        replace: 'return false;',
      },
    ],
    adjust: climate => Object.assign(climate, killing, { nodes: 2, faults: onlyCrashes }),
    seeds: 30,
    isQuick: false,
  },
  {
    name: 'a leader goes on in an epoch that is over',
    edits: [{ file: 'gathering.js', find: 'const isOver = ', replace: 'const isOver = false && ' }],
    adjust: climate => Object.assign(climate, killing, { nodes: 3, told: 0, faults: onlyCrashes }),
    seeds: 60,
    isQuick: false,
  },
]

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await huntAll(orderedSwarm, orderedMutants, process.argv.slice(2))
}
