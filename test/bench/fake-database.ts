/** A database in memory that speaks as much of the text and the Redis dialect as a load needs, and can misbehave. */
import { createServer, type Socket } from 'node:net'

/** How it misbehaves; each is asked for every request. */
export interface Faults {
  /** A write is acknowledged and not done. */
  readonly forgets?: (write: number) => boolean
  /** A request gets this line instead of being carried out. */
  readonly refuses?: (request: number) => string | undefined
  /** A request is carried out, and the connection cut instead of an answer. */
  readonly cuts?: (request: number) => boolean
}

/** A running one. */
export interface FakeDatabase {
  readonly address: string
  readonly contents: ReadonlyMap<string, string>
  /** How many connections there were. */
  connections(): number
  close(): Promise<void>
}

/** Starts one on a free port. */
export async function fakeDatabase(faults: Faults = {}): Promise<FakeDatabase> {
  const contents = new Map<string, string>()
  const sockets = new Set<Socket>()
  let connections = 0
  let requests = 0
  let writes = 0
  const answer = (words: readonly string[], isResp: boolean): string | undefined => {
    const [verb = '', key = '', value = ''] = words
    requests++
    const refusal = faults.refuses?.(requests)
    if (refusal !== undefined) return `${refusal}${isResp ? '\r' : ''}\n`
    const isWrite = verb.toLowerCase() === 'set'
    if (isWrite) writes++
    if (isWrite && faults.forgets?.(writes) !== true) contents.set(key, value)
    if (faults.cuts?.(requests) === true) return undefined
    if (isWrite) return isResp ? '+OK\r\n' : `SUCCESS: ${key} -> ${value} set.\n`
    const found = contents.get(key)
    if (found === undefined) return isResp ? '$-1\r\n' : 'ERROR: Key not found.\n'
    return isResp ? `$${found.length}\r\n${found}\r\n` : `${key} -> ${found}\n`
  }
  const server = createServer(socket => {
    connections++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    let pending = ''
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      pending += chunk
      for (let request = nextRequest(pending); request !== undefined; request = nextRequest(pending)) {
        const { words, rest, isResp } = request
        pending = rest
        const reply = answer(words, isResp)
        if (reply === undefined) {
          socket.destroy()
          return
        }
        socket.write(reply)
      }
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('it listens on no port')
  return {
    address: `127.0.0.1:${bound.port}`,
    contents,
    connections: () => connections,
    close: () =>
      new Promise(resolve => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}

interface Request {
  readonly words: readonly string[]
  readonly rest: string
  readonly isResp: boolean
}

/** Takes the first whole request; undefined while there is none. */
function nextRequest(pending: string): Request | undefined {
  if (!pending.startsWith('*')) {
    const end = pending.indexOf('\n')
    if (end < 0) return undefined
    return { words: pending.slice(0, end).split(' '), rest: pending.slice(end + 1), isResp: false }
  }
  const [head = '', ...lines] = pending.split('\r\n')
  const parts = 2 * Number(head.slice(1))
  // The last piece is what stands behind the last line ending.
  if (lines.length <= parts) return undefined
  const words = lines.slice(0, parts).filter((_, at) => at % 2 === 1)
  return { words, rest: lines.slice(parts).join('\r\n'), isResp: true }
}
