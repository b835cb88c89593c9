/**
 * Things of the machine that a test needs and a machine may lack. A test that lacks one is skipped with a line
 * that says so; where QUORATE_TEST_REQUIRE names it (`nc,ncat,socat,netns,tmux`), as the check-in run does, it fails
 * instead, so that nothing is skipped there unnoticed.
 */
import { spawnSync } from 'node:child_process'
import { hasLinter } from './linter.js'
import { programPath } from './processes.js'

/** What can be required: whether it is there, and how to get it. */
const requirements = {
  /** The OpenBSD netcat, which can half-close (`-N`). Others go by the same name. */
  nc: { isThere: () => outputOf('nc', ['-h']).includes('OpenBSD'), get: 'package netcat-openbsd' },
  ncat: { isThere: () => outputOf('ncat', ['--version']).includes('Ncat'), get: 'package ncat' },
  socat: { isThere: () => outputOf('socat', ['-V']).includes('socat'), get: 'package socat' },
  'redis-cli': {
    isThere: () => outputOf('redis-cli', ['--version']).includes('redis-cli'),
    get: 'package redis-tools',
  },
  'redis-benchmark': {
    isThere: () => outputOf('redis-benchmark', ['--version']).includes('redis-benchmark'),
    get: 'package redis-tools',
  },
  'redis-server': {
    isThere: () => outputOf('redis-server', ['--version']).includes('Redis server'),
    get: 'package redis-server',
  },
  biome: {
    isThere: hasLinter,
    get: `Biome for this platform: npm install --no-save @biomejs/cli-${process.platform}-${process.arch}`,
  },
  /** A terminal that a program can type at and read. */
  tmux: { isThere: () => outputOf('tmux', ['-V']).startsWith('tmux'), get: 'package tmux' },
  /** Network namespaces, made with `ip` (package iproute2), which takes root. */
  netns: { isThere: canMakeNamespaces, get: 'root, package iproute2 and a kernel with namespaces' },
  /** A small disk in memory, mounted where only some processes see it (package util-linux), which takes root. */
  tmpfs: { isThere: canMountTmpfs, get: 'root, package util-linux and a kernel with namespaces' },
  /** To run the programs without the rights of root, under which nothing is ever forbidden. */
  unprivileged: { isThere: canRunUnprivileged, get: 'a folder that every user may read' },
} as const satisfies Record<string, { isThere(): boolean; get: string }>

/** Something that a test may require. */
export type Requirement = keyof typeof requirements

/** The environment variable that lists what must be there, separated by commas. */
export const requireVariable = 'QUORATE_TEST_REQUIRE'

/** A user that owns nothing. */
export const nobody = 65534

const known = new Map<Requirement, boolean>()

/**
 * Skips the test or hook whose context is given unless everything named is there; fails it if the environment
 * says that what is missing must be there.
 */
export function requires(context: Mocha.Context, ...names: readonly Requirement[]): void {
  const missing = names.filter(name => !has(name))
  const [first] = missing
  if (first === undefined) return
  const said = missing.map(name => `${name} (${requirements[name].get})`).join(', ')
  const mustBeThere = missingButRequired(missing, process.env[requireVariable])
  if (mustBeThere.length > 0) {
    throw new Error(`${requireVariable} names ${mustBeThere.join(', ')}, but this machine lacks ${said}`)
  }
  console.log(`      skipped: this machine lacks ${said}`)
  context.skip()
}

/** Whether the machine has it; asked once. */
export function has(name: Requirement): boolean {
  const isThere = known.get(name) ?? requirements[name].isThere()
  known.set(name, isThere)
  return isThere
}

/** Which of the missing ones the variable names. Fails on a name that is none, because it would hold nothing. */
export function missingButRequired(
  missing: readonly Requirement[],
  variable: string | undefined,
): readonly Requirement[] {
  const named = (variable ?? '').split(',').map(name => name.trim())
  const strange = named.find(name => name !== '' && !Object.hasOwn(requirements, name))
  if (strange !== undefined) throw new Error(`${requireVariable} names '${strange}', which is no requirement`)
  return missing.filter(name => named.includes(name))
}

/** What a program writes, to either side; nothing if it is not there. */
function outputOf(program: string, words: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, words, { encoding: 'utf8', timeout: 10_000 })
  return `${stdout ?? ''}${stderr ?? ''}`
}

/** Makes one and takes it away again: nothing less shows that it can be done. */
function canMakeNamespaces(): boolean {
  const name = `quorate-probe-${process.pid}`
  const ip = (...words: string[]) => spawnSync('ip', words, { timeout: 10_000 }).status === 0
  if (!ip('netns', 'add', name)) return false
  const works = ip('-n', name, 'link', 'set', 'lo', 'up')
  return ip('netns', 'delete', name) && works
}

function canMountTmpfs(): boolean {
  const words = ['--mount', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt && nsenter --version']
  return spawnSync('unshare', words, { timeout: 10_000 }).status === 0
}

function canRunUnprivileged(): boolean {
  if (process.getuid?.() !== 0) return true
  const program = programPath('quorate')
  return spawnSync(process.execPath, [program, '--version'], { uid: nobody, gid: nobody }).status === 0
}
