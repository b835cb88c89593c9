/**
 * A small model of the Redis commands on data, written from what Redis documents and without looking at how the
 * database does it: a map, the time, and one function a command. It is what the database and a real
 * Redis are compared with.
 *
 * Words and values are texts whose characters stand for bytes, replies are texts as {@link Shown} says.
 */

/** A reply as text: `nil`, `(integer) 1`, `"bytes"` (also OK), `ERR ...`, `[one, other]`. */
export type Shown = string

interface Stored {
  readonly value: string
  readonly expiresAt: number | undefined
}

/** Thrown where the model would need as much as what it is compared with. */
export class BeyondTheModel extends Error {}

class Problem extends Error {}

const integerMax = 2n ** 63n - 1n
const nil = 'nil'
const ok = '"OK"'

export class RedisModel {
  #nowMs: number
  readonly #data = new Map<string, Stored>()

  constructor(nowMs: number) {
    this.#nowMs = nowMs
  }

  pass(ms: number): void {
    this.#nowMs += ms
  }

  /**
   * Carries out one command, given with its name.
   * @throws BeyondTheModel
   */
  run([name = '', ...words]: readonly string[]): Shown {
    try {
      return this.#run(name.toLowerCase(), words)
    } catch (problem) {
      if (problem instanceof Problem) return `ERR ${problem.message}`
      throw problem
    }
  }

