/** The load generator in Go: builds it, runs it, and reads what it found. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Times in microseconds. */
export interface Percentiles {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

/** What one run has shown; see load.go. */
export interface LoadResult {
  readonly seconds: number
  readonly operations: number
  readonly perSecond: number
  readonly all: Percentiles
  readonly reads: Percentiles
  readonly writes: Percentiles
  readonly errors: Readonly<Record<string, number>>
  readonly serverCpuSeconds: Readonly<Record<string, number>> | null
  readonly ownCpuSeconds: number
  /** What everything else on the machine used meanwhile. */
  readonly otherCpuSeconds: number
  readonly checked: number
  readonly missing: number
  readonly waitedMs?: number
  readonly endedAtMs?: number
  readonly leader?: string
}

/** Flags of the generator, by name. */
export type LoadFlags = Readonly<Record<string, string | number>>

/** The source: it is not compiled with the rest, so it stays where it is written. */
const source = fileURLToPath(new URL('../../../test/bench/load.go', import.meta.url))
/** Where Debian's packages put Go sources. */
const sourcesOfPackages = '/usr/share/gocode'

/** Builds the generator into a folder. Fails with what to install if it cannot be built. */
export function buildGenerator(folder: string): string {
  mkdirSync(folder, { recursive: true })
  const program = join(folder, 'load')
  const env = { ...process.env, GOPATH: sourcesOfPackages, GO111MODULE: 'off' }
  const { status, stderr, error } = spawnSync('go', ['build', '-o', program, source], {
    env,
    encoding: 'utf8',
  })
  if (status !== 0) {
    const why = error?.message ?? stderr
    throw new Error(`the load generator cannot be built (packages golang-go, golang-etcd-server-dev): ${why}`)
  }
  if (!existsSync(program)) throw new Error('the load generator was built, and is not there')
  return program
}

/** Runs the generator to its end. */
export function runGenerator(program: string, flags: LoadFlags): Promise<LoadResult> {
  const words = Object.entries(flags).map(([name, value]) => `-${name}=${value}`)
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let complaints = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    complaints = (complaints + chunk).slice(-4096)
  })
  const end = () => child.kill('SIGKILL')
  process.once('exit', end)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => {
      process.off('exit', end)
      if (code !== 0) {
        reject(new Error(`load ${words.join(' ')} ended with ${code ?? 'a signal'}: ${complaints}`))
        return
      }
      // Our own program's answer, whose shape is that of load.go.
      resolve(JSON.parse(output) as LoadResult)
    })
  })
}
