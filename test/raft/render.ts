/** How messages, entries and batches read in a script. `4@2` is the entry at index 4, of term 2. */
import { unreachable } from '../../src/base/assert.js'
import { decodeConfiguration } from '../../src/raft/configuration.js'
import type { LogPosition } from '../../src/raft/log.js'
import type {
  Append,
  AppendReply,
  Configuration,
  Entry,
  RaftMessage,
  RaftSaved,
} from '../../src/raft/types.js'

export function renderMessage(message: RaftMessage): string {
  const { kind, term } = message
  switch (kind) {
    case 'pre-vote-request':
      return `pre-vote? term ${term}, log ends ${message.lastIndex}@${message.lastTerm}`
    case 'pre-vote-reply':
      return `pre-vote ${message.granted ? 'yes' : 'no'}, term ${term}`
    case 'vote-request': {
      const transfer = message.transfer ? ', asked by the leader' : ''
      return `vote? term ${term}, log ends ${message.lastIndex}@${message.lastTerm}${transfer}`
    }
    case 'vote-reply':
      return `vote ${message.granted ? 'yes' : 'no'}, term ${term}`
    case 'append':
      return renderAppend(message)
    case 'append-reply':
      return renderReply(message)
    case 'snapshot-chunk': {
      const last = message.meta === undefined ? '' : ', the last'
      return `snapshot ${message.index}@${message.indexTerm} piece ${message.sequence}${last}, term ${term}`
    }
    case 'snapshot-reply': {
      const state = message.installed ? 'is installed' : `wants piece ${message.next}`
      return `snapshot ${message.index} ${state}, term ${term}`
    }
    case 'timeout-now':
      return `take over, term ${term}`
    default:
      return unreachable(kind)
  }
}

export function renderEntry(entry: Entry): string {
  const place = renderPosition(entry)
  if (entry.kind === 'no-op') return `${place} no-op`
  if (entry.kind === 'command') return `${place} ${Buffer.from(entry.data).toString()}`
  const configuration = decodeConfiguration(entry.data)
  return `${place} members ${configuration === undefined ? '?' : renderMembers(configuration)}`
}

/** Voters by name, learners in parentheses. */
export function renderMembers({ members }: Configuration): string {
  return members.map(({ id, voter }) => (voter ? id : `(${id})`)).join(' ')
}

export function renderPosition({ index, term }: LogPosition): string {
  return `${index}@${term}`
}

export function renderEntries(entries: readonly Entry[]): string {
  return entries.map(renderEntry).join(', ')
}

/** One batch for the disk, in its order. */
export function renderSaved(batch: readonly RaftSaved[]): string {
  return batch
    .map(saved => {
      switch (saved.kind) {
        case 'state':
          return `term ${saved.state.term}, vote ${saved.state.votedFor ?? 'none'}`
        case 'entries':
          return renderEntries(saved.entries)
        case 'reset':
          return `log begins after ${renderPosition(saved)}`
        case 'snapshot-begin':
          return 'a snapshot begins'
        case 'snapshot-rows':
          return `snapshot rows ${Buffer.from(saved.data).toString()}`
        case 'snapshot-end':
          return 'the snapshot replaces the table'
        default:
          return unreachable(saved)
      }
    })
    .join(', ')
}

function renderAppend(append: Append): string {
  const { term, commit, round, entries, health } = append
  const after = `${append.previousIndex}@${append.previousTerm}`
  const what =
    entries.length > 0
      ? `append ${renderEntries(entries)} after ${after}`
      : `${health === undefined ? 'nothing new' : 'heartbeat'} after ${after}`
  return `${what}, term ${term}, commit ${commit}${renderRound(round)}`
}

function renderReply({ term, round, outcome, diskFull }: AppendReply): string {
  const full = diskFull ? ', disk full' : ''
  const end = `, term ${term}${renderRound(round)}${full}`
  switch (outcome.kind) {
    case 'matched':
      return `has up to ${outcome.matched}${end}`
    case 'mismatch':
      return `lacks ${outcome.previousIndex}, may agree at ${outcome.hintIndex}@${outcome.hintTerm}${end}`
    case 'stale':
      return `your term is over${end}`
    default:
      return unreachable(outcome)
  }
}

function renderRound(round: number): string {
  return round === 0 ? '' : `, round ${round}`
}
