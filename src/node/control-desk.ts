/**
 * How this node and others come to be of one cluster: what others ask of it before they are peers (control.ts), and what
 * it asks of them when somebody types `add-node` or `join` here. What becomes of the node itself is done by residence.ts.
 */
import type { Member } from '../base/ids.js'
import { peerProtocolVersion } from '../net/transport.js'
import { errorText } from '../protocol/errors.js'
import { type Failure, failure, type Request, type Response } from '../protocol/request.js'
import { type Adopter, adopt } from './admission.js'
import type { NodeConfig } from './config.js'
import { plainIntroduction, readClusterId } from './control.js'
import { whyNoAnswer } from './conversation.js'
import { notYet, type Residence } from './residence.js'
import type { NodeWorld } from './world.js'

/** Joining may take that many request timeouts: a share of all the data takes its time to copy. */
const joinTimeouts = 60

/** What the desk works with. */
export interface ControlDeskParts {
  readonly config: NodeConfig
  readonly world: NodeWorld
  readonly residence: Residence
  /** Asks this node as a client would. */
  ask(request: Request): Promise<Response>
  /** Why nobody can ask anything of the cluster here, if it cannot be done. */
  whyNotServing(): Failure | undefined
  /** False once the node stops. */
  isOpen(): boolean
  /** Ends after a moment. */
  pause(): Promise<void>
}

type Plain = Record<string, unknown>

/** See the head of this file. */
export class ControlDesk {
  readonly #parts: ControlDeskParts

  constructor(parts: ControlDeskParts) {
    this.#parts = parts
  }

  /** Answers another node. What it asks for may be anything. */
  async answer(message: Readonly<Plain>): Promise<Plain> {
    switch (message['op']) {
      case 'hello':
        return this.#introduce(message)
      case 'promise':
        return this.#promise(message)
      case 'adopt':
        return this.#beAdopted(message)
      case 'join':
        return this.#admit(message)
      default:
        return refuse(failure('UNKNOWN_COMMAND', { command: String(message['op']).slice(0, 64) }))
    }
  }

  /** Adds the node at `address` to this node's cluster. */
  async addNode(address: string): Promise<Response> {
    const adopted = await this.#adopt(address)
    return 'kind' in adopted ? adopted : this.#parts.ask({ op: 'add-member', member: adopted })
  }

  /** Asks a member of a ring to add this node, and waits until it is a member with its share of the keys. */
  async joinRing(address: string): Promise<Response> {
    const { config, world, residence, ask, isOpen, pause } = this.#parts
    const refusal = this.#whyNotJoining(address)
    if (refusal !== undefined) return failure('JOIN_REFUSED', { reason: refusal })
    const told = await world.ask(address, { op: 'join', address: config.address })
    if (told.kind !== 'answer') {
      const reason = told.kind === 'refused' ? told.reason : undefined
      return failure('JOIN_REFUSED', { reason: reason ?? whyNoAnswer(told) })
    }
    const { clock } = world
    const deadlineMs = clock.monotonicMs() + joinTimeouts * config.requestTimeoutMs
    while (isOpen() && clock.monotonicMs() < deadlineMs) {
      const response = await ask({ op: 'status' })
      const members = response.kind === 'status' ? response.status.members : []
      if (members.some(({ id, role }) => id === residence.self.id && role === 'up')) return { kind: 'done' }
      await pause()
    }
    return failure('OUTCOME_UNKNOWN')
  }

