/**
 * The interactive client of Warehouse 13: a session at a terminal, or lines from a pipe. It never lets go: when its
 * instance dies it finds another, says so, and repeats what was under way.
 */
import type { ReadStream, WriteStream } from 'node:tty'
import { LineSplitter, LongLine } from '../protocol/lines.js'
import { Client } from './client.js'
import { QuorateError } from './errors.js'
import type { ClientEvent } from './events.js'
import { Prompt } from './prompt.js'
import { type Answer, isExit, knownNodes, WarehouseSession } from './warehouse-session.js'

/** What the program was told. Times in milliseconds. */
export interface WarehouseCliOptions {
  /** In full `host:port` form. */
  readonly address: string
  readonly heartbeatIntervalMs: number
  readonly timeoutMs: number
  /** Whether answers are objects of JSON. */
  readonly isJson: boolean
  readonly historyFile: string
}

/** How long all known instances may be out of reach before a request is given up. */
const unreachableAfterMs = 2000
/** How long an instance may take to tell that it is one. */
const tellingMs = 1000
/** Lines of a pipe that are carried out at a time. */
const underWayMax = 64
/** Typed lines that may wait while an earlier one is carried out. */
const linesWaitingMax = 1000

/** Exit codes: all went well; something did not; Ctrl-C, as shells count it. */
const exitCodes = { ok: 0, failed: 1, interrupted: 130 } as const

/** Runs until the input ends; returns the exit code. */
export async function runWarehouseCli(options: WarehouseCliOptions): Promise<number> {
  const { address, heartbeatIntervalMs, timeoutMs } = options
  let client: Client
  try {
    client = await Client.connect(address, {
      heartbeatIntervalMs,
      timeoutMs,
      unreachableAfterMs,
      // It stays where it said that it is; when that instance dies, it goes to the leader.
      followLeader: false,
    })
  } catch (error) {
    if (!(error instanceof QuorateError)) throw error
    process.stderr.write(`warehouse-cli: ${error.message}\n`)
    return exitCodes.failed
  }
  // Whoever reads the answers may have read enough.
  process.stdout.on('error', () => process.exit(exitCodes.failed))
  try {
    if (await isOtherDatabase(client)) {
      process.stderr.write(`warehouse-cli: what answers at ${address} is no instance of Warehouse 13.\n`)
      return exitCodes.failed
    }
    const isInteractive = process.stdin.isTTY && process.stdout.isTTY
    return await (isInteractive ? atTerminal(client, options) : fromPipe(client, options))
  } finally {
    client.close()
  }
}

/**
 * Whether a node answers that is none of a warehouse: it reads a key that is no UUID4. False where nobody can tell, as
 * there is no answer.
 */
async function isOtherDatabase(client: Client): Promise<boolean> {
  try {
    await client.get('-', { timeoutMs: tellingMs })
    return true
  } catch (error) {
    if (!(error instanceof QuorateError)) throw error
    return false
  }
}

/**
 * Answers on standard output, in the order of the lines, and nothing else there; what happens meanwhile is told on
 * standard error. A number of lines are under way at a time.
 */
async function fromPipe(client: Client, { isJson }: WarehouseCliOptions): Promise<number> {
  const session = new WarehouseSession(client)
  let isWell = true
  for (const warning of client.warnings) process.stderr.write(`WARNING: ${warning}\n`)
  void tellNews(client, text => process.stderr.write(`${text}\n`))

  async function tell(answering: ReturnType<WarehouseSession['carryOut']>): Promise<void> {
    const answer = await answering
    if (answer === undefined || answer === 'exit') return
    isWell &&= answer.isWell
    await write(`${shown(answer, isJson)}\n`)
  }

  /** Each settles once its line, and so every line before it, is answered. */
  const told: Promise<void>[] = []
  for await (const line of linesOf(process.stdin)) {
    if (!(line instanceof LongLine) && isExit(line)) break
    const answering = line instanceof LongLine ? Promise.resolve(tooLong) : session.carryOut(line)
    const before = told.at(-1)
    told.push(before === undefined ? tell(answering) : before.then(() => tell(answering)))
    if (told.length >= underWayMax) await told.shift()
  }
  await told.at(-1)
  return isWell ? exitCodes.ok : exitCodes.failed
}

