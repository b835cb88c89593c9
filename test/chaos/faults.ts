/** The faults that are tried: each strikes, and gives back how to undo it. */
import type { Random } from '../../src/base/random.js'
import type { ChaosCluster, Member } from './cluster.js'
import { between, block, type Slowness, slowDown, speedUp, unblock, type Way } from './network-faults.js'
import type { Family, PlannedHost } from './plan.js'

/** What a fault may use. */
export interface Scene {
  readonly random: Random
  readonly cluster: ChaosCluster
  readonly clientHost: PlannedHost
  readonly leader: Member
  readonly followers: readonly Member[]
  /** Undefined where links cannot be made slow; such faults are not tried then. */
  readonly slowness: Slowness | undefined
}

/** Heals what a fault has done. */
export type Undo = () => void | Promise<void>

/** One thing that can go wrong. */
export interface FaultKind {
  readonly family: Family
  readonly name: string
  /** How often it is drawn beside the others. */
  readonly weight: number
  strike(scene: Scene): Promise<Undo>
}

/** All of them. */
export const faultKinds: readonly FaultKind[] = [
  {
    family: 'kill',
    name: 'leader killed',
    weight: 2,
    strike: ({ cluster, leader }) => kill(cluster, [leader]),
  },
  {
    family: 'kill',
    name: 'follower killed',
    weight: 1,
    strike: ({ cluster, followers, random }) => kill(cluster, [random.pick(followers)]),
  },
  {
    family: 'kill',
    name: 'all killed',
    weight: 1,
    strike: ({ cluster }) => kill(cluster, cluster.members),
  },
  {
    family: 'pause',
    name: 'leader paused',
    weight: 1,
    strike: async ({ leader }) => pause(leader),
  },
  {
    family: 'pause',
    name: 'follower paused',
    weight: 1,
    strike: async ({ followers, random }) => pause(random.pick(followers)),
  },
  {
    family: 'partition',
    name: 'leader isolated',
    weight: 2,
    strike: ({ leader, followers, clientHost }) => {
      return partition(between([leader.host], [...followers.map(hostOf), clientHost]))
    },
  },
  {
    // Its clients still reach it: it must not answer them from what it remembers.
    family: 'partition',
    name: 'leader cut off from its peers',
    weight: 1,
    strike: ({ leader, followers }) => partition(between([leader.host], followers.map(hostOf))),
  },
  {
    family: 'partition',
    name: 'halves, the leader in the smaller',
    weight: 1,
    strike: ({ leader, followers }) => {
      const companions = Math.floor(followers.length / 2) - 1
      const smaller = [leader, ...followers.slice(0, companions)].map(hostOf)
      return partition(between(smaller, followers.slice(companions).map(hostOf)))
    },
  },
  {
    family: 'partition',
    name: 'leader hears no peer',
    weight: 1,
    strike: ({ leader, followers }) => {
      return partition(followers.map(({ host }) => ({ from: host, to: leader.host })))
    },
  },
  {
    family: 'partition',
    name: 'no peer hears the leader',
    weight: 1,
    strike: ({ leader, followers }) => {
      return partition(followers.map(({ host }) => ({ from: leader.host, to: host })))
    },
  },
  {
    // Everybody else is heard by everybody: a wish for another leader must not unseat this one for nothing.
    family: 'partition',
    name: 'link to one follower cut',
    weight: 1,
    strike: ({ leader, followers, random }) => {
      return partition(between([leader.host], [random.pick(followers).host]))
    },
  },
  {
    family: 'slow',
    name: 'leader slow',
    weight: 1,
    strike: ({ leader, slowness }) => slow([leader.host], slowness),
  },
  {
    family: 'slow',
    name: 'all slow',
    weight: 1,
    strike: ({ cluster, slowness }) => slow(cluster.members.map(hostOf), slowness),
  },
]

async function kill(cluster: ChaosCluster, members: readonly Member[]): Promise<Undo> {
  await Promise.all(members.map(member => cluster.kill(member)))
  return () => {
    for (const member of members) cluster.restart(member)
  }
}

function pause({ node }: Member): Undo {
  node.process.pause()
  return () => node.process.resume()
}

async function partition(ways: readonly Way[]): Promise<Undo> {
  await block(ways)
  return () => unblock(ways)
}

async function slow(hosts: readonly PlannedHost[], slowness: Slowness | undefined): Promise<Undo> {
  if (slowness === undefined) throw new Error('links cannot be made slow on this machine')
  await slowDown(hosts, slowness)
  return () => speedUp(hosts)
}

function hostOf({ host }: Member): PlannedHost {
  return host
}
