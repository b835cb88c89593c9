/**
 * Planting known mistakes, one at a time, into a copy of the compiled core, and running a swarm on it until it shows.
 * What a swarm does not find, it would not find either when somebody makes that mistake by accident.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { RingSwarm } from '../sim/ring-swarm.js'

/** A piece of a compiled file, which must be in it exactly once, and what takes its place. */
export interface Edit {
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** One mistake, and where it shows: in a swarm, unless anything else is said. */
export interface Mutant<Climate> {
  readonly name: string
  readonly edits: readonly Edit[]
  /** The climate of the swarm in which it shows. */
  readonly adjust?: (climate: Climate) => void
  /** It is in what a whole node is made of: it is hunted on simulated machines, and that is what they are like. */
  readonly adjustNodes?: (swarm: RingSwarm) => RingSwarm
  /** The scenario in which it shows for certain (hard-cases.ts), where ordinary seeds would need luck. */
  readonly scenario?: string
  /** It must be found within so many seeds. */
  readonly seeds: number
  /** It shows soon enough to be hunted in every test run. */
  readonly isQuick: boolean
}

/** A swarm: the compiled file it is in, and the function in it that runs a seed and returns what is wrong. */
export interface SwarmName {
  readonly file: string
  readonly run: string
}

/** What came of hunting one mutant. */
export interface Hunt {
  readonly tried: number
  readonly found: string | undefined
}

type Run<Climate> = (seed: string, adjust?: (climate: Climate) => void) => string | undefined

const compiled = fileURLToPath(new URL('../..', import.meta.url))

/** Runs seeds from `first` on until the mistake shows. With `isSound` nothing is planted. */
export async function hunt<Climate>(
  swarm: SwarmName,
  mutant: Mutant<Climate>,
  first: number,
  isSound = false,
): Promise<Hunt> {
  const folder = mkdtempSync(join(tmpdir(), 'quorate-ring-mutant-'))
  try {
    const isNodes = mutant.adjustNodes !== undefined
    for (const part of isNodes ? ['src', 'test/ring', 'test/sim'] : ['src/base', 'src/ring', 'test/ring']) {
      cpSync(join(compiled, part), join(folder, part), { recursive: true })
    }
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    symlinkSync(fileURLToPath(new URL('..', import.meta.resolve('minimist'))), join(folder, 'node_modules'))
    if (!isSound) for (const edit of mutant.edits) plant(folder, edit)
    const run = await runnerOf(swarm, mutant, folder)
    for (let tried = 1; tried <= mutant.seeds; tried++) {
      const failure = attempt(() => run(first + tried - 1))
      if (failure !== undefined) return { tried, found: failure }
    }
    return { tried: mutant.seeds, found: undefined }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Hunts the mutants whose name contains the first word of `argv`, from the seed of the second on, and prints it. */
export async function huntAll<Climate>(
  swarm: SwarmName,
  mutants: readonly Mutant<Climate>[],
  argv: readonly string[],
): Promise<void> {
  const [part = '', first, sound] = argv
  for (const mutant of mutants.filter(({ name }) => name.includes(part))) {
    const { tried, found } = await hunt(swarm, mutant, Number(first ?? 1), sound === 'sound')
    console.log(`${mutant.name}: ${found === undefined ? `NOT FOUND in ${tried}` : `${tried}: ${found}`}`)
    if (found === undefined && sound === undefined) process.exitCode = 1
  }
}

/** How a seed is run with the program in that folder. A scenario is told in fair weather. */
async function runnerOf<Climate>(
  swarm: SwarmName,
  { name, scenario, adjust, adjustNodes }: Mutant<Climate>,
  folder: string,
): Promise<(seed: number) => string | undefined> {
  // The copies of these files have the types of the files themselves.
  const load = (file: string): Promise<unknown> => import(pathToFileURL(join(folder, 'test/ring', file)).href)
  if (adjustNodes !== undefined) {
    const { simulateRing } = (await load(
      '../sim/ring-simulation.js',
    )) as typeof import('../sim/ring-simulation.js')
    return seed => simulateRing(`${name} ${seed}`, { adjust: adjustNodes }).failure
  }
  if (scenario === undefined) {
    const run = ((await load(swarm.file)) as Record<string, Run<Climate>>)[swarm.run]
    if (run === undefined) throw new Error(`${swarm.file} exports no ${swarm.run}`)
    return seed => run(`${name} ${seed}`, adjust)
  }
  const { hardCases } = (await load('hard-cases.js')) as typeof import('./hard-cases.js')
  const { Story } = (await load('story.js')) as typeof import('./story.js')
  const found = hardCases.find(({ title }) => title === scenario)
  if (found === undefined) throw new Error(`no scenario is called ${scenario}`)
  return seed => {
    found.run(new Story(`${scenario} ${seed}`, true, found.cast))
    return undefined
  }
}

/** An assertion that fails is a finding too. */
function attempt(run: () => string | undefined): string | undefined {
  try {
    return run()
  } catch (error) {
    return String(error)
  }
}

function plant(folder: string, { file, find, replace }: Edit): void {
  const path = join(folder, 'src/ring', file)
  const source = readFileSync(path, 'utf8')
  const count = source.split(find).length - 1
  if (count !== 1) {
    throw new Error(
      `The source changed: ${file} contains ${count} times, not once:\n${find}\nAdapt the mutant.`,
    )
  }
  writeFileSync(
    path,
    source.replace(find, () => replace),
  )
}
