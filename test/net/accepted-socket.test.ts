/** The two ways in which bytes come out of an accepted socket: one list of promises that both must keep. */
import { connect, createServer, type Server, Socket } from 'node:net'
import { expect } from 'chai'
import {
  type ByteReader,
  type PieceMemory,
  readAccepted,
  readByEvents,
  readByHandle,
} from '../../src/net/accepted-socket.js'
import { eventually, Port } from './client-harness.js'

/** More than is read at once. */
const manyBytes = 200_000

/** What Node.js cuts small buffers from: its size, which differs from one version to the next, is not quite the one it tells. */
const poolBytes = Buffer.allocUnsafe(1).buffer.byteLength

/** A way to read, and what lies beside the bytes that it gives. */
interface Way {
  readonly name: string
  readonly memory: PieceMemory
  readonly read: (accepted: Socket, reader: ByteReader) => Socket | undefined
}

const ways: readonly Way[] = [
  { name: 'by its events', memory: 'own', read: readByEvents },
  ...(['own', 'shared'] as const).map(memory => ({
    name: `into one buffer for all, and given memory that is ${memory}`,
    memory,
    read: (accepted: Socket, reader: ByteReader) => readByHandle(accepted, memory, reader),
  })),
]

/** One connection: both of its ends, and what came at the accepted one. */
interface Pair {
  readonly client: Socket
  readonly socket: Socket
  readonly pieces: Buffer[]
  readonly events: string[]
}

