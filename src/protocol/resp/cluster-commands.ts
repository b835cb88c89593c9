/** CLUSTER: what cluster clients ask to find the leader. */
import { keysPerPageMax } from '../command.js'
import { type ClusterStatus, type ConsensusStatus, failure } from '../request.js'
import { subcommandHelp } from './client-commands.js'
import {
  addressOf,
  clusterInfoText,
  leaderOf,
  nodeLine,
  nodesText,
  shardsReply,
  shownId,
  slotsReply,
} from './cluster-view.js'
import type { RespCommandRow } from './command-row.js'
import { textOf } from './connection-commands.js'
import type {
  Ask,
  ConnectionCommandRow,
  ContainerCommandRow,
  Outcome,
  Question,
  RespHost,
} from './conversation.js'
import { failureReply } from './failures.js'
import { arrayReply, errorReply, integerReply, type RespReply, textReply } from './reply.js'
import { slotCount, slotOf } from './slot.js'

/** CLUSTER and its subcommands. */
export const clusterCommand: ContainerCommandRow = {
  ...row(-2, '3.0.0', 'What concerns the cluster'),
  subcommands: {
    slots: {
      ...row(2, '3.0.0', 'Tell where the slots are: all of them at the leader'),
      ...asking(slotsReply),
    },
    shards: {
      ...row(2, '7.0.0', 'Tell the same with more of each node'),
      ...asking(shardsReply),
    },
    info: {
      ...row(2, '3.0.0', 'Tell how the cluster is'),
      ...asking(status => ({ kind: 'verbatim', text: clusterInfoText(status) })),
    },
    nodes: {
      ...row(2, '3.0.0', 'List the nodes, a line each'),
      ...asking((status, host) => ({ kind: 'verbatim', text: nodesText(status, host.address) })),
    },
    replicas: {
      ...row(3, '5.0.0', 'List the replicas of a node'),
      ...asking((status, host, words) => replicas(status, host, textOf(words[2]))),
    },
    myid: {
      ...row(2, '3.0.0', 'Give the identity of this node'),
      ...asking((status, host) => {
        const self = status.members.find(({ address }) => address === host.address)
        return self === undefined ? failureReply(failure('NOT_A_MEMBER')) : textReply(shownId(self.id))
      }),
    },
    keyslot: {
      ...row(3, '3.0.0', 'Tell the slot of a key'),
      run: ([, , key]) => integerReply(slotOf(key ?? Buffer.alloc(0))),
    },
    countkeysinslot: {
      ...row(3, '3.0.0', 'Count the keys of a slot, by looking at all keys'),
      inTransaction: 'refused',
      run: ([, , slot]) => countKeys(textOf(slot)),
    },
    help: {
      ...row(2, '5.0.0', 'List the subcommands'),
      run: (_words, { table }) => subcommandHelp('CLUSTER', table),
    },
  },
}

/** A question for the state of the cluster, answered by the asked node itself. */
export function askStatus(
  next: (status: ClusterStatus) => RespReply | Question,
  without: (response: RespReply) => RespReply | Question = reply => reply,
): Ask {
  const first: Question = {
    kind: 'question',
    request: { op: 'status' },
    next: response => {
      if (response.kind === 'status') return next(response.status)
      return without(failureReply(response.kind === 'error' ? response : failure('NOT_A_MEMBER')))
    },
  }
  return { kind: 'ask', order: 'read', first }
}

/** The same for a command that makes sense under consensus only; `command` is its name. */
export function askConsensus(command: string, next: (status: ConsensusStatus) => RespReply | Question): Ask {
  return askStatus(status => {
    if (status.engine === 'raft') return next(status)
    return failureReply(failure('ENGINE_MISMATCH', { command, engine: 'raft' }))
  })
}

/**
 * Asks a question for a client that holds this node for a replica: if another one leads, the client is sent there
 * instead, as in Redis. It says READONLY to replicas, so this is a write that came here because it knows no better.
 */
export function askIfLeading(question: Question, slot: number, self: string): Question {
  return {
    kind: 'question',
    request: { op: 'status' },
    next: response => {
      const isConsensus = response.kind === 'status' && response.status.engine === 'raft'
      const leader = isConsensus ? leaderOf(response.status) : undefined
      if (leader === undefined || leader.address === self) return question
      const { host, port } = addressOf(leader)
      return errorReply(`MOVED ${slot} ${host}:${port}`)
    },
  }
}

function row(arity: number, since: string, summary: string): RespCommandRow {
  return { arity, flags: ['loading', 'stale'], keys: [0, 0, 0], group: 'cluster', since, summary }
}

function asking(
  reply: (status: ConsensusStatus, host: RespHost, words: readonly Buffer[]) => RespReply,
): Pick<ConnectionCommandRow, 'run' | 'inTransaction'> {
  return {
    inTransaction: 'refused',
    run: (words, { host }) => askConsensus('cluster', status => reply(status, host, words)),
  }
}

function replicas(status: ConsensusStatus, host: RespHost, id: string): RespReply {
  const member = status.members.find(candidate => shownId(candidate.id) === id)
  if (member === undefined) return errorReply(`ERR Unknown node ${id.slice(0, 40).replace(/[^\w-]/g, '?')}`)
  if (member !== leaderOf(status)) return errorReply('ERR The specified node is not a master')
  const others = status.members.filter(candidate => candidate !== member)
  return arrayReply(others.map(other => textReply(nodeLine(other, status, host.address))))
}

/** Keys are not kept by slot, as there is but one place for them: they are all looked at, a page at a time. */
function countKeys(slotText: string): Outcome {
  if (!/^\d{1,5}$/.test(slotText) || Number(slotText) >= slotCount) return errorReply('ERR Invalid slot')
  const slot = Number(slotText)
  const page = (after: string, counted: number): Question => ({
    kind: 'question',
    request: { op: 'keys', prefix: '', after, limit: keysPerPageMax },
    next: response => {
      if (response.kind === 'error') return failureReply(response)
      const keys = response.kind === 'keys' ? response.keys : []
      const sum = keys.reduce((count, key) => count + (slotOf(Buffer.from(key)) === slot ? 1 : 0), counted)
      const last = keys.at(-1)
      const isMore = response.kind === 'keys' && response.more && last !== undefined
      return isMore ? page(last, sum) : integerReply(sum)
    },
  })
  return { kind: 'ask', order: 'read', first: page('', 0) }
}