  #run(name: string, words: readonly string[]): Shown {
    const [key = '', second = '', third = ''] = words
    switch (name) {
      case 'get':
        return this.#shown(key)
      case 'set':
        return this.#set(words)
      case 'setnx':
        if (this.#get(key) !== undefined) return integer(0)
        this.#put(key, second)
        return integer(1)
      case 'setex':
      case 'psetex':
        this.#put(key, third, this.#nowMs + lifetime(second, name === 'setex', name))
        return ok
      case 'getset': {
        const before = this.#shown(key)
        this.#put(key, second)
        return before
      }
      case 'getdel': {
        const before = this.#shown(key)
        this.#data.delete(key)
        return before
      }
      case 'getex':
        return this.#getex(words)
      case 'mget':
        return list(words.map(one => this.#shown(one)))
      case 'mset':
      case 'msetnx':
        return this.#setPairs(name, words)
      case 'append':
        return this.#change(key, before => before + second)
      case 'strlen':
        return integer((this.#get(key)?.value ?? '').length)
      case 'getrange':
      case 'substr':
        return quoted(cut(this.#get(key)?.value ?? '', whole(second), whole(third)))
      case 'setrange': {
        const at = Number(whole(second))
        if (at < 0) throw new Problem('offset is out of range')
        if (third === '') return integer((this.#get(key)?.value ?? '').length)
        return this.#change(key, before => {
          const padded = before.padEnd(at, '\0')
          return padded.slice(0, at) + third + padded.slice(at + third.length)
        })
      }
      case 'incr':
        return this.#add(key, 1n)
      case 'decr':
        return this.#add(key, -1n)
      case 'incrby':
        return this.#add(key, whole(second))
      case 'decrby':
        if (whole(second) === -integerMax - 1n) throw new Problem('decrement would overflow')
        return this.#add(key, -whole(second))
      case 'incrbyfloat':
        return this.#addFloat(key, second)
      case 'del':
      case 'unlink':
        return integer(words.filter(one => this.#get(one) !== undefined && this.#data.delete(one)).length)
      case 'exists':
      case 'touch':
        return integer(words.filter(one => this.#get(one) !== undefined).length)
      case 'type':
        return this.#get(key) === undefined ? '"none"' : '"string"'
      case 'expire':
      case 'pexpire':
      case 'expireat':
      case 'pexpireat':
        return this.#expire(name, words)
      case 'ttl':
        return this.#time(key, at => Math.floor((at - this.#nowMs + 500) / 1000))
      case 'pttl':
        return this.#time(key, at => at - this.#nowMs)
      case 'expiretime':
        return this.#time(key, at => Math.floor((at + 500) / 1000))
      case 'pexpiretime':
        return this.#time(key, at => at)
      case 'persist': {
        const stored = this.#get(key)
        if (stored?.expiresAt === undefined) return integer(0)
        this.#put(key, stored.value)
        return integer(1)
      }
      case 'rename':
      case 'renamenx': {
        const stored = this.#get(key)
        if (stored === undefined) throw new Problem('no such key')
        if (name === 'renamenx' && this.#get(second) !== undefined) return integer(0)
        this.#data.delete(key)
        this.#put(second, stored.value, stored.expiresAt)
        return name === 'rename' ? ok : integer(1)
      }
      case 'keys':
        return list(
          this.#living()
            .filter(one => matches(key, one))
            .sort()
            .map(quoted),
        )
      case 'dbsize':
        return integer(this.#living().length)
      case 'flushall':
      case 'flushdb':
        if (words.length > 1 || !/^(?:|a?sync)$/i.test(key)) throw new Problem('syntax error')
        this.#data.clear()
        return ok
      default:
        throw new Error(`the model does not know ${name}`)
    }
  }

  #set([key = '', value = '', ...options]: readonly string[]): Shown {
    const { flags, at } = this.#options('set', options, ['NX', 'XX', 'GET', 'KEEPTTL'])
    const before = this.#get(key)
    const isWritten = before === undefined ? !flags.has('XX') : !flags.has('NX')
    const reply = flags.has('GET') ? this.#shown(key) : isWritten ? ok : nil
    if (isWritten) this.#put(key, value, flags.has('KEEPTTL') ? before?.expiresAt : at)
    return reply
  }

  #getex([key = '', ...options]: readonly string[]): Shown {
    const { flags, at } = this.#options('getex', options, ['PERSIST'])
    const before = this.#shown(key)
    const stored = this.#get(key)
    if (stored !== undefined && (at !== undefined || flags.has('PERSIST'))) this.#put(key, stored.value, at)
    return before
  }

  #options(
    name: string,
    options: readonly string[],
    known: readonly string[],
  ): { readonly flags: ReadonlySet<string>; readonly at: number | undefined } {
    const flags = new Set<string>()
    let unit: string | undefined
    let time = ''
    for (let position = 0; position < options.length; position++) {
      const option = (options[position] ?? '').toUpperCase()
      const excluded: Record<string, readonly string[]> = { NX: ['XX'], XX: ['NX'] }
      if (known.includes(option)) {
        if ((excluded[option] ?? []).some(other => flags.has(other))) throw new Problem('syntax error')
        if ((option === 'KEEPTTL' || option === 'PERSIST') && unit !== undefined)
          throw new Problem('syntax error')
        flags.add(option)
        continue
      }
      const hasTime = flags.has('KEEPTTL') || flags.has('PERSIST') || (unit !== undefined && unit !== option)
      const next = options[++position]
      if (!/^(?:EX|PX)(?:AT)?$/.test(option) || hasTime || next === undefined)
        throw new Problem('syntax error')
      unit = option
      time = next
    }
    if (unit === undefined) return { flags, at: undefined }
    const ms = lifetime(time, unit.startsWith('EX'), name)
    return { flags, at: unit.endsWith('AT') ? ms : this.#nowMs + ms }
  }

  #setPairs(name: string, words: readonly string[]): Shown {
    if (words.length % 2 === 1) throw new Problem(`wrong number of arguments for '${name}' command`)
    const pairs = words.flatMap((key, position) =>
      position % 2 === 0 ? [[key, words[position + 1] ?? '']] : [],
    )
    const isTaken = pairs.some(([key = '']) => this.#get(key) !== undefined)
    if (name === 'msetnx' && isTaken) return integer(0)
    for (const [key = '', value = ''] of pairs) this.#put(key, value)
    return name === 'mset' ? ok : integer(1)
  }

  #expire(name: string, [key = '', time = '', ...options]: readonly string[]): Shown {
    const flags = new Set(options.map(option => option.toUpperCase()))
    for (const option of options) {
      if (!['NX', 'XX', 'GT', 'LT'].includes(option.toUpperCase()))
        throw new Problem(`Unsupported option ${option}`)
    }
    if (flags.has('NX') && flags.size > 1)
      throw new Problem('NX and XX, GT or LT options at the same time are not compatible')
    if (flags.has('GT') && flags.has('LT'))
      throw new Problem('GT and LT options at the same time are not compatible')
    const ms = Number(whole(time)) * (name.startsWith('p') ? 1 : 1000)
    const at = name.endsWith('at') ? ms : this.#nowMs + ms
    const stored = this.#get(key)
    if (stored === undefined) return integer(0)
    const before = stored.expiresAt
    const isRefused =
      (flags.has('NX') && before !== undefined) ||
      (flags.has('XX') && before === undefined) ||
      (flags.has('GT') && (before === undefined || at <= before)) ||
      (flags.has('LT') && before !== undefined && at >= before)
    if (isRefused) return integer(0)
    this.#put(key, stored.value, at)
    return integer(1)
  }

  #add(key: string, by: bigint): Shown {
    const stored = this.#get(key)
    const sum = whole(stored?.value ?? '0') + by
    if (sum > integerMax || sum < -integerMax - 1n) throw new Problem('increment or decrement would overflow')
    this.#put(key, String(sum), stored?.expiresAt)
    return integer(sum)
  }

  #addFloat(key: string, by: string): Shown {
    const stored = this.#get(key)
    // Each number is rounded as it is read, and the sum once more.
    const sum = rounded(rounded(quarters(stored?.value ?? '0')) + rounded(quarters(by)))
    const fraction = ['', '.25', '.5', '.75'][Number((sum < 0n ? -sum : sum) % 4n)] ?? ''
    const text = `${sum < 0n ? '-' : ''}${(sum < 0n ? -sum : sum) / 4n}${fraction}`
    this.#put(key, text, stored?.expiresAt)
    return quoted(text)
  }

  #change(key: string, change: (before: string) => string): Shown {
    const stored = this.#get(key)
    const after = change(stored?.value ?? '')
    this.#put(key, after, stored?.expiresAt)
    return integer(after.length)
  }

  #get(key: string): Stored | undefined {
    const stored = this.#data.get(key)
    const isOver = stored?.expiresAt !== undefined && stored.expiresAt <= this.#nowMs
    return isOver ? undefined : stored
  }

  #put(key: string, value: string, expiresAt?: number): void {
    this.#data.set(key, { value, expiresAt })
  }

  #living(): string[] {
    return [...this.#data.keys()].filter(key => this.#get(key) !== undefined)
  }

  #shown(key: string): Shown {
    const stored = this.#get(key)
    return stored === undefined ? nil : quoted(stored.value)
  }

  #time(key: string, shown: (at: number) => number): Shown {
    const stored = this.#get(key)
    if (stored === undefined) return integer(-2)
    return integer(stored.expiresAt === undefined ? -1 : shown(stored.expiresAt))
  }
}

function integer(value: number | bigint): Shown {
  return `(integer) ${value}`
}

/** Bytes, as they are shown. */
export function quoted(bytes: string): Shown {
  return JSON.stringify(bytes)
}

/** A list, as it is shown. */
export function list(items: readonly Shown[]): Shown {
  return `[${items.join(', ')}]`
}

function whole(word: string): bigint {
  const value = /^(?:0|-?[1-9]\d*)$/.test(word) ? BigInt(word) : undefined
  if (value === undefined || value > integerMax || value < -integerMax - 1n)
    throw new Problem('value is not an integer or out of range')
  return value
}

/** A number with a fraction, in quarters: they are added without rounding. */
function quarters(text: string): bigint {
  const match = /^([+-]?)(?=\.?\d)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(text)
  if (/^[+-]?(?:0x|inf)/i.test(text)) throw new BeyondTheModel(text)
  if (match === null) throw new Problem('value is not a valid float')
  const [, sign, ones = '', fraction = '', power = '0'] = match
  if (power.startsWith('-') || power.length > 3) throw new BeyondTheModel(text)
  const count = BigInt(ones + fraction) * 4n * 10n ** BigInt(power)
  const parts = 10n ** BigInt(fraction.length)
  if (count % parts !== 0n) throw new BeyondTheModel(`${text} is not made of quarters`)
  return sign === '-' ? -count / parts : count / parts
}

/** To 64 bits, as the processor adds. */
function rounded(count: bigint): bigint {
  const surplus = (count < 0n ? -count : count).toString(2).length - 64
  if (surplus <= 0) return count
  const unit = 1n << BigInt(surplus)
  const [below, rest] = [count / unit, (count < 0n ? -count : count) % unit]
  const isUp = rest * 2n > unit || (rest * 2n === unit && below % 2n !== 0n)
  return (isUp ? below + (count < 0n ? -1n : 1n) : below) * unit
}

function lifetime(word: string, isSeconds: boolean, name: string): number {
  const given = whole(word)
  const ms = isSeconds ? given * 1000n : given
  if (ms <= 0n || ms > integerMax) throw new Problem(`invalid expire time in '${name}' command`)
  return Number(ms)
}

function cut(value: string, start: bigint, end: bigint): string {
  const position = (given: bigint): number => Number(given < 0n ? BigInt(value.length) + given : given)
  if (start < 0n && end < 0n && start > end) return ''
  return value.slice(Math.max(0, position(start)), Math.max(0, position(end)) + 1)
}

/** For patterns of stars, question marks and letters. */
function matches(pattern: string, key: string): boolean {
  const source = pattern.replace(
    /[^*?]/g,
    letter => `\\x${letter.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  return new RegExp(`^${source.replace(/\*/g, '[^]*').replace(/\?/g, '[^]')}$`).test(key)
}
