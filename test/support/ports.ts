/**
 * Ports that nobody listens on. The system gives them, and somebody else could take one before the test does; the
 * system hands out others first, so that hardly happens.
 */
import { createServer, type Server } from 'node:net'

const localHost = '127.0.0.1'

/** A free port of this machine. */
export async function freePort(host = localHost): Promise<number> {
  const [port] = await freePorts(1, host)
  if (port === undefined) throw new Error('asked for one port and got none')
  return port
}

/** Different free ports. */
export async function freePorts(count: number, host = localHost): Promise<number[]> {
  // All are held until the last one is there, because a port that was let go could be given again.
  const servers = await Promise.all(Array.from({ length: count }, () => hold(host, 0)))
  const ports = servers.map(portOf)
  await Promise.all(servers.map(letGo))
  return ports
}

/**
 * A port for clients and one for peers, 1000 above it as it is by default. They lie below those that systems give
 * to outgoing connections, and no other run takes them while this process lives: so a node that is killed and
 * started again finds them free.
 */
export async function freePortPair(): Promise<{ readonly port: number; readonly peerPort: number }> {
  const port = await freePortRow(1)
  return { port, peerPort: port + peerDistance }
}

/** The first of several such ports in a row, each with one for peers. */
export async function freePortRow(count: number): Promise<number> {
  ownBlock ??= holdBlock()
  const block = await ownBlock
  for (;;) {
    const start = pairsTaken % pairsPerBlock
    const isWithin = start + count <= pairsPerBlock
    pairsTaken += isWithin ? count : pairsPerBlock - start
    const first = block + 1 + start
    if (isWithin && (await areFree(first, count)) && (await areFree(first + peerDistance, count)))
      return first
  }
}

const peerDistance = 1000
/** Above what services usually have; all of them are below 32768, where outgoing connections begin on Linux. */
const blocksFrom = 15_000
const blocksTo = 31_000
const pairsPerBlock = 49
/** The ports of this process, once it has any, and how many pairs were given. */
let ownBlock: Promise<number> | undefined
let pairsTaken = 0

/** Takes a block of ports by listening on its first one for as long as the process lives; returns that. */
async function holdBlock(): Promise<number> {
  const blocks: number[] = []
  for (let start = blocksFrom; start < blocksTo; start += 2 * peerDistance) {
    for (let first = start; first < start + peerDistance; first += pairsPerBlock + 1) blocks.push(first)
  }
  // Anywhere among them, so that runs that start together seldom ask for the same.
  const begin = Math.floor(Math.random() * blocks.length)
  for (const first of [...blocks.slice(begin), ...blocks.slice(0, begin)]) {
    const server = await hold(localHost, first).catch(() => undefined)
    if (server === undefined) continue
    server.unref()
    return first
  }
  throw new Error('all blocks of ports are taken')
}

async function areFree(first: number, count: number): Promise<boolean> {
  for (let port = first; port < first + count; port++) {
    if (!(await isFree(port))) return false
  }
  return true
}

async function isFree(port: number): Promise<boolean> {
  const server = await hold(localHost, port).catch(() => undefined)
  if (server === undefined) return false
  await letGo(server)
  return true
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
