/**
 * The client port: takes connections, up to a limit, and gives all that have something to do one turn after the
 * other. What a connection does in its turn is in client-connection.ts, what stands behind it in
 * client-backend.ts.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { formatAddress } from '../protocol/address.js'
import { ByteWriter } from '../protocol/byte-writer.js'
import { errorText } from '../protocol/errors.js'
import { lineBytesMaxDefault } from '../protocol/lines.js'
import type { ClientFacts, RespHost } from '../protocol/resp/conversation.js'
import { quorateText, type TextDialect } from '../protocol/text-dialect.js'
import { readAccepted } from './accepted-socket.js'
import type { Backend } from './client-backend.js'
import { ClientConnection, type ConnectionHost } from './client-connection.js'
import { respHost } from './client-facts.js'
import {
  connectionsMaxDefault,
  firstByteMs,
  keepAliveMs,
  lingerMs,
  refusedConnectionsMax,
} from './client-limits.js'
import { listen } from './listen.js'

export interface ClientServerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** The longest line, in bytes without its line ending. */
  readonly lineBytesMax?: number | undefined
  readonly connectionsMax?: number | undefined
  /** How lines that are no JSON are read and answered; as `quorate` does unless it is said. */
  readonly text?: TextDialect | undefined
  /** Where clients reach this node, in full form, if it is not where it listens. */
  readonly address?: string | undefined
  /** The version of the program, for those who ask. */
  readonly version?: string | undefined
  /** A line that every connection is greeted with; the Redis protocol has none, and its clients fall over it. */
  readonly banner?: string | undefined
  /** Told of errors of the listening socket after it began to listen; connections are still served. */
  readonly onError?: ((error: Error) => void) | undefined
}

/** What the client port is busy with, for metrics and tests. */
export interface ClientServerStats {
  readonly connections: number
  /** Connections that are held up because a bound is reached. */
  readonly pausedConnections: number
  /** Requests that were read and whose replies have not left. */
  readonly requests: number
  /** Bytes of replies held because clients have not taken them yet. */
  readonly unsentBytes: number
}

export interface ClientServer {
  readonly host: string
  readonly port: number
  stats(): ClientServerStats
  /**
   * Takes no more connections and reads no more requests; answers what was read, for at most `deadlineMs`, and ends
   * all connections. Settles when the last one is gone.
   */
  close(deadlineMs: number): Promise<void>
}

/** Opens the client port; fails with a `ListenError`. */
export async function listenForClients(
  backend: Backend,
  options: ClientServerOptions,
): Promise<ClientServer> {
  const port = new ClientPort(backend, options)
  await port.listen()
  return port
}

/** What a request of the Redis protocol begins with. */
const asterisk = 0x2a

class ClientPort implements ClientServer, ConnectionHost {
  readonly backend: Backend
  readonly lineBytesMax: number
  readonly text: TextDialect
  readonly greeting: string | undefined
  readonly writer = new ByteWriter()
  readonly resp: RespHost
  readonly #options: ClientServerOptions
  readonly #connectionsMax: number
  readonly #server: Server
  readonly #connections = new Set<ClientConnection>()
  readonly #refused = new Set<Socket>()
  #port = 0
  #connectionsTaken = 0
  #requestsTaken = 0
  #onEmpty: () => void = () => {}
  /** Connections that asked for a turn. */
  #due = new Set<ClientConnection>()
  /** Connections whose requests the backend has answered. */
  #answered: ClientConnection[] = []

  constructor(backend: Backend, options: ClientServerOptions) {
    this.backend = backend
    this.#options = options
    this.lineBytesMax = options.lineBytesMax ?? lineBytesMaxDefault
    this.text = options.text ?? quorateText
    this.greeting = options.banner === undefined ? undefined : `${options.banner}\n`
    this.#connectionsMax = options.connectionsMax ?? connectionsMaxDefault
    this.resp = respHost({
      engine: backend.engine,
      address: () => options.address ?? formatAddress({ host: this.host, port: this.port }),
      version: options.version ?? 'unknown',
      port: () => this.port,
      wordBytesMax: this.lineBytesMax,
      connectionsMax: this.#connectionsMax,
      counts: () => ({
        connections: this.#connections.size,
        connectionsReceived: this.#connectionsTaken,
        commandsProcessed: this.#requestsTaken,
      }),
      clients: () => this.#respClients(),
    })
    // Half-open, because a client that has said everything still wants its answers.
    const settings = {
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMs,
    }
    this.#server = createServer(settings, socket => this.#onConnection(socket))
  }

