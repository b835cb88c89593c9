/**
 * The client port: takes connections, up to a limit, and gives all that have something to do one turn after the
 * other. What a connection does in its turn is in client-connection.ts, what stands behind it in
 * client-backend.ts.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { ByteWriter } from '../protocol/byte-writer.js'
import { errorText } from '../protocol/errors.js'
import { lineBytesMaxDefault } from '../protocol/lines.js'
import { quorateText, type TextDialect } from '../protocol/text-dialect.js'
import type { Backend } from './client-backend.js'
import { ClientConnection, type ConnectionHost } from './client-connection.js'
import { connectionsMaxDefault, keepAliveMs, lingerMs, refusedConnectionsMax } from './client-limits.js'
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
  /** A line that every connection is greeted with. */
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
   * Takes no more connections and reads no more lines; answers what was read, for at most `deadlineMs`, and ends
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

class ClientPort implements ClientServer, ConnectionHost {
  readonly backend: Backend
  readonly lineBytesMax: number
  readonly text: TextDialect
  readonly writer = new ByteWriter()
  readonly #options: ClientServerOptions
  readonly #connectionsMax: number
  readonly #server: Server
  readonly #connections = new Set<ClientConnection>()
  readonly #refused = new Set<Socket>()
  #port = 0
  #onEmpty: () => void = () => {}
  /** Connections that asked for a turn. */
  #due = new Set<ClientConnection>()

  constructor(backend: Backend, options: ClientServerOptions) {
    this.backend = backend
    this.#options = options
    this.lineBytesMax = options.lineBytesMax ?? lineBytesMaxDefault
    this.text = options.text ?? quorateText
    this.#connectionsMax = options.connectionsMax ?? connectionsMaxDefault
    // Half-open, because a client that has said everything still wants its answers.
    const settings = {
      allowHalfOpen: true,
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

  forget(connection: ClientConnection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#onEmpty()
  }

  /** Gives each connection that asked for it one turn; what they ask for meanwhile comes in a later one. */
  #takeTurns(): void {
    const due = this.#due
    this.#due = new Set()
    for (const connection of due) connection.turn()
  }

  #onConnection(socket: Socket): void {
    if (this.#connections.size >= this.#connectionsMax) {
      this.#refuse(socket)
      return
    }
    if (this.#options.banner !== undefined) socket.write(`${this.#options.banner}\n`)
    this.#connections.add(new ClientConnection(socket, this))
  }

  /** Says why, and closes. What the client sent is read and dropped, so that it gets to read this. */
  #refuse(socket: Socket): void {
    socket.on('error', () => {})
    if (this.#refused.size >= refusedConnectionsMax) {
      socket.destroy()
      return
    }
    this.#refused.add(socket)
    const deadline = setTimeout(() => socket.destroy(), lingerMs)
    socket.on('close', () => {
      clearTimeout(deadline)
      this.#refused.delete(socket)
    })
    socket.resume()
    socket.end(`ERROR: ${errorText('TOO_MANY_CONNECTIONS', { limit: this.#connectionsMax })}\n`)
  }
}
