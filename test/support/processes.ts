/**
 * Real processes for end-to-end tests: the compiled programs, started with free ports and data directories of
 * their own, watched, killed, paused and started again.
 *
 * Nothing stays behind: `stopAll`, as a hook, ends what is left after a test, whether it passed or not; a
 * runner that ends takes its processes with it; and one that is killed closes their IPC channels, at which
 * they stop by themselves. Only processes started here are ended, each by its own id.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { askStatus, type StatusAnswer } from '../../src/node/ask-status.js'
import { withoutOurVariables } from '../../src/node/settings.js'
import { freePortPair } from './ports.js'
import { closeTextClients, type TextClient, textClient } from './text-client.js'
import { waitFor } from './wait-for.js'

export { type TextClient, textClient } from './text-client.js'
export { waitFor } from './wait-for.js'

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** How a program is started. */
export interface ProgramOptions {
  /** Variables beside those of the runner; ours are never inherited. */
  readonly env?: Readonly<Record<string, string>>
  /** A command to run it through, such as `['ip', 'netns', 'exec', 'a']`. It must replace itself (exec). */
  readonly through?: readonly string[]
  readonly cwd?: string
  /** The number of the user, and group, to run it as; only root may say so. */
  readonly user?: number
}

const startDeadlineMs = 20_000
const exitDeadlineMs = 20_000
/** What is kept of the output of one process, to be shown when a test fails: the end of it. */
const outputLengthMax = 64 * 1024

const processes = new Set<TestProcess>()
const directories = new Set<string>()

/** The path of a compiled program, as the tests beside it run it. */
export function programPath(name: string): string {
  return fileURLToPath(new URL(`../../bin/${name}.js`, import.meta.url))
}

/** Starts a program (`quorate`, `quorate-cluster`, ...) with these flags. */
export function startProgram(
  name: string,
  flags: readonly string[],
  options: ProgramOptions = {},
): TestProcess {
  const words = [...(options.through ?? []), process.execPath, programPath(name), ...flags]
  const [command = process.execPath, ...rest] = words
  const child = spawn(command, rest, {
    env: { ...withoutOurVariables(process.env), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.user === undefined ? {} : { uid: options.user, gid: options.user }),
  })
  return new TestProcess(child, `${name} ${flags.join(' ')}`)
}

/** A directory that `stopAll` removes. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-test-'))
  directories.add(directory)
  return directory
}

/** One process that a test started. */
export class TestProcess {
  readonly command: string
  /** Settles when the process has ended and its output was read. */
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  #exit: Exit | undefined
  #output = ''

  constructor(child: ChildProcess, command: string) {
    this.#child = child
    this.command = command
    processes.add(this)
    const read = [child.stdout, child.stderr].map(stream => this.#readAll(stream))
    this.exited = new Promise((resolve, reject) => {
      child.once('error', reject)
      // Not at 'close', which never comes once the channel was ended from this side.
      child.once('exit', async (code, signal) => {
        await Promise.all(read)
        this.#exit = { code, signal }
        resolve(this.#exit)
      })
    })
    // Whoever waits for it gets the error; nobody has to.
    this.exited.catch(() => {})
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.command} was not started`)
    return this.#child.pid
  }

  get isRunning(): boolean {
    return this.#child.pid !== undefined && this.#exit === undefined
  }

  /** How it ended, if it has. */
  get exit(): Exit | undefined {
    return this.#exit
  }

  /** The end of what it wrote to standard output and standard error. */
  get output(): string {
    return this.#output
  }

  /** Sends a signal; one that has ended gets none. */
  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#child.kill(signal)
  }

  /** Kills it (SIGKILL) and waits until it is gone. */
  async kill(): Promise<Exit> {
    this.signal('SIGKILL')
    return this.waitForExit()
  }

  /** Asks it to stop (SIGTERM) and waits until it has. */
  async stop(): Promise<Exit> {
    this.signal('SIGTERM')
    return this.waitForExit()
  }

  /** Holds it still (SIGSTOP): it keeps its sockets, and says nothing. */
  pause(): void {
    this.signal('SIGSTOP')
  }

  /** Lets it go on (SIGCONT). */
  resume(): void {
    this.signal('SIGCONT')
  }

  /** Waits until it ends. */
  async waitForExit(deadlineMs = exitDeadlineMs): Promise<Exit> {
    return waitFor(() => this.#exit, deadlineMs, `${this.command} to end`)
  }

  /** Waits for words in its output, and fails at once if it ends without having said them. */
  async waitForOutput(words: string, deadlineMs = startDeadlineMs): Promise<void> {
    const what = () => `${this.command} to say '${words}'; it said:\n${this.#output}`
    const said = await waitFor(
      () => (this.#output.includes(words) ? 'yes' : this.isRunning ? undefined : 'ended'),
      deadlineMs,
      what,
    )
    if (said === 'ended') throw new Error(`waited in vain for ${what()}`)
  }

  /** Keeps the end of what comes; settles when nothing more will. */
  #readAll(stream: Readable | null): Promise<void> {
    if (stream === null) return Promise.resolve()
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      this.#output = (this.#output + chunk).slice(-outputLengthMax)
    })
    return new Promise(resolve => stream.once('close', resolve))
  }

