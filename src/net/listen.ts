/** Opening a listening socket, with errors that name the place. */
import type { Server } from 'node:net'
import { whyNotReached } from '../protocol/unreachable.js'

/** In words, where the system's own are of no help. */
const explanations: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'this program has no right to that port',
}

/** A port could not be opened. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
  /** The system's name for what went wrong: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, ... */
  readonly code: string
  readonly host: string
  readonly port: number

  constructor(code: string, host: string, port: number, cause: Error) {
    const why = explanations[code] ?? whyNotReached({ code, message: cause.message })
    super(`cannot listen on ${host}:${port}: ${why}`, { cause })
    this.code = code
    this.host = host
    this.port = port
  }
}

/** Makes `server` listen; gives the port (a free one for 0), or fails with a {@link ListenError}. */
export function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) =>
      reject(new ListenError(error.code ?? 'UNKNOWN', host, port, error))
    server.once('error', fail)
    server.listen({ host, port, backlog: 1024 }, () => {
      server.off('error', fail)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
