/** A node that does what a test wants: answers, keeps silent, refuses, forgets, reads slowly. */
import { createServer, type Server, type Socket } from 'node:net'
import { type NodeId, nodeId } from '../../src/base/ids.js'
import { LineSplitter, LongLine } from '../../src/protocol/lines.js'

/** A request as it came, with its `id` and `op`. */
export type Asked = Readonly<Record<string, unknown>>

/** What is done with a request: fields of the answer, or nothing at all. */
export type Behaviour = (asked: Asked, socket: Socket) => Record<string, unknown> | undefined

/** What a group of fake nodes agrees on: they name each other, and keep one set of data. */
export class FakeCluster {
  readonly nodes: FakeNode[] = []
  readonly data = new Map<string, string>()
  /** First answers, by the identity of the write. */
  readonly named = new Map<string, Record<string, unknown>>()
  leader: FakeNode | undefined
  warnings: string[] = []
  engine: 'raft' | 'ring' = 'raft'
  /** On a ring that is led: which leadership it is. */
  epoch: number | undefined
  /** Writes that were carried out, in order. */
  readonly written: string[] = []

  async add(): Promise<FakeNode> {
    const node = await FakeNode.listen(this)
    this.nodes.push(node)
    this.leader ??= node
    return node
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map(node => node.kill()))
  }

  /** What a healthy node answers. */
  answer(asked: Asked): Record<string, unknown> {
    const { op, key, value, request } = asked
    if (op === 'heartbeat') return this.heartbeat()
    if (op === 'watch') return {}
    if (op === 'get') {
      const found = this.data.get(String(key))
      return found === undefined ? refusal('KEY_NOT_FOUND') : { key, value: found, version: 1 }
    }
    if (op === 'status') return { engine: 'raft', leader: null, members: [], canLose: 0, warnings: [] }
    const first = this.named.get(String(request))
    if (first !== undefined) return first
    const answer = this.#write(String(op), String(key), String(value))
    this.named.set(String(request), answer)
    return answer
  }

  heartbeat(): Record<string, unknown> {
    const addresses = this.nodes.map(({ address }) => address)
    const active = this.nodes.filter(node => node.isListening).map(({ address }) => address)
    return {
      engine: this.engine,
      nodes: addresses,
      active,
      voters: this.engine === 'raft' ? addresses : [],
      ...(this.engine === 'ring' && { keepers: this.keepers, epoch: this.epoch ?? null }),
      leader: this.leader?.address ?? null,
      replicationFactor: addresses.length,
      warnings: this.warnings,
    }
  }

  /** Among whom a ring divides its keys; the identities are made up. */
  get keepers(): { readonly id: NodeId; readonly address: string }[] {
    return this.nodes.map(({ address }) => ({ id: nodeId(`node ${address}`), address }))
  }

  #write(op: string, key: string, value: string): Record<string, unknown> {
    const existed = this.data.has(key)
    if (op === 'put' && existed) return refusal('KEY_EXISTS')
    this.written.push(`${op} ${key} ${value}`)
    if (op === 'delete') this.data.delete(key)
    else this.data.set(key, value)
    return { version: this.written.length, existed, copies: 2 }
  }
}

/** One of them. */
export class FakeNode {
  readonly cluster: FakeCluster
  readonly sockets = new Set<Socket>()
  /** Everything that was asked, in order, whether it was answered or not. */
  readonly asked: Asked[] = []
  /** What it does; it answers like a healthy node unless changed. */
  behaviour: Behaviour
  /** What it says to those who connect. */
  banner = ''
  #server: Server
  #port = 0

  private constructor(cluster: FakeCluster) {
    this.cluster = cluster
    this.behaviour = asked => cluster.answer(asked)
    this.#server = this.#newServer()
  }

  static async listen(cluster: FakeCluster): Promise<FakeNode> {
    const node = new FakeNode(cluster)
    await node.start()
    return node
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`
  }

  get isListening(): boolean {
    return this.#server.listening
  }

  /** Requests of that operation. */
  asks(op: string): Asked[] {
    return this.asked.filter(asked => asked['op'] === op)
  }

  /** Listens, on the same port as before if it did. */
  async start(): Promise<void> {
    this.#server = this.#newServer()
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host: '127.0.0.1', port: this.#port }, resolve)
    })
    const place = this.#server.address()
    if (typeof place === 'object' && place !== null) this.#port = place.port
  }

  /** Resets all connections and listens no more, as a killed process does. */
  async kill(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    for (const socket of this.sockets) socket.resetAndDestroy()
    await closed
  }

  #newServer(): Server {
    return createServer(socket => {
      this.sockets.add(socket)
      socket.on('close', () => this.sockets.delete(socket))
      socket.on('error', () => {})
      if (this.banner !== '') socket.write(`${this.banner}\n`)
      const lines = new LineSplitter(64 * 1024 * 1024)
      socket.on('data', chunk => {
        lines.push(chunk)
        for (let line = lines.next(); line !== undefined; line = lines.next()) this.#take(line, socket)
      })
    })
  }

  #take(line: Buffer | LongLine, socket: Socket): void {
    if (line instanceof LongLine) throw new Error('a line that long was not expected')
    // The client under test sends objects of JSON.
    const asked = JSON.parse(line.toString()) as Asked
    this.asked.push(asked)
    const answer = this.behaviour(asked, socket)
    if (answer !== undefined) socket.write(`${JSON.stringify({ id: asked['id'], ok: true, ...answer })}\n`)
  }
}

/** An answer that says no. */
export function refusal(
  code: string,
  definite = true,
  details?: Record<string, unknown>,
): Record<string, unknown> {
  return { ok: false, code, definite, message: `${code}.`, details }
}
