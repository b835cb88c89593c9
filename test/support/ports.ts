/**
 * Ports that nobody listens on. The system gives them, and somebody else could take one before the test does; the
 * system hands out others first, so that hardly happens.
 */
import { createServer, type Server } from 'node:net'

/** A free port of this machine. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const [port] = await freePorts(1, host)
  if (port === undefined) throw new Error('asked for one port and got none')
  return port
}

/** Different free ports. */
export async function freePorts(count: number, host = '127.0.0.1'): Promise<number[]> {
  // All are held until the last one is there, because a port that was let go could be given again.
  const servers = await Promise.all(Array.from({ length: count }, () => hold(host, 0)))
  const ports = servers.map(portOf)
  await Promise.all(servers.map(letGo))
  return ports
}

/** A port for clients and one for peers, which is the client port plus `distance` as it is by default. */
export async function freePortPair(
  host = '127.0.0.1',
  distance = 1000,
): Promise<{ readonly port: number; readonly peerPort: number }> {
  for (;;) {
    const client = await hold(host, 0)
    const port = portOf(client)
    const peerPort = port + distance
    const peer = peerPort > 65535 ? undefined : await hold(host, peerPort).catch(() => undefined)
    await letGo(client)
    if (peer === undefined) continue
    await letGo(peer)
    return { port, peerPort }
  }
}

function hold(host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ host, port }, () => resolve(server))
  })
}

function portOf(server: Server): number {
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the server does not listen on a port')
  return address.port
}

function letGo(server: Server): Promise<void> {
  return new Promise(resolve => server.close(() => resolve()))
}