/** The lines of a stream of bytes, also a last one without an ending. */
async function* linesOf(input: AsyncIterable<unknown>): AsyncGenerator<Buffer | LongLine> {
  const lines = new LineSplitter()
  for await (const chunk of input) {
    // Without an encoding, a stream of bytes gives bytes.
    lines.push(chunk as Buffer)
    for (let line = lines.next(); line !== undefined; line = lines.next()) yield line
  }
  const last = lines.end()
  if (last !== undefined) yield last
}

/** A prompt, answers, and whatever happens in between. */
function atTerminal(client: Client, { isJson, historyFile }: WarehouseCliOptions): Promise<number> {
  // Both are terminals, as was asked before.
  const { stdin, stdout } = process as { stdin: ReadStream; stdout: WriteStream }
  const paint = !process.env['NO_COLOR'] ? inColour : (text: string) => text
  const session = new WarehouseSession(client)
  const waiting: string[] = []
  let underWay: AbortController | undefined

  return new Promise(resolve => {
    let exitCode: number = exitCodes.ok
    let isEnding = false
    const prompt = new Prompt({
      input: stdin,
      output: stdout,
      historyFile,
      complete: line => session.complete(line),
      onLine: line => {
        if (waiting.length < linesWaitingMax) waiting.push(line)
        else prompt.print(paint('Error: too many lines wait to be carried out'))
        void carryOutAll()
      },
      onInterrupt: () => {
        if (underWay !== undefined) {
          underWay.abort()
          return
        }
        exitCode = exitCodes.interrupted
        prompt.close()
      },
      onEnd: () => {
        isEnding = true
        if (underWay === undefined) end()
      },
    })

    async function carryOutAll(): Promise<void> {
      if (underWay !== undefined) return
      for (let line = waiting.shift(); line !== undefined; line = waiting.shift()) {
        underWay = new AbortController()
        const answer = await session.carryOut(Buffer.from(line), underWay.signal)
        if (answer === 'exit') {
          waiting.length = 0
          prompt.close()
        } else if (answer !== undefined) {
          prompt.print(paint(shown(answer, isJson)))
        }
      }
      underWay = undefined
      if (isEnding) end()
      else prompt.show()
    }

    function end(): void {
      client.close()
      // Whatever comes next begins on a line of its own.
      stdout.write('\n')
      resolve(exitCode)
    }

    prompt.print(`Connected to a database of Warehouse 13 at ${client.address}\n${knownNodes(client.nodes)}`)
    for (const warning of client.warnings) prompt.print(paint(`WARNING: ${warning}`))
    void tellNews(client, text => prompt.print(paint(text)))
    prompt.show()
  })
}

/** Tells what happens unasked, until the client is closed. */
async function tellNews(client: Client, tell: (text: string) => void): Promise<void> {
  for await (const event of client.events()) {
    const text = newsText(event)
    if (text !== undefined) tell(text)
  }
}

function newsText(event: ClientEvent): string | undefined {
  switch (event.kind) {
    case 'reconnected':
      return `Reconnected to a database of Warehouse 13 at ${event.address}\n${knownNodes(event.nodes)}`
    case 'warning':
      return `WARNING: ${event.text}`
    default:
      return undefined
  }
}

const tooLong: Answer = {
  text: 'Error: the line is too long',
  json: { ok: false, code: 'LINE_TOO_LONG', definite: true, message: 'Error: the line is too long' },
  isWell: false,
}

function shown(answer: Answer, isJson: boolean): string {
  return isJson ? JSON.stringify(answer.json) : answer.text
}

function inColour(text: string): string {
  const red = '\u001b[31m'
  const yellow = '\u001b[33m'
  const plain = '\u001b[39m'
  if (/^(Error: |Failed to )/.test(text)) return `${red}${text}${plain}`
  return text.startsWith('WARNING: ') ? `${yellow}${text}${plain}` : text
}

/** Writes to standard output, and waits where it is not read as fast as answers come. */
function write(text: string): Promise<void> {
  return new Promise(resolve => {
    if (process.stdout.write(text)) resolve()
    else process.stdout.once('drain', resolve)
  })
}
