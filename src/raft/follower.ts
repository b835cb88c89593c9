/** What a follower does with what its leader sends: entries, heartbeats, snapshots (Raft paper, 5.3 and 7). */
import { assert, present } from '../base/assert.js'
import { type LogIndex, logIndex, type NodeId, type Term } from '../base/ids.js'
import type { Core } from './core.js'
import type { LogPosition } from './log.js'
import type { Append, AppendReply, SnapshotChunk } from './types.js'

/**
 * The receiver's side of AppendEntries (Raft paper, section 5.3 and figure 2): takes the entries where the logs
 * agree before them, and learns what is committed. Entries are acknowledged only once they are durable.
 */
export function onAppend(core: Core, from: NodeId, append: Append): void {
  if (!followLeader(core, from, append.term)) return
  if (append.round > core.seenRound) core.seenRound = append.round
  if (append.health !== undefined) core.health = append.health

  // What is committed here stands in every later leader's log (Raft paper, 5.4.3): no need to compare it.
  if (core.verified < core.commitIndex) core.verified = core.commitIndex
  const appendEnd = logIndex(append.previousIndex + append.entries.length)
  if (append.previousIndex > core.commitIndex) {
    const termHere = core.log.termAt(append.previousIndex)
    if (termHere !== append.previousTerm) {
      reply(core, from, mismatch(core, append))
      return
    }
  }
  if (!core.diskFull) {
    takeEntries(core, append)
    if (appendEnd > core.verified) core.verified = appendEnd
  } else if (append.previousIndex > core.verified) core.verified = append.previousIndex
  core.advanceCommit(logIndex(Math.min(append.commit, core.verified)))

  if (append.entries.length > 0 && core.verified > core.log.stable) core.owesReplyTo = from
  else acknowledge(core, from)
}

/** What an append is answered with once everything in the log is durable. */
export function ownedReply(core: Core): AppendReply {
  return appendReply(core, { kind: 'matched', matched: core.verified })
}

/**
 * The receiver's side of InstallSnapshot (Raft paper, section 7, figure 13). Pieces are taken in their order
 * only, and each is acknowledged once it is durable; the last one has the snapshot put in the table's place.
 */
export function onSnapshotChunk(core: Core, from: NodeId, chunk: SnapshotChunk): void {
  if (!followLeader(core, from, chunk.term) || core.installing !== undefined) return
  if (chunk.index <= core.commitIndex) {
    // The log overtook the snapshot. The answer promises durability, so it has to wait for the flush.
    core.receiving = undefined
    if (chunk.index <= core.log.stable) replyToChunk(core, from, chunk.index, chunk.sequence + 1, true)
    return
  }
  // Pieces are numbered by their sender: those of two leaders are never put together.
  const isKnown = core.receiving?.index === chunk.index && core.receiving.from === from
  const isRepeatOfFirst = isKnown && core.receiving?.next === 1
  if (chunk.sequence === 0 && !isRepeatOfFirst) {
    core.receiving = { from, index: chunk.index, indexTerm: chunk.indexTerm, next: 0 }
    core.toSave.push({ kind: 'snapshot-begin' })
    core.events.push({ kind: 'snapshot-receiving', index: chunk.index })
  } else if (!isKnown) {
    replyToChunk(core, from, chunk.index, 0, false)
    return
  }
  const receiving = present(core.receiving, 'the snapshot that is coming in')
  if (chunk.sequence === receiving.next) {
    core.toSave.push({ kind: 'snapshot-rows', data: chunk.data })
    receiving.next++
    if (chunk.meta !== undefined) {
      beginInstall(core, from, chunk, chunk.meta)
      return
    }
  }
  replyToChunk(core, from, chunk.index, receiving.next, false)
}

/** The snapshot is in the place of the table, durably: the log goes on from there. */
export function finishInstall(core: Core): void {
  const { index, term, meta, from } = present(core.installing, 'the snapshot that was saved')
  core.installing = undefined
  const base: LogPosition = { index, term }
  adoptBase(core, base, meta)
  core.advanceCommit(index)
  if (core.verified < index) core.verified = index
  core.installed = base
  core.events.push({ kind: 'snapshot-installed', index })
  replyToChunk(core, from, index, 0, true)
}