  #introduce(message: Readonly<Plain>): Plain {
    const { config, residence } = this.#parts
    const { self, standing, toldStanding, host } = residence
    const asker = message['asker']
    const members = host?.membership.members ?? []
    return plainIntroduction({
      protocol: peerProtocolVersion,
      engine: config.engine,
      member: self,
      standing: toldStanding,
      cluster: 'cluster' in standing ? standing.cluster : undefined,
      nodes: standing.kind === 'forming' ? standing.nodes : standing.kind === 'joining' ? config.join : [],
      preset: config.preset,
      replicationFactor: config.replicationFactor,
      knownAs: members.find(member => member.address === asker)?.id,
    })
  }

  /** The first of the list asks this node to promise itself to the cluster that is being formed. */
  async #promise(message: Readonly<Plain>): Promise<Plain> {
    const { residence } = this.#parts
    const { standing } = residence
    const cluster = readClusterId(message['cluster'])
    if (cluster === undefined) return refuse(failure('INVALID_JSON', { reason: 'cluster is missing.' }))
    if (standing.kind === 'member' && standing.cluster === cluster) return plainMember(residence.self)
    const nodes = message['nodes']
    const isSame =
      standing.kind === 'forming' &&
      Array.isArray(nodes) &&
      nodes.length === standing.nodes.length &&
      standing.nodes.every((node, at) => node === nodes[at])
    if (!isSame || standing.cluster !== undefined) {
      return refuse(this.#unwilling('it is not waiting for that list of nodes.'))
    }
    await residence.promise(cluster)
    return plainMember(residence.self)
  }

  /** A member of a living cluster takes this unused node in. */
  async #beAdopted(message: Readonly<Plain>): Promise<Plain> {
    const { residence } = this.#parts
    const { standing, host } = residence
    const cluster = readClusterId(message['cluster'])
    if (cluster === undefined) return refuse(failure('INVALID_JSON', { reason: 'cluster is missing.' }))
    if (residence.isMoving) return refuse(this.#unwilling('it is being added already.'))
    const isPromised = standing.kind === 'member' && standing.cluster === cluster && host?.isBlank === true
    if (!isPromised) {
      const refusal = this.#whyNotAdopted()
      if (refusal !== undefined) return refuse(this.#unwilling(refusal))
      await residence.moveTo(cluster)
    }
    return plainMember(residence.self)
  }

  #whyNotAdopted(): string | undefined {
    const { residence } = this.#parts
    switch (residence.toldStanding) {
      case 'pristine':
      case 'joining':
        return undefined
      case 'forming':
        return 'it waits for the nodes of its --cluster list.'
      case 'promised':
        return 'it has promised itself to another cluster.'
      case 'removed':
        return 'it was removed from its cluster. Empty its data directory and start it again.'
      case 'member':
        return residence.isAlone
          ? 'it holds data. Empty its data directory and start it again, or keep it as it is.'
          : 'it belongs to another cluster.'
    }
  }

  /** As for being added; but whoever types it here has only this node in mind. */
  #whyNotJoining(address: string): string | undefined {
    const { config, residence } = this.#parts
    if (address === config.address) return 'that is this node itself. Name a member of the ring.'
    if (residence.toldStanding === 'member' && !residence.isAlone) return 'it belongs to a ring already.'
    return this.#whyNotAdopted()
  }

  #unwilling(reason: string): Failure {
    return failure('NODE_REFUSED', { node: this.#parts.config.address, reason })
  }

  /** A node asks this member to add it. It is told as soon as it is adopted; the rest goes on by itself. */
  async #admit(message: Readonly<Plain>): Promise<Plain> {
    const { address } = message
    if (typeof address !== 'string') return refuse(failure('INVALID_JSON', { reason: 'address is missing.' }))
    const refusal = this.#parts.whyNotServing()
    if (refusal !== undefined) return refuse(refusal)
    const adopted = await this.#adopt(address)
    if ('kind' in adopted) return refuse(adopted)
    void this.#proposeMember(adopted)
    return {}
  }

  /** Has a node promise itself to this node's cluster. */
  async #adopt(address: string): Promise<Member | Failure> {
    const { config, world, residence } = this.#parts
    const { standing, host, self } = residence
    if (standing.kind !== 'member' || host === undefined) return notYet
    const { engine, preset, replicationFactor } = config
    const adopter: Adopter = {
      ask: world.ask,
      self,
      cluster: standing.cluster,
      members: host.membership.members,
      // What a ring was founded with counts, whatever this member of it was started with.
      likeness: { engine, preset, replicationFactor: host.membership.copies ?? replicationFactor },
    }
    return adopt(adopter, address)
  }

  async #proposeMember(member: Member): Promise<void> {
    const response = await this.#parts.ask({ op: 'add-member', member })
    if (response.kind !== 'error') return
    const text = errorText(response.code, response.details)
    this.#parts.world.log.warn({ address: member.address, code: response.code }, `adding a node: ${text}`)
  }
}

function plainMember({ id, address, peerAddress }: Member): Plain {
  return { node: id, address, peerAddress }
}

/** A refusal as an answer of the control conversation. The reason by itself is for those who have words of their own. */
function refuse({ code, details }: Failure): Plain {
  return { ok: false, code, message: errorText(code, details), reason: details?.['reason'] }
}
