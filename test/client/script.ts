/** Runs a script of Node as a process of its own. */
import { spawn } from 'node:child_process'
import { TestProcess } from '../support/processes.js'

/** Starts it; what it writes is kept. `stopAll` ends it if nobody else does. */
export function startScript(path: string): TestProcess {
  const child = spawn(process.execPath, [path], { stdio: ['ignore', 'pipe', 'pipe'] })
  return new TestProcess(child, path)
}
