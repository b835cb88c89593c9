/**
 * A bare log, to compare with: what three processes in JavaScript can do on this machine when they do nothing but copy
 * lines, flush them and answer. `bare-log.js lead <folder> <port> <port of a follower> ...` takes `set <key> <value>` and
 * `get <key>`, a line each; `bare-log.js follow <folder> <port>` keeps what the leader tells it.
 *
 * As with Quorate, a write is acknowledged when a majority has flushed it, all that waits goes with one flush, at most
 * two batches are on their way, and a read waits until a follower has answered a question that was asked after it came.
 * What it leaves out is what makes a database of it: there are no elections, no sessions, no order within a connection,
 * no table but a map of the leader's, no recovery, no checks, and what it has written it writes over. Nobody should keep anything in it.
 */

import { once } from 'node:events'
import { fdatasync, fdatasyncSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

const fileBytes = 16 * 1024 * 1024
const batchesOnTheirWay = 2
const newline = 0x0a
const letterOfGet = 'g'.charCodeAt(0)
const host = '127.0.0.1'

/** A file that was filled with zeros ahead, and is written over from the beginning when it is full. */
class LogFile {
  readonly #descriptor: number
  #end = 0

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true })
    this.#descriptor = openSync(join(folder, 'log'), 'w')
    const zeros = Buffer.alloc(1024 * 1024)
    for (let at = 0; at < fileBytes; at += zeros.length)
      writeSync(this.#descriptor, zeros, 0, zeros.length, at)
    fdatasyncSync(this.#descriptor)
  }

  append(bytes: Buffer): void {
    if (this.#end + bytes.length > fileBytes) this.#end = 0
    writeSync(this.#descriptor, bytes, 0, bytes.length, this.#end)
    this.#end += bytes.length
  }

  flushNow(): void {
    fdatasyncSync(this.#descriptor)
  }

  flush(done: () => void): void {
    fdatasync(this.#descriptor, error => {
      if (error) throw error
      done()
    })
  }
}

/** Calls `onLine` for each whole line that comes, with the bytes in which it stands and where. */
function readLines(socket: Socket, onLine: (bytes: Buffer, start: number, end: number) => void): void {
  let rest: Buffer | undefined
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk])
    let start = 0
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      onLine(bytes, start, end)
      start = end + 1
    }
    rest = start < bytes.length ? bytes.subarray(start) : undefined
  })
  socket.on('error', () => socket.destroy())
}

/** Keeps batches (`write <number> <bytes>`, and so many bytes) and answers questions (`read <number>`). */
function follow(log: LogFile, port: number): void {
  createServer({ noDelay: true }, socket => {
    let rest: Buffer = Buffer.alloc(0)
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      let answers = ''
      let hasWritten = false
      let start = 0
      for (;;) {
        const headEnd = bytes.indexOf(newline, start)
        if (headEnd < 0) break
        const [kind, number, size = '0'] = bytes.toString('latin1', start, headEnd).split(' ')
        const end = headEnd + 1 + Number(size)
        if (end > bytes.length) break
        if (kind === 'write') {
          log.append(bytes.subarray(headEnd + 1, end))
          hasWritten = true
        }
        answers += `${kind} ${number}\n`
        start = end
      }
      rest = bytes.subarray(start)
      if (hasWritten) log.flushNow()
      if (answers !== '') socket.write(answers)
    })
  }).listen(port, host)
}

/** A batch that is not acknowledged yet, and who has flushed it. */
interface Batch {
  readonly number: number
  readonly lines: readonly Line[]
  readonly holders: Set<Socket | 'leader'>
}

interface Line {
  readonly client: Socket
  readonly key: string
  readonly value: Buffer
}

class Leader {
  readonly #log: LogFile
  readonly #followers: readonly Socket[]
  readonly #values = new Map<string, Buffer>()
  #writes: Line[] = []
  #reads: { readonly client: Socket; readonly key: string }[] = []
  #batches: Batch[] = []
  #asked: { readonly number: number; readonly reads: readonly { client: Socket; key: string }[] } | undefined
  #number = 0
  #isFlushing = false
  #isDue = false
  #replies = new Map<Socket, Buffer[]>()

