/**
 * Known mistakes, planted one at a time into a copy of the compiled core: the swarm must find each. What it does not
 * find, it would not find either when somebody makes that mistake by accident.
 *
 * `node dist/test/ring/mutants.js [<part of a name> [<first seed>]]` hunts them with other seeds.
 */
import { fileURLToPath } from 'node:url'
import type { RingSwarm } from '../sim/ring-swarm.js'
import { huntAll, type Mutant, type SwarmName } from './hunting.js'
import type { Climate } from './swarm.js'

/** The swarm that must find them, save those that say something else. */
export const ringSwarm: SwarmName = { file: 'swarm.js', run: 'runSwarm' }

/** Power fails all the time, and a write is acknowledged by whoever has it. */
function stormy(swarm: RingSwarm, nodes: number): RingSwarm {
  return {
    ...swarm,
    nodes,
    spares: 0,
    customers: 5,
    habits: { ...swarm.habits, thinkMs: 20, quorums: [1] },
    node: { ...swarm.node, flushMs: [1, 30], inlineFlushes: false },
    faultEveryMs: new Map([
      ['power', 200],
      ['blackout', 600],
      ['partition', 300],
    ]),
    faultsMs: 2000,
  }
}

const busy = { clients: 5, thinkMs: 20, durationMs: 2000 } as const

