/**
 * One connection that writes new keys without waiting and is told the place of each write in the log, as the
 * version of its key. A write that took effect a second time stands at another place afterwards, even where it
 * left the same value.
 */
import { type TextClient, textClient } from '../support/text-client.js'

/** Writes sent and not answered at most. */
const windowMax = 60
/** Reads under way at a time when versions are compared. */
const readsAtOnce = 200

/** What became of the writes. */
export interface Versions {
  /** The version that the answer named, by key. */
  readonly written: ReadonlyMap<string, number>
  /** Answers that were not success. */
  readonly failed: readonly string[]
}

/** A connection at work; it speaks JSON, because only there the answer to `set` names the version. */
export class VersionLoad {
  readonly #client: TextClient
  readonly #name: string
  readonly #written = new Map<string, number>()
  readonly #failed: string[] = []
  readonly #done: Promise<void>
  #isStopping = false

  private constructor(client: TextClient, name: string) {
    this.#client = client
    this.#name = name
    this.#done = this.#run()
  }

  /** Begins to write keys that begin with `name`. */
  static async start(address: string, name: string): Promise<VersionLoad> {
    return new VersionLoad(await textClient(address), name)
  }

  /** Ends it after the answers to everything that was sent. */
  async stop(): Promise<Versions> {
    this.#isStopping = true
    await this.#done
    this.#client.close()
    return { written: this.#written, failed: this.#failed }
  }

  async #run(): Promise<void> {
    let sent = 0
    for (let answered = 0; !this.#isStopping || answered < sent; answered++) {
      for (; !this.#isStopping && sent - answered < windowMax; sent++) {
        this.#client.send(`${JSON.stringify({ id: sent, op: 'set', key: this.#keyOf(sent), value: 'x' })}\n`)
      }
      const reply = await this.#client.line('the answer to a set').catch((error: Error) => error.message)
      const [, id, version] = /^\{"id":(\d+),"ok":true,"version":(\d+)[,}]/.exec(reply) ?? []
      if (version === undefined) this.#failed.push(reply)
      else this.#written.set(this.#keyOf(Number(id)), Number(version))
    }
  }

  #keyOf(number: number): string {
    return `${this.#name}:${number}`
  }
}

/** The keys that have another version than their writers were told, a sentence each. */
export async function movedVersions(
  address: string,
  written: ReadonlyMap<string, number>,
): Promise<string[]> {
  const client = await textClient(address)
  const moved: string[] = []
  const all = [...written]
  for (let start = 0; start < all.length; start += readsAtOnce) {
    const some = all.slice(start, start + readsAtOnce)
    const replies = await Promise.all(some.map(([key]) => client.ask(`get --version ${key}`)))
    for (const [at, [key, version]] of some.entries()) {
      const reply = replies[at]
      if (reply !== `${key} -> x (version ${version})`)
        moved.push(`${key}: version ${version} at first, now '${reply}'`)
    }
  }
  client.close()
  return moved
}
