/**
 * What a leader does: replicate its log, count what is committed, feed those who fell behind, change the
 * membership, hand over, and step down when it no longer hears a majority.
 */
import { assert, present } from '../base/assert.js'
import { type LogIndex, logIndex, type NodeId } from '../base/ids.js'
import { encodeConfiguration, isVoter, majority, reachedByMajority, voters } from './configuration.js'
import type { Core, Leadership } from './core.js'
import { sampleCommit, surveyMembers } from './health.js'
import { Progress } from './progress.js'
import { Reads } from './reads.js'
import type { Append, AppendReply, Configuration, EntryKind, SnapshotReply } from './types.js'

/**
 * The election is won (Raft paper, section 5.2): opens the term with a no-op, before whose commit nothing is
 * served.
 */
export function becomeLeader(core: Core): void {
  const firstIndex = logIndex(core.log.lastIndex + 1)
  const leadership: Leadership = {
    kind: 'leader',
    firstIndex,
    progress: new Map(),
    reads: new Reads(),
    commitSamples: [],
    transfer: undefined,
    heartbeatAtTick: core.tick,
    lastAppend: undefined,
  }
  const predecessor = core.lastLeader
  core.role = leadership
  core.leaderGone = false
  core.hurryUntilTick = core.tick
  core.electionsTried = 0
  core.setLeader(core.id)
  core.events.push({ kind: 'role', role: 'leader', term: core.term })
  meetMembers(core, leadership)
  if (predecessor !== undefined) rememberSilence(core, leadership, predecessor)
  // Entries of earlier terms are committed only together with one of this term (Raft paper, section 5.4.2),
  // and what is committed is known only once that has happened (section 8).
  appendEntry(core, 'no-op', new Uint8Array(0))
}

/** Appends a command; returns its index, or undefined while this leader takes none. */
export function proposeCommand(core: Core, leadership: Leadership, data: Uint8Array): LogIndex | undefined {
  if (!isServing(core, leadership) || leadership.transfer !== undefined) return undefined
  return appendEntry(core, 'command', data)
}

/** Whether a membership change may start now: one at a time, and never before the term's first commit. */
export function canChangeConfiguration(core: Core, leadership: Leadership): boolean {
  return (
    isServing(core, leadership) &&
    leadership.transfer === undefined &&
    core.log.configurationIndex <= core.commitIndex
  )
}

/** Appends a configuration that differs in one member; it is in force at once (dissertation, section 4.1). */
export function proposeConfiguration(core: Core, leadership: Leadership, next: Configuration): LogIndex {
  assert(canChangeConfiguration(core, leadership), 'one membership change at a time')
  const index = appendEntry(core, 'configuration', encodeConfiguration(next))
  meetMembers(core, leadership)
  return index
}

/** Whether the no-op of this term is committed: only then may reads and changes begin. */
export function isServing(core: Core, leadership: Leadership): boolean {
  return core.commitIndex >= leadership.firstIndex
}

/**
 * A linearizable read: ready at once (single voter, lease), or when its round is answered. The member for which it is, if
 * any, is told what is committed, by a message of the round or, where there is none, at once.
 */
export function startRead(core: Core, leadership: Leadership, token: number, asker?: NodeId): void {
  assert(isServing(core, leadership), 'a leader reads only after its no-op is committed')
  const read = { token, index: core.commitIndex }
  const hasLease = core.isLease && leadership.reads.hasLease(core.tick, core.options.electionTicks)
  const isReady = hasLease || isAlone(core)
  if (isReady) core.readyReads.push(read)
  else leadership.reads.add(read)
  const progress = asker && leadership.progress.get(asker)
  if (!progress || progress.toldCommit >= core.commitIndex) return
  if (!isReady) progress.wantsCommit = true
  else if (progress.sending.kind === 'streaming') sendEmpty(core, leadership, asker, progress, false)
}

/** Whether no other member votes. */
function isAlone({ configuration, id }: Core): boolean {
  return configuration.members.every(member => !member.voter || member.id === id)
}

/** Begins to hand leadership to `to`; proposals wait until it has, or until one election timeout has passed. */
export function startTransfer(core: Core, leadership: Leadership, to: NodeId): void {
  leadership.reads.dropLease()
  leadership.transfer = { to, untilTick: core.tick + core.options.electionTicks, asked: false }
}