  constructor(log: LogFile, followers: readonly Socket[]) {
    this.#log = log
    this.#followers = followers
    for (const follower of followers) {
      readLines(follower, (bytes, start, end) => {
        const [kind, number] = bytes.toString('latin1', start, end).split(' ')
        if (kind === 'read') this.#answerReads(Number(number))
        else this.#noteFlushed(Number(number), follower)
        this.#schedule()
      })
    }
  }

  serve(port: number): void {
    createServer({ noDelay: true }, client => {
      client.on('close', () => this.#replies.delete(client))
      readLines(client, (bytes, start, end) => {
        const keyStart = start + 4
        if (bytes[start] === letterOfGet) {
          this.#reads.push({ client, key: bytes.toString('latin1', keyStart, end) })
        } else {
          const keyEnd = bytes.indexOf(0x20, keyStart)
          const key = bytes.toString('latin1', keyStart, keyEnd)
          this.#writes.push({ client, key, value: bytes.subarray(keyEnd + 1, end + 1) })
        }
        this.#schedule()
      })
    }).listen(port, host)
  }

  /** All that came with one look at the sockets is one turn. */
  #schedule(): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      this.#askForReads()
      this.#writeBatch()
      for (const [client, replies] of this.#replies) client.write(Buffer.concat(replies))
      this.#replies.clear()
    })
  }

  #askForReads(): void {
    if (this.#asked !== undefined || this.#reads.length === 0) return
    this.#asked = { number: ++this.#number, reads: this.#reads }
    this.#reads = []
    this.#followers[this.#number % this.#followers.length]?.write(`read ${this.#number}\n`)
  }

  #answerReads(number: number): void {
    if (this.#asked?.number !== number) return
    for (const { client, key } of this.#asked.reads) {
      const value = this.#values.get(key)
      if (value === undefined) this.#reply(client, Buffer.from('ERROR: Key not found.\n'))
      else this.#reply(client, Buffer.from(`${key} -> `), value)
    }
    this.#asked = undefined
  }

  #writeBatch(): void {
    if (this.#writes.length === 0 || this.#isFlushing || this.#batches.length === batchesOnTheirWay) return
    const batch: Batch = { number: ++this.#number, lines: this.#writes, holders: new Set() }
    this.#writes = []
    this.#batches.push(batch)
    const body = Buffer.concat(batch.lines.flatMap(({ key, value }) => [Buffer.from(`${key} `), value]))
    const message = Buffer.concat([Buffer.from(`write ${batch.number} ${body.length}\n`), body])
    for (const follower of this.#followers) follower.write(message)
    this.#log.append(body)
    this.#isFlushing = true
    this.#log.flush(() => {
      this.#isFlushing = false
      this.#noteFlushed(batch.number, 'leader')
      this.#schedule()
    })
  }

  /** Who has flushed a batch has flushed those before it. */
  #noteFlushed(number: number, holder: Socket | 'leader'): void {
    for (const batch of this.#batches) if (batch.number <= number) batch.holders.add(holder)
    for (let first = this.#batches[0]; first !== undefined; first = this.#batches[0]) {
      if (2 * first.holders.size <= this.#followers.length + 1) return
      this.#batches.shift()
      for (const { client, key, value } of first.lines) {
        // A copy, or else it would keep all that came with it.
        this.#values.set(key, Buffer.from(value))
        this.#reply(client, Buffer.from(`SUCCESS: ${key} set.\n`))
      }
    }
  }

  #reply(client: Socket, ...parts: Buffer[]): void {
    const replies = this.#replies.get(client)
    if (replies === undefined) this.#replies.set(client, parts)
    else replies.push(...parts)
  }
}

/** Connects to a follower, as soon as it is there. */
async function reach(port: number): Promise<Socket> {
  for (;;) {
    const socket = connect({ host, port, noDelay: true })
    try {
      await once(socket, 'connect')
      return socket
    } catch {
      await setTimeout(100)
    }
  }
}

const [role, folder = '', port = '', ...followers] = process.argv.slice(2)
// Whoever measures has ended, however that was.
process.once('disconnect', () => process.exit())
const log = new LogFile(folder)
if (role === 'lead')
  new Leader(log, await Promise.all(followers.map(reached => reach(Number(reached))))).serve(Number(port))
else follow(log, Number(port))