  /** Ends the channel that tells it that we live, as the end of this process would. */
  disconnect(): void {
    if (this.#child.connected) this.#child.disconnect()
  }
}

/** How a node is started; what is left out is chosen freshly. */
export interface TestNodeOptions extends ProgramOptions {
  readonly host?: string
  readonly port?: number
  readonly peerPort?: number
  readonly dataDirectory?: string
  /** Further flags, such as `--cluster=...`. */
  readonly flags?: readonly string[]
}

/** A node with its place: it can be ended and started again on the same ports and data. */
export class TestNode {
  readonly host: string
  readonly port: number
  readonly peerPort: number
  readonly dataDirectory: string
  readonly #options: TestNodeOptions
  #process: TestProcess | undefined

  constructor(options: TestNodeOptions & { readonly port: number; readonly peerPort: number }) {
    this.host = options.host ?? '127.0.0.1'
    this.port = options.port
    this.peerPort = options.peerPort
    this.dataDirectory = options.dataDirectory ?? join(temporaryDirectory(), 'data')
    this.#options = options
  }

  /** Its client address in full form. */
  get address(): string {
    return `${this.host}:${this.port}`
  }

  /** The process of its last start. */
  get process(): TestProcess {
    if (this.#process === undefined) throw new Error(`node ${this.address} was not started`)
    return this.#process
  }

  /** Starts the process, with other flags than at first if they are given, without waiting for it. */
  launch(flags: readonly string[] = this.#options.flags ?? []): TestProcess {
    if (this.#process?.isRunning) throw new Error(`node ${this.address} runs already`)
    const own = [
      `--host=${this.host}`,
      `--port=${this.port}`,
      `--peer-port=${this.peerPort}`,
      `--data-dir=${this.dataDirectory}`,
    ]
    this.#process = startProgram('quorate', [...own, ...flags], this.#options)
    return this.#process
  }

  /** Starts it and waits until it answers `status`, whatever the answer is. */
  async start(flags?: readonly string[]): Promise<this> {
    const started = this.launch(flags)
    const answered = await waitFor(
      async () => !started.isRunning || (await this.status()).kind !== 'silent',
      startDeadlineMs,
      () => `node ${this.address} to answer; it said:\n${started.output}`,
    )
    if (!answered || !started.isRunning) {
      throw new Error(`node ${this.address} ended at its start; it said:\n${started.output}`)
    }
    return this
  }

  /** Kills it (SIGKILL). */
  kill(): Promise<Exit> {
    return this.process.kill()
  }

  /** Asks it to stop (SIGTERM). */
  stop(): Promise<Exit> {
    return this.process.stop()
  }

  /** What it says to `status`. */
  status(): Promise<StatusAnswer> {
    return askStatus(this.host, this.port, 1000)
  }

  /** Waits until it knows a leader, and returns that as the node shows it. */
  async waitForLeader(deadlineMs = startDeadlineMs): Promise<string> {
    return waitFor(
      async () => {
        const said = await this.status()
        return said.kind === 'status' ? said.leader : undefined
      },
      deadlineMs,
      () => `node ${this.address} to know a leader; it said:\n${this.process.output}`,
    )
  }

  /** Waits until it serves: knows a leader, or needs none. */
  async waitUntilServing(deadlineMs = startDeadlineMs): Promise<void> {
    await waitFor(
      async () => {
        const said = await this.status()
        return said.kind === 'status' && said.serves
      },
      deadlineMs,
      () => `node ${this.address} to serve; it said:\n${this.process.output}`,
    )
  }

  connect(): Promise<TextClient> {
    return textClient(this.address)
  }
}

/** Starts one node and waits until it answers. */
export async function startNode(options: TestNodeOptions = {}): Promise<TestNode> {
  return (await planNode(options)).start()
}

/** Starts a new cluster of `count` nodes and waits until each serves. */
export async function startCluster(count: number, options: TestNodeOptions = {}): Promise<TestNode[]> {
  const plans: { readonly port: number; readonly peerPort: number }[] = []
  while (plans.length < count) {
    const pair = await freePortPair()
    const taken = plans.flatMap(({ port, peerPort }) => [port, peerPort])
    if (!taken.includes(pair.port) && !taken.includes(pair.peerPort)) plans.push(pair)
  }
  const host = options.host ?? '127.0.0.1'
  const list = plans.map(({ port }) => `${host}:${port}`).join(',')
  const flags = [...(options.flags ?? []), `--cluster=${list}`]
  const nodes = plans.map(ports => new TestNode({ ...options, ...ports, flags }))
  await Promise.all(nodes.map(node => node.start()))
  await Promise.all(nodes.map(node => node.waitUntilServing()))
  return nodes
}

async function planNode(options: TestNodeOptions): Promise<TestNode> {
  const { port, peerPort } =
    options.port === undefined ? await freePortPair() : { ...options, port: options.port }
  return new TestNode({ ...options, port, peerPort: peerPort ?? port + 1000 })
}

/**
 * Ends every process and connection that is left, and removes the directories. Use it as a hook:
 * `afterEach(stopAll)`, or `after(stopAll)` where tests share a cluster. After a failure it prints what the
 * processes said last.
 */
export async function stopAll(this: Mocha.Context): Promise<void> {
  const hasFailed =
    this.currentTest?.isFailed() === true || this.test?.parent?.tests.some(test => test.isFailed()) === true
  closeTextClients()
  const ended = [...processes]
  processes.clear()
  for (const one of ended) one.signal('SIGKILL')
  await Promise.all(ended.map(one => one.exited.catch(() => {})))
  if (hasFailed) for (const one of ended) console.error(`\n--- ${one.command}\n${one.output}`)
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
  directories.clear()
}

// A runner that ends, with `process.exit` or by an error that nobody caught, can still send signals.
process.on('exit', () => {
  for (const one of processes) one.signal('SIGKILL')
})
