/**
 * Forming a cluster from a list (`--cluster a,b,c`). Every listed node must be there and unused. The first of
 * the list leads the way: it makes up the cluster's id, has every node durably promise itself to that id, and
 * only then founds the cluster with the identities it was told. The others wait for its leader.
 *
 * Each step may be repeated after a crash: the id is kept before it is told, and a promise given is given
 * again. A node that finds one of the list in a cluster already refuses, so that no second cluster is founded
 * beside a living one.
 */
import type { ClusterId, Member } from '../base/ids.js'
import { readMember } from './control.js'
import { type Ask, type Met, meet } from './conversation.js'
import { type Likeness, whyNotTogether } from './likeness.js'

/** What a forming node does in its own place. */
export interface FormationHost {
  readonly self: Member
  readonly nodes: readonly string[]
  /** What the others must have in common with it. */
  readonly likeness: Likeness
  readonly ask: Ask
  /** False once the node stands elsewhere (it promised itself, or it stops). */
  isForming(): boolean
  /** The id this node has begun to gather promises for, if it has. */
  clusterBegun(): ClusterId | undefined
  /** Makes up that id at the first call, and makes it durable. */
  beginCluster(): ClusterId
  /** All have promised: founds the cluster with these members. */
  found(cluster: ClusterId, members: readonly Member[]): Promise<void>
  /** Tells people what is being waited for; called when it changes. */
  waitingFor(reason: string): void
  pause(): Promise<void>
}

/** Runs until the cluster is formed; returns why it cannot be, if it cannot. */
export async function formCluster(host: FormationHost): Promise<string | undefined> {
  const others = host.nodes.filter(address => address !== host.self.address)
  let told = ''
  while (host.isForming()) {
    const met = await Promise.all(others.map(address => meet(host.ask, address, host.self.address)))
    if (!host.isForming()) return undefined
    const refusal = firstOf(others, met, (address, one) => whyNever(host, address, one))
    if (refusal !== undefined) return refusal
    const waiting = firstOf(others, met, (address, one) => whyNotYet(host, address, one))
    if (waiting === undefined && leads(host)) {
      if (await gatherPromises(host, others)) return undefined
    } else {
      const reason = waiting ?? `${host.nodes[0]} to form the cluster`
      if (reason !== told) host.waitingFor(reason)
      told = reason
    }
    await host.pause()
  }
  return undefined
}

async function gatherPromises(host: FormationHost, others: readonly string[]): Promise<boolean> {
  const cluster = host.beginCluster()
  const promise = { op: 'promise', cluster, nodes: [...host.nodes] }
  const told = await Promise.all(others.map(address => host.ask(address, promise)))
  const members = new Map<string, Member>([[host.self.address, host.self]])
  for (const answer of told) {
    const member = answer.kind === 'answer' ? readMember(answer.fields) : undefined
    if (member === undefined) return false
    members.set(member.address, member)
  }
  if (!host.isForming() || members.size !== host.nodes.length) return false
  await host.found(cluster, [...members.values()])
  return true
}

/** Why a listed node makes it impossible to form the cluster, if it does. */
function whyNever(host: FormationHost, address: string, met: Met): string | undefined {
  if (met.kind === 'unreachable') return undefined
  const { standing, cluster, knownAs } = met.introduction
  const unlike = whyNotTogether(host.likeness, address, met.introduction)
  if (unlike !== undefined) return unlike
  const isOurs = standing === 'promised' && (!leads(host) || cluster === host.clusterBegun())
  if (standing === 'forming' || standing === 'joining' || standing === 'pristine' || isOurs) return undefined
  const me = host.self.address
  if (knownAs !== undefined) {
    return (
      `${address} belongs to a cluster that knows ${me} under another identity: this node's data directory is ` +
      `gone. On ${address} type: remove-node ${me}; then start this node with --join ${address} instead of --cluster.`
    )
  }
  return (
    `${address} already belongs to a cluster, so no new one is formed. To add this node to that cluster, start ` +
    `it with --join ${address} instead of --cluster.`
  )
}

/** Why a listed node is not ready yet, if it is not. */
function whyNotYet(host: FormationHost, address: string, met: Met): string | undefined {
  if (met.kind === 'unreachable') return `${address} (${met.reason})`
  const { standing, nodes } = met.introduction
  if (standing === 'promised') return undefined
  if (standing !== 'forming') return `${address}, which runs without --cluster`
  const isSame = nodes.length === host.nodes.length && nodes.every((node, at) => node === host.nodes[at])
  return isSame ? undefined : `${address}, which was given another list: --cluster ${nodes.join(',')}`
}

/** Whether this node is the one that gathers the promises. */
function leads(host: FormationHost): boolean {
  return host.nodes[0] === host.self.address
}

/** The first thing there is to say of any of the nodes. */
function firstOf(
  addresses: readonly string[],
  met: readonly Met[],
  say: (address: string, met: Met) => string | undefined,
): string | undefined {
  for (const [at, address] of addresses.entries()) {
    const one = met[at]
    const said = one && say(address, one)
    if (said !== undefined) return said
  }
  return undefined
}
