/**
 * How the bytes of an accepted connection come in: into one buffer that all connections of the process share, where
 * the system's handle can be had, and as events of the socket where it cannot. The events are what Node.js offers for
 * accepted sockets; they cost a buffer of 64 KiB for each read, however little it brings, and the machinery of a
 * readable stream around it.
 *
 * What must always hold:
 * - whoever reads is given bytes of their own: nothing of the shared buffer outlives the call;
 * - apart from the bytes, a socket that was taken this way behaves like any other: `pause` and `resume`, `end`,
 *   `error` and `close`, writing, half-open, and the count of the server that accepted it.
 */
import { Socket, type SocketConstructorOpts } from 'node:net'

/** Is given what comes on a connection, in order. */
export type ByteReader = (bytes: Buffer) => void

/**
 * What lies beside the bytes that a reader is given. `shared`: short pieces lie in the pool of Node.js, of which each
 * keeps 8 KiB alive for as long as a part of it is kept; that is cheaper. `own`: nothing, so that they may be kept for long.
 */
export type PieceMemory = 'shared' | 'own'

/**
 * Reads a socket that was accepted by a server with `pauseOnConnect`, and that nobody has used yet: `reader` is given
 * what comes, from the next turn of the loop on. Gives the socket that is to be used in place of `accepted`.
 */
export function readAccepted(accepted: Socket, memory: PieceMemory, reader: ByteReader): Socket {
  return readByHandle(accepted, memory, reader) ?? readByEvents(accepted, reader)
}

/** The way that every version of Node.js has; the pieces lie in memory of their own. */
export function readByEvents(accepted: Socket, reader: ByteReader): Socket {
  accepted.on('data', reader)
  return accepted.resume()
}

/** The way of the shared buffer; undefined, and nothing was done, where this Node.js does not have it. */
export function readByHandle(accepted: Socket, memory: PieceMemory, reader: ByteReader): Socket | undefined {
  // A field that no documentation names is looked at as something that may not be there.
  const opened = accepted as { _handle?: unknown }
  const handle = opened._handle
  if (!canReadInto(handle)) return undefined
  opened._handle = null
  const onread = {
    buffer: sharedBuffer,
    callback: (bytesRead: number, buffer: Uint8Array) => {
      reader(copyOf(buffer, bytesRead, memory))
      return true
    },
  }
  const { allowHalfOpen } = accepted
  // The types know neither that `handle` can be given, nor that `onread` is taken here as it is by `connect`.
  const options = { handle, allowHalfOpen, onread } as SocketConstructorOpts
  const socket = new Socket(options)
  // Where a version takes the handle and not `onread`, the bytes come like this.
  socket.on('data', reader)
  // The server counts the accepted socket until that is destroyed, and waits for it when it closes.
  socket.once('close', () => accepted.destroy())
  return socket
}

/** Whether this is a handle that reads into a buffer that it is given. */
function canReadInto(handle: unknown): boolean {
  if (typeof handle !== 'object' || handle === null) return false
  return 'useUserBuffer' in handle && typeof handle.useUserBuffer === 'function'
}

/** As much as the system is asked for at once. */
const sharedBuffer = Buffer.allocUnsafeSlow(64 * 1024)

function copyOf(buffer: Uint8Array, bytes: number, memory: PieceMemory): Buffer {
  const copy = memory === 'shared' ? Buffer.allocUnsafe(bytes) : Buffer.allocUnsafeSlow(bytes)
  copy.set(bytes === buffer.length ? buffer : buffer.subarray(0, bytes))
  return copy
}
