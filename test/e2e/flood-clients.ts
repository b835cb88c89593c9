/** Sockets that misbehave, and the client beside them who must not notice. */
import { connect, type Socket } from 'node:net'
import { expect } from 'chai'
import { type TestNode, type TextClient, waitFor } from '../support/processes.js'

/** Connects, and nothing else: the socket is not read until somebody listens to it. */
export function open(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      // The other side may end it at any time; who wants to know waits for `close`.
      socket.on('error', () => {})
      resolve(socket)
    })
  })
}

/** Sends bytes; settles when they have left, or when the connection is gone. */
export function send(socket: Socket, bytes: Uint8Array | string): Promise<void> {
  return new Promise(resolve => {
    if (socket.destroyed) return resolve()
    socket.once('close', resolve)
    socket.write(bytes, () => {
      socket.off('close', resolve)
      resolve()
    })
  })
}

/** Everything that comes until the connection is gone. Our side is ended when the other one is. */
export function readAll(socket: Socket): Promise<string> {
  return new Promise(resolve => {
    const chunks: Buffer[] = []
    socket.on('data', chunk => chunks.push(chunk))
    socket.on('end', () => socket.end())
    socket.once('close', () => resolve(Buffer.concat(chunks).toString('utf8')))
  })
}

/** Counts what comes until the connection is gone, without keeping it. */
export function countAll(socket: Socket): Promise<number> {
  return new Promise(resolve => {
    let bytes = 0
    socket.on('data', chunk => {
      bytes += chunk.length
    })
    socket.on('end', () => socket.end())
    socket.once('close', () => resolve(bytes))
  })
}

/** Settles once something has come. */
export function hearSomething(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    socket.once('close', resolve)
    socket.once('data', () => {
      socket.off('close', resolve)
      resolve()
    })
  })
}

/** A client who writes and reads all the while, one request after the other, and checks every answer. */
export class Bystander {
  readonly #client: TextClient
  readonly #finished: Promise<void>
  #rounds = 0
  #isFinishing = false

  private constructor(client: TextClient) {
    this.#client = client
    this.#finished = this.#ask()
    // A wrong answer is reported by `finish`, which comes later.
    this.#finished.catch(() => {})
  }

  static async at(node: TestNode): Promise<Bystander> {
    return new Bystander(await node.connect())
  }

  /** Waits until so many more of its rounds are over. Fails as soon as an answer was wrong. */
  async rounds(count: number): Promise<void> {
    const goal = this.#rounds + count
    await Promise.race([
      this.#finished,
      waitFor(
        () => this.#rounds >= goal,
        20_000,
        () => `round ${goal} of the bystander, now at ${this.#rounds}`,
      ),
    ])
  }

  /** Stops asking. Fails if any answer was missing or wrong. */
  async finish(): Promise<void> {
    await this.rounds(1)
    this.#isFinishing = true
    await this.#finished
    this.#client.close()
  }

  async #ask(): Promise<void> {
    while (!this.#isFinishing) {
      const value = `round ${this.#rounds}`
      expect(await this.#client.ask(`set bystander ${value}`)).to.equal(`SUCCESS: bystander -> ${value} set.`)
      expect(await this.#client.ask('get bystander')).to.equal(`bystander -> ${value}`)
      this.#rounds++
    }
  }
}
