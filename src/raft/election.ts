/**
 * Elections: when they start, who gets a vote, and when they are won (Raft paper, section 5.2 and 5.4.1;
 * pre-vote: dissertation, section 9.6).
 */
import { type NodeId, type Term, term } from '../base/ids.js'
import { isVoter, majority, voters } from './configuration.js'
import type { Campaign, Candidacy, Core, Leadership, Role } from './core.js'
import { becomeLeader } from './leader.js'
import type { PreVoteReply, PreVoteRequest, TimeoutNow, VoteReply, VoteRequest } from './types.js'

/** The election timer ran out: ask whether an election could be won. */
export function startPreVote(core: Core): void {
  core.resetElectionTimer()
  core.setLeader(undefined)
  if (!mayLead(core)) return
  core.role = { kind: 'pre-candidate', granted: new Set([core.id]), askAgainAtTick: core.tick }
  ask(core, core.role)
  decidePreVote(core)
}

/**
 * Time passed for a node that asks: those who have not said yes are asked again with every heartbeat interval. A
 * request or its answer may have been lost, a connection may be up only now, and who refused because it still
 * heard the leader may have stopped hearing it (Raft paper, section 5.1: requests without an answer are repeated).
 */
export function tickCampaign(core: Core, role: Campaign | Candidacy): void {
  if (core.tick >= role.askAgainAtTick) ask(core, role)
}

/** At which tick a node that does not lead has something to do next. */
export function electionDueAtTick(core: Core, role: Exclude<Role, Leadership>): number {
  return role.kind === 'follower' ? core.electionAtTick : Math.min(role.askAgainAtTick, core.electionAtTick)
}

/**
 * Answers whether this node would vote for the asker in that term (dissertation, section 9.6). It changes
 * neither term nor vote, so it may be answered for any number of nodes.
 */
export function onPreVoteRequest(core: Core, from: NodeId, request: PreVoteRequest): void {
  const granted =
    request.term > core.term &&
    !core.isLeaderAlive() &&
    core.log.isUpToDate({ index: request.lastIndex, term: request.lastTerm })
  // Nothing was promised, so nothing has to be durable; but the term that is told must be.
  core.sendWhenDurable(from, { kind: 'pre-vote-reply', term: granted ? request.term : core.term, granted })
}

/**
 * Counts a pre-vote, and starts the election once a majority would vote for this node (dissertation, section
 * 9.6). A refusal from a later term makes it a follower of that term.
 */
export function onPreVoteReply(core: Core, from: NodeId, reply: PreVoteReply): void {
  if (!reply.granted) {
    if (reply.term > core.term) core.becomeFollower(reply.term, undefined)
    return
  }
  if (core.role.kind !== 'pre-candidate' || reply.term !== nextTerm(core)) return
  core.role.granted.add(from)
  decidePreVote(core)
}

/**
 * Gives at most one vote in a term, and only to a node whose log is at least as up to date (Raft paper,
 * sections 5.2 and 5.4.1). The reply leaves once the vote is durable.
 */
export function onVoteRequest(core: Core, from: NodeId, request: VoteRequest): void {
  // Whoever still hears the leader does not help to depose it, nor takes over a higher term for it; unless
  // the leader itself asked for the election. That holds even where the term was learned in another way.
  const listens = request.transfer || !core.isLeaderAlive()
  if (request.term > core.term && listens) core.becomeFollower(request.term, undefined)
  const granted =
    listens &&
    request.term === core.term &&
    (core.role.kind === 'follower' || core.role.kind === 'pre-candidate') &&
    core.leader === undefined &&
    (core.votedFor === undefined || core.votedFor === from) &&
    core.log.isUpToDate({ index: request.lastIndex, term: request.lastTerm })
  if (granted && core.votedFor === undefined) {
    core.votedFor = from
    core.role = { kind: 'follower' }
    // Not where the request is only a repeat: a candidate that cannot win would put the next election off. Whoever
    // is in a hurry gives the candidate the time of two heartbeats: flushes take their time, and to ask for votes
    // again a moment after giving one would depose the winner.
    core.resetElectionTimer(2 * core.options.heartbeatTicks)
  }
  core.sendWhenDurable(from, { kind: 'vote-reply', term: core.term, granted })
}

