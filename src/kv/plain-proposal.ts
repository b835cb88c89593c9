/**
 * Reads proposals as they are encoded, without going through JSON; see plain-command.ts. Where several commands stand in
 * one proposal their sizes tell where each of them is. Nobody else reads those, and so only a command among them that is
 * not plain is left to whoever reads JSON.
 */
import { type Command, parseCommand } from './command.js'
import {
  backslash,
  closingBracket,
  comma,
  endOfCount,
  endOfText,
  isDigit,
  openingBracket,
  quote,
  readCount,
} from './json-scan.js'
import { readPlainCommandAt } from './plain-command.js'
import type { Proposal } from './proposal.js'

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

/** A proposal of commands; undefined for one of a single command that is not plain, and for any other bytes. */
export function readPlainProposal(bytes: Buffer, session: RepeatedText): Proposal | undefined {
  if (bytes[0] !== openingBracket) return undefined
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
  if (bytes[bytes.length - 1] !== closingBracket) return undefined
  const commands = readCommands(bytes, lowestEnd + 1, bytes.length - 1)
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

/** The commands from `start` to `end`, with the sizes before them where they are several. */
function readCommands(bytes: Buffer, start: number, end: number): Command[] | undefined {
  if (bytes[start] !== openingBracket || !isDigit(bytes[start + 1])) {
    const command = readPlainCommandAt(bytes, start, end, bytes.indexOf(backslash, start))
    return command && [command]
  }
  const commands: Command[] = []
  const sizesEnd = bytes.indexOf(closingBracket, start)
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
      readPlainCommandAt(bytes, at + 1, commandEnd, backslashAt) ??
      parseCommand(bytes.subarray(at + 1, commandEnd))
    if (command === undefined) return undefined
    commands.push(command)
    at = commandEnd
  }
  return at === end ? commands : undefined
}
