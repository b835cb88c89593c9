/** Servers as processes: started, killed, waited for; and no longer there when this program ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, existsSync } from 'node:fs'
import { withoutOurVariables } from '../../src/node/settings.js'

const stopDeadlineMs = 20_000
/** Of package util-linux; it replaces itself by the program, so that the process id is that one's. */
const setpriv = '/usr/bin/setpriv'
const running = new Set<Server>()

process.on('exit', () => {
  for (const server of running) server.signal('SIGKILL')
})

/** How a server is started. */
export interface ServerPlan {
  /** What clients connect to. */
  readonly address: string
  readonly command: string
  readonly words: readonly string[]
  readonly logPath: string
  readonly env?: Readonly<Record<string, string>>
}

/** One server process, which can be ended and started again. */
export class Server {
  readonly address: string
  readonly #plan: ServerPlan
  #child: ChildProcess | undefined
  #exited: Promise<void> = Promise.resolve()

  constructor(plan: ServerPlan) {
    this.#plan = plan
    this.address = plan.address
  }

  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error(`${this.address} does not run`)
    return pid
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  /** Starts it, without waiting until it serves. */
  start(): void {
    if (this.#child !== undefined) throw new Error(`${this.address} runs already`)
    const { logPath, env } = this.#plan
    const isNode = this.#plan.command === process.execPath
    const [command = '', ...words] = [
      // What is not ours does not notice when this program is killed; the kernel then tells it.
      ...(isNode || !existsSync(setpriv) ? [] : [setpriv, '--pdeathsig', 'KILL', '--']),
      this.#plan.command,
      ...this.#plan.words,
    ]
    const log = createWriteStream(logPath, { flags: 'a' })
    const child = spawn(command, words, {
      env: { ...withoutOurVariables(process.env), ...env },
      // A node of ours stops by itself when the channel is closed, however this program ends.
      stdio: isNode ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
    })
    child.stdout?.pipe(log, { end: false })
    child.stderr?.pipe(log, { end: false })
    this.#child = child
    running.add(this)
    this.#exited = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', () => {
        if (this.#child === child) this.#child = undefined
        running.delete(this)
        log.end()
        resolve()
      })
    })
    // A program that is not there shows when it is waited for.
    this.#exited.catch(() => {})
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** Waits until it has ended, killed by whomever. */
  async ended(): Promise<void> {
    await this.#exited
  }

  /** Asks it to stop, and kills it if it does not. */
  async stop(): Promise<void> {
    this.signal('SIGTERM')
    const patience = setTimeout(() => this.signal('SIGKILL'), stopDeadlineMs)
    await this.#exited
    clearTimeout(patience)
  }

  /** Kills it, and waits until it is gone. */
  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.#exited
  }
}
