/**
 * A small simulated cluster of Raft cores: a network whose messages wait until they are delivered, disks whose
 * flushes end when they are told to, and a clock per node. Everything that happens is told as a line of text,
 * and what must always hold is checked after every step.
 */
import { present } from '../../src/base/assert.js'
import { type LogIndex, type NodeId, nodeId } from '../../src/base/ids.js'
import { type Random, seededRandom } from '../../src/base/random.js'
import { emptyConfiguration, firstConfiguration } from '../../src/raft/configuration.js'
import type { Configuration, Outgoing, RaftMessage, ReadMode } from '../../src/raft/types.js'
import { Invariants } from './invariants.js'
import { NodeDisk } from './node-disk.js'
import { renderMessage, renderSaved } from './render.js'
import { SimulatedNode } from './simulated-node.js'

/** A message on its way. */
export interface Letter {
  readonly from: NodeId
  readonly to: NodeId
  readonly message: RaftMessage
}

export class Cluster {
  readonly #random: Random
  readonly #disks = new Map<NodeId, NodeDisk>()
  readonly #invariants = new Invariants()
  readonly #manual = new Set<NodeId>()
  #groups: readonly (readonly NodeId[])[] = []
  #lines: string[] = []
  /** The last sent message, to which further receivers of the same are added. */
  #sending: { readonly from: NodeId; readonly receivers: string[]; readonly text: string } | undefined
  /** The living ones. */
  readonly nodes = new Map<NodeId, SimulatedNode>()
  /** What is on its way, oldest first. */
  readonly letters: Letter[] = []

  constructor(seed: string) {
    this.#random = seededRandom(seed)
  }

  /** Starts nodes that all vote. */
  found(ids: readonly NodeId[], reads: ReadMode): void {
    const configuration = firstConfiguration(ids.map(describe), reads)
    for (const id of ids) this.#begin(id, configuration)
  }

  /** Starts a node that waits to be told of a cluster. */
  startWaiting(id: NodeId): void {
    this.#begin(id, emptyConfiguration)
  }

  restart(id: NodeId): void {
    this.#start(id, present(this.#disks.get(id), `a disk of ${id}`))
  }

  /** The node dies: what it did not flush is lost. */
  crash(id: NodeId): void {
    this.nodes.delete(id)
  }

  node(id: NodeId): SimulatedNode {
    return present(this.nodes.get(id), `a living node ${id}`)
  }

  /** Does something to a node, then everything that follows from it at that node. */
  do(id: NodeId, action: (node: SimulatedNode) => void): void {
    const node = this.node(id)
    action(node)
    this.#settle(node)
  }

  /** Whether a node's flushes end by themselves. */
  setAutoSave(ids: readonly NodeId[], on: boolean): void {
    for (const id of ids) {
      if (on) this.#manual.delete(id)
      else this.#manual.add(id)
      if (on && this.nodes.get(id)?.flushing !== undefined) this.finishFlush(id)
    }
  }

  finishFlush(id: NodeId): void {
    this.do(id, node => {
      const { send } = node.finishFlush()
      this.tell(`${id} has saved it`)
      this.#reportState(node)
      this.#send(node, send)
    })
  }

  /** Only nodes of one group hear each other; those of no group hear nobody. No groups: all do. */
  partition(groups: readonly (readonly NodeId[])[]): void {
    this.#groups = groups
  }

  deliver(letter: Letter): void {
    const { from, to, message } = letter
    if (this.isConnected(from, to)) this.do(to, node => node.raft.receive(from, message))
    else this.tell(`lost: ${from} -> ${to} ${renderMessage(message)}`)
  }

  isConnected(from: NodeId, to: NodeId): boolean {
    if (!this.nodes.has(to)) return false
    return this.#groups.length === 0 || this.#groups.some(group => group.includes(from) && group.includes(to))
  }

  /** A linearizable read, named by a number. */
  read(id: NodeId, token: number): void {
    this.do(id, ({ raft }) => {
      if (raft.serving === undefined) {
        this.tell(`${id} refuses read r${token}`)
        return
      }
      this.#invariants.noteRead(token)
      raft.read(token)
    })
  }