/** Whether a member was heard in this term and within the last election timeout. */
export function isHeard(core: Core, leadership: Leadership, id: NodeId): boolean {
  if (id === core.id) return true
  const progress = leadership.progress.get(id)
  return progress?.heard === true && core.tick - progress.heardAtTick <= core.options.electionTicks
}

/**
 * Whether this leader is too new to know of a member whether it lives: it was not heard in this term, and had less than
 * an election timeout for it.
 */
export function isAwaited(core: Core, leadership: Leadership, id: NodeId): boolean {
  const progress = leadership.progress.get(id)
  return progress?.heard === false && core.tick - progress.heardAtTick <= core.options.electionTicks
}

/**
 * The other voter best suited to lead: heard and not gone, with room on its disk if that is asked for, furthest
 * along.
 */
export function bestSuccessor(core: Core, leadership: Leadership, withRoom: boolean): NodeId | undefined {
  let best: { readonly id: NodeId; readonly matched: number } | undefined
  for (const [id, { matched, diskFull, isGone }] of leadership.progress) {
    if (!isVoter(core.configuration, id) || !isHeard(core, leadership, id) || isGone) continue
    if (withRoom && diskFull) continue
    if (best === undefined || matched > best.matched) best = { id, matched }
  }
  return best?.id
}

/** At which tick {@link tickLeader} has something to do next. Whether a majority is heard may wait for a heartbeat. */
export function leaderDueAtTick(core: Core, leadership: Leadership): number {
  const { progress, reads, transfer, heartbeatAtTick } = leadership
  if (transfer !== undefined || reads.isAsking) return core.tick
  for (const each of progress.values()) if (isToBeTold(core, each)) return core.tick
  return heartbeatAtTick
}

/** Whether a member is to be told what is committed. An idle one should not have to wait for a heartbeat to learn it. */
function isToBeTold({ commitIndex }: Core, { toldCommit, sending }: Progress): boolean {
  return toldCommit < commitIndex && sending.kind === 'streaming'
}

/**
 * Time has passed: sends the heartbeats that are due (Raft paper, section 5.2), and steps down if no majority
 * was heard for an election timeout (dissertation, section 6.2).
 */
export function tickLeader(core: Core, leadership: Leadership): void {
  if (!hearsMajority(core, leadership)) {
    core.becomeFollower(core.term, undefined)
    return
  }
  if (leadership.transfer !== undefined && core.tick >= leadership.transfer.untilTick) {
    leadership.transfer = undefined
  }
  if (core.tick >= leadership.heartbeatAtTick) {
    leadership.heartbeatAtTick = core.tick + core.options.heartbeatTicks
    sampleCommit(core, leadership)
    core.health = surveyMembers(core, leadership)
    leadership.reads.startRound(core.tick)
    leadership.reads.noteAllAsked()
    for (const [id, progress] of leadership.progress) {
      if (progress.sending.kind === 'probing') progress.sending.waiting = false
      resendPiece(core, leadership, id, progress)
      sendEmpty(core, leadership, id, progress, true)
    }
    // The majority may have become smaller since the last answer came.
    settleReads(core, leadership)
    return
  }
  for (const [id, progress] of leadership.progress) {
    if (isToBeTold(core, progress)) sendEmpty(core, leadership, id, progress, false)
  }
}

/** At the end of a turn: a round for the reads that wait, and entries to everybody who has room for them. */
export function replicate(core: Core, leadership: Leadership): void {
  const { reads } = leadership
  const isRound = reads.wantsRound
  if (isRound) {
    reads.startRound(core.tick)
    reads.askAll(core.tick)
  }
  const untold: NodeId[] = []
  for (const [id, progress] of leadership.progress) {
    if (!sendEntries(core, leadership, id, progress)) untold.push(id)
  }
  if (isRound) askForRound(core, leadership, untold)
  else if (reads.shouldWiden(core.tick)) askForRoundAgain(core, leadership)
  const { transfer } = leadership
  if (transfer === undefined || transfer.asked) return
  if (leadership.progress.get(transfer.to)?.matched === core.log.lastIndex) {
    transfer.asked = true
    core.sendNow(transfer.to, { kind: 'timeout-now', term: core.term })
  }
}

