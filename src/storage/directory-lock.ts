/**
 * Keeps a second process out of a data directory, by Unix sockets in it that only a living process answers. A
 * file with a process number would not do: in containers every process has number 1.
 *
 * Whoever wants the directory listens on a socket of its own, with a random id in its name, and only then
 * *publishes* it by giving it its final name. After that it looks at everybody else's:
 *
 * - one that refuses connections is a dead process's. It can be removed safely: names are never used twice, and
 *   a living process's socket has been listening for as long as it has had its name.
 * - one that says it *holds* the directory wins.
 * - of two that are both still looking, the one with the smaller id waits until the other has given up, or
 *   holds the directory after all; the larger one gives up.
 *
 * Two can never hold it at once: of any two, one published first, so the other saw it, and does not go on before
 * it is gone. This holds between processes of one machine, containers included; it does not see a process on
 * another machine that shares the directory over a network.
 */
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { hasCode } from './system-error.js'

/** Thrown when another process has the directory. */
export class DirectoryInUse extends Error {
  override readonly name = 'DirectoryInUse'
}

export interface DirectoryLock {
  /** Lets others have the directory; call it last. */
  release(): Promise<void>
}

const inUse = 'another process is using it'
const publishedPattern = /^lock\.[0-9a-f]{16}$/
const unpublishedPattern = /^unlocked\.[0-9a-f]{16}$/
/** A socket's address may have 107 bytes on Linux and 103 elsewhere. */
const addressBytesMax = 103
/** A living process answers at once, unless it is stopped or very busy; then it still counts as living. */
const answerMs = 2000
const askAgainMs = 10
/** One that so many questions in a row got no word from counts as living. */
const silencesMax = 3
/** How long to wait for another one that is starting too. */
const startingMs = 10_000

type State = 'starting' | 'holding'
type Answer = State | 'silent' | 'dead' | 'gone'

/** Takes `directory` for this process until it is released or the process ends. Throws {@link DirectoryInUse}. */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const descriptor = fs.openSync(directory, fs.constants.O_RDONLY)
  try {
    return await new Sockets(directory, descriptor).acquire()
  } catch (error) {
    fs.closeSync(descriptor)
    throw error
  }
}

class Sockets {
  readonly #directory: string
  readonly #descriptor: number
  readonly #id = randomBytes(8).toString('hex')
  readonly #name = `lock.${this.#id}`
  readonly #server = net.createServer(socket => this.#answer(socket))
  #state: State = 'starting'

  /** `descriptor` is the open directory. */
  constructor(directory: string, descriptor: number) {
    this.#directory = directory
    this.#descriptor = descriptor
  }

  async acquire(): Promise<DirectoryLock> {
    await this.#publish()
    try {
      const rivals = fs.readdirSync(this.#directory).filter(name => publishedPattern.test(name))
      for (const rival of rivals) if (rival !== this.#name) await this.#outlast(rival)
    } catch (error) {
      await this.#withdraw()
      throw error
    }
    this.#state = 'holding'
    await this.#removeUnpublished()
    return {
      release: async () => {
        await this.#withdraw()
        fs.closeSync(this.#descriptor)
      },
    }
  }

  async #publish(): Promise<void> {
    const unpublished = `unlocked.${this.#id}`
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ path: this.#address(unpublished) }, resolve)
    })
    // Holding the directory is no reason for a process to live on.
    this.#server.unref()
    try {
      fs.renameSync(path.join(this.#directory, unpublished), path.join(this.#directory, this.#name))
    } catch (error) {
      await this.#withdraw()
      // Whoever holds the directory took this socket for a dead process's, in the moment before it listened.
      if (hasCode(error, 'ENOENT')) throw new DirectoryInUse(inUse)
      throw error
    }
  }

  /** Returns when `rival` is no obstacle any more. */
  async #outlast(rival: string): Promise<void> {
    let silences = 0
    for (let waitedMs = 0; waitedMs < startingMs; waitedMs += askAgainMs) {
      const answer = await this.#ask(rival)
      if (answer === 'gone') return
      if (answer === 'dead') {
        fs.rmSync(path.join(this.#directory, rival), { force: true })
        return
      }
      if (answer === 'silent') {
        // It may just be withdrawing: a socket that closes drops the questions it has not taken up.
        silences++
        if (silences === silencesMax) break
      } else if (answer === 'holding' || rival < this.#name) break
      await new Promise(resolve => setTimeout(resolve, askAgainMs))
    }
    throw new DirectoryInUse(inUse)
  }

  #ask(name: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      let heard = ''
      const socket = net.connect({ path: this.#address(name) })
      socket.setTimeout(answerMs, () => socket.destroy())
      socket.setEncoding('utf8')
      socket.on('data', text => {
        heard += text
      })
      socket.on('error', error => {
        if (hasCode(error, 'ECONNREFUSED')) resolve('dead')
        else if (hasCode(error, 'ENOENT')) resolve('gone')
        // Its queue of connections is full, or it closed this one: somebody is there.
        else if (hasCode(error, 'EAGAIN', 'ECONNRESET', 'EPIPE')) resolve('silent')
        else reject(error)
      })
      socket.on('close', () => {
        const word = heard.trim()
        resolve(word === 'starting' || word === 'holding' ? word : 'silent')
      })
    })
  }

  #answer(socket: net.Socket): void {
    // Whoever asks may be gone already.
    socket.on('error', () => {})
    socket.end(`${this.#state}\n`)
  }

  /** Removes what processes left that died before they had published. */
  async #removeUnpublished(): Promise<void> {
    for (const name of fs.readdirSync(this.#directory)) {
      if (!unpublishedPattern.test(name) || (await this.#ask(name)) !== 'dead') continue
      fs.rmSync(path.join(this.#directory, name), { force: true })
    }
  }

  async #withdraw(): Promise<void> {
    fs.rmSync(path.join(this.#directory, this.#name), { force: true })
    await new Promise(resolve => this.#server.close(resolve))
  }

  /** Where to find a socket of the directory; by way of the open directory where its path is too long. */
  #address(name: string): string {
    const direct = path.join(this.#directory, name)
    if (Buffer.byteLength(direct) <= addressBytesMax) return direct
    if (os.platform() === 'linux') return `/proc/self/fd/${this.#descriptor}/${name}`
    const bytes = addressBytesMax - Buffer.byteLength(name) - 1
    throw new Error(`its path is too long for this system: at most ${bytes} bytes`)
  }
}
