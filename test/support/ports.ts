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

/**
 * A port for clients and one for peers, which is the client port plus `distance` as it is by default. They lie
 * below those that systems give to outgoing connections: a node that is killed and started again finds them free.
 */
export async function freePortPair(
  host = '127.0.0.1',
  distance = 1000,
): Promise<{ readonly port: number; readonly peerPort: number }> {
  for (;;) {
    const port = pairPortMin + Math.floor(Math.random() * (pairPortMax - distance - pairPortMin))
    const peerPort = port + distance
    const client = await hold(host, port).catch(() => undefined)
    if (client === undefined) continue
    const peer = await hold(host, peerPort).catch(() => undefined)
    await letGo(client)
    if (peer === undefined) continue
    await letGo(peer)
    return { port, peerPort }
  }
}

/** Above what services usually have, below 32768, where the ports of outgoing connections begin on Linux. */
const pairPortMin = 15_000
const pairPortMax = 32_000

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