/**
 * Lets the log continue at a snapshot that ends at `base`. Entries after it are kept where the log holds that
 * very entry: they may be committed, or the leader may count on them (Raft paper, section 7).
 */
function adoptBase(core: Core, base: LogPosition, meta: Uint8Array): void {
  const { log } = core
  const isJournalled = log.stable >= base.index
  if (log.termAt(base.index) === base.term) {
    // The table holds what these entries did, so they are durable even if the journal lacks them.
    log.markStable(base.index)
    log.compact(base.index)
    if (isJournalled) return
  } else {
    assert(core.commitIndex <= base.index, 'what is committed is never dropped for a snapshot')
    const configuration = core.surroundings.configurationOf(meta)
    log.reset(base, present(configuration, 'the configuration of a snapshot that was checked'))
  }
  // What the journal holds up to here is not what the snapshot covers, and must not be put before what follows.
  core.toSave.push({ kind: 'reset', ...base })
}

/** Notes that the leader of `term` lives; returns false if it is not the leader (any more). */
function followLeader(core: Core, from: NodeId, term: Term): boolean {
  if (term < core.term) {
    // The reply tells a deposed leader, or one that was cut off, of the newer term.
    core.sendWhenDurable(from, appendReply(core, { kind: 'stale' }))
    return false
  }
  // A second leader of the same term cannot be: whoever claims it is not believed.
  if (term === core.term && (core.role.kind === 'leader' || (core.leader ?? from) !== from)) return false
  if (term > core.term || core.role.kind !== 'follower' || core.leader !== from)
    core.becomeFollower(term, from)
  core.leaderHeardAtTick = core.tick
  core.leaderGone = false
  core.hurryUntilTick = core.tick
  core.electionsTried = 0
  core.resetElectionTimer()
  return true
}

function takeEntries(core: Core, append: Append): void {
  for (const entry of append.entries) {
    if (entry.index <= core.commitIndex) continue
    const termHere = core.log.termAt(entry.index)
    // An entry that is there already stays, and so does what follows it: this append may be an old one that
    // comes late, and later ones may have been acknowledged.
    if (termHere === entry.term) continue
    if (termHere !== undefined) core.truncateFrom(entry.index)
    core.log.append(entry)
  }
}

function mismatch(core: Core, append: Append): AppendReply['outcome'] {
  const hintIndex = core.log.lastIndexWithTermUpTo(append.previousIndex, append.previousTerm)
  const hintTerm = core.log.termAt(hintIndex) ?? core.log.base.term
  return { kind: 'mismatch', previousIndex: append.previousIndex, hintIndex, hintTerm }
}

function acknowledge(core: Core, to: NodeId): void {
  const matched = core.verified < core.log.stable ? core.verified : core.log.stable
  reply(core, to, { kind: 'matched', matched })
}

function reply(core: Core, to: NodeId, outcome: AppendReply['outcome']): void {
  core.sendWhenDurable(to, appendReply(core, outcome))
}

function appendReply(core: Core, outcome: AppendReply['outcome']): AppendReply {
  return {
    kind: 'append-reply',
    term: core.term,
    round: core.seenRound,
    outcome,
    lastIndex: core.log.lastIndex,
    appliedIndex: core.appliedIndex,
    diskFull: core.diskFull,
  }
}

function beginInstall(core: Core, from: NodeId, chunk: SnapshotChunk, meta: Uint8Array): void {
  core.receiving = undefined
  // Bytes from outside: what cannot be read is not installed, and the leader begins anew.
  if (core.surroundings.configurationOf(meta) === undefined) return
  core.installing = { index: chunk.index, term: chunk.indexTerm, meta, from }
  core.toSave.push({ kind: 'snapshot-end', meta })
}

/** A piece is acknowledged only once it is on the disk. */
function replyToChunk(core: Core, to: NodeId, index: LogIndex, next: number, installed: boolean): void {
  core.sendQueue.push({ to, message: { kind: 'snapshot-reply', term: core.term, index, next, installed } })
}
