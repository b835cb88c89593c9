/**
 * What Redis commands ask of the data, and what they answer: operations, checked and typed, and replies. They
 * stand here because whoever reads them from clients and whoever carries them out do not know each other.
 *
 * An operation is one command (or several commands that do the same: SETEX is a `set`); a transaction is a list
 * of them, carried out as a whole.
 */

/** When a key is to expire: after so many milliseconds of log time, or at a time in milliseconds since 1970. */
export type Expiry = { readonly after: number } | { readonly at: number }

/** What reads only. Keys are text, as everywhere in the database; values are bytes. */
export type ReadOperation =
  | { readonly op: 'get' | 'strlen' | 'type'; readonly key: string }
  /** The bytes from `start` to `end`, both included; negative ones count from the end. */
  | { readonly op: 'getrange'; readonly key: string; readonly start: number; readonly end: number }
  /** `exists` counts a key as often as it is named. */
  | { readonly op: 'exists' | 'mget'; readonly keys: readonly string[] }
  /** How long the key lives, or until when, in seconds or milliseconds; -1: for ever, -2: there is none. */
  | {
      readonly op: 'ttl'
      readonly key: string
      readonly form: 'left' | 'until'
      readonly unit: 's' | 'ms'
    }
  /** All keys that match the pattern, whose characters stand for bytes. */
  | { readonly op: 'keys'; readonly pattern: string }
  /** One page of a walk over all keys, of about `count` keys before the pattern is applied. */
  | {
      readonly op: 'scan'
      readonly cursor: string
      readonly pattern: string
      readonly count: number
      /** False where keys of a type are asked for that is not theirs: they all hold strings. */
      readonly isOfType: boolean
    }
  /** Any key there is. */
  | { readonly op: 'randomkey' }
  /** How many keys there are; how many of them expire; the time. */
  | { readonly op: 'dbsize' | 'expiring' | 'time' }

/** What may change something. Where an operation is refused, its reply is an error and nothing has changed. */
export type WriteOperation =
  | {
      readonly op: 'set'
      readonly key: string
      readonly value: Uint8Array
      /** Only if the key is (not) there. */
      readonly condition: 'absent' | 'present' | undefined
      /** Without one the key lives for ever; `keep` leaves it as it was. */
      readonly expiry: Expiry | 'keep' | undefined
      /** The reply is the value that was there before. */
      readonly previous: boolean
    }
  | { readonly op: 'getdel' | 'persist'; readonly key: string }
  | { readonly op: 'getex'; readonly key: string; readonly expiry: Expiry | 'never' }
  | { readonly op: 'delete'; readonly keys: readonly string[] }
  | {
      readonly op: 'mset'
      readonly pairs: readonly (readonly [key: string, value: Uint8Array])[]
      /** Only if none of the keys is there. */
      readonly ifNone: boolean
    }
  | { readonly op: 'append'; readonly key: string; readonly value: Uint8Array }
  | { readonly op: 'setrange'; readonly key: string; readonly offset: number; readonly value: Uint8Array }
  /** `by` is a decimal number: a whole one of 64 bits with its sign, or one with a fraction. */
  | { readonly op: 'increment' | 'increment-float'; readonly key: string; readonly by: string }
  | {
      readonly op: 'expire'
      readonly key: string
      readonly expiry: Expiry
      /** By what the key has so far: no expiry, any, an earlier one, a later one (for ever is the latest). */
      readonly condition: 'nx' | 'xx' | 'gt' | 'lt' | 'xx-lt' | undefined
    }
  | { readonly op: 'rename'; readonly from: string; readonly to: string; readonly ifNone: boolean }
  | { readonly op: 'flush' }

/** Whatever Redis can ask of the data. */
export type Operation = ReadOperation | WriteOperation

/** A key and the version that it had when it was looked at; 0: it was not there. */
export interface Watched {
  readonly key: string
  readonly version: number
}

/** What an operation answers, as Redis would. */
export type Reply =
  | { readonly kind: 'nil' }
  /** Such as OK; `error` is the whole text of an error, with its prefix. */
  | { readonly kind: 'status' | 'error'; readonly text: string }
  /** Whole; a bigint where a number would not be exact. */
  | { readonly kind: 'integer'; readonly value: number | bigint }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'list'; readonly items: readonly Reply[] }

/** The largest value there can be, in bytes, however it came to be: it has to travel in one piece. */
export const valueBytesMax = 16 * 1024 * 1024

const readOperations: ReadonlySet<Operation['op']> = new Set([
  'get',
  'strlen',
  'type',
  'getrange',
  'exists',
  'mget',
  'ttl',
  'keys',
  'scan',
  'randomkey',
  'dbsize',
  'expiring',
  'time',
] satisfies ReadOperation['op'][])

/** Whether the operation changes nothing. */
export function isRead(operation: Operation): operation is ReadOperation {
  return readOperations.has(operation.op)
}
