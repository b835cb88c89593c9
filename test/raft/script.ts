/**
 * Scripts: scenarios of a small cluster of Raft cores, written as stories. A script is a text file: lines that
 * begin with `#` tell the story, lines that begin with `>` are commands, and the lines below each command are
 * everything that the cluster did. {@link runScript} carries the commands out and writes the last anew.
 *
 * Commands are listed in {@link commands}; nodes are named 1, 2, 3; `1->2` is a link.
 */
import { present } from '../../src/base/assert.js'
import { logIndex, type NodeId } from '../../src/base/ids.js'
import { withLearner, without, withVoter } from '../../src/raft/configuration.js'
import type { Configuration } from '../../src/raft/types.js'
import { Cluster, describe, describeRole, type Letter, named } from './cluster.js'
import { renderEntries, renderMembers, renderPosition } from './render.js'
import { options } from './simulated-node.js'

/** A command's words after its name. */
type Command = (play: Play, ...words: string[]) => void

/** A script being played. */
interface Play {
  readonly cluster: Cluster
  /** Letters that the network keeps a second copy of. */
  copies: Letter[]
  /** Whether the cluster reads by lease. */
  isLease: boolean
}

/** Plays a script and returns it with what really happened below each command. */
export function runScript(name: string, text: string): string {
  const play: Play = { cluster: new Cluster(name), copies: [], isLease: false }
  const written: string[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) {
      if (written.length > 0 && !written.at(-1)?.startsWith('#')) written.push('')
      written.push(line)
    } else if (line.startsWith('> ')) {
      if (written.length > 0 && !written.at(-1)?.startsWith('#')) written.push('')
      written.push(line)
      try {
        carryOut(play, line.slice(2))
      } catch (error) {
        written.push(...play.cluster.takeLines())
        throw new Error(`${String(error)} in ${name}:\n${written.join('\n')}`, { cause: error })
      }
      written.push(...play.cluster.takeLines())
    }
  }
  return `${written.join('\n')}\n`
}

function carryOut(play: Play, line: string): void {
  const [name = '', ...words] = line.split(' ').filter(word => word !== '')
  const command = present(commands[name], `a command ${name}`)
  command(play, ...words)
}

const commands: Readonly<Record<string, Command>> = {
  /** `nodes 1 2 3`: starts nodes that all vote; `nodes lease 1 2 3`: in a cluster that reads by lease. */
  nodes: (play, ...words) => {
    play.isLease = words[0] === 'lease'
    const ids = (play.isLease ? words.slice(1) : words).map(named)
    play.cluster.found(ids, play.isLease ? 'lease' : 'linearizable')
  },
  /** `waiting 4`: starts a node that waits to be told of a cluster. */
  waiting: ({ cluster }, id) => cluster.startWaiting(node(id)),
  /** `elect 1`: lets 1 become leader, told by its outcome alone. */
  elect: (play, id) => {
    if (play.isLease) wait(play.cluster, node(id))
    campaign(play.cluster, node(id))
    deliverAll(play.cluster)
    play.cluster.takeLines()
    commands['status']?.(play)
  },
  /** `write 1 x=1 y=2`: proposes and delivers, told by its outcome alone. */
  write: (play, id, ...writes) => {
    propose(play.cluster, node(id), writes)
    deliverAll(play.cluster)
    beat(play.cluster, node(id))
    play.cluster.takeLines()
    commands['status']?.(play)
  },
  /** `campaign 1`: its election timer runs out. */
  campaign: ({ cluster }, id) => campaign(cluster, node(id)),
  /** `tick 1 20` or `tick all 3`: time passes, a tick at a time. */
  tick: ({ cluster }, who, count) => {
    for (let tick = 0; tick < Number(count); tick++) {
      for (const id of who === 'all' ? [...cluster.nodes.keys()] : [node(who)]) {
        cluster.do(id, ({ raft }) => raft.tick(1))
      }
    }
  },
  /** `heartbeat 1`: time passes until the leader has sent its next heartbeat. */
  heartbeat: ({ cluster }, id) => beat(cluster, node(id)),
  /** `deliver`: everything, until nothing is on its way; `deliver 1->2`: what waits there now, or the first `1`. */
  deliver: ({ cluster }, link, count) => {
    if (link === undefined) deliverAll(cluster)
    else
      for (const letter of take(cluster, link, Number(count ?? cluster.letters.length)))
        cluster.deliver(letter)
  },
  /** `drop 1->2`: what waits there is lost. */
  drop: ({ cluster }, link) => {
    take(cluster, link, cluster.letters.length)
  },
  /** `copy 1->2`: what waits there will come a second time. */
  copy: ({ cluster, copies }, link) => {
    copies.push(...cluster.letters.filter(letter => isOn(letter, link)))
  },
  /** `deliver-copies`: what was copied comes again. */
  'deliver-copies': play => {
    for (const letter of play.copies) play.cluster.deliver(letter)
    play.copies = []
  },
  /** `auto-save off 2`: its flushes end only when told to; without a name: those of all nodes. */
  'auto-save': ({ cluster }, state, ...ids) => {
    cluster.setAutoSave(ids.length > 0 ? ids.map(named) : [...cluster.nodes.keys()], state === 'on')
  },
  /** `save 1`: its flush ends. */
  save: ({ cluster }, id) => cluster.finishFlush(node(id)),
  /** `propose 1 x=1 y=2`: all in one turn. */
  propose: ({ cluster }, id, ...writes) => propose(cluster, node(id), writes),
  /** `read 1 7`: a linearizable read, named by a number. */
  read: ({ cluster }, id, token) => cluster.read(node(id), Number(token)),
  /** `partition 1 | 2 3` */
  partition: ({ cluster }, ...words) => {
    const groups = words.join(' ').split('|')
    cluster.partition(groups.map(group => group.trim().split(' ').map(named)))
  },
  heal: ({ cluster }) => cluster.partition([]),
  crash: ({ cluster }, id) => cluster.crash(node(id)),
  restart: ({ cluster }, id) => cluster.restart(node(id)),
  /** `disconnect 2 1`: 2 sees its connection with 1 close. */
  disconnect: ({ cluster }, id, other) => cluster.do(node(id), ({ raft }) => raft.disconnected(node(other))),
  /** `disk 2 full`, `disk 2 ok` */
  disk: ({ cluster }, id, state) => cluster.do(node(id), ({ raft }) => raft.setDiskFull(state === 'full')),
  transfer: ({ cluster }, from, to) => cluster.do(node(from), ({ raft }) => raft.transferTo(node(to))),
  /** `add 1 4`: as a learner. */
  add: ({ cluster }, id, added) =>
    change(cluster, id, configuration => withLearner(configuration, describe(node(added)))),
  /** `promote 1 4`: the learner votes. */
  promote: ({ cluster }, id, learner) =>
    change(cluster, id, configuration => withVoter(configuration, node(learner))),
  remove: ({ cluster }, id, removed) =>
    change(cluster, id, configuration => without(configuration, node(removed))),
  /** `compact 1 5`: a checkpoint of what is applied, then the log up to 5 is forgotten. */
  compact: ({ cluster }, id, index) => cluster.compact(node(id), logIndex(Number(index))),
  /** `log 1`: its whole log. */
  log: ({ cluster }, id) => {
    const { log } = cluster.node(node(id)).raft.view
    const entries = log.slice(logIndex(log.base.index + 1), Number.POSITIVE_INFINITY)
    const begin = log.base.index === 0 ? '' : `after ${renderPosition(log.base)}: `
    cluster.tell(`${id} log: ${begin}${renderEntries(entries) || 'nothing'}`)
  },
  /** `table 1`: the writes it has applied. */
  table: ({ cluster }, id) => cluster.tell(`${id} table: ${cluster.node(node(id)).rows.join(' ')}`),
  /** `views 1`: how many checkpoints it holds still for snapshots on their way. */
  views: ({ cluster }, id) =>
    cluster.tell(`${id} holds ${cluster.node(node(id)).disk.openSnapshots} checkpoints for snapshots`),
  members: ({ cluster }, id) => {
    cluster.tell(`${id} knows as members: ${renderMembers(cluster.node(node(id)).raft.view.configuration)}`)
  },
  status: ({ cluster }) => {
    for (const simulated of cluster.nodes.values()) {
      const { log, commitIndex } = simulated.raft.view
      const end = renderPosition({ index: log.lastIndex, term: log.lastTerm })
      cluster.tell(`${simulated.id} ${describeRole(simulated)}, log ends ${end}, committed ${commitIndex}`)
    }
  },
}

