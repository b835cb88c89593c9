/**
 * Reads the commands that are nearly all of a log without going through JSON: those that store under a key a
 * value that stands in its line as it is, byte for byte. It is a shorter way to the same result (less than half of
 * the CPU, and no second copy of the value), never a second opinion: whatever is not of exactly this shape is left to
 * whoever reads JSON.
 *
 * The value is a view of the bytes that were read. What a string holds is not looked at beyond quotes and
 * backslashes: it was checked where it was encoded. So a little more is read here than JSON allows, and whatever is
 * read as a command has to be read within a proposal, too.
 */
import type { Command, RedisCommand } from './command.js'
import { backslash, closingBracket, comma, endOfText, quote } from './json-scan.js'

/** The beginnings of these commands, up to the first byte of the key. */
const openings = (['set', 'put', 'update', 'redis-set'] as const).map(op => ({
  op,
  bytes: Buffer.from(`["${op}","`),
}))

/** A plain command; undefined for any other bytes. */
export function readPlainCommand(bytes: Buffer): Command | undefined {
  return readPlainCommandAt(bytes, 0, bytes.length, bytes.indexOf(backslash))
}

/**
 * The plain command that fills the bytes from `start` to `end`. The first backslash behind `start` is at `backslashAt`,
 * which is negative where there is none: whoever reads many commands looks for it once.
 */
export function readPlainCommandAt(
  bytes: Buffer,
  start: number,
  end: number,
  backslashAt: number,
): Command | undefined {
  const opening = openingAt(bytes, start)
  if (opening === undefined) return undefined
  const keyStart = start + opening.bytes.length
  const keyEnd = endOfText(bytes, keyStart)
  const valueStart = keyEnd + 3
  if (keyEnd < 0 || bytes[keyEnd + 1] !== comma || bytes[keyEnd + 2] !== quote) return undefined
  const valueEnd = bytes.indexOf(quote, valueStart)
  if (valueEnd !== end - 2 || bytes[valueEnd + 1] !== closingBracket) return undefined
  if (backslashAt >= valueStart && backslashAt < end) return undefined
  const { op } = opening
  const key = bytes.toString('utf8', keyStart, keyEnd)
  const value = bytes.subarray(valueStart, valueEnd)
  return op === 'redis-set' ? redisSet(key, value) : { op, key, value, identity: undefined }
}

function openingAt(bytes: Buffer, start: number): (typeof openings)[number] | undefined {
  for (const opening of openings) if (beginsWith(bytes, start, opening.bytes)) return opening
  return undefined
}

function beginsWith(bytes: Buffer, start: number, opening: Buffer): boolean {
  for (let position = 0; position < opening.length; position++) {
    if (bytes[start + position] !== opening[position]) return false
  }
  return true
}

/** The command of Redis that only stores a value. */
export function redisSet(key: string, value: Uint8Array): RedisCommand {
  const only = { op: 'set', key, value, condition: undefined, expiry: undefined, previous: false } as const
  return { op: 'redis', operations: [only], watched: [] }
}
