/** A real terminal for tests: a program runs in it, keys are typed, and what the screen shows is read. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { temporaryDirectory } from './processes.js'
import { waitFor } from './wait-for.js'

/** Characters in a row. */
export const terminalWidth = 120
const height = 60
const screenDeadlineMs = 20_000

const terminals = new Set<Terminal>()

/** Ends all terminals that are left. */
export function closeTerminals(): void {
  for (const terminal of terminals) terminal.close()
}

/** One terminal, of a server of its own. */
export class Terminal {
  readonly #socket: string

  /** Runs the words in it. When the program ends, the screen shows its exit code and stays. */
  constructor(words: readonly string[]) {
    this.#socket = join(temporaryDirectory(), 'tmux')
    const command = words.map(word => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
    const size = ['-x', String(terminalWidth), '-y', String(height)]
    this.#tmux('-f', '/dev/null', 'new-session', '-d', ...size, `${command}; echo "exit code $?"; exec cat`)
    terminals.add(this)
  }

  /** Types a text. */
  type(text: string): void {
    this.#tmux('send-keys', '-l', text)
  }

  /** Presses keys, by the names that tmux has for them: `Enter`, `C-c`, `Tab`, `Up`. */
  press(...keys: readonly string[]): void {
    this.#tmux('send-keys', ...keys)
  }

  /** Types a line and presses Enter. */
  enter(line: string): void {
    this.type(line)
    this.press('Enter')
  }

  /** What the screen shows, without the blank lines at its end and the blanks at the ends of lines. */
  screen(): string {
    return this.#tmux('capture-pane', '-p').trimEnd()
  }

  /** Waits until the screen satisfies the condition, and returns it. */
  async waitForScreen(
    condition: (screen: string) => boolean,
    what: string,
    deadlineMs = screenDeadlineMs,
  ): Promise<string> {
    let screen = ''
    return waitFor(
      () => {
        screen = this.screen()
        return condition(screen) ? screen : undefined
      },
      deadlineMs,
      () => `the terminal to show ${what}; it shows:\n${screen}`,
    )
  }

  /** Waits until the screen ends with these lines. */
  async waitForEnd(lines: string, deadlineMs?: number): Promise<string> {
    return this.waitForScreen(screen => screen.endsWith(lines), `at its end:\n${lines}`, deadlineMs)
  }

  /** Ends it, and the program in it. */
  close(): void {
    terminals.delete(this)
    spawnSync('tmux', ['-S', this.#socket, 'kill-server'], { timeout: 10_000 })
  }

  #tmux(...words: readonly string[]): string {
    // Our own variables are for the programs of the test, not for those in the terminal.
    const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/', LANG: 'C.UTF-8' }
    const { status, stdout, stderr } = spawnSync('tmux', ['-S', this.#socket, ...words], {
      encoding: 'utf8',
      timeout: 10_000,
      env,
    })
    if (status !== 0) throw new Error(`tmux ${words.join(' ')}: ${stderr}`)
    return stdout
  }
}

process.on('exit', closeTerminals)
