/**
 * A connection that a peer opened: first it introduces itself, then we only read lines from it, and answer the
 * empty ones, by which it sees that it is heard. Bytes from outside can end the connection and do nothing else.
 */
import type { Socket } from 'node:net'
import type { NodeId } from '../base/ids.js'
import { LineSplitter, LongLine } from '../protocol/lines.js'
import { type ByteReader, readAccepted } from './accepted-socket.js'
import { firstLineReader, readOpening, writeRefusal, writeWelcome } from './peer-handshake.js'
import type { PeerLimits } from './peer-limits.js'
import { ping } from './peer-pulse.js'
import type { PeerHello, Refusal } from './transport.js'

/**
 * What an incoming connection asks and tells its owner. `onGone` comes once, whatever happened before, and no
 * line comes after it.
 */
export interface IncomingEvents {
  /** Whether the connection is taken: undefined takes it. */
  onHello(hello: PeerHello, expected: NodeId): Refusal | undefined
  /** The connection was taken, and is about to be read. */
  onTaken(connection: IncomingConnection, hello: PeerHello): void
  onLine(from: NodeId, line: Uint8Array): void
  /**
   * The connection is gone. `hello` is of one that was taken; `byPeer` says that the peer or the network ended
   * it, not we.
   */
  onGone(connection: IncomingConnection, hello: PeerHello | undefined, byPeer: boolean): void
}

/**
 * One connection that a peer opened. It ends by itself when the introduction takes too long or is refused, and
 * when a line is longer than the limit.
 */
export class IncomingConnection {
  readonly #socket: Socket
  readonly #own: PeerHello
  readonly #events: IncomingEvents
  readonly #deadline: NodeJS.Timeout
  readonly #lines: LineSplitter
  /** Who takes what comes; it changes when the peer has introduced itself. */
  #reader: ByteReader
  /** Set once the connection was taken. */
  #hello: PeerHello | undefined
  #isGone = false

  constructor(accepted: Socket, own: PeerHello, limits: PeerLimits, events: IncomingEvents) {
    // The log keeps entries as views of the lines that brought them.
    const socket = readAccepted(accepted, 'own', bytes => this.#reader(bytes))
    this.#socket = socket
    this.#own = own
    this.#events = events
    this.#lines = new LineSplitter(limits.lineBytesMax)
    this.#deadline = setTimeout(() => this.close(), limits.handshakeMs)
    this.#reader = firstLineReader(limits.helloBytesMax, (line, rest) => {
      this.#reader = () => {}
      this.#onOpening(line, rest)
    })
    // The end of a dead process's connection may come as any of these, and the first one is the soonest.
    const onGone = (): void => this.#gone(true)
    socket.on('end', onGone)
    socket.on('error', onGone)
    socket.on('close', onGone)
  }

  /** What the peer said of itself, once the connection was taken. */
  get hello(): PeerHello | undefined {
    return this.#hello
  }

  /** Ends the connection. No line of it comes after this. */
  close(): void {
    this.#gone(false)
  }

  #onOpening(line: Buffer | undefined, rest: Buffer): void {
    const opening = readOpening(line, this.#own)
    const refusal =
      opening.kind === 'refused' ? opening.refusal : this.#events.onHello(opening.hello, opening.expected)
    if (this.#isGone) return
    if (opening.kind === 'refused' || refusal !== undefined) {
      if (refusal !== undefined) this.#refuse(refusal)
      return
    }
    clearTimeout(this.#deadline)
    this.#hello = opening.hello
    this.#socket.write(writeWelcome(this.#own))
    this.#events.onTaken(this, opening.hello)
    const { node } = opening.hello
    this.#reader = bytes => this.#onBytes(node, bytes)
    this.#onBytes(node, rest)
  }

  /** Says why. What still comes is read and dropped until the caller has heard it and closes, or the deadline. */
  #refuse(refusal: Refusal): void {
    this.#socket.end(writeRefusal(refusal))
  }

  #onBytes(node: NodeId, bytes: Buffer): void {
    if (this.#isGone) return
    this.#lines.push(bytes)
    for (let line = this.#lines.next(); line !== undefined; line = this.#lines.next()) {
      if (line instanceof LongLine) {
        this.close()
        return
      }
      if (line.length === 0) {
        // One who asks and does not read the answers gets no more of them.
        if (this.#socket.writableLength === 0) this.#socket.write(ping)
        continue
      }
      this.#events.onLine(node, line)
      // Whoever was told of the line may have ended the connection.
      if (this.#isGone) return
    }
    if (this.#lines.isTooLong) this.close()
  }

  #gone(byPeer: boolean): void {
    if (this.#isGone) return
    this.#isGone = true
    clearTimeout(this.#deadline)
    this.#socket.destroy()
    this.#events.onGone(this, this.#hello, byPeer)
  }
}
