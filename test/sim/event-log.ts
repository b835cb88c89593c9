/**
 * What happened in a simulated run, as lines that people can read: the last ones are kept for the report of a
 * failure, and a running checksum over all of them tells cheaply whether two runs were the same.
 */
import { crc32 } from 'node:zlib'

/** How many of the last lines are kept unless told otherwise. */
const keptLinesDefault = 400
/** The checksum is taken over this many characters at a time, because a call per line would cost more than the line. */
const checksumBlockCharacters = 8192
/** Of bytes that belong to a line, this many are shown. */
const shownBytesMax = 240

/** A line whose bytes are only turned to text when somebody looks. */
interface Line {
  readonly text: string
  readonly bytes: Uint8Array | undefined
}

export class EventLog {
  readonly #kept: Line[] = []
  readonly #keptMax: number
  readonly #print: ((line: string) => void) | undefined
  #next = 0
  #count = 0
  #checksum = 0
  #unsummed = ''

  /** Keeps the last `keptLines` lines; with `print`, every line is handed to it as well. */
  constructor(print?: (line: string) => void, keptLines = keptLinesDefault) {
    this.#print = print
    this.#keptMax = keptLines
  }

  /** Adds a line; `bytes` (not to be changed afterwards) count for the checksum and are shown behind it, cut short. */
  add(text: string, bytes?: Uint8Array): void {
    const line: Line = { text, bytes }
    this.#kept[this.#next] = line
    this.#next = (this.#next + 1) % this.#keptMax
    this.#count++
    this.#unsummed += text
    if (bytes !== undefined) this.#unsummed += `#${crc32(bytes)}`
    this.#unsummed += '\n'
    if (this.#unsummed.length > checksumBlockCharacters) this.#sum()
    this.#print?.(render(line))
  }

  /** How many lines were ever added. */
  get count(): number {
    return this.#count
  }

  /** Stands for all lines so far: equal for equal runs. Looking at it changes nothing. */
  checksum(): string {
    const value = crc32(this.#unsummed, this.#checksum)
    return `${this.#count}-${value.toString(16).padStart(8, '0')}`
  }

  /** The last lines, oldest first. */
  tail(): string[] {
    const older = this.#kept.slice(this.#next)
    const newer = this.#kept.slice(0, this.#next)
    return [...older, ...newer].map(render)
  }

  #sum(): void {
    this.#checksum = crc32(this.#unsummed, this.#checksum)
    this.#unsummed = ''
  }
}

function render(line: Line): string {
  if (line.bytes === undefined) return line.text
  const shown = Buffer.from(line.bytes.subarray(0, shownBytesMax)).toString('utf8')
  const cut = line.bytes.byteLength > shownBytesMax ? `... (${line.bytes.byteLength} bytes)` : ''
  return `${line.text} ${shown}${cut}`
}