/**
 * Of the members to which this turn sends no entries, asks those whose answers the round needs beside the others', and
 * those that wait to be told what is committed.
 */
function askForRound(core: Core, leadership: Leadership, untold: readonly NodeId[]): void {
  const { configuration, commitIndex } = core
  const all = voters(configuration)
  let needed = majority(all.length) - all.filter(voter => !untold.includes(voter)).length
  const candidates = untold.map(id => {
    const progress = present(leadership.progress.get(id), 'the progress of a member')
    const isWaiting = progress.wantsCommit && progress.toldCommit < commitIndex
    progress.wantsCommit = false
    const rank = (isWaiting ? 4 : 0) + (progress.isGone ? 0 : 2) + (leadership.reads.quickest === id ? 1 : 0)
    return { id, progress, isWaiting, rank }
  })
  candidates.sort((one, other) => other.rank - one.rank || other.progress.round - one.progress.round)
  for (const { id, progress, isWaiting } of candidates) {
    const counts = isVoter(configuration, id)
    if (!isWaiting && (needed <= 0 || !counts)) continue
    sendEmpty(core, leadership, id, progress, false)
    if (counts) needed--
  }
}

/** Some of those that were asked do not answer: asks everybody who has not. */
function askForRoundAgain(core: Core, leadership: Leadership): void {
  for (const [id, progress] of leadership.progress) {
    if (progress.round < leadership.reads.round) sendEmpty(core, leadership, id, progress, false)
  }
}

/** Counts what a majority holds; only an entry of this term may be counted (Raft paper, figure 8). */
export function countCommitted(core: Core, leadership: Leadership): void {
  const reached = logIndex(
    reachedByMajority(core.configuration, voter =>
      // The own copy counts once it is flushed, like everybody's.
      voter === core.id ? core.log.stable : (leadership.progress.get(voter)?.matched ?? 0),
    ),
  )
  if (reached <= core.commitIndex || core.log.termAt(reached) !== core.term) return
  core.advanceCommit(reached)
  if (core.log.configurationIndex <= core.commitIndex) forgetRemoved(core, leadership)
}

/**
 * Learns how far the follower's log agrees and is durable, or where to look for agreement (Raft paper, section
 * 5.3). Each reply also answers the read round that it names (dissertation, section 6.4).
 */
export function onAppendReply(core: Core, leadership: Leadership, from: NodeId, reply: AppendReply): void {
  const progress = leadership.progress.get(from)
  if (progress === undefined) return
  progress.noteHeard(core.tick)
  progress.diskFull = reply.diskFull
  progress.lastIndex = reply.lastIndex
  progress.appliedIndex = reply.appliedIndex
  if (reply.round > progress.round) {
    progress.round = reply.round
    leadership.reads.noteAnswer(from, reply.round)
  }

  const { outcome } = reply
  if (outcome.kind === 'matched') onMatched(core, leadership, progress, outcome.matched)
  else if (outcome.kind === 'mismatch' && outcome.previousIndex > progress.matched) {
    const agreeing = core.log.lastIndexWithTermUpTo(outcome.hintIndex, outcome.hintTerm)
    const next = logIndex(Math.max(progress.matched, agreeing) + 1)
    // Where a question from there or from before is on its way already, this answers an older one.
    const isOld = progress.sending.kind === 'probing' && progress.sending.next <= next
    if (progress.sending.kind !== 'snapshotting' && !isOld) progress.probeFrom(next)
  }
  settleReads(core, leadership)
}

/**
 * Sends the next piece of a snapshot, or entries again once it is installed (Raft paper, section 7). With a
 * member that lost pieces it had acknowledged both begin anew; replies about another snapshot send nothing.
 */
export function onSnapshotReply(
  core: Core,
  leadership: Leadership,
  from: NodeId,
  reply: SnapshotReply,
): void {
  const progress = leadership.progress.get(from)
  if (progress === undefined) return
  progress.noteHeard(core.tick)
  const { sending } = progress
  if (sending.kind !== 'snapshotting' || sending.snapshot.index !== reply.index) return
  if (reply.installed) {
    core.events.push({ kind: 'snapshot-sent', to: from, index: reply.index })
    progress.acknowledge(reply.index)
    progress.stream()
    countCommitted(core, leadership)
  } else if (reply.next === sending.sequence + 1) {
    sending.sequence = reply.next
    sending.piece = sending.snapshot.next(core.options.snapshotChunkBytes)
    sendPiece(core, from, progress)
  } else if (reply.next < sending.sequence) {
    // It lost pieces that it had acknowledged (it restarted, say): both begin anew.
    progress.probeFrom(logIndex(progress.matched + 1))
  }
}

