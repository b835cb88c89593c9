/** The kinds of values that a setting can have: how each is read from text, and what it must be. */
import { isIPv6 } from 'node:net'
import { fullAddress } from '../protocol/address.js'

/** One kind of value. */
export interface Kind<T> {
  /** Completes the sentence "'...' is not ...". */
  readonly expects: string
  /** Reads the text; undefined if it is not such a value. */
  parse(text: string): T | undefined
  /** The values there are, where they can be listed. */
  readonly choices?: readonly string[]
}

/** Any text, also none. */
export const text: Kind<string> = { expects: 'a text', parse: given => given }

/** Text of at least one character. */
export const path: Kind<string> = {
  expects: 'a path',
  parse: given => (given === '' ? undefined : given),
}

/** A setting that is on or off. */
export const onOff: Kind<boolean> = {
  expects: 'true or false',
  parse: given => (given === 'true' ? true : given === 'false' ? false : undefined),
}

/** A host name or an IP address, as one listens on; an IPv6 address with or without brackets, kept without. */
export const host: Kind<string> = {
  expects: 'a host name or an IP address',
  parse: given => {
    const bare = given.startsWith('[') && given.endsWith(']') ? given.slice(1, -1) : given
    if (isIPv6(bare)) return bare.toLowerCase()
    return fullAddress(`${given}:1`) === undefined ? undefined : given.toLowerCase()
  },
}

/** `<host>[:<port>]`; what is missing is known only where it is used, so the text stays as it is. */
export const address: Kind<string> = {
  expects: 'an address such as 192.168.1.1 or 192.168.1.1:5000',
  parse: given => (fullAddress(given) === undefined ? undefined : given),
}

/** Addresses separated by commas, each in full `host:port` form afterwards; each may be there once. */
export const addresses: Kind<readonly string[]> = {
  expects: 'a list of different addresses such as 192.168.1.1,192.168.1.2:5001',
  parse: given => {
    const full = given.split(',').map(part => fullAddress(part.trim()))
    const known = full.filter(one => one !== undefined)
    return known.length === full.length && new Set(known).size === known.length ? known : undefined
  },
}

/** A TCP port. */
export const port: Kind<number> = {
  expects: 'a port from 1 to 65535',
  parse: given => wholeNumber(given, 1, 65535),
}

/** One of the listed words. */
export function choice<const Word extends string>(words: readonly Word[]): Kind<Word> {
  return {
    expects: `one of ${words.join(', ')}`,
    choices: words,
    parse: given => words.find(word => word === given),
  }
}

/** A whole number from `least` to `most`. */
export function count(least: number, most: number): Kind<number> {
  return {
    expects: `a whole number from ${least} to ${most}`,
    parse: given => wholeNumber(given, least, most),
  }
}

/** Whole numbers from `least` to `most`, separated by commas. */
export function counts(least: number, most: number): Kind<readonly number[]> {
  return {
    expects: `a list of whole numbers from ${least} to ${most}, such as 1,16,64`,
    parse: given => {
      const read = given.split(',').map(part => wholeNumber(part.trim(), least, most))
      const known = read.filter(value => value !== undefined)
      return known.length === read.length ? known : undefined
    },
  }
}

/** A time, in milliseconds when it is read: `1500ms`, `2s`, or a bare number in `unit`. Bounds are in `unit`. */
export function duration(unit: 'ms' | 's', least: number, most: number): Kind<number> {
  const factors = { ms: 1, s: 1000 }
  return {
    expects: `a time from ${least}${unit} to ${most}${unit}, such as 1500ms or 2s`,
    parse: given => {
      const match = /^(\d{1,9})(ms|s)?$/.exec(given.toLowerCase())
      if (match === null) return undefined
      const givenUnit = match[2] === 'ms' || match[2] === 's' ? match[2] : unit
      return within(Number(match[1]) * factors[givenUnit], least * factors[unit], most * factors[unit])
    },
  }
}

const sizeFactors = { b: 1, kb: 1024, mb: 1024 * 1024, gb: 1024 * 1024 * 1024 }

/** A size, in bytes when it is read: `1mb`, `64kb`, or a bare number of bytes. Bounds are texts of that form. */
export function size(least: string, most: string): Kind<number> {
  return {
    expects: `a size from ${least} to ${most}, such as 64kb`,
    parse: given => {
      const bytes = sizeBytes(given)
      return bytes === undefined ? undefined : within(bytes, sizeBytes(least) ?? 0, sizeBytes(most) ?? 0)
    },
  }
}

function sizeBytes(given: string): number | undefined {
  const match = /^(\d{1,12})(b|kb|mb|gb)?$/.exec(given.toLowerCase())
  if (match === null) return undefined
  const unit = match[2]
  const isUnit = unit === 'kb' || unit === 'mb' || unit === 'gb'
  return Number(match[1]) * sizeFactors[isUnit ? unit : 'b']
}

function wholeNumber(given: string, least: number, most: number): number | undefined {
  return /^\d{1,12}$/.test(given) ? within(Number(given), least, most) : undefined
}

function within(value: number, least: number, most: number): number | undefined {
  return value >= least && value <= most ? value : undefined
}
