/**
 * The reads of other nodes' clients, at the leader. Most nodes ask for an index only, and answer by themselves; for
 * those whose copy is of no use, the leader answers. All of this is dropped when leadership is lost: whoever asked
 * will ask the next leader.
 */
import type { LogIndex, NodeId } from '../base/ids.js'
import type { Response } from '../protocol/request.js'
import type { To } from './contract.js'
import type { ConsensusMessage, ReadQuery } from './messages.js'
import { isWalking, type ReadBatch, responseBytes } from './read-batch.js'
import type { ReadRequest } from './reader.js'

/** A batch of another node's clients, or a part of one. */
export interface ForeignBatch extends ReadBatch {
  readonly name: string
  readonly node: NodeId
  /** What the asker calls the batch, and which of its reads is the first here. */
  readonly id: number
  readonly first: number
  /** Only the index is asked for. */
  readonly isIndexOnly: boolean
  /** Answers that are not sent yet, and about how many bytes they are. */
  responses: Response[]
  responsesBytes: number
}

/** Batches held at most, and reads in them; further ones are dropped, and will be asked again. */
const batchesMax = 100_000
const readsMax = 100_000
/** Bytes of answers in one message, about (or one answer, if it is larger). */
const messageBytesMax = 256 * 1024

const noReads: readonly ReadRequest[] = []

export class ForeignReads {
  readonly #nextToken: () => number
  readonly #batches = new Map<number, ForeignBatch>()
  /** The same by who asked and under which number, so that a repeat is not taken twice. */
  readonly #names = new Set<string>()
  #size = 0
  #waiting: ForeignBatch[] = []

  constructor(nextToken: () => number) {
    this.#nextToken = nextToken
  }

  get isEmpty(): boolean {
    return this.#batches.size === 0
  }

  /** Oldest first. */
  get batches(): Iterable<ForeignBatch> {
    return this.#batches.values()
  }

  take(node: NodeId, { id, first, requests }: ReadQuery): void {
    const isIndexOnly = requests === undefined
    const name = isIndexOnly ? `${node}/${id}` : `${node}/${id}/${first}`
    const reads = requests ?? noReads
    if (this.#names.has(name) || this.#batches.size >= batchesMax || this.#size + reads.length > readsMax)
      return
    const [only, more] = reads
    const batch: ForeignBatch = {
      token: this.#nextToken(),
      name,
      node,
      id,
      first,
      requests: reads,
      isIndexOnly,
      isWalk: only !== undefined && more === undefined && isWalking(only),
      answered: 0,
      index: undefined,
      isTimed: false,
      walk: undefined,
      responses: [],
      responsesBytes: 0,
    }
    this.#batches.set(batch.token, batch)
    this.#names.add(name)
    this.#size += reads.length
    this.#waiting.push(batch)
  }

  /** What came since the last call, to be given rounds. */
  takeWaiting(): readonly ForeignBatch[] {
    const waiting = this.#waiting
    if (waiting.length > 0) this.#waiting = []
    return waiting
  }

  /**
   * The round of a batch was answered. Whoever asked for the index only is told it, and the leader's time, by which
   * it finds out whether a key is due to expire.
   */
  confirm(token: number, index: LogIndex, nowMs: number, outgoing: To<ConsensusMessage>[]): void {
    const batch = this.#batches.get(token)
    if (batch === undefined) return
    batch.index = index
    if (!batch.isIndexOnly) return
    outgoing.push({ to: batch.node, message: { kind: 'read-index', id: batch.id, index, nowMs } })
    this.#drop(batch)
  }

  /** Answers the next read of a batch, with what was read at `index`. */
  give(batch: ForeignBatch, response: Response, index: LogIndex, outgoing: To<ConsensusMessage>[]): void {
    const bytes = responseBytes(response) + 64
    if (batch.responsesBytes + bytes > messageBytesMax) this.send(batch, index, outgoing)
    batch.responses.push(response)
    batch.responsesBytes += bytes
    batch.answered++
  }

  /** Sends the answers that were given to a batch; all that were are of one index. */
  send(batch: ForeignBatch, index: LogIndex, outgoing: To<ConsensusMessage>[]): void {
    const { node, id, responses, requests } = batch
    if (responses.length > 0) {
      const first = batch.first + batch.answered - responses.length
      outgoing.push({ to: node, message: { kind: 'read-reply', id, first, index, responses } })
      batch.responses = []
      batch.responsesBytes = 0
    }
    if (batch.answered === requests.length) this.#drop(batch)
  }

  /** This node leads no longer. */
  clear(): void {
    if (this.#batches.size === 0) return
    this.#batches.clear()
    this.#names.clear()
    this.#size = 0
    this.#waiting = []
  }

  #drop(batch: ForeignBatch): void {
    this.#batches.delete(batch.token)
    this.#names.delete(batch.name)
    this.#size -= batch.requests.length
  }
}
