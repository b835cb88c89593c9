/** The leader's view of the members: who is heard, who lags. It travels with the heartbeats. */
import { type LogIndex, logIndex } from '../base/ids.js'
import type { Core, Leadership } from './core.js'
import type { MemberHealth } from './types.js'

/** Remembers what is committed now, and forgets samples that no question will reach back to. */
export function sampleCommit(core: Core, leadership: Leadership): void {
  const { commitSamples } = leadership
  commitSamples.push({ tick: core.tick, commit: core.commitIndex })
  const oldest = core.tick - core.options.electionTicks
  // The newest sample that is old enough is kept, and everything after it.
  while (commitSamples[1] !== undefined && commitSamples[1].tick <= oldest) commitSamples.shift()
}

/** What was committed one election timeout ago, or 0 if this leader does not know yet. */
function committedBefore(core: Core, leadership: Leadership): LogIndex {
  const [first] = leadership.commitSamples
  if (first === undefined || first.tick > core.tick - core.options.electionTicks) return logIndex(0)
  return first.commit
}

/** Every member's state, the leader first among equals: in the order of the configuration. */
export function surveyMembers(core: Core, leadership: Leadership): MemberHealth[] {
  const due = committedBefore(core, leadership)
  // A learner begins with nothing, and is in sync once it holds what was committed a heartbeat ago.
  const dueOfLearner = leadership.commitSamples.at(-2)?.commit ?? core.commitIndex
  return core.configuration.members.map(({ id, voter }) => {
    const progress = leadership.progress.get(id)
    if (progress === undefined) return ownHealth(core)
    const silentTicks = core.tick - progress.heardAtTick
    const heard = progress.heard && silentTicks <= core.options.electionTicks
    const target = voter ? due : dueOfLearner
    // Right after an election nobody was heard yet, which says nothing: what was known before still stands.
    const isNew = !progress.heard && silentTicks <= core.options.electionTicks
    const before = core.health.find(health => health.id === id)
    return {
      id,
      heard: isNew ? (before?.heard ?? voter) : heard,
      inSync: isNew ? (before?.inSync ?? voter) : heard && progress.matched >= target,
      lastIndex: progress.lastIndex,
      appliedIndex: progress.appliedIndex,
      lag: Math.max(0, core.commitIndex - progress.matched),
      silentTicks,
      diskFull: progress.diskFull,
    }
  })
}

function ownHealth(core: Core): MemberHealth {
  return {
    id: core.id,
    heard: true,
    inSync: true,
    lastIndex: core.log.lastIndex,
    appliedIndex: core.appliedIndex,
    lag: 0,
    silentTicks: 0,
    diskFull: core.diskFull,
  }
}
