/**
 * Three replicas in one thread, to be led through a scene step by step: messages travel through their encoding and
 * arrive at once, saves are durable at once, and each has a wall clock that the scene sets.
 */
import {
  type LogIndex,
  logIndex,
  type NodeId,
  nodeId,
  type RequestId,
  requestId,
  term,
} from '../../src/base/ids.js'
import { seededRandom } from '../../src/base/random.js'
import type { Request, Response } from '../../src/protocol/request.js'
import { firstConfiguration } from '../../src/raft/configuration.js'
import { Log } from '../../src/raft/log.js'
import type { RaftSaved } from '../../src/raft/types.js'
import { decodeMessage, encodeMessage } from '../../src/replica/codec.js'
import { type ConsensusOptions, ConsensusReplica } from '../../src/replica/consensus.js'
import type { Effects, Input, To } from '../../src/replica/contract.js'
import type { ConsensusMessage } from '../../src/replica/messages.js'
import { MemoryTable } from '../../src/storage/memory-table.js'

const options: ConsensusOptions = {
  tickMs: 10,
  electionTicks: 20,
  heartbeatTicks: 4,
  requestTicks: 500,
  appendBytesMax: 1024 * 1024,
  appendsInFlightMax: 2,
  snapshotChunkBytes: 65_536,
  checkpointBytes: 1024 * 1024 * 1024,
  logKeepBytes: 1024,
  applySlice: 1000,
  answerSlice: 1024 * 1024,
  proposedBytesMax: 1024 * 1024,
}

/** One of the three. */
export interface Third {
  readonly id: NodeId
  readonly address: string
  readonly replica: ConsensusReplica
  readonly table: MemoryTable
  /** What its wall clock shows. */
  wallMs: number
  /** Nobody hears it, and it hears nobody. */
  isCutOff: boolean
  readonly answers: Map<RequestId, Response>
  /** The checkpoints that it took: up to which entry. */
  readonly checkpoints: number[]
}

export class Trio {
  readonly thirds: readonly Third[]
  /** Told of each tick that one of them was not to be told of, by its own word, and that was of consequence. */
  onBrokenQuiet: (one: Third, did: string) => void = () => {}
  readonly #options: ConsensusOptions
  readonly #queue: { readonly from: Third; readonly to: Third; readonly line: Uint8Array }[] = []
  #requests = 0

  /** All clocks show `wallMs`. */
  constructor(wallMs: number, given: Partial<ConsensusOptions> = {}) {
    this.#options = { ...options, ...given }
    const members = ['a', 'b', 'c'].map((name, number) => ({
      id: nodeId(`0000000${number}-0000-4000-8000-00000000000${name}`),
      address: `${name}:5000`,
      peerAddress: `${name}:6000`,
    }))
    const configuration = firstConfiguration(members, 'linearizable')
    this.thirds = members.map(self => {
      const table = new MemoryTable()
      const log = new Log({ index: logIndex(0), term: term(0) }, configuration)
      const random = seededRandom(self.address)
      const state = { term: term(0), votedFor: undefined }
      const replica = new ConsensusReplica({ self, state, log, table, random, options: this.#options })
      const { id, address } = self
      return { id, address, replica, table, wallMs, isCutOff: false, answers: new Map(), checkpoints: [] }
    })
  }

  /** The one that leads in the newest term; time passes until there is one. */
  leader(): Third {
    for (let tries = 0; tries < 1000; tries++) {
      const leading = this.thirds.filter(one => !one.isCutOff && one.replica.raft.serving !== undefined)
      const [newest] = leading.sort((one, other) => other.replica.raft.view.term - one.replica.raft.view.term)
      if (newest !== undefined) return newest
      this.tick(1)
    }
    throw new Error('nobody came to lead')
  }

  /** Ticks pass, on every clock. */
  tick(count: number): void {
    for (let passed = 0; passed < count; passed++) {
      for (const one of this.thirds) {
        one.wallMs += this.#options.tickMs
        const isQuiet = one.replica.quietTicks > 1
        this.#step(one, { kind: 'tick', count: 1, wallMs: one.wallMs }, isQuiet)
      }
      this.#settle()
    }
  }

  /** Asks one of them, and lets time pass until it has answered. */
  ask(at: Third, request: Request): Response {
    const id = requestId(++this.#requests)
    this.#step(at, { kind: 'request', id, request })
    for (let tries = 0; tries < 1000; tries++) {
      this.#settle()
      const answer = at.answers.get(id)
      if (answer !== undefined) return answer
      this.tick(1)
    }
    throw new Error(`${request.op} was not answered`)
  }

  #step(one: Third, input: Input<ConsensusMessage>, isQuiet = false): void {
    one.replica.step(input)
    this.#takeEffects(one, isQuiet)
  }

  #takeEffects(one: Third, isQuiet: boolean): void {
    for (;;) {
      const effects = one.replica.takeEffects()
      if (isQuiet) this.#checkQuiet(one, effects)
      this.#send(one, [...effects.sendNow, ...effects.send])
      for (const { id, response } of effects.reply) one.answers.set(id, response)
      if (effects.checkpoint !== undefined) this.#checkpoint(one, effects.checkpoint)
      if (effects.save.length > 0) one.replica.step({ kind: 'saved' })
      else if (!effects.more) return
    }
  }

  #checkQuiet(
    one: Third,
    { sendNow, send, save, reply, events }: Effects<ConsensusMessage, RaftSaved>,
  ): void {
    const did: string[] = reply.map(() => 'reply')
    for (const { message } of [...sendNow, ...send]) did.push(message.kind)
    for (const { kind } of [...save, ...events]) did.push(kind)
    if (did.length > 0) this.onBrokenQuiet(one, did.join(', '))
  }

  #checkpoint(one: Third, { index, meta }: { readonly index: LogIndex; readonly meta: Uint8Array }): void {
    one.checkpoints.push(index)
    one.table.checkpoint(meta, () => one.replica.step({ kind: 'checkpointed', index }))
  }

  #send(from: Third, messages: readonly To<ConsensusMessage>[]): void {
    for (const { to, message } of messages) {
      const receiver = this.thirds.find(one => one.id === to)
      if (receiver === undefined || receiver.isCutOff || from.isCutOff) continue
      this.#queue.push({ from, to: receiver, line: Buffer.concat(encodeMessage(message)) })
    }
  }

  #settle(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const message = decodeMessage(next.line)
      if (message === undefined) throw new Error('a message that cannot be read')
      this.#step(next.to, { kind: 'message', from: next.from.id, message })
    }
  }
}
