/** Whether ports can be listened on, asked before anything is started. */
import { createServer } from 'node:net'

/**
 * Which of the ports cannot be listened on, and the system's code for it (`EADDRINUSE`, `EACCES`). An answer of
 * the moment: somebody else may take a port right afterwards.
 */
export async function portsTaken(host: string, ports: readonly number[]): Promise<Map<number, string>> {
  const codes = await Promise.all(ports.map(port => listenCode(host, port)))
  const taken = new Map<number, string>()
  for (const [at, port] of ports.entries()) {
    const code = codes[at]
    if (code !== undefined) taken.set(port, code)
  }
  return taken
}

function listenCode(host: string, port: number): Promise<string | undefined> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'UNKNOWN'))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}