  get host(): string {
    return this.#options.host
  }

  /** The port that was taken, once it was. */
  get port(): number {
    return this.#port
  }

  async listen(): Promise<void> {
    this.#port = await listen(this.#server, this.#options.host, this.#options.port)
    this.#server.on('error', error => this.#options.onError?.(error))
  }

  stats(): ClientServerStats {
    const connections = [...this.#connections]
    const sum = (of: (connection: ClientConnection) => number) =>
      connections.reduce((total, connection) => total + of(connection), 0)
    return {
      connections: connections.length,
      pausedConnections: sum(connection => (connection.isPaused ? 1 : 0)),
      requests: sum(connection => connection.requests),
      unsentBytes: sum(connection => connection.unsentBytes),
    }
  }

  async close(deadlineMs: number): Promise<void> {
    const stopped = new Promise<void>(resolve => this.#server.close(() => resolve()))
    const emptied = new Promise<void>(resolve => {
      this.#onEmpty = resolve
      if (this.#connections.size === 0) resolve()
    })
    for (const connection of this.#connections) connection.drain()
    const deadline = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy()
    }, deadlineMs)
    for (const socket of this.#refused) socket.destroy()
    await Promise.all([stopped, emptied])
    clearTimeout(deadline)
  }

  schedule(connection: ClientConnection): void {
    if (this.#due.size === 0) setImmediate(() => this.#takeTurns())
    this.#due.add(connection)
  }

  scheduleReplies(connection: ClientConnection): void {
    // Behind the backend's turn, yet before the loop goes on: its answers leave together, and at once.
    if (this.#answered.length === 0) process.nextTick(() => this.#sendAnswers())
    this.#answered.push(connection)
  }

  forget(connection: ClientConnection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#onEmpty()
  }

  noteRequests(count: number): void {
    this.#requestsTaken += count
  }

  #respClients(): ClientFacts[] {
    return [...this.#connections].flatMap(({ facts }) => (facts === undefined ? [] : [facts]))
  }

  /** Gives each connection that asked for it one turn; what they ask for meanwhile comes in a later one. */
  #takeTurns(): void {
    const due = this.#due
    this.#due = new Set()
    for (const connection of due) connection.turn()
  }

  #sendAnswers(): void {
    const answered = this.#answered
    this.#answered = []
    for (const connection of answered) connection.turn()
  }

  #onConnection(socket: Socket): void {
    if (this.#connections.size >= this.#connectionsMax) {
      this.#refuse(socket)
      return
    }
    this.#connections.add(new ClientConnection(socket, this, ++this.#connectionsTaken))
  }

  /** Says why, and closes. What the client sent is read and dropped, so that it gets to read this. */
  #refuse(accepted: Socket): void {
    if (this.#refused.size >= refusedConnectionsMax) {
      accepted.destroy()
      return
    }
    const socket = readAccepted(accepted, 'shared', bytes => say(bytes[0] === asterisk))
    socket.on('error', () => {})
    this.#refused.add(socket)
    const deadline = setTimeout(() => socket.destroy(), lingerMs)
    const say = (isRedis: boolean): void => {
      clearTimeout(silence)
      if (socket.writableEnded) return
      const text = errorText('TOO_MANY_CONNECTIONS', { limit: this.#connectionsMax })
      socket.end(isRedis ? `-ERR ${text}\r\n` : `ERROR: ${text}\n`)
    }
    // In the dialect of its first byte, which a program sends at once; a person may wait to be greeted.
    const silence = setTimeout(() => say(false), firstByteMs)
    socket.on('close', () => {
      clearTimeout(silence)
      clearTimeout(deadline)
      this.#refused.delete(socket)
    })
  }
}
