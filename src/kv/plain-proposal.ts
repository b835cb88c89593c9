/**
 * Reads the commands that are nearly all of a log without going through JSON: those that store under a key a
 * value that stands in its line as it is, byte for byte. It is a shorter way to the same result (less than half of
 * the CPU, and no second copy of the value), never a second opinion: whatever is not of exactly this shape is left to
 * whoever reads JSON. Where several commands stand in one proposal their sizes tell where each of them is; nobody else
 * reads those, and so only a command among them that is not plain is left to whoever reads JSON.
 *
 * The value is a view of the bytes that were read. What a string holds is not looked at beyond quotes and
 * backslashes: it was checked where it was encoded. So a little more is read here than JSON allows, and whatever is
 * read as a command has to be read within a proposal, too.
 */
import type { Command, Proposal, RedisCommand } from './command.js'

/** The beginnings of these commands, up to the first byte of the key. */
const openings = (['set', 'put', 'update', 'redis-set'] as const).map(op => ({
  op,
  bytes: Buffer.from(`["${op}","`),
}))

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const openBracket = 0x5b
const closeBracket = 0x5d
const zero = 0x30
const nine = 0x39
/** No whole number of more digits is exact. */
const digitsMax = 16

/** A text that is nearly always the same as the last time, and then is no new string. It is ASCII, or else is new. */
export class RepeatedText {
  #last = ''

  read(bytes: Buffer, start: number, end: number): string {
    if (!this.#isLast(bytes, start, end)) this.#last = bytes.toString('utf8', start, end)
    return this.#last
  }

  #isLast(bytes: Buffer, start: number, end: number): boolean {
    const last = this.#last
    if (last.length !== end - start) return false
    for (let position = 0; position < last.length; position++) {
      const code = last.charCodeAt(position)
      // A byte above stands for no character of that number.
      if (code !== bytes[start + position] || code > 0x7f) return false
    }
    return true
  }
}

/** A plain command; undefined for any other bytes. */
export function readPlainCommand(bytes: Buffer): Command | undefined {
  return readCommandAt(bytes, 0, bytes.length, bytes.indexOf(backslash))
}

/**
 * A proposal: who asked for it and when, and the commands; undefined for any other bytes. Commands of a proposal of many
 * that are not plain are left to `readAny`; a proposal of one that is not plain is undefined.
 */
export function readPlainProposal(
  bytes: Buffer,
  session: RepeatedText,
  readAny: (bytes: Buffer) => Command | undefined,
): Proposal | undefined {
  if (bytes[0] !== openBracket) return undefined
  const wallEnd = endOfCount(bytes, 1)
  if (wallEnd < 0 || bytes[wallEnd] !== comma || bytes[wallEnd + 1] !== quote) return undefined
  const sessionEnd = endOfText(bytes, wallEnd + 2)
  if (sessionEnd < 0 || bytes[sessionEnd + 1] !== comma) return undefined
  const bornEnd = endOfCount(bytes, sessionEnd + 2)
  if (bornEnd < 0 || bytes[bornEnd] !== comma) return undefined
  const counterEnd = endOfCount(bytes, bornEnd + 1)
  if (counterEnd < 0 || bytes[counterEnd] !== comma) return undefined
  const lowestEnd = endOfCount(bytes, counterEnd + 1)
  if (lowestEnd < 0 || bytes[lowestEnd] !== comma) return undefined
  if (bytes[bytes.length - 1] !== closeBracket) return undefined
  const commands = readCommands(bytes, lowestEnd + 1, bytes.length - 1, readAny)
  if (commands === undefined) return undefined
  const wallMs = readCount(bytes, 1, wallEnd)
  const bornMs = readCount(bytes, sessionEnd + 2, bornEnd)
  const counter = readCount(bytes, bornEnd + 1, counterEnd)
  const lowest = readCount(bytes, counterEnd + 1, lowestEnd)
  const last = counter + commands.length - 1
  if (Math.max(wallMs, bornMs, last, lowest) > Number.MAX_SAFE_INTEGER) return undefined
  const name = session.read(bytes, wallEnd + 2, sessionEnd)
  return { wallMs, writes: { identity: { session: name, bornMs, counter, lowest }, commands } }
}

function readCommands(
  bytes: Buffer,
  start: number,
  end: number,
  readAny: (bytes: Buffer) => Command | undefined,
): Command[] | undefined {
  if (bytes[start] !== openBracket || !isDigit(bytes[start + 1])) {
    const command = readCommandAt(bytes, start, end, bytes.indexOf(backslash, start))
    return command && [command]
  }
  const commands: Command[] = []
  const sizesEnd = bytes.indexOf(closeBracket, start)
  if (sizesEnd < 0) return undefined
  let backslashAt = bytes.indexOf(backslash, start)
  let at = sizesEnd + 1
  let sizeEnd = start
  while (sizeEnd < sizesEnd) {
    const sizeStart = sizeEnd + 1
    sizeEnd = endOfCount(bytes, sizeStart)
    if (sizeEnd < 0 || (sizeEnd !== sizesEnd && bytes[sizeEnd] !== comma)) return undefined
    if (bytes[at] !== comma) return undefined
    const commandEnd = at + 1 + readCount(bytes, sizeStart, sizeEnd)
    if (commandEnd > end) return undefined
    if (backslashAt >= 0 && backslashAt < at) backslashAt = bytes.indexOf(backslash, at)
    const command =
      readCommandAt(bytes, at + 1, commandEnd, backslashAt) ?? readAny(bytes.subarray(at + 1, commandEnd))
    if (command === undefined) return undefined
    commands.push(command)
    at = commandEnd
  }
  return at === end ? commands : undefined
}

/** The command of Redis that only stores a value. */
export function redisSet(key: string, value: Uint8Array): RedisCommand {
  const only = { op: 'set', key, value, condition: undefined, expiry: undefined, previous: false } as const
  return { op: 'redis', operations: [only], watched: [] }
}

/** The command that fills the bytes from `start` to `end`. */
function readCommandAt(bytes: Buffer, start: number, end: number, backslashAt: number): Command | undefined {
  const opening = openingAt(bytes, start)
  if (opening === undefined) return undefined
  const keyStart = start + opening.bytes.length
  const keyEnd = endOfText(bytes, keyStart)
  const valueStart = keyEnd + 3
  if (keyEnd < 0 || bytes[keyEnd + 1] !== comma || bytes[keyEnd + 2] !== quote) return undefined
  const valueEnd = bytes.indexOf(quote, valueStart)
  if (valueEnd !== end - 2 || bytes[valueEnd + 1] !== closeBracket) return undefined
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

/** Where the short text that begins at `start` ends; -1 if it has an escape, or no end. */
function endOfText(bytes: Buffer, start: number): number {
  for (let end = start; end < bytes.length; end++) {
    if (bytes[end] === quote) return end
    if (bytes[end] === backslash) return -1
  }
  return -1
}

/** Where the whole number that begins at `start` ends; -1 if it is none that JSON has, or cannot be exact. */
function endOfCount(bytes: Buffer, start: number): number {
  let end = start
  while (isDigit(bytes[end])) end++
  if (end === start || end - start > digitsMax) return -1
  return bytes[start] === zero && end - start > 1 ? -1 : end
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= zero && byte <= nine
}

function readCount(bytes: Buffer, start: number, end: number): number {
  let count = 0
  for (let position = start; position < end; position++) {
    count = count * 10 + ((bytes[position] ?? zero) - zero)
  }
  return count
}
