/**
 * What a client may expect of the ring, as a judge of what clients did and saw: every acknowledged write that nobody
 * who saw it has replaced is there in the end; nothing is there that somebody who saw it has replaced; what
 * certainly did nothing did nothing; and a dot names one write for ever.
 *
 * Every put of the clients has a value of its own, so that a value names the write.
 */
/** One write of a client. */
export interface Attempt {
  readonly key: string
  /** Undefined for a deletion. */
  readonly value: string | undefined
  /** What its writer had seen, by the context that it gave. */
  readonly seen: ReadonlySet<string>
  outcome: 'open' | 'acknowledged' | 'nothing'
}

/** A write of items: what one cart was given, and what was taken out of it. */
export interface CartAttempt {
  readonly key: string
  readonly added: string
  readonly removed: readonly string[]
  outcome: 'open' | 'acknowledged' | 'nothing'
}

/** Watches all rows that are written: a dot names one write for ever. */
export class DotWatch {
  readonly #writes = new Map<string, string>()
  /** The dots of each value of each key. */
  readonly #dots = new Map<string, Set<string>>()
  failure: string | undefined

  see(rowKey: string, value: Uint8Array): void {
    if (!rowKey.startsWith('k')) return
    const key = rowKey.slice(rowKey.indexOf(':') + 1)
    const [, , , record] = JSON.parse(Buffer.from(value).toString()) as [
      string,
      unknown,
      unknown,
      unknown[][],
    ]
    for (const [actor, count, , text, , , items] of record) {
      this.#note(key, `${actor}-${count}`, JSON.stringify(text))
      for (const [item, births] of (items ?? []) as [string, (string | number)[]][]) {
        for (let at = 0; at < births.length; at += 2) {
          this.#add(key, `item ${item}`, `${births[at]}-${births[at + 1]}`)
        }
      }
    }
  }

  /** How many writes there were of a value: a write that is tried again may be made twice. */
  timesWritten(key: string, value: string): number {
    return this.#dots.get(`${key} ${JSON.stringify(value)}`)?.size ?? 0
  }

  /** How often an item was put in. */
  timesBorn(key: string, item: string): number {
    return this.#dots.get(`${key} item ${item}`)?.size ?? 0
  }

  #note(key: string, dot: string, value: string): void {
    const known = this.#writes.get(`${key} ${dot}`)
    if (known !== undefined && known !== value) {
      this.failure ??= `the dot ${dot} of ${key} names both ${known} and ${value}`
    }
    this.#writes.set(`${key} ${dot}`, value)
    this.#add(key, value, dot)
  }

  #add(key: string, value: string, dot: string): void {
    const name = `${key} ${value}`
    const dots = this.#dots.get(name) ?? new Set()
    dots.add(dot)
    this.#dots.set(name, dots)
  }
}

/** What is wrong with what is there in the end; undefined if nothing is. */
export function judge(
  attempts: readonly Attempt[],
  final: ReadonlyMap<string, readonly string[]>,
  dots: DotWatch,
): string | undefined {
  if (dots.failure !== undefined) return dots.failure
  const isThere = ({ key, value }: Attempt): boolean =>
    value !== undefined && (final.get(key) ?? []).includes(value)
  const replacers = (replaced: Attempt): Attempt[] =>
    attempts.filter(
      ({ key, seen, outcome }) =>
        key === replaced.key &&
        outcome !== 'nothing' &&
        replaced.value !== undefined &&
        seen.has(replaced.value),
    )
  const known = new Map<Attempt, boolean>()
  const isAccounted = (attempt: Attempt): boolean => {
    const found = known.get(attempt)
    if (found !== undefined) return found
    known.set(attempt, false)
    const is =
      isThere(attempt) ||
      replacers(attempt).some(replacer => replacer.value === undefined || isAccounted(replacer))
    known.set(attempt, is)
    return is
  }
  for (const attempt of attempts) {
    const { key, value, outcome } = attempt
    if (value === undefined) continue
    if (outcome === 'acknowledged' && !isAccounted(attempt)) {
      return `${key}: the acknowledged write of ${value} is lost; there are ${final.get(key)?.join(' ')}`
    }
    if (!isThere(attempt)) continue
    if (outcome === 'nothing') return `${key}: the write of ${value} certainly did nothing, and is there`
    const replacer = replacers(attempt).find(one => one.outcome === 'acknowledged')
    if (replacer !== undefined && dots.timesWritten(key, value) < 2) {
      return `${key}: ${value} is there, though ${replacer.value ?? 'a deletion'} replaced it`
    }
  }
  return undefined
}

/** The same for carts, whose items are each put in once. */
export function judgeCarts(
  attempts: readonly CartAttempt[],
  final: ReadonlyMap<string, readonly string[]>,
  dots: DotWatch,
): string | undefined {
  const done = attempts.filter(({ outcome }) => outcome !== 'nothing')
  for (const { key, added, outcome } of attempts) {
    const items = (final.get(key) ?? []).flatMap(value => value.split(','))
    const removers = done.filter(attempt => attempt.key === key && attempt.removed.includes(added))
    const isThere = items.includes(added)
    if (outcome === 'acknowledged' && !isThere && removers.length === 0)
      return `${key}: the item ${added} is lost`
    const isOut = key.startsWith('xcart') && removers.some(attempt => attempt.outcome === 'acknowledged')
    if (isThere && isOut && dots.timesBorn(key, added) < 2) return `${key}: the item ${added} is back`
  }
  return undefined
}
