/**
 * How the words of a Redis command are read: each reader gives a checked value or refuses the command with the
 * words that Redis would use.
 */
import type { Expiry } from '../../base/operation.js'
import { errorText } from '../errors.js'
import { checkKey } from '../key.js'
import { failure } from '../request.js'
import { isUtf8 } from '../utf8.js'
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
  // A key that is far too long is not decoded first.
  const isText = word.length <= keyBytesLooked && isUtf8(word, 0, word.length)
  const key = isText ? word.toString() : undefined
  const problem =
    key === undefined && word.length <= keyBytesLooked
      ? failure('NOT_UTF8')
      : checkKey(key ?? 'k'.repeat(keyBytesLooked))
  if (key === undefined || problem !== undefined) {
    throw new Refused(`ERR ${errorText(problem?.code ?? 'INVALID_KEY', problem?.details)}`)
  }
  return key
}

const keyBytesLooked = 4096

/** A word that is an option or a name, in lower case; any bytes give some text. */
export function nameOf(word: Buffer): string {
  return word.toString('latin1').toLowerCase()
}

/** A whole number of 64 bits, written as Redis writes them: no plus sign, no leading zero, no blank. */
export function integerOf(word: Buffer): bigint {
  const text = word.length <= 20 ? word.toString('latin1') : ''
  if (!/^(?:0|-?[1-9]\d*)$/.test(text)) throw new Refused(notAnInteger)
  const value = BigInt(text)
  if (value !== BigInt.asIntN(64, value)) throw new Refused(notAnInteger)
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