/** What was sent to `node` may be lost: look again where the logs agree. */
export function suspectLoss(leadership: Leadership, node: NodeId): void {
  const progress = leadership.progress.get(node)
  if (progress?.sending.kind === 'streaming') progress.probeFrom(logIndex(progress.matched + 1))
}

/** The connection to `node` closed: what was sent may be lost, and nobody hands over to whoever may have died. */
export function loseConnection(leadership: Leadership, node: NodeId): void {
  suspectLoss(leadership, node)
  const progress = leadership.progress.get(node)
  if (progress !== undefined) progress.isGone = true
  leadership.reads.widen()
  if (leadership.transfer?.to === node) leadership.transfer = undefined
}

function onMatched(core: Core, leadership: Leadership, progress: Progress, matched: LogIndex): void {
  // A reply from another time of this log can only be a fault of the sender; it must not become ours.
  if (matched > core.log.lastIndex) return
  const news = progress.acknowledge(matched)
  if (progress.sending.kind === 'probing') {
    const next = progress.sending.next
    if (matched + 1 >= next) progress.stream()
    // The probe found the place, but what is durable there lies before it: the acknowledgement follows.
    else progress.sending.waiting = true
  }
  if (news) countCommitted(core, leadership)
}

/** Sends as many appends with entries as the follower has room for; returns whether any was sent. */
function sendEntries(core: Core, leadership: Leadership, to: NodeId, progress: Progress): boolean {
  let sent = false
  while (!progress.diskFull) {
    const { sending } = progress
    if (sending.kind === 'snapshotting') return sent
    if (sending.next <= core.log.base.index) {
      // A snapshot on its way keeps a checkpoint from being let go: not for a node that may never answer.
      if (isHeard(core, leadership, to)) startSnapshot(core, to, progress)
      return sent
    }
    if (sending.kind === 'probing' && sending.waiting) return sent
    if (sending.next > core.log.lastIndex) {
      if (sending.kind === 'streaming' || sent) return sent
      sending.waiting = true
      sendEmpty(core, leadership, to, progress, false)
      return true
    }
    if (sending.kind === 'streaming' && sending.inFlight.length >= core.options.appendsInFlightMax)
      return sent
    const append = appendFrom(core, leadership, sending.next)
    core.sendNow(to, append)
    progress.toldCommit = core.commitIndex
    sent = true
    if (sending.kind === 'probing') {
      sending.waiting = true
      return sent
    }
    const last = logIndex(append.previousIndex + append.entries.length)
    sending.inFlight.push(last)
    sending.next = logIndex(last + 1)
  }
  return sent
}

/** An append of the entries from `next` on. Followers that need the same get the same, so it is encoded once. */
function appendFrom(core: Core, leadership: Leadership, next: LogIndex): Append {
  const { lastAppend, reads } = leadership
  const logEnd = core.log.lastIndex
  if (lastAppend !== undefined && lastAppend.logEnd === logEnd) {
    const { previousIndex, commit, round } = lastAppend.append
    if (previousIndex + 1 === next && commit === core.commitIndex && round === reads.round)
      return lastAppend.append
  }
  const entries = core.log.slice(next, core.options.appendBytesMax)
  const append = makeAppend(core, leadership, logIndex(next - 1), entries, false)
  leadership.lastAppend = { append, logEnd }
  return append
}

function sendEmpty(
  core: Core,
  leadership: Leadership,
  to: NodeId,
  progress: Progress,
  isHeartbeat: boolean,
): void {
  const { sending } = progress
  const previous = sending.kind === 'snapshotting' ? 0 : sending.next - 1
  // What the follower holds is not known or compacted away here: ask about the beginning, which always agrees.
  const known = core.log.termAt(logIndex(previous)) === undefined ? 0 : previous
  core.sendNow(to, makeAppend(core, leadership, logIndex(known), [], isHeartbeat))
  progress.toldCommit = core.commitIndex
}

