/**
 * One connection that sends many writes without waiting, whose answers tell whether each took effect once and
 * in order: a key is put and deleted again and again, and each put and each delete succeeds only right after
 * the other.
 */
import { type TextClient, textClient } from '../support/text-client.js'

/** Requests sent and not answered at most. */
const windowMax = 60

/** A pipelined connection at work. */
export class PipelineLoad {
  readonly #client: TextClient
  readonly #key: string
  readonly #wrong: string[] = []
  readonly #done: Promise<void>
  #answered = 0
  #rounds = 0
  #isStopping = false
  /** No answer has failed: those after the end of the connection fail at once, without letting anybody else run. */
  #isOpen = true

  private constructor(client: TextClient, key: string) {
    this.#client = client
    this.#key = key
    this.#done = this.#run()
  }

  static async start(address: string, key: string): Promise<PipelineLoad> {
    return new PipelineLoad(await textClient(address), key)
  }

  /** How many requests were answered. */
  get answered(): number {
    return this.#answered
  }

  /** Ends it after the answers to everything that was sent; gives the answers that were not success, in order. */
  async stop(): Promise<{ readonly wrong: readonly string[]; readonly rounds: number }> {
    this.#isStopping = true
    await this.#done
    this.#client.close()
    return { wrong: this.#wrong, rounds: this.#rounds }
  }

  async #run(): Promise<void> {
    const underWay: Promise<void>[] = []
    while (this.#isOpen && !this.#isStopping) {
      const round = ++this.#rounds
      underWay.push(
        this.#ask(`put ${this.#key} ${round}`, `SUCCESS: ${this.#key} -> ${round} added.`),
        this.#ask(`set ${this.#key}:last ${round}`, `SUCCESS: ${this.#key}:last -> ${round} set.`),
        this.#ask(`delete ${this.#key}`, `SUCCESS: ${this.#key} removed.`),
      )
      while (underWay.length >= windowMax) await underWay.shift()
    }
    await Promise.all(underWay)
  }

  async #ask(line: string, expected: string): Promise<void> {
    const reply = await this.#client.ask(line).catch((error: Error) => {
      this.#isOpen = false
      return error.message
    })
    this.#answered++
    if (reply !== expected) this.#wrong.push(`'${line}' was answered '${reply}'`)
  }
}
