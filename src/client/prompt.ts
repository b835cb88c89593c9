/**
 * A prompt on a terminal: line editing, history, completion; and lines that appear unasked above the one that is
 * being typed, which is drawn again below them.
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from 'node:readline'
import type { ReadStream, WriteStream } from 'node:tty'

/** What a prompt is made of. */
export interface PromptParts {
  readonly input: ReadStream
  readonly output: WriteStream
  /** Where typed lines are kept from one session to the next. */
  readonly historyFile: string
  complete(line: string): [completions: string[], word: string]
  onLine(line: string): void
  /** Ctrl-C, with nothing typed that it could drop. */
  onInterrupt(): void
  /** Ctrl-D, or the terminal is gone. */
  onEnd(): void
}

/** Typed lines that are kept. */
const historyMax = 1000

/** See the head of this file. Draws itself with {@link Prompt.show}. */
export class Prompt {
  readonly #parts: PromptParts
  readonly #editor: Interface
  #isShown = false
  #isClosed = false

  constructor(parts: PromptParts) {
    this.#parts = parts
    const { input, output, historyFile } = parts
    this.#editor = createInterface({
      input,
      output,
      terminal: true,
      prompt: '> ',
      history: loadHistory(historyFile),
      historySize: historyMax,
      removeHistoryDuplicates: true,
      completer: (line: string) => parts.complete(line),
    })
    this.#editor.on('line', line => {
      this.#isShown = false
      keep(historyFile, line)
      parts.onLine(line)
    })
    this.#editor.on('SIGINT', () => this.#onInterrupt())
    this.#editor.on('close', () => {
      this.#isClosed = true
      parts.onEnd()
    })
  }

  /** Asks for a line. */
  show(): void {
    if (this.#isClosed) return
    this.#isShown = true
    this.#editor.prompt(true)
  }

  /** Prints lines above the one that is being typed. */
  print(text: string): void {
    const { output } = this.#parts
    if (this.#isClosed) {
      output.write(`${text}\n`)
      return
    }
    moveCursor(output, 0, -this.#editor.getCursorPos().rows)
    cursorTo(output, 0)
    clearScreenDown(output)
    // The editor goes up by the rows it knows of before it draws its line again.
    output.write(`${text}\n${'\n'.repeat(rowsKnown(this.#editor))}`)
    if (this.#isShown || this.#editor.line !== '') this.#editor.prompt(true)
  }

  /** Gives the terminal back. */
  close(): void {
    if (!this.#isClosed) this.#editor.close()
  }

  #onInterrupt(): void {
    if (this.#editor.line === '') {
      this.#parts.onInterrupt()
      return
    }
    this.#editor.write(null, { ctrl: true, name: 'e' })
    this.#editor.write(null, { ctrl: true, name: 'u' })
  }
}

/** The rows above the cursor when the editor last drew its line; undocumented, and 0 wherever it is not there. */
function rowsKnown(editor: Interface): number {
  const { prevRows } = editor as { readonly prevRows?: unknown }
  return typeof prevRows === 'number' ? prevRows : 0
}

/** The last lines that were kept, the newest first. A file that cannot be read is as good as none. */
function loadHistory(path: string): string[] {
  try {
    const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean)
    const last = lines.slice(-historyMax)
    if (lines.length > 2 * historyMax) writeFileSync(path, `${last.join('\n')}\n`, { mode: 0o600 })
    return last.reverse()
  } catch {
    return []
  }
}

/** Keeps a line for the next session; where that cannot be done, this one goes on without. */
function keep(path: string, line: string): void {
  if (line.trim() === '') return
  try {
    // Values are nobody else's business.
    appendFileSync(path, `${line}\n`, { mode: 0o600 })
  } catch {
    // A home directory that cannot be written to is no reason to complain about each line.
  }
}