/**
 * Counts a vote for this candidacy; with a majority the node leads (Raft paper, section 5.2). Votes of earlier
 * terms are ignored, repeated ones count once.
 */
export function onVoteReply(core: Core, from: NodeId, reply: VoteReply): void {
  if (reply.term > core.term) {
    core.becomeFollower(reply.term, undefined)
    return
  }
  if (core.role.kind !== 'candidate' || reply.term !== core.term || !reply.granted) return
  core.role.granted.add(from)
  decideVote(core)
}

/** The leader hands over: its silence need not be waited for, and no pre-vote is needed. */
export function onTimeoutNow(core: Core, from: NodeId, message: TimeoutNow): void {
  if (message.term !== core.term || core.leader !== from || core.role.kind !== 'follower') return
  if (isVoter(core.configuration, core.id)) startElection(core, true)
}

/** This node's own vote is durable, and counts from now on. */
export function onOwnVoteDurable(core: Core): void {
  if (core.role.kind !== 'candidate' || core.votedFor !== core.id || !core.isStateDurable) return
  core.role.granted.add(core.id)
  decideVote(core)
}

/**
 * Whether this node may stand for election. One whose own log removes it still may while that is not known to be
 * committed: its log may be the only one that a majority can agree on. Its own vote does not count, and it steps
 * down when the removal is committed (dissertation, section 4.2.2).
 */
function mayLead(core: Core): boolean {
  const { log, commitIndex, id } = core
  return isVoter(core.configuration, id) || isVoter(log.configurationAt(commitIndex), id)
}

function startElection(core: Core, transfer: boolean): void {
  core.term = nextTerm(core)
  core.votedFor = core.id
  core.role = { kind: 'candidate', transfer, granted: new Set(), askAgainAtTick: core.tick }
  core.setLeader(undefined)
  // A majority hears no leader. Should the votes be split, there is no reason to wait for one to speak up.
  core.hurryUntilTick = core.tick + core.options.electionTicks
  core.electionsTried++
  core.resetElectionTimer()
  core.events.push({ kind: 'role', role: 'candidate', term: core.term })
  ask(core, core.role)
}

/** Asks every voter that has not said yes. */
function ask(core: Core, role: Campaign | Candidacy): void {
  role.askAgainAtTick = core.tick + core.options.heartbeatTicks
  const position = { lastIndex: core.log.lastIndex, lastTerm: core.log.lastTerm }
  for (const voter of voters(core.configuration)) {
    if (voter === core.id || role.granted.has(voter)) continue
    if (role.kind === 'pre-candidate') {
      core.sendNow(voter, { kind: 'pre-vote-request', term: nextTerm(core), ...position })
    } else {
      // It leaves when the own vote is durable: a node that forgot it could vote twice in this term.
      const { transfer } = role
      core.sendWhenDurable(voter, { kind: 'vote-request', term: core.term, ...position, transfer })
    }
  }
}

function decidePreVote(core: Core): void {
  if (core.role.kind === 'pre-candidate' && isMajority(core, core.role.granted)) startElection(core, false)
}

function decideVote(core: Core): void {
  // Its own vote must be among them, or rather durable, even where the others suffice: a leader whose vote is
  // not on its disk could vote for another one in the same term after a crash.
  if (core.role.kind !== 'candidate' || !core.role.granted.has(core.id)) return
  if (isMajority(core, core.role.granted)) becomeLeader(core)
}

function isMajority(core: Core, granted: ReadonlySet<NodeId>): boolean {
  const all = voters(core.configuration)
  return all.filter(voter => granted.has(voter)).length >= majority(all.length)
}

function nextTerm(core: Core): Term {
  return term(core.term + 1)
}
