/**
 * Patterns of keys: `*` stands for any bytes, `?` for one, `[a-c]` and `[^a]` for one of (not) these, and a
 * backslash takes the character behind it as it is. What is left open at the end counts as closed there.
 *
 * A pattern and what is compared with it are texts whose characters stand for bytes.
 */

type Token =
  | { readonly kind: 'star' | 'one' }
  | { readonly kind: 'byte'; readonly code: number }
  | { readonly kind: 'class'; readonly ranges: readonly (readonly [number, number])[]; readonly not: boolean }

export class Glob {
  readonly #tokens: readonly Token[]
  /** How many bytes it matches at least. */
  readonly #least: number
  readonly #matchesAll: boolean

  constructor(pattern: string) {
    this.#tokens = parse(pattern)
    this.#least = this.#tokens.filter(({ kind }) => kind !== 'star').length
    this.#matchesAll = this.#tokens.length === 1 && this.#least === 0
  }

  /** How many bytes are compared with how many at most, about, to know whether the key matches. */
  comparisons(key: string): number {
    return this.#matchesAll ? 1 : key.length * Math.min(this.#tokens.length, key.length)
  }

  /** Whether the key matches, in time that grows with the length of the key times that of the pattern. */
  matches(key: string): boolean {
    if (this.#matchesAll) return true
    const bytes = Buffer.from(key)
    if (bytes.length < this.#least) return false
    let position = 0
    let token = 0
    /** Where to go on with one byte more for the last star, if what follows it does not match. */
    let retry: { readonly token: number; position: number } | undefined
    while (position < bytes.length) {
      const next = this.#tokens[token]
      if (next?.kind === 'star') {
        token++
        retry = { token, position }
      } else if (next !== undefined && isMatch(next, bytes[position] ?? 0)) {
        token++
        position++
      } else if (retry !== undefined) {
        retry.position++
        token = retry.token
        position = retry.position
      } else return false
    }
    while (this.#tokens[token]?.kind === 'star') token++
    return token === this.#tokens.length
  }
}

function isMatch(token: Token, byte: number): boolean {
  if (token.kind === 'byte') return token.code === byte
  if (token.kind !== 'class') return token.kind === 'one'
  return token.ranges.some(([from, to]) => byte >= from && byte <= to) !== token.not
}

function parse(pattern: string): readonly Token[] {
  const tokens: Token[] = []
  let position = 0
  while (position < pattern.length) {
    const character = pattern.charAt(position)
    if (character === '[') {
      const { token, end } = parseClass(pattern, position + 1)
      tokens.push(token)
      position = end
      continue
    }
    if (character === '*') {
      if (tokens.at(-1)?.kind !== 'star') tokens.push({ kind: 'star' })
    } else if (character === '?') tokens.push({ kind: 'one' })
    else {
      if (character === '\\' && position + 1 < pattern.length) position++
      tokens.push({ kind: 'byte', code: pattern.charCodeAt(position) })
    }
    position++
  }
  return tokens
}

/** Reads what stands between brackets; `end` is behind the closing one. */
function parseClass(pattern: string, start: number): { readonly token: Token; readonly end: number } {
  const not = pattern.charAt(start) === '^'
  const ranges: [number, number][] = []
  let position = not ? start + 1 : start
  while (position < pattern.length && pattern.charAt(position) !== ']') {
    if (pattern.charAt(position) === '\\' && position + 1 < pattern.length) {
      position++
      ranges.push([pattern.charCodeAt(position), pattern.charCodeAt(position)])
    } else if (pattern.charAt(position + 1) === '-' && position + 2 < pattern.length) {
      const ends = [pattern.charCodeAt(position), pattern.charCodeAt(position + 2)] as const
      ranges.push([Math.min(...ends), Math.max(...ends)])
      position += 2
    } else ranges.push([pattern.charCodeAt(position), pattern.charCodeAt(position)])
    position++
  }
  return { token: { kind: 'class', ranges, not }, end: position + 1 }
}