  compact(id: NodeId, index: LogIndex): void {
    this.do(id, node => node.compact(index))
  }

  tell(line: string): void {
    this.#lines.push(line)
  }

  /** Everything that happened since the last call. */
  takeLines(): string[] {
    const lines = this.#lines
    this.#lines = []
    return lines
  }

  #begin(id: NodeId, configuration: Configuration): void {
    const disk = new NodeDisk(configuration)
    this.#disks.set(id, disk)
    this.#start(id, disk)
  }

  #start(id: NodeId, disk: NodeDisk): void {
    const node = new SimulatedNode(id, disk, this.#random.fork(id))
    this.nodes.set(id, node)
    this.#settle(node)
  }

  /** Takes a node's effects until there are none. */
  #settle(node: SimulatedNode): void {
    for (;;) {
      node.apply()
      const output = node.raft.takeOutput()
      this.#reportState(node)
      this.#send(node, output.sendNow)
      if (output.installed !== undefined) {
        node.takeOverTable()
        this.tell(`${node.id} installed the snapshot up to ${output.installed.index}`)
      }
      for (const { token, index } of output.readyReads) {
        this.#invariants.checkRead(token, index)
        this.tell(`${node.id} serves read r${token} as of ${index}`)
      }
      for (const { token } of output.lostReads) this.tell(`${node.id} lost read r${token}`)
      if (output.save.length === 0) {
        this.#send(node, output.send)
        break
      }
      node.flushing = output
      if (this.#manual.has(node.id)) {
        this.tell(`${node.id} begins to save ${renderSaved(output.save)}`)
        break
      }
      this.tell(`${node.id} saves ${renderSaved(output.save)}`)
      node.finishFlush()
      this.#reportState(node)
      this.#send(node, output.send)
    }
    node.apply()
    this.#invariants.check(node)
  }

  #send(node: SimulatedNode, outgoing: readonly Outgoing[]): void {
    for (const { to, message } of outgoing) {
      this.#invariants.checkMessage(node, to, message)
      const isLost = !this.isConnected(node.id, to)
      if (!isLost) this.letters.push({ from: node.id, to, message })
      const text = renderMessage(message)
      const receiver = isLost ? `${to}(lost)` : to
      if (this.#sending?.text === text && !this.#sending.receivers.includes(receiver)) {
        this.#sending.receivers.push(receiver)
      } else {
        this.#endSending()
        this.#sending = { from: node.id, receivers: [receiver], text }
      }
    }
    this.#endSending()
  }

  #endSending(): void {
    if (this.#sending === undefined) return
    const { from, receivers, text } = this.#sending
    this.#sending = undefined
    this.#lines.push(`${from} -> ${receivers.join(' ')} ${text}`)
  }

  #reportState(node: SimulatedNode): void {
    const { role, term, leader, commitIndex } = node.raft.view
    const state = describeRole(node)
    const told = `${role.kind} ${term} ${leader ?? ''}`
    if (told !== node.told) {
      if (node.told !== '') this.tell(`${node.id} ${state}`)
      node.told = told
    }
    if (commitIndex > node.toldCommit) {
      this.tell(`${node.id} commits up to ${commitIndex}`)
      node.toldCommit = commitIndex
    }
  }
}

/** What a node is, in words. */
export function describeRole(node: SimulatedNode): string {
  const { role, term, leader } = node.raft.view
  switch (role.kind) {
    case 'leader':
      return `leads term ${term}`
    case 'candidate':
      return `is candidate in term ${term}`
    case 'pre-candidate':
      return `is pre-candidate in term ${term}`
    case 'follower':
      return leader === undefined ? `follows nobody in term ${term}` : `follows ${leader} in term ${term}`
  }
}

/** A member whose addresses are made up from its name. */
export function describe(id: NodeId): { id: NodeId; address: string; peerAddress: string } {
  return { id, address: `host-${id}:5000`, peerAddress: `host-${id}:6000` }
}

export const named = (text: string): NodeId => nodeId(text)