for (const { name, memory, read } of ways) {
  describe(`an accepted socket, read ${name}`, () => {
    let server: Server
    const ends: Socket[] = []

    /** Opens a server and one connection to it; `onPiece` is called behind the noting of each piece. */
    async function open(onPiece: (pair: Pair) => void = () => {}): Promise<Pair> {
      const accepted = new Promise<Pair>(resolve => {
        server.once('connection', (incoming: Socket) => {
          const pieces: Buffer[] = []
          const events: string[] = []
          const reader = (bytes: Buffer): void => {
            pieces.push(bytes)
            onPiece(pair)
          }
          const socket = read(incoming, reader)
          if (socket === undefined) throw new Error('this version of Node.js does not have the handle')
          for (const event of ['end', 'error', 'close']) socket.on(event, () => events.push(event))
          ends.push(socket)
          const pair = { client, socket, pieces, events }
          resolve(pair)
        })
      })
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      client.on('error', () => {})
      ends.push(client)
      return await accepted
    }

    async function listen(allowHalfOpen = true): Promise<void> {
      server = createServer({ pauseOnConnect: true, allowHalfOpen })
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    }

    beforeEach(() => listen())

    afterEach(async () => {
      for (const end of ends.splice(0)) end.destroy()
      await new Promise(resolve => server.close(resolve))
    })

    it('gives everything that comes, in order, also what is longer than one read', async () => {
      const { client, pieces } = await open()
      const sent = Buffer.from(Array.from({ length: manyBytes }, (_, at) => at % 251))
      client.write(sent.subarray(0, 3))
      await eventually(() => bytesOf(pieces) === 3)
      client.write(sent.subarray(3))
      await eventually(() => bytesOf(pieces) === manyBytes)
      expect(Buffer.concat(pieces).equals(sent)).to.equal(true)
    })

    it('gives bytes that stay as they are, whatever comes later and on other connections', async () => {
      const first = await open()
      const second = await open()
      first.client.write('a'.repeat(1000))
      await eventually(() => bytesOf(first.pieces) === 1000)
      first.client.write('b'.repeat(10))
      await eventually(() => bytesOf(first.pieces) === 1010)
      second.client.write('c'.repeat(manyBytes))
      await eventually(() => bytesOf(second.pieces) === manyBytes)
      expect(textOf(first.pieces)).to.equal('a'.repeat(1000) + 'b'.repeat(10))
      for (const piece of [...first.pieces, ...second.pieces]) piece.fill('x')
      first.client.write('d')
      await eventually(() => bytesOf(first.pieces) === 1011)
      expect(textOf(first.pieces).at(-1)).to.equal('d')
    })

    const beside = memory === 'own' ? 'nothing' : 'at most the pool of Node.js'
    it(`gives pieces with ${beside} beside them in their memory`, async () => {
      const { client, pieces } = await open()
      client.write('a'.repeat(100))
      await eventually(() => bytesOf(pieces) === 100)
      client.write('b'.repeat(manyBytes))
      await eventually(() => bytesOf(pieces) === 100 + manyBytes)
      for (const { buffer, length } of pieces) {
        if (memory === 'own') expect(buffer.byteLength).to.equal(length)
        else expect(buffer.byteLength).to.be.oneOf([length, poolBytes])
      }
    })

    it('gives nothing while it is paused, and everything, its end included, when it goes on', async () => {
      const { client, socket, pieces, events } = await open()
      socket.pause()
      client.end('hello')
      const other = await open()
      other.client.write('there')
      await eventually(() => textOf(other.pieces) === 'there')
      await turns()
      expect([textOf(pieces), events]).to.deep.equal(['', []])
      socket.resume()
      await eventually(() => events.includes('end'))
      expect(textOf(pieces)).to.equal('hello')
    })

    it('can be paused by whoever is given a piece, and goes on behind it', async () => {
      const { client, socket, pieces } = await open(pair => pair.socket.pause())
      client.write('x'.repeat(manyBytes))
      await eventually(() => pieces.length === 1)
      await turns()
      expect(pieces.length).to.equal(1)
      for (let count = 2; bytesOf(pieces) < manyBytes; count++) {
        socket.resume()
        await eventually(() => pieces.length === count)
        await turns()
        expect(pieces.length).to.equal(count)
      }
      expect(textOf(pieces)).to.equal('x'.repeat(manyBytes))
    })

    it('can be paused and resumed within one turn without losing or repeating anything', async () => {
      const { client, socket, pieces } = await open(pair => {
        pair.socket.pause()
        pair.socket.resume()
        pair.socket.pause()
        setImmediate(() => pair.socket.resume())
      })
      socket.pause()
      socket.resume()
      client.write('y'.repeat(manyBytes))
      await eventually(() => bytesOf(pieces) >= manyBytes)
      expect(textOf(pieces)).to.equal('y'.repeat(manyBytes))
    })

    it('can be written to when the other side has ended, and closes when both have', async () => {
      const { client, socket, pieces, events } = await open()
      const heard: Buffer[] = []
      client.on('data', piece => heard.push(piece))
      client.end('question')
      await eventually(() => events.includes('end'))
      expect(textOf(pieces)).to.equal('question')
      socket.write('z'.repeat(manyBytes))
      socket.end('.')
      await eventually(() => events.includes('close'))
      await eventually(() => client.destroyed)
      expect(textOf(heard)).to.equal(`${'z'.repeat(manyBytes)}.`)
      expect(events).to.deep.equal(['end', 'close'])
    })

    it('ends with the other side where its server says so', async () => {
      await new Promise(resolve => server.close(resolve))
      await listen(false)
      const { client, events } = await open()
      client.resume()
      client.end()
      await eventually(() => events.includes('close'))
      expect(events).to.deep.equal(['end', 'close'])
    })

    it('tells a reset as an error, and closes', async () => {
      const { client, events } = await open()
      client.resetAndDestroy()
      await eventually(() => events.includes('close'))
      expect(events).to.deep.equal(['error', 'close'])
    })

    it('gives nothing more once whoever was given a piece has destroyed it', async () => {
      const { client, pieces, events } = await open(pair => pair.socket.destroy())
      client.write('x'.repeat(manyBytes))
      await eventually(() => events.includes('close'))
      await turns()
      expect(pieces.length).to.equal(1)
      expect(events).to.deep.equal(['close'])
    })

    it('says when what was written has left, and how much has not', async () => {
      const { client, socket } = await open()
      client.pause()
      const large = Buffer.alloc(16 * 1024 * 1024)
      expect(socket.write(large)).to.equal(false)
      expect(socket.writableLength).to.equal(large.length)
      const drained = new Promise(resolve => socket.once('drain', resolve))
      client.resume()
      await drained
      expect(socket.writableLength).to.equal(0)
    })

    it('knows the addresses of its connection', async () => {
      const { client, socket } = await open()
      await eventually(() => !client.connecting)
      const { localAddress, localPort, remoteAddress, remotePort } = socket
      expect([localAddress, localPort]).to.deep.equal([client.remoteAddress, client.remotePort])
      expect([remoteAddress, remotePort]).to.deep.equal([client.localAddress, client.localPort])
    })

    it('is counted by its server, who waits for it before it is closed', async () => {
      const { client, socket } = await open()
      const count = (): Promise<number> =>
        new Promise((resolve, reject) => {
          server.getConnections((error, connections) => (error ? reject(error) : resolve(connections)))
        })
      expect(await count()).to.equal(1)
      let isClosed = false
      const closed = new Promise<void>(resolve => {
        server.close(() => {
          isClosed = true
          resolve()
        })
      })
      await turns()
      expect(isClosed).to.equal(false)
      socket.end()
      client.end()
      client.resume()
      await closed
      expect(await count()).to.equal(0)
      await listen()
    })
  })
}

