/**
 * The rules of how the code is built, as data, and what breaks them. A rule gives one line for each offence:
 * where it is, what is there, and what would be right.
 */
import { posix } from 'node:path'
import type { Import, Source } from './sources.js'

/**
 * Which folders a folder may import from, itself apart. An entry with a slash is the one file that is allowed:
 * the port that the folder implements.
 */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  'src/base': [],
  'src/protocol': ['src/base'],
  'src/raft': ['src/base'],
  'src/ring': ['src/base'],
  'src/kv': ['src/base'],
  'src/storage': ['src/base', 'src/kv/table.ts'],
  'src/net': ['src/base', 'src/protocol'],
  'src/client': ['src/base', 'src/protocol'],
  'src/replica': ['src/base', 'src/protocol', 'src/raft', 'src/ring', 'src/kv'],
  'src/node': [
    'src/base',
    'src/protocol',
    'src/raft',
    'src/ring',
    'src/kv',
    'src/storage',
    'src/net',
    'src/replica',
  ],
  bin: ['src/base', 'src/protocol', 'src/client', 'src/node'],
}

/** Folders that only compute: the same inputs give the same outputs, whenever and wherever they run. */
export const pureFolders: readonly string[] = [
  'src/base',
  'src/protocol',
  'src/raft',
  'src/ring',
  'src/kv',
  'src/replica',
]

/** What a pure folder may take from outside: functions of their arguments. */
const pureImports: Readonly<Record<string, readonly string[]>> = {
  'node:crypto': ['createHash', 'hash'],
  'node:zlib': ['crc32'],
}

/** Names that bring in time, chance, waiting or the outside. */
const impureNames: readonly string[] = [
  'AbortSignal',
  'Atomics',
  'Bun',
  'Date',
  'Deno',
  'EventSource',
  'FinalizationRegistry',
  'Promise',
  'WeakRef',
  'WebSocket',
  'clearImmediate',
  'clearInterval',
  'clearTimeout',
  'console',
  'crypto',
  'eval',
  'fetch',
  'global',
  'globalThis',
  'navigator',
  'performance',
  'process',
  'queueMicrotask',
  'require',
  'setImmediate',
  'setInterval',
  'setTimeout',
]

/** Imports between folders that the table does not allow. */
export function forbiddenImports(sources: readonly Source[]): string[] {
  return sources.flatMap(source => {
    const own = folderOf(source.path)
    const allowed = mayImport[own]
    if (allowed === undefined)
      return [`${source.path}: the folder ${own} is not in the table of who imports whom`]
    return source.imports.flatMap(({ from, line }) => {
      const target = fileOf(source.path, from)
      if (target === undefined) return []
      const folder = folderOf(target)
      if (folder === own || allowed.includes(folder) || allowed.includes(target)) return []
      const right = allowed.length === 0 ? 'nothing' : allowed.join(', ')
      return [`${source.path}:${line} imports ${target}; ${own} may import ${right}`]
    })
  })
}

/** Folders that import each other, directly or through others; each circle once. */
export function folderCycles(sources: readonly Source[]): string[] {
  const graph = new Map<string, Set<string>>()
  for (const source of sources) {
    const own = folderOf(source.path)
    const targets = graph.get(own) ?? new Set()
    graph.set(own, targets)
    for (const { from } of source.imports) {
      const target = fileOf(source.path, from)
      if (target !== undefined && folderOf(target) !== own) targets.add(folderOf(target))
    }
  }
  const cycles = new Set<string>()
  const follow = (folder: string, trail: readonly string[]): void => {
    const at = trail.indexOf(folder)
    if (at >= 0) {
      const circle = trail.slice(at)
      const start = circle.indexOf([...circle].sort()[0] ?? '')
      const turned = [...circle.slice(start), ...circle.slice(0, start)]
      cycles.add([...turned, turned[0]].join(' -> '))
      return
    }
    for (const next of graph.get(folder) ?? []) follow(next, [...trail, folder])
  }
  for (const folder of graph.keys()) follow(folder, [])
  return [...cycles]
}

/** What keeps a pure folder from being pure. */
export function impurities(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => pureFolders.includes(folderOf(path)))
    .flatMap(source => [
      ...source.imports
        .filter(one => fileOf(source.path, one.from) === undefined && !isPureImport(one))
        .map(({ line, from }) => `${source.path}:${line} imports ${from}`),
      ...source.names
        .filter(({ text }) => isImpure(text))
        .map(({ line, text }) => `${source.path}:${line} uses ${text}`),
      ...source.waits.map(({ line, text }) => `${source.path}:${line} says ${text}`),
    ])
}

/** Exported items of src without a comment that says what they promise. */
export function missingComments(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => path.startsWith('src/'))
    .flatMap(({ path, undocumented }) => undocumented.map(({ line, text }) => `${path}:${line} ${text}`))
}

/** Notes to ourselves that were left in src: what is to be done is done, or written where plans are. */
export function leftNotes(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => path.startsWith('src/'))
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, at) => (/\b(TODO|FIXME)\b/.test(line) ? [`${path}:${at + 1} ${line.trim()}`] : [])),
    )
}

/** The top folder, or the one below `src`. */
function folderOf(path: string): string {
  const [top = '', below = ''] = path.split('/')
  return top === 'src' ? `${top}/${below}` : top
}

/** The source file that an import means; undefined for what is not ours. */
function fileOf(path: string, from: string): string | undefined {
  if (!from.startsWith('.')) return undefined
  return posix.join(posix.dirname(path), from).replace(/\.js$/, '.ts')
}

function isPureImport({ from, names }: Import): boolean {
  const allowed = pureImports[from] ?? []
  return names?.every(name => allowed.includes(name)) === true
}

function isImpure(name: string): boolean {
  const [object = '', member] = name.split('.')
  // Without a member it is the whole of Math that is handed on, chance included.
  if (object === 'Math') return member === undefined || member === 'random'
  if (object === 'Symbol') return member === 'asyncIterator'
  return impureNames.includes(object)
}
