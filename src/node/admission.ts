/**
 * How a node comes to a living cluster, from both sides: a member adopts it (`add-node`), or it asks to be
 * adopted (`--join`). Adoption takes an unused node only; the node durably promises itself to the cluster,
 * with a fresh identity and an empty log, before it answers. Only then is it proposed as a member.
 */
import type { ClusterId, Member } from '../base/ids.js'
import type { ControlAnswer } from '../net/control-client.js'
import { type Failure, failure } from '../protocol/request.js'
import { readMember } from './control.js'
import { type Ask, meet, whyNoAnswer } from './conversation.js'
import { type Likeness, whyUnlike } from './likeness.js'

/** The cluster as an adopting member knows it. */
export interface Adopter {
  readonly ask: Ask
  readonly self: Member
  readonly cluster: ClusterId
  readonly members: readonly Member[]
  readonly likeness: Likeness
}

/** Has the node at `address` promise itself to the cluster; a failure says why it cannot be added. */
export async function adopt(adopter: Adopter, address: string): Promise<Member | Failure> {
  const known = adopter.members.find(member => member.address === address)
  const met = await meet(adopter.ask, address, adopter.self.address)
  if (known !== undefined) {
    const isAnother = met.kind === 'met' && met.introduction.member.id !== known.id
    return isAnother
      ? refused(address, `the cluster knows it under another identity. Type remove-node ${address} first.`)
      : failure('NODE_EXISTS', { node: address })
  }
  if (met.kind === 'unreachable') return unreachable(address, met.reason)
  const { introduction } = met
  if (adopter.members.some(member => member.id === introduction.member.id)) {
    return failure('NODE_EXISTS', { node: address })
  }
  const mismatch = whyUnlike(adopter.likeness, introduction)
  if (mismatch !== undefined) return refused(address, mismatch)
  // The address that was typed is where clients reach it; two names of one node would count it twice. This comes
  // before it promises itself: whoever is refused here may go on as it was, or be added to another cluster.
  const own = introduction.member.address
  if (own !== address) return refused(address, `it calls itself ${own}: add it under that address.`)
  const told = await adopter.ask(address, { op: 'adopt', cluster: adopter.cluster })
  if (told.kind === 'refused') return refused(address, told.reason)
  if (told.kind !== 'answer') return unreachable(address, whyNoAnswer(told))
  const member = readMember(told.fields)
  return member ?? refused(address, 'it gave no identity.')
}

function refused(node: string, reason: string): Failure {
  return failure('NODE_REFUSED', { node, reason })
}

function unreachable(node: string, reason: string): Failure {
  return failure('NODE_UNREACHABLE', { node, reason })
}

/** What a joining node does in its own place. */
export interface JoinHost {
  readonly self: Member
  /** Members to ask, any of which will do. */
  readonly members: readonly string[]
  readonly ask: Ask
  /** False once the node was adopted, or stops. */
  isJoining(): boolean
  waitingFor(reason: string): void
  pause(): Promise<void>
}

/** Asks to be added until it is; returns why not, if a member refused for good. */
export async function joinCluster(host: JoinHost): Promise<string | undefined> {
  let told = ''
  while (host.isJoining()) {
    for (const address of host.members) {
      const answer = await host.ask(address, { op: 'join', address: host.self.address })
      if (!host.isJoining()) return undefined
      if (answer.kind === 'refused' && isFinal(answer.code)) return answer.message
      const reason = await whyNotAdded(host, address, answer)
      if (reason !== told) host.waitingFor(reason)
      told = reason
    }
    await host.pause()
  }
  return undefined
}

/** What a joining node still waits for, by the answer of one that it asked; to be put behind `waiting for`. */
async function whyNotAdded(host: JoinHost, address: string, answer: ControlAnswer): Promise<string> {
  if (answer.kind === 'answer') return `${address} to bring this node up`
  const plain = `${address} (${whyNoAnswer(answer)})`
  if (answer.kind !== 'refused' || answer.code !== 'NOT_A_MEMBER') return plain
  const { self } = host
  const met = await meet(host.ask, address, self.address)
  if (met.kind === 'unreachable' || met.introduction.standing !== 'joining') return plain
  const { nodes } = met.introduction
  // Neither may found a cluster: another member, of whom they do not know, may wait for them with all the data.
  if (nodes.includes(self.address)) {
    return `${address}, which was told to join ${self.address} and waits as well: start one of the two without --join`
  }
  return nodes.length === 0 ? plain : `${address}, which itself waits for ${nodes.join(', ')} to add it`
}

/** Refusals that asking again does not change. */
function isFinal(code: string): boolean {
  return code === 'NODE_REFUSED' || code === 'NODE_EXISTS' || code === 'ENGINE_MISMATCH'
}