describe('the reading of accepted sockets', () => {
  it('leaves a socket alone whose handle is none that reads into a buffer, and reads its events', () => {
    for (const handle of [undefined, null, 7, {}, { useUserBuffer: true }]) {
      const accepted = Object.assign(new Socket(), { _handle: handle })
      expect(readByHandle(accepted, 'own', () => {})).to.equal(undefined)
      expect(accepted).to.have.property('_handle', handle)
      expect(accepted.listenerCount('data')).to.equal(0)
      Object.assign(accepted, { _handle: null })
      expect(readAccepted(accepted, 'own', () => {})).to.equal(accepted)
      expect(accepted.listenerCount('data')).to.equal(1)
    }
  })
})

describe('what a client said and the port has not answered', () => {
  let port: Port

  beforeEach(async () => {
    port = await Port.open()
  })

  afterEach(() => port.close())

  const value = 'v'.repeat(300)
  const said: readonly [string, string, string][] = [
    ['text', `put key ${value}\n`, `SUCCESS: key -> ${value} added.\n`],
    ['JSON', `{"op":"put","key":"key","value":"${value}","id":1}\n`, '"ok":true'],
    ['RESP', `*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$300\r\n${value}\r\n`, '+OK\r\n'],
  ]
  for (const [dialect, request, reply] of said) {
    it(`is not touched by what others say meanwhile: ${dialect}, at once and in two pieces`, async () => {
      for (const pieces of [[request], [request.slice(0, 40), request.slice(40)]]) {
        port.backend.data.clear()
        port.backend.holding = true
        const before = port.backend.submitted.length
        const client = await port.connect()
        const other = await port.connect()
        for (const piece of pieces) {
          client.send(piece)
          // The other one's bytes come to lie where those of the first were.
          expect(await other.ask(`${'n'.repeat(1000)}\n`)).to.match(/^ERROR: /)
        }
        await eventually(() => port.backend.submitted.length === before + 1)
        await other.ask(`${'m'.repeat(100_000)}\n`)
        const [submitted] = port.backend.submitted.slice(before)
        const bytes = submitted?.op === 'put' || submitted?.op === 'set' ? submitted.value : undefined
        expect(Buffer.from(bytes ?? []).toString()).to.equal(value)
        port.backend.release()
        await client.until(() => client.lines === 1)
        expect(client.received).to.include(reply)
      }
    })
  }
})

/** Several turns of the loop, in each of which something could come. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setTimeout(resolve, 1))
}

function bytesOf(pieces: readonly Buffer[]): number {
  return pieces.reduce((bytes, piece) => bytes + piece.length, 0)
}

function textOf(pieces: readonly Buffer[]): string {
  return Buffer.concat(pieces).toString('latin1')
}
