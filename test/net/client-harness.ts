/** What the tests of the client port share: a backend that keeps its data in a map, and a client with a socket. */
import { createConnection, type Socket } from 'node:net'
import type { AdminRequest, Backend } from '../../src/net/client-backend.js'
import { type ClientServer, type ClientServerOptions, listenForClients } from '../../src/net/client-server.js'
import type { DataRequest } from '../../src/protocol/command.js'
import { type ClusterEvent, failure, type Receiver, type Response } from '../../src/protocol/request.js'
import type { RingRequest } from '../../src/protocol/ring-request.js'

/** Carries requests out at once, and answers them when it is told to (at once, unless `holding`). */
export class FakeBackend implements Backend {
  readonly engine = 'raft'
  readonly data = new Map<string, { value: Uint8Array; version: number }>()
  /** Every request, in the order of submission. */
  readonly submitted: (DataRequest | AdminRequest)[] = []
  readonly listeners = new Set<(event: ClusterEvent) => void>()
  abandoned = 0
  /** While set, answers are kept back in {@link held}. */
  holding = false
  readonly held: (() => void)[] = []
  controlled: Record<string, unknown>[] = []
  #version = 0

  submit(request: DataRequest, receiver: Receiver): number {
    this.submitted.push(request)
    return this.#answer(this.#carryOut(request), receiver)
  }

  abandon(): void {
    this.abandoned++
  }

  administer(request: AdminRequest, receiver: Receiver): void {
    this.submitted.push(request)
    this.#answer({ kind: 'done' }, receiver)
  }

  control(message: Record<string, unknown>): Promise<Record<string, unknown>> {
    this.controlled.push(message)
    if (message['fail'] === true) return Promise.reject(new Error('broken off'))
    return Promise.resolve({ ok: true, heard: message['op'] })
  }

  watch(listener: (event: ClusterEvent) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  tell(event: ClusterEvent): void {
    for (const listener of this.listeners) listener(event)
  }

  /** Answers everything that is held, in order; what comes from now on is answered at once. */
  release(): void {
    this.holding = false
    for (const answer of this.held.splice(0)) answer()
  }

  #answer(response: Response, receiver: Receiver): number {
    if (this.holding) return this.held.push(() => receiver.answered(response))
    receiver.answered(response)
    return 0
  }

  #carryOut(request: DataRequest): Response {
    const version = ++this.#version
    if (request.op === 'keys') return { kind: 'keys', keys: [...this.data.keys()], more: false }
    if (request.op === 'status') {
      return { kind: 'status', status: { engine: 'raft', leader: undefined, members: [], canLose: 0 } }
    }
    if (request.op === 'redis-read' || request.op === 'redis-write') return failure('BUSY')
    if (isForRing(request)) return failure('ENGINE_MISMATCH', { command: request.op, engine: 'ring' })
    const found = this.data.get(request.key)
    if (request.op === 'get') {
      return found === undefined ? failure('KEY_NOT_FOUND') : { kind: 'value', ...found }
    }
    if (request.op === 'put' && found !== undefined) return failure('KEY_EXISTS')
    if ((request.op === 'update' || request.op === 'delete') && found === undefined)
      return failure('KEY_NOT_FOUND')
    if (request.op === 'delete') this.data.delete(request.key)
    else this.data.set(request.key, { value: Buffer.from(request.value), version })
    return { kind: 'written', version }
  }
}

function isForRing(request: DataRequest): request is Extract<DataRequest, RingRequest> {
  return ['read-versions', 'write-version', 'lookup', 'count'].includes(request.op)
}

/** A client that keeps what it receives as text. */
export class TestClient {
  readonly socket: Socket
  received = ''
  /** How many lines that is. */
  lines = 0
  readonly #closed: Promise<void>
  #changed: () => void = () => {}
  #isClosed = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.received += text
      this.lines += countLines(text)
      this.#changed()
    })
    socket.on('error', () => {})
    this.#closed = new Promise(resolve =>
      socket.on('close', () => {
        this.#isClosed = true
        this.#changed()
        resolve()
      }),
    )
  }

  send(data: string | Uint8Array): void {
    this.socket.write(data)
  }

  /** Begins anew with what is received. */
  forget(): void {
    this.received = ''
    this.lines = 0
  }

  /** Sends, and gives what has been received from then on once it has so many lines. */
  async ask(data: string | Uint8Array, lines = 1): Promise<string> {
    this.forget()
    this.send(data)
    await this.until(() => this.lines >= lines)
    return this.received
  }

  /** Waits until something received makes the condition true. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#isClosed) throw new Error(`closed after ${JSON.stringify(this.received.slice(-200))}`)
      await new Promise<void>(resolve => {
        this.#changed = resolve
      })
    }
  }

  /** Everything received until the other side closed. */
  async all(): Promise<string> {
    await this.#closed
    return this.received
  }

  /** Says that nothing more will be sent, maybe after some last words, and gives everything received. */
  async end(data?: string | Uint8Array): Promise<string> {
    if (data === undefined) this.socket.end()
    else this.socket.end(data)
    return this.all()
  }
}

/** How many newlines there are. */
export function countLines(text: string): number {
  let count = 0
  for (let place = text.indexOf('\n'); place !== -1; place = text.indexOf('\n', place + 1)) count++
  return count
}

/** A client port over a fake backend, and the clients that were connected to it. */
export class Port {
  readonly backend: FakeBackend
  readonly server: ClientServer
  readonly clients: TestClient[] = []

  constructor(backend: FakeBackend, server: ClientServer) {
    this.backend = backend
    this.server = server
  }

  static async open(options: Partial<ClientServerOptions> = {}): Promise<Port> {
    const backend = new FakeBackend()
    return new Port(backend, await listenForClients(backend, { host: '127.0.0.1', port: 0, ...options }))
  }

  async connect(): Promise<TestClient> {
    const socket = createConnection({ host: '127.0.0.1', port: this.server.port, allowHalfOpen: true })
    const client = new TestClient(socket)
    this.clients.push(client)
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return client
  }

  async close(): Promise<void> {
    for (const client of this.clients) client.socket.destroy()
    await this.server.close(1000)
  }
}

/** Waits until the condition is true, giving the loop its turns meanwhile; the test's own timeout bounds it. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 1))
}