/** The mistakes. */
export const ringMutants: readonly Mutant<Climate>[] = [
  {
    name: 'hints are not durable',
    edits: [
      {
        file: 'records.js',
        find: 'this.#save({ rowKey, value });',
        replace: 'if (next.owed.length === 0) this.#save({ rowKey, value });',
      },
    ],
    adjust: climate => {
      Object.assign(climate, busy, { nodes: 6, faultMs: 150, quorums: [1] })
      climate.faults = { crash: 2, part: 3, heal: 1, join: 0, leave: 0 }
    },
    seeds: 30,
    isQuick: true,
  },
  {
    name: 'plain version vectors: a version covers all earlier ones of its actor',
    edits: [
      {
        file: 'writing.js',
        find: 'const version = { dot, past: context,',
        replace:
          'const plain = joinPasts([context, { counters: new Map([[dot.actor, dot.count - 1]]), dots: [] }]);\n' +
          'const version = { dot, past: plain,',
      },
    ],
    adjust: climate => Object.assign(climate, busy, { blind: 6 }),
    seeds: 10,
    isQuick: true,
  },
  {
    name: 'a start gives out the dots of an earlier one again',
    edits: [
      {
        file: 'core.js',
        find: 'this.start = word() + word();',
        replace: "word(); this.start = this.id.replace(/[^0-9a-z]/g, '');",
      },
    ],
    adjust: climate => {
      Object.assign(climate, busy, { faultMs: 150, flushMs: 40, blind: 6 })
      climate.faults = { crash: 4, part: 1, heal: 1, join: 0, leave: 0 }
    },
    seeds: 30,
    isQuick: true,
  },
  {
    name: 'a record that begins anew gives out the dots of the one before',
    edits: [
      {
        file: 'core.js',
        find: '(this.#births++).toString(36)',
        replace: 'this.#births.toString(36)',
      },
    ],
    adjust: climate => {
      Object.assign(climate, busy, { nodes: 5, faultMs: 150, quorums: [1] })
      climate.faults = { crash: 0, part: 3, heal: 2, join: 0, leave: 0 }
    },
    seeds: 30,
    isQuick: true,
  },
  {
    name: 'repair drops siblings',
    edits: [
      {
        file: 'core.js',
        find: 'const joint = joinRecords(former.record, record);',
        replace: 'const joint = record.length < former.record.length ? former.record : record;',
      },
    ],
    adjust: climate => Object.assign(climate, busy, { faultMs: 150 }),
    seeds: 10,
    isQuick: true,
  },
  {
    name: 'tombstones are collected without those who cannot be reached',
    edits: [
      {
        file: 'collect.js',
        find: 'unreleasedMembers(core.list).every(id => core.isWritable(id))',
        replace: 'true',
      },
      {
        file: 'collect.js',
        find: 'this.#members = unreleasedMembers(core.list);',
        replace: 'this.#members = unreleasedMembers(core.list).filter(id => core.isUsable(id));',
      },
    ],
    scenario: 'does not bring back what an owner slept through the deletion of',
    seeds: 1,
    isQuick: true,
  },
  {
    name: 'tombstones are collected though something older came meanwhile',
    edits: [
      { file: 'collect.js', find: 'if (held !== row.digest', replace: 'if (false && held !== row.digest' },
      { file: 'collect.js', find: '|| !this.#watched.has(key))', replace: '|| key !== undefined)' },
    ],
    adjust: climate => {
      Object.assign(climate, busy, { faultMs: 150, deletions: 8, blind: 1, durationMs: 4000, lateness: 0.2 })
      climate.faults = { crash: 0, part: 2, heal: 2, join: 0, leave: 0 }
    },
    seeds: 60,
    isQuick: false,
  },
  {
    name: 'tombstones are collected though a reader has what they covered in hand',
    edits: [
      {
        file: 'collect.js',
        find: 'underWay: [...core.operations.values()]',
        replace: 'underWay: [].concat([])',
      },
    ],
    scenario: 'does not bring back what a reader had in hand when it was deleted and forgotten',
    seeds: 1,
    isQuick: true,
  },
  {
    name: 'a write is answered before it is durable',
    edits: [
      {
        file: 'writing.js',
        find: 'core.batches.whenSaved(() => {',
        replace: '(then => then())(() => {',
      },
    ],
    adjust: climate => {
      Object.assign(climate, busy, { faultMs: 150, flushMs: 40, quorums: [1] })
      climate.faults = { crash: 4, part: 2, heal: 1, join: 0, leave: 0 }
    },
    seeds: 30,
    isQuick: true,
  },
  {
    name: 'a copy is acknowledged before it is durable',
    edits: [
      {
        file: 'keeper.js',
        find: "core.batches.sendWhenSaved(from, { kind: 'stored', id, kept });",
        replace: "core.sendNow(from, { kind: 'stored', id, kept });",
      },
    ],
    scenario: 'has a copy on its disk when it says so, though its power fails in that moment',
    seeds: 1,
    isQuick: true,
  },
  {
    name: 'a node leaves before it has handed over what changed',
    edits: [
      {
        file: 'handover.js',
        find: 'const changed = [...core.leaving.changed].slice(0, rowsPerMessage);',
        replace: 'const changed = [];',
      },
      { file: 'handover.js', find: 'if (batch.length > 0) {', replace: 'if (batch.length > 1000) {' },
    ],
    adjust: climate => {
      Object.assign(climate, busy, { nodes: 6, faultMs: 300, quorums: [1] })
      climate.faults = { crash: 0, part: 3, heal: 2, join: 0, leave: 3 }
    },
    seeds: 60,
    isQuick: false,
  },
  {
    name: 'what waits for the flush is sent before it',
    edits: [
      {
        file: '../replica/leaderless.js',
        find: 'sendNow: [...this.#outgoing, ...output.sendNow],',
        replace: 'sendNow: [...this.#outgoing, ...output.sendNow, ...output.send],',
      },
      { file: '../replica/leaderless.js', find: 'send: output.send,', replace: 'send: [],' },
    ],
    adjustNodes: swarm => stormy(swarm, 4),
    seeds: 40,
    isQuick: true,
  },
  {
    name: 'the journal forgets what a checkpoint has yet to make durable',
    edits: [
      {
        file: '../node/leaderless-store.js',
        find: 'this.#table.checkpoint(meta, done);',
        replace:
          'if (!this.isBusy) this.#table.checkpoint(meta, () => { this.isBusy = false });\n' +
          'this.isBusy = true; done(undefined);',
      },
    ],
    adjustNodes: swarm => {
      const { checkpointMs: _, ...node } = stormy(swarm, 3).node
      const replica = { ...node.replica, checkpointBytes: 500 }
      return { ...stormy(swarm, 3), node: { ...node, replica, checkpointMs: [50, 300], segmentBytes: 4096 } }
    },
    seeds: 40,
    isQuick: true,
  },
  {
    name: 'what is kept for others is dropped when it is sent',
    edits: [
      {
        file: 'handover.js',
        find: "core.sendNow(this.#to, { kind: 'store', id: this.#id, fence: core.peer(this.#to).fence, rows });",
        replace:
          "core.sendNow(this.#to, { kind: 'store', id: this.#id, fence: core.peer(this.#to).fence, rows });\n" +
          'this.#given.push(...this.#digests); this.#end();',
      },
    ],
    scenario: 'keeps what it holds for others until they have it, whatever is lost on the way',
    seeds: 1,
    isQuick: true,
  },
  {
    name: 'what became its own is still counted as kept for others',
    edits: [
      {
        file: 'handover.js',
        find: 'this.#own(key);',
        replace: '',
      },
    ],
    scenario: 'counts nothing for others of what became its own again while it was handing it over',
    seeds: 1,
    isQuick: true,
  },
]

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await huntAll(ringSwarm, ringMutants, process.argv.slice(2))
}
