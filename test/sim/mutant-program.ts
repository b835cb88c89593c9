/** Copies of the compiled program with one mistake in them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { MutantRun } from './mutant-run.js'
import type { Edit, Mutant } from './mutant-table.js'

/** The root of the compiled program that this file belongs to. */
const compiled = fileURLToPath(new URL('../..', import.meta.url))
/** What the simulator needs of it. */
const folders = ['src', 'test/sim', 'test/support'] as const

/**
 * The compiled files that the edits change, by path, as they are afterwards. Throws if an edit does not fit exactly
 * once: the source has changed, and the mutant must be adapted.
 */
export function plant(edits: readonly Edit[]): ReadonlyMap<string, string> {
  const planted = new Map<string, string>()
  for (const { file, find, replace } of edits) {
    const source = planted.get(file) ?? readFileSync(join(compiled, file), 'utf8')
    const count = source.split(find).length - 1
    if (count !== 1) {
      throw new Error(
        `The source changed: ${file} contains ${count} times, not once:\n${find}\nAdapt the mutant.`,
      )
    }
    planted.set(
      file,
      source.replace(find, () => replace),
    )
  }
  return planted
}

export class MutantProgram {
  readonly #folder: string
  readonly #onExit = (): void => this.remove()
  #child: ChildProcess | undefined

  /** Copies the program and makes the edits. Throws if one of them does not fit. */
  constructor(edits: readonly Edit[]) {
    const planted = plant(edits)
    this.#folder = mkdtempSync(join(tmpdir(), 'quorate-mutant-'))
    process.once('exit', this.#onExit)
    try {
      const isCode = (path: string): boolean => !path.endsWith('.d.ts') && !path.endsWith('.map')
      for (const folder of folders) {
        cpSync(join(compiled, folder), join(this.#folder, folder), { recursive: true, filter: isCode })
      }
      writeFileSync(join(this.#folder, 'package.json'), '{"type":"module"}')
      symlinkSync(findModules(), join(this.#folder, 'node_modules'))
      for (const [file, source] of planted) writeFileSync(join(this.#folder, file), source)
    } catch (error) {
      this.remove()
      throw error
    }
  }

  /** Runs seeds in the weather of the mutant, in a process of its own: see mutant-run.ts. */
  async run(mutant: Mutant, first: number, count: number, all = false): Promise<MutantRun> {
    const script = join(this.#folder, 'test/sim/mutant-run.js')
    const settings = [mutant.name, String(first), String(count), all ? 'all' : 'first']
    const child = spawn(process.execPath, [script, ...settings], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child = child
    const output = await outputOf(child)
    this.#child = undefined
    // Our own program wrote it.
    return JSON.parse(output) as MutantRun
  }

  /** Ends its process, if one runs, and removes the copy. */
  remove(): void {
    process.off('exit', this.#onExit)
    this.#child?.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** The installed packages: beside the compiled program, or above it. */
function findModules(): string {
  return fileURLToPath(new URL('..', import.meta.resolve('minimist')))
}

function outputOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = ''
    child.stdout?.on('data', data => {
      output += String(data)
    })
    child.on('error', reject)
    child.on('close', code => {
      if (code === 0) resolve(output)
      else reject(new Error(`the simulator ended with code ${code}:\n${output}`))
    })
  })
}
