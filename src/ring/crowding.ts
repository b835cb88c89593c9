/**
 * When people are told that a key has many versions: at a bound, and each time that they have doubled since; again
 * from the bound once this node has seen that there were fewer. It knows what went through this node alone, so that
 * each node that is asked may tell of a key once.
 */

/** Crowded keys that are remembered at most: a forgotten one is told of again at its next write. */
const keysMax = 1024

export class Crowding {
  readonly #versionsWarning: number
  /** For each key that was told of, so many versions are worth telling next; the longest remembered first. */
  readonly #nextOf = new Map<string, number>()

  constructor(versionsWarning: number) {
    this.#versionsWarning = versionsWarning
  }

  /** A key was written, and has so many versions now: whether that is to be told. */
  written(key: string, versions: number): boolean {
    this.seen(key, versions)
    let next = this.#nextOf.get(key) ?? this.#versionsWarning
    if (versions < next) return false
    while (next <= versions) next *= 2
    this.#nextOf.set(key, next)
    for (const oldest of this.#nextOf.keys()) {
      if (this.#nextOf.size <= keysMax) break
      this.#nextOf.delete(oldest)
    }
    return true
  }

  /** A key has so many versions: fewer than the bound end what was told of it. */
  seen(key: string, versions: number): void {
    if (versions < this.#versionsWarning && this.#nextOf.size > 0) this.#nextOf.delete(key)
  }
}
