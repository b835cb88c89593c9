/**
 * A network that can be divided, without the rights of root: each node is reached through proxies at an address
 * of its own in the loopback network, and the proxy before its peer port lets through only whom it shall. It knows
 * callers by the line that opens every peer connection.
 *
 * What is cut is silent, not closed: bytes wait, connections are taken and never answered, as when a cable is
 * pulled. When it is whole again the connections that were cut are ended, so that nodes need not wait as long as
 * systems do before they send on an old one.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Where processes listen. */
const innerHost = '127.0.0.1'
/** Where they are reached. */
export const outerHost = '127.0.1.1'

interface Wire {
  readonly sockets: readonly Socket[]
  /** Client addresses; the caller's is unknown until it has said it. */
  readonly to: string
  from: string | undefined
  isCut: boolean
}

/** See the head of this file. */
export class DivisibleNetwork {
  readonly #servers: Server[] = []
  readonly #wires = new Set<Wire>()
  /** Which side of the division each node is on, by client address; undefined: the network is whole. */
  #sides: ReadonlyMap<string, number> | undefined

  /** Lets a node be reached that listens on these ports. */
  async admit(port: number, peerPort: number): Promise<void> {
    const to = `${outerHost}:${port}`
    await this.#listen(port, socket => this.#join(socket, connect(port, innerHost)))
    await this.#listen(peerPort, socket => this.#takePeer(socket, peerPort, to))
  }

  /** Divides the nodes: those of different groups do not hear each other. Client addresses; each in one group. */
  divide(...groups: readonly (readonly string[])[]): void {
    this.#sides = new Map(groups.flatMap((group, side) => group.map(address => [address, side] as const)))
    for (const wire of this.#wires) if (this.#isBetween(wire)) this.#cut(wire)
  }

  /** Makes the network whole. */
  heal(): void {
    this.#sides = undefined
    for (const wire of this.#wires) {
      if (wire.isCut) for (const socket of wire.sockets) socket.destroy()
    }
  }

  /** Whether each of these nodes has a connection to each other one. */
  isConnected(addresses: readonly string[]): boolean {
    const pairs = new Set([...this.#wires].filter(wire => !wire.isCut).map(({ from, to }) => `${from} ${to}`))
    return addresses.every(from => addresses.every(to => from === to || pairs.has(`${from} ${to}`)))
  }

  /** Ends everything. */
  async close(): Promise<void> {
    for (const { sockets } of this.#wires) for (const socket of sockets) socket.destroy()
    await Promise.all(this.#servers.map(server => new Promise(resolve => server.close(resolve))))
  }

  #listen(port: number, onConnection: (socket: Socket) => void): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection)
    this.#servers.push(server)
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: outerHost, port }, resolve)
    })
  }

  #takePeer(caller: Socket, peerPort: number, to: string): void {
    let opening = Buffer.alloc(0)
    const wire: Wire = { sockets: [caller], to, from: undefined, isCut: false }
    this.#wires.add(wire)
    caller.on('error', () => {})
    caller.once('close', () => this.#wires.delete(wire))
    const onData = (chunk: Buffer): void => {
      opening = Buffer.concat([opening, chunk])
      if (!opening.includes('\n')) return
      caller.off('data', onData)
      caller.pause()
      wire.from = callerOf(opening.toString())
      if (this.#isBetween(wire)) this.#cut(wire)
      else this.#connectPeer(wire, caller, peerPort, opening)
    }
    caller.on('data', onData)
  }

  #connectPeer(wire: Wire, caller: Socket, peerPort: number, opening: Buffer): void {
    const node = connect({ port: peerPort, host: innerHost, noDelay: true })
    const whole: Wire = { ...wire, sockets: [caller, node] }
    this.#wires.delete(wire)
    this.#wires.add(whole)
    caller.once('close', () => this.#wires.delete(whole))
    node.write(opening)
    this.#join(caller, node)
  }

  /** Passes on what either says, bytes as they are, until either ends. */
  #join(one: Socket, other: Socket): void {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      from.on('error', () => {})
      from.on('close', () => to.destroy())
      from.pipe(to)
    }
  }

  #isBetween({ from, to }: Wire): boolean {
    const sides = this.#sides
    if (sides === undefined || from === undefined) return false
    return sides.get(from) !== sides.get(to)
  }

  #cut(wire: Wire): void {
    wire.isCut = true
    for (const socket of wire.sockets) {
      socket.unpipe()
      socket.pause()
    }
  }
}

/** Whether the loopback network has the address; not every system gives more than one. */
export async function hasOuterHost(): Promise<boolean> {
  const server = createServer()
  return new Promise(resolve => {
    server.once('error', () => resolve(false))
    server.listen({ host: outerHost, port: 0 }, () => server.close(() => resolve(true)))
  })
}

/** The client address of whoever opened a peer connection. */
function callerOf(opening: string): string | undefined {
  return /"hello":\{[^}]*"address":"([^"]+)"/.exec(opening)?.[1]
}
