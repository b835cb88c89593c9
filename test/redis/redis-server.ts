/** A real Redis server for tests, which keeps nothing on the disk and ends with the test that started it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Command, Redis } from 'ioredis'
import { freePortRow } from '../support/ports.js'
import { waitFor } from '../support/wait-for.js'
import { list, quoted, type Shown } from './model.js'

const startDeadlineMs = 20_000

/** See the head of this file. */
export class RedisServer {
  readonly #process: ChildProcess
  readonly #client: Redis

  private constructor(process: ChildProcess, client: Redis) {
    this.#process = process
    this.#client = client
  }

  /** Starts it and waits until it answers. */
  static async start(): Promise<RedisServer> {
    const port = await freePortRow(1)
    const flags = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
    const child = spawn('redis-server', flags, { stdio: 'ignore' })
    const client = new Redis({ port, stringNumbers: true, lazyConnect: true, retryStrategy: () => 50 })
    client.on('error', () => {})
    const server = new RedisServer(child, client)
    const isThere = async (): Promise<boolean> => {
      if (client.status === 'wait' || client.status === 'end') await client.connect()
      return (await client.ping()) === 'PONG'
    }
    await waitFor(isThere, startDeadlineMs, 'redis-server to answer')
    return server
  }

  /** Carries out commands, given in words whose characters stand for bytes, and shows the replies. */
  run(commands: readonly (readonly string[])[]): Promise<Shown[]> {
    return Promise.all(commands.map(words => ask(this.#client, words)))
  }

  async stop(): Promise<void> {
    this.#client.disconnect()
    if (this.#process.exitCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.kill()
    await ended
  }
}

/** Asks any server by a client, and shows the reply as text. */
export async function ask(client: Redis, [name = '', ...words]: readonly string[]): Promise<Shown> {
  const given = words.map(word => Buffer.from(word, 'latin1'))
  const command = new Command(name, given, { replyEncoding: null })
  try {
    const reply: unknown = await client.sendCommand(command)
    return name.toLowerCase() === 'keys' && Array.isArray(reply)
      ? list((reply as readonly unknown[]).map(show).sort())
      : show(reply)
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') return error.message
    throw error
  }
}

/** Integers come as text, bytes and states as buffers. */
function show(reply: unknown): Shown {
  if (reply === null) return 'nil'
  if (Buffer.isBuffer(reply)) return quoted(reply.toString('latin1'))
  if (Array.isArray(reply)) return list((reply as readonly unknown[]).map(show))
  return `(integer) ${String(reply)}`
}
