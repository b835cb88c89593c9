/**
 * How the words of a Redis command are read: each reader gives a checked value or refuses the command with the
 * words that Redis would use.
 */
import { parseInteger64 } from '../../base/integer64.js'
import type { Expiry } from '../../base/operation.js'
import { errorText } from '../errors.js'
import { readKey } from '../key.js'
import { failure } from '../request.js'
import type { ErrorReply } from './command-row.js'

/** Thrown by the readers and caught by {@link refusing}: it never leaves the tables. */
export class Refused extends Error {}

/** Runs `read`, and makes an error reply of its refusal. */
export function refusing<Result>(read: () => Result): Result | ErrorReply {
  try {
    return read()
  } catch (error) {
    if (error instanceof Refused) return { kind: 'error', text: error.message }
    throw error
  }
}

/** What Redis says to options that it does not know or that do not go together. */
export const syntaxError = 'ERR syntax error'
const notAnInteger = 'ERR value is not an integer or out of range'

/** Refuses a command that has too few or too many words for its options. */
export function wrongArity(name: string): never {
  throw new Refused(`ERR wrong number of arguments for '${name}' command`)
}

/** A word that the arity promises. */
export function at(words: readonly Buffer[], position: number): Buffer {
  const word = words[position]
  if (word === undefined) throw new Refused(syntaxError)
  return word
}

/** A key: what is one in the other dialects, so that each can be named in each. */
export function keyOf(word: Buffer): string {
  const key = word.length === 0 ? failure('INVALID_KEY') : readKey(word, 0, word.length)
  if (typeof key !== 'string') throw new Refused(`ERR ${errorText(key.code, key.details)}`)
  return key
}

/** A word that is an option or a name, in lower case; any bytes give some text. */
export function nameOf(word: Buffer): string {
  return word.toString('latin1').toLowerCase()
}

/** A whole number of 64 bits, written as Redis writes them: no plus sign, no leading zero, no blank. */
export function integerOf(word: Buffer): bigint {
  const value = parseInteger64(word.toString('latin1', 0, 21))
  if (value === undefined) throw new Refused(notAnInteger)
  return value
}

/** A whole number; one that is too large to be exact becomes the largest that is, with its sign. */
export function boundedIntegerOf(word: Buffer): number {
  const value = Number(integerOf(word))
  const most = Number.MAX_SAFE_INTEGER
  return Math.max(-most, Math.min(most, value))
}

/** How an option or a command tells a time. */
export interface TimeForm {
  readonly from: 'now' | '1970'
  readonly unit: 's' | 'ms'
}

/** The options of a command that say when a key expires. */
export const timeForms: Readonly<Record<string, TimeForm>> = {
  ex: { from: 'now', unit: 's' },
  px: { from: 'now', unit: 'ms' },
  exat: { from: '1970', unit: 's' },
  pxat: { from: '1970', unit: 'ms' },
}

/**
 * A time for a key to expire. `anyTime`: it may lie in the past, too. Times are kept in milliseconds that are
 * exact in a number, which reaches to the year 144,000.
 */
export function expiryOf(
  word: Buffer,
  { from, unit }: TimeForm,
  command: string,
  anyTime: 'past-too' | 'future-only',
): Expiry {
  const given = integerOf(word)
  const ms = unit === 's' ? given * 1000n : given
  const isOutside = ms > timeMax || ms < -timeMax || (anyTime === 'future-only' && ms <= 0n)
  if (isOutside) throw new Refused(`ERR invalid expire time in '${command}' command`)
  return from === 'now' ? { after: Number(ms) } : { at: Number(ms) }
}

/** So that it may be added to the present and is still exact. */
const timeMax = 2n ** 52n