function node(word: string | undefined): NodeId {
  return named(present(word, 'a node'))
}

function campaign(cluster: Cluster, id: NodeId): void {
  cluster.do(id, ({ raft }) => raft.tick(raft.view.electionAtTick - raft.view.tick))
}

/** Lets the time pass for which the other voters have promised their vote to nobody. */
function wait(cluster: Cluster, candidate: NodeId): void {
  for (const id of cluster.nodes.keys()) {
    if (id !== candidate) cluster.do(id, ({ raft }) => raft.tick(options.electionTicks + 1))
  }
  cluster.letters.length = 0
}

function beat(cluster: Cluster, id: NodeId): void {
  const { raft } = cluster.node(id)
  if (raft.role.kind !== 'leader') return
  const ticks = Math.max(1, raft.role.heartbeatAtTick - raft.view.tick)
  cluster.do(id, () => raft.tick(ticks))
  deliverAll(cluster)
}

function propose(cluster: Cluster, id: NodeId, writes: readonly string[]): void {
  cluster.do(id, ({ raft }) => {
    for (const write of writes) {
      if (raft.propose(Buffer.from(write)) === undefined) cluster.tell(`${id} refuses ${write}`)
    }
  })
}

function change(
  cluster: Cluster,
  id: string | undefined,
  next: (configuration: Configuration) => Configuration,
): void {
  cluster.do(node(id), ({ raft }) => {
    if (raft.canChangeConfiguration) raft.proposeConfiguration(next(raft.view.configuration))
    else cluster.tell(`${id} refuses the change`)
  })
}

function deliverAll(cluster: Cluster): void {
  for (let letter = cluster.letters.shift(); letter !== undefined; letter = cluster.letters.shift()) {
    cluster.deliver(letter)
  }
}

/** Takes the first letters that wait on a link off the network. */
function take(cluster: Cluster, link: string | undefined, count: number): Letter[] {
  const taken = cluster.letters.filter(letter => isOn(letter, link)).slice(0, count)
  const left = cluster.letters.filter(letter => !taken.includes(letter))
  cluster.letters.splice(0, cluster.letters.length, ...left)
  return taken
}

function isOn(letter: Letter, link: string | undefined): boolean {
  return `${letter.from}->${letter.to}` === link
}
