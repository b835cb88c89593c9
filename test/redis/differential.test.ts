import { expect } from 'chai'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { addDecimals } from '../../src/kv/long-double.js'
import { startNode, stopAll } from '../support/processes.js'
import { requires } from '../support/requirements.js'
import { PureMachine } from './machine.js'
import { quoted, type Shown } from './model.js'
import { ask, RedisServer } from './redis-server.js'
import { isSameTime } from './same-time.js'
import { anyCommand } from './sequences.js'

/**
 * What differs from Redis 7.0, on purpose (listed on 2026-11-21):
 * - GETEX looks at its time whether the key exists or not; Redis answers nil for a key that does not exist before it
 *   looks. (The sequences hold no wrong time for GETEX.)
 * - Times beyond the year 144,000 are refused as too large, which Redis does only beyond the year 292 million.
 * - DBSIZE of Redis counts keys that have expired until somebody asks for them.
 * - Bytes in a range of a pattern are compared by their number; Redis takes those beyond ASCII for negative ones where the
 *   processor does. (The patterns hold no range together with such a byte.)
 */
const sequence = fc
  .array(anyCommand.filter(isTheSameAtAnyTime), { minLength: 1, maxLength: 60, size: 'max' })
  .map(commands => [['FLUSHALL'], ...commands])

describe('beside a real Redis, the database', () => {
  let server: RedisServer | undefined
  before(async function () {
    requires(this, 'redis-server')
    server = await RedisServer.start()
  })
  after(async function () {
    await server?.stop()
    await stopAll.call(this)
  })

  const redis = async (commands: readonly (readonly string[])[]): Promise<Shown[]> => {
    if (server === undefined) throw new Error('the server runs')
    return server.run(commands)
  }

  it('answers the same to the same commands, errors included', async () => {
    const check = async (commands: readonly (readonly string[])[]): Promise<void> => {
      const machine = new PureMachine(Date.now())
      const replies = await redis(commands)
      for (const [position, words] of commands.entries()) {
        expectSame(words, machine.run(words), replies[position] ?? '')
      }
    }
    await fc.assert(fc.asyncProperty(sequence, check), { numRuns: 150 })
  })

  it('answers the same through its port, where a client speaks to it as to Redis', async () => {
    const node = await startNode()
    await node.waitForLeader()
    const client = new Redis({ port: node.port, stringNumbers: true })
    const check = async (commands: readonly (readonly string[])[]): Promise<void> => {
      const [replies, expected] = await Promise.all([
        Promise.all(commands.map(words => ask(client, words))),
        redis(commands),
      ])
      for (const [position, words] of commands.entries()) {
        expectSame(words, replies[position] ?? '', expected[position] ?? '')
      }
    }
    await fc.assert(fc.asyncProperty(sequence, check), { numRuns: 30 }).finally(() => client.disconnect())
  })

  it('adds numbers with fractions to the same digits', async () => {
    const digits = fc.stringMatching(/^[0-9]{1,25}$/)
    const decimal = fc
      .tuple(
        fc.constantFrom('', '-', '+'),
        digits,
        fc.option(digits),
        fc.option(fc.integer({ min: -40, max: 40 })),
      )
      .map(([sign, whole, fraction, power]) => {
        return `${sign}${whole}${fraction === null ? '' : `.${fraction}`}${power === null ? '' : `e${power}`}`
      })
    const odd = fc.constantFrom(
      ...[
        '1e4932',
        '-1e4932',
        '1.2e4932',
        '1e-4940',
        '1e-4960',
        '3e-4951',
        'inf',
        '-Infinity',
        'nan',
        '.',
        '1e',
      ],
      ...[
        '5e-18',
        '1.5e-17',
        '18446744073709551615',
        '18446744073709551617',
        '36893488147419103233',
        '-0',
        '0e9999',
      ],
      ...['0x10', '-0x1.8p3', '0X.fP-2', '0x', '0x1p', '0x1p20000', '0xffffffffffffffffff'],
    )
    const number = fc.oneof({ weight: 5, arbitrary: decimal }, { weight: 1, arbitrary: odd })
    const check = async (pairs: readonly (readonly [string, string])[]): Promise<void> => {
      const commands = pairs.flatMap(([one, other]) => [
        ['SET', 'n', one],
        ['INCRBYFLOAT', 'n', other],
      ])
      const replies = await redis(commands)
      for (const [position, [one, other]] of pairs.entries()) {
        expect(showSum(one, other), `${one} + ${other}`).to.equal(replies[2 * position + 1])
      }
    }
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(number, number), { minLength: 1, maxLength: 50, size: 'max' }),
        check,
      ),
      { numRuns: 60 },
    )
  })

  it('matches the same keys with the same patterns, whatever is in brackets', async () => {
    const characters = fc.constantFrom('a', 'b', 'c', '*', '?', '[', ']', '^', '-', '\\', 'é')
    const pattern = fc
      .array(characters, { maxLength: 8 })
      .map(parts => Buffer.from(parts.join('')).toString('latin1'))
    const isTheSameAnywhere = (one: string): boolean => !(one.includes('-') && /[\x80-\xff]/.test(one))
    const name = fc
      .array(fc.constantFrom('a', 'b', 'c', '[', ']', '-', '\\', '*', 'é'), { minLength: 1, maxLength: 5 })
      .map(parts => Buffer.from(parts.join('')).toString('latin1'))
    const check = async (names: readonly string[], patterns: readonly string[]): Promise<void> => {
      const commands = [
        ['FLUSHALL'],
        ...names.map(one => ['SET', one, '']),
        ...patterns.map(one => ['KEYS', one]),
      ]
      const machine = new PureMachine(Date.now())
      const replies = await redis(commands)
      for (const [position, words] of commands.entries()) {
        expect(machine.run(words), words.join(' ')).to.equal(replies[position])
      }
    }
    const names = fc.array(name, { minLength: 1, maxLength: 10 })
    await fc.assert(
      fc.asyncProperty(
        names,
        fc.array(pattern.filter(isTheSameAnywhere), { minLength: 1, maxLength: 20 }),
        check,
      ),
      {
        numRuns: 100,
      },
    )
  })
})

/** Fails where the database answers a command otherwise than Redis. */
function expectSame(words: readonly string[], shown: Shown, expected: Shown): void {
  const isSame = isSameTime(words, shown, expected) || isFewerKeys(words, shown, expected)
  if (!isSame) expect(shown, words.join(' ')).to.equal(expected)
}

function showSum(one: string, other: string): Shown {
  const sum = addDecimals(one, other)
  if (sum.kind === 'sum') return quoted(sum.text)
  if (sum.kind === 'infinite') return 'ERR increment would produce NaN or Infinity'
  return 'ERR value is not a valid float'
}

/** Whether both count keys, and the other one counts more. */
function isFewerKeys([name]: readonly string[], one: Shown, other: Shown): boolean {
  const [left = 0, right = 0] = [one, other].map(shown => Number(/^\(integer\) (\d+)$/.exec(shown)?.[1]))
  return name === 'DBSIZE' && left < right
}

/** Whether a later or earlier expiry is asked for than one that differs from it by the time between two commands. */
function isTheSameAtAnyTime([name = '', ...words]: readonly string[]): boolean {
  const isRelative = name === 'EXPIRE' || name === 'PEXPIRE'
  return !isRelative || !words.some(word => /^[gl]t$/i.test(word))
}
