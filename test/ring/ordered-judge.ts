/**
 * What clients may expect of a ring with a leader, as a judge of what they did and saw. Each key has one writer, who
 * does one thing after the other and asks again, under the same name, until it has an answer; each value is written
 * once.
 *
 * - What was acknowledged is there in the end, unless something later that its writer tried has taken its place.
 * - A key with an acknowledged value is never said to be absent, whoever is away.
 * - A reader never sees what was replaced before it asked, while a node that has what replaced it lives.
 */

/** One change that a writer wanted. */
export interface Change {
  readonly key: string
  /** Undefined for a deletion. */
  readonly value: string | undefined
  /** How often it was asked for. */
  tries: number
  outcome: 'open' | 'done' | 'nothing'
}

/** What may be in a key, in words: a value, or `(absent)`. */
export type Content = string

export const absent: Content = '(absent)'

/** Remembers what the writers did, in their order. */
export class OrderedJudge {
  readonly #changes = new Map<string, Change[]>()

  begin(key: string, value: string | undefined): Change {
    const change: Change = { key, value, tries: 0, outcome: 'open' }
    this.#changes.set(key, [...this.of(key), change])
    return change
  }

  of(key: string): readonly Change[] {
    return this.#changes.get(key) ?? []
  }

  get keys(): string[] {
    return [...this.#changes.keys()]
  }

  /** The place of the change that was done last: what is read from now on is that, or something later. */
  place(key: string): number {
    return this.of(key).findLastIndex(({ outcome }) => outcome === 'done')
  }

  /** What may have been read since then: what was done there, and all that was begun later and was not nothing. */
  since(key: string, place = this.place(key)): Content[] {
    const changes = this.of(key).slice(Math.max(0, place))
    const contents = changes
      .filter(({ outcome }) => outcome !== 'nothing')
      .map(({ value }) => value ?? absent)
    return place >= 0 ? contents : [absent, ...contents]
  }

  /** All that was ever in a key, and is not known to be nothing. */
  everIn(key: string): Content[] {
    const changes = this.of(key).filter(({ outcome }) => outcome !== 'nothing')
    return [absent, ...changes.map(({ value }) => value ?? absent)]
  }

  /** Whether it may be that the key has no value, once everything has come to rest. */
  mayBeAbsent(key: string): boolean {
    const changes = this.of(key).filter(({ outcome }) => outcome !== 'nothing')
    return (
      changes.some(({ value }) => value === undefined) || !changes.some(({ outcome }) => outcome === 'done')
    )
  }
}
