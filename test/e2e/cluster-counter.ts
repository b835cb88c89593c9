/**
 * Clients that count together: each reads the counter, adds one and writes it back if nobody was faster. Every
 * number is acknowledged to at most one of them, and the counter ends where their successes say.
 */
import { type TextClient, textClient } from '../support/text-client.js'

/** What a counter came to. */
export interface Count {
  /** The numbers that somebody was told were written, in the order of hearing. */
  readonly written: readonly number[]
  /** How many attempts had an outcome that nobody knows. */
  readonly unknown: number
  /** Answers that a client on a living node should not get. */
  readonly errors: readonly string[]
}

/** Counts at `key`, with a client at each address, until it is stopped. */
export class CounterLoad {
  readonly #key: string
  readonly #written: number[] = []
  readonly #errors: string[] = []
  readonly #running: Promise<void>[]
  #unknown = 0
  #isStopping = false

  /** The key must hold a number. */
  constructor(key: string, addresses: readonly string[]) {
    this.#key = key
    this.#running = addresses.map(async address => {
      const client = await textClient(address)
      while (!this.#isStopping) await this.#increment(client)
      client.close()
    })
  }

  async stop(): Promise<Count> {
    this.#isStopping = true
    await Promise.all(this.#running)
    return { written: this.#written, unknown: this.#unknown, errors: this.#errors }
  }

  async #increment(client: TextClient): Promise<void> {
    const key = this.#key
    const read = await client.ask(`get --version ${key}`)
    const found = /-> (\d+) \(version (\d+)\)$/.exec(read)
    if (found === null) {
      this.#errors.push(read)
      return
    }
    const next = Number(found[1]) + 1
    const reply = await client.ask(`cas ${key} ${found[2]} ${next}`)
    if (reply.startsWith(`SUCCESS: ${key} -> ${next} set (version `)) this.#written.push(next)
    else if (reply.startsWith('ERROR: Version mismatch (current ')) return
    else if (reply.startsWith('ERROR: Outcome unknown.')) this.#unknown++
    else this.#errors.push(reply)
  }
}
