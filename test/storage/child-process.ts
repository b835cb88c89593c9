/** Child processes for tests: started from a file beside the test, heard line by line, killed for certain. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface Child {
  /** The next line it says; undefined when it has ended. */
  line(): Promise<string | undefined>
  /** Waits until it ends by itself; undefined if it had to be killed, having gone on for 30 seconds. */
  exitCode(): Promise<number | undefined>
  /** Kills it like a crash would, and waits until it is gone. */
  kill(): Promise<void>
}

const patienceMs = 30_000

/** Starts the module `name` of this folder in a process of its own. It ends when its standard input does. */
export function startChild(name: string, ...args: readonly string[]): Child {
  const child: ChildProcess = spawn(process.execPath, [new URL(name, import.meta.url).pathname, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  if (child.stdout === null) throw new Error('its output is piped')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    line: async () => {
      const next = await lines.next()
      return next.done === true ? undefined : next.value
    },
    exitCode: async () => {
      const deadline = setTimeout(() => child.kill('SIGKILL'), patienceMs)
      await ended
      clearTimeout(deadline)
      return child.exitCode ?? undefined
    },
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}