function makeAppend(
  core: Core,
  leadership: Leadership,
  previousIndex: LogIndex,
  entries: Append['entries'],
  isHeartbeat: boolean,
): Append {
  const previousTerm = previousIndex === 0 ? 0 : core.log.termAt(previousIndex)
  return {
    kind: 'append',
    term: core.term,
    previousIndex,
    previousTerm: present(previousTerm, 'the term before the entries to send') as Append['previousTerm'],
    commit: core.commitIndex,
    round: leadership.reads.round,
    entries,
    health: isHeartbeat ? core.health : undefined,
  }
}

function startSnapshot(core: Core, to: NodeId, progress: Progress): void {
  const snapshot = core.surroundings.openSnapshot()
  if (snapshot === undefined) return
  core.events.push({ kind: 'snapshot-sending', to, index: snapshot.index })
  progress.closeSnapshot()
  const piece = snapshot.next(core.options.snapshotChunkBytes)
  progress.sending = { kind: 'snapshotting', snapshot, sequence: 0, piece, sentAtTick: core.tick }
  sendPiece(core, to, progress)
}

function sendPiece(core: Core, to: NodeId, progress: Progress): void {
  const { sending } = progress
  assert(sending.kind === 'snapshotting', 'a piece belongs to a snapshot')
  sending.sentAtTick = core.tick
  core.sendNow(to, {
    kind: 'snapshot-chunk',
    term: core.term,
    index: sending.snapshot.index,
    indexTerm: sending.snapshot.term,
    sequence: sending.sequence,
    ...sending.piece,
  })
}

/** A piece that was not acknowledged for an election timeout was lost; a node that went silent gets none. */
function resendPiece(core: Core, leadership: Leadership, to: NodeId, progress: Progress): void {
  const { sending } = progress
  if (sending.kind !== 'snapshotting') return
  if (!isHeard(core, leadership, to)) progress.probeFrom(logIndex(progress.matched + 1))
  else if (core.tick - sending.sentAtTick >= core.options.electionTicks) sendPiece(core, to, progress)
}

function settleReads(core: Core, leadership: Leadership): void {
  const confirmed = reachedByMajority(core.configuration, voter =>
    voter === core.id ? leadership.reads.round : (leadership.progress.get(voter)?.round ?? 0),
  )
  core.readyReads.push(...leadership.reads.confirm(confirmed))
}

function hearsMajority(core: Core, leadership: Leadership): boolean {
  const all = voters(core.configuration)
  const heard = all.filter(voter => {
    if (voter === core.id) return true
    const progress = leadership.progress.get(voter)
    return progress !== undefined && core.tick - progress.heardAtTick <= core.options.electionTicks
  })
  return heard.length >= majority(all.length)
}

function appendEntry(core: Core, kind: EntryKind, data: Uint8Array): LogIndex {
  const index = logIndex(core.log.lastIndex + 1)
  core.log.append({ index, term: core.term, kind, data })
  return index
}

/** Followers speak to nobody but their leader, so only of that one does a new leader know how long it is silent. */
function rememberSilence(core: Core, leadership: Leadership, predecessor: NodeId): void {
  const progress = leadership.progress.get(predecessor)
  const heardAtTick = core.heardAtTick.get(predecessor)
  if (progress !== undefined && heardAtTick !== undefined) progress.heardAtTick = heardAtTick
}

/** Starts to replicate to members that are new in the configuration. */
function meetMembers(core: Core, leadership: Leadership): void {
  for (const { id } of core.configuration.members) {
    if (id === core.id || leadership.progress.has(id)) continue
    leadership.progress.set(id, new Progress(logIndex(core.log.lastIndex + 1), core.tick))
  }
}

/** A removal is committed: the removed are no longer fed, and a removed leader steps down. */
function forgetRemoved(core: Core, leadership: Leadership): void {
  const members = new Set(core.configuration.members.map(member => member.id))
  for (const [id, progress] of leadership.progress) {
    if (members.has(id)) continue
    progress.closeSnapshot()
    leadership.progress.delete(id)
  }
  if (!isVoter(core.configuration, core.id)) core.becomeFollower(core.term, undefined)
}
