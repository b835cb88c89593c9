/**
 * The drill at the end of a run: a leader falls silent while nothing else is wrong, and must be replaced in time.
 * Among the two that are left of three members, one lacks the last write. It cannot win, and keeps asking all the
 * same; that must not keep the other one from winning.
 */
import type { SimulatedNetwork } from './network.js'
import type { SimulatedNode } from './node.js'
import type { Swarm } from './swarm.js'
import type { World } from './world.js'

/** Messages and flushes of an election take far less. */
const slackMs = 50

/** Returns what was broken, in words; undefined if all went well, or if this run's members do not fit. */
export function drillSuccession(
  world: World,
  network: SimulatedNetwork,
  swarm: Swarm,
  members: readonly SimulatedNode[],
): string | undefined {
  const leader = members.find(leads)
  const [stale, fresh] = members.filter(node => node !== leader)
  if (leader === undefined || stale === undefined || fresh === undefined || members.length !== 3)
    return undefined
  const configured = leader.replica?.configuration.members ?? []
  if (configured.length !== 3 || configured.some(({ voter }) => !voter)) return undefined
  const { electionTicks, tickMs } = swarm.node.replica
  const electionMs = (electionTicks * tickMs) / (1 - swarm.driftMax)

  world.note('', `drill: ${leader.name} is to fall silent, ${stale.name} lacks its last write`)
  network.block(leader.name, stale.name)
  network.block(stale.name, leader.name)
  // By then the one that is cut off has noticed, and asks for votes that it does not get.
  world.runUntil(world.nowMs() + 3 * electionMs)
  leader.deliver(() => leader.submit({ op: 'set', key: 'drill', value: Buffer.from('drill') }, () => {}))
  // Links broken earlier may still be coming up; what is asked here is that of members that can talk.
  const holdsAll = (): boolean =>
    lastIndex(fresh) > lastIndex(stale) &&
    lastIndex(fresh) === lastIndex(leader) &&
    network.isConnected(fresh.name, stale.name) &&
    network.isConnected(stale.name, fresh.name)
  const isReady = world.runUntil(world.nowMs() + electionMs, holdsAll)
  if (isReady && leads(leader)) {
    leader.cutPower()
    // The longest that its own timer may take; what the other one asks must not put it off.
    const boundMs = 2 * electionMs + 4 * tickMs + slackMs
    if (!world.runUntil(world.nowMs() + boundMs, () => leads(fresh))) {
      return `no new leader within ${Math.round(boundMs)} ms after ${leader.name} fell silent`
    }
  }
  network.heal()
  leader.start()
  return undefined
}

function leads(node: SimulatedNode): boolean {
  return node.replica?.raft.role.kind === 'leader'
}

function lastIndex(node: SimulatedNode): number {
  return node.replica?.raft.view.log.stable ?? 0
}
