/** Random sequences of Redis commands: few keys, so that they meet, and words of which many are wrong. */
import fc from 'fast-check'

/** A time far ahead, in seconds since 1970, and one that is over. */
const futureSeconds = 4_102_444_800
const key = fc.constantFrom('a', 'b', 'c', 'd')
const number = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -20, max: 20 }).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...['9223372036854775807', '-9223372036854775808', '9223372036854775808', '-9223372036854775809'],
      ...['007', '-0', '+1', ' 1', '1 ', '', 'x', '1.5', '0x10'],
    ),
  },
)
const float = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -400, max: 400 }).map(quarters => String(quarters / 4)) },
  { weight: 1, arbitrary: fc.constantFrom('1e2', '+.5', '2.', 'x', '', ' 1', '1e', '.', '--1') },
)
const bytes = fc.uint8Array({ maxLength: 8 }).map(given => Buffer.from(given).toString('latin1'))
const value = fc.oneof(bytes, number, float)
const seconds = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('100', '1000', '5000') },
  { weight: 1, arbitrary: fc.constantFrom('0', '-1', 'x', '', '9223372036854775807') },
)
const milliseconds = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('100000', '1000000', '5000000') },
  { weight: 1, arbitrary: fc.constantFrom('0', '-1', 'x', '') },
)
const at = fc.constantFrom('1', String(futureSeconds), String(futureSeconds + 1000))
const atMs = fc.constantFrom('1', `${futureSeconds}000`, `${futureSeconds + 1000}000`)

/** Sometimes in small letters, as options may be. */
const word = (text: string): fc.Arbitrary<string> =>
  fc.boolean().map(isSmall => (isSmall ? text.toLowerCase() : text))
const option = (...parts: readonly (string | fc.Arbitrary<string>)[]): fc.Arbitrary<string[]> =>
  fc.tuple(...parts.map(part => (typeof part === 'string' ? word(part) : part)))
const some = (options: readonly fc.Arbitrary<string[]>[], maxLength: number): fc.Arbitrary<string[]> =>
  fc.array(fc.oneof(...options), { maxLength }).map(chosen => chosen.flat())

const timeOptions = [
  option('EX', seconds),
  option('PX', milliseconds),
  option('EXAT', at),
  option('PXAT', atMs),
]
const setOptions = some(
  [...timeOptions, ...['NX', 'XX', 'GET', 'KEEPTTL', 'PERSIST', 'EX', 'nonsense'].map(name => option(name))],
  3,
)
/** Redis looks at the time only where there is a key; the database looks at it in any case. */
const getexOptions = some(
  [
    option('EX', fc.constantFrom('100', '5000')),
    option('PXAT', atMs),
    ...['PERSIST', 'KEEPTTL', 'NX', 'nonsense'].map(name => option(name)),
  ],
  2,
)
const expireOptions = some(
  ['NX', 'XX', 'GT', 'LT', 'nonsense'].map(name => option(name)),
  2,
)
const pattern = fc.array(fc.constantFrom('*', '?', 'a', 'b'), { maxLength: 4 }).map(parts => parts.join(''))
const keysOf = fc.array(key, { minLength: 1, maxLength: 3 })
const pairs = fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 3 }).map(given => given.flat())

type Words = fc.Arbitrary<readonly string[]>
const command = (name: string, ...parts: readonly fc.Arbitrary<string | readonly string[]>[]): Words =>
  fc.tuple(...parts).map(given => [name, ...given.flat()])

const keyed = (
  names: readonly string[],
  ...parts: readonly fc.Arbitrary<string | readonly string[]>[]
): Words => fc.oneof(...names.map(name => command(name, key, ...parts)))

/** One command with its words. */
export const anyCommand: Words = fc.oneof(
  { weight: 5, arbitrary: command('SET', key, value, setOptions) },
  { weight: 3, arbitrary: command('SET', key, value) },
  { weight: 4, arbitrary: keyed(['GET', 'STRLEN', 'GETDEL', 'TYPE', 'PERSIST']) },
  { weight: 4, arbitrary: keyed(['TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME']) },
  { weight: 3, arbitrary: keyed(['INCR', 'DECR']) },
  { weight: 3, arbitrary: keyed(['INCRBY', 'DECRBY'], number) },
  { weight: 3, arbitrary: keyed(['INCRBYFLOAT'], float) },
  { weight: 3, arbitrary: keyed(['SETNX', 'GETSET', 'APPEND'], value) },
  { weight: 2, arbitrary: keyed(['SETEX'], seconds, value) },
  { weight: 2, arbitrary: keyed(['PSETEX'], milliseconds, value) },
  { weight: 2, arbitrary: keyed(['GETEX'], getexOptions) },
  { weight: 2, arbitrary: keyed(['GETRANGE', 'SUBSTR'], number, number) },
  {
    weight: 2,
    arbitrary: keyed(
      ['SETRANGE'],
      fc.oneof(fc.integer({ min: -2, max: 20 }).map(String), number.filter(isShort)),
      value,
    ),
  },
  { weight: 2, arbitrary: keyed(['EXPIRE'], seconds.filter(isShort), expireOptions) },
  { weight: 2, arbitrary: keyed(['PEXPIRE'], milliseconds, expireOptions) },
  { weight: 2, arbitrary: keyed(['EXPIREAT'], at, expireOptions) },
  { weight: 2, arbitrary: keyed(['PEXPIREAT'], atMs, expireOptions) },
  { weight: 2, arbitrary: fc.oneof(command('DEL', keysOf), command('UNLINK', keysOf)) },
  { weight: 2, arbitrary: fc.oneof(command('EXISTS', keysOf), command('TOUCH', keysOf)) },
  { weight: 2, arbitrary: command('MGET', keysOf) },
  {
    weight: 2,
    arbitrary: fc.oneof(command('MSET', pairs), command('MSETNX', pairs), command('MSET', key, value, key)),
  },
  { weight: 2, arbitrary: fc.oneof(command('RENAME', key, key), command('RENAMENX', key, key)) },
  { weight: 1, arbitrary: command('KEYS', pattern) },
  { weight: 1, arbitrary: command('DBSIZE') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...[['FLUSHALL'], ['FLUSHDB'], ['FLUSHALL', 'ASYNC'], ['FLUSHDB', 'sync'], ['FLUSHALL', 'x']],
    ),
  },
)

/** Many of them. */
export const anySequence = fc.array(anyCommand, { minLength: 1, maxLength: 60, size: 'max' })

/** Longer numbers would make values of many bytes. */
function isShort(text: string): boolean {
  return text.length < 8
}
