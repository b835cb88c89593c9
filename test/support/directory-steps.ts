/**
 * What kills at every step would leave of a real directory: before each call to the file system that changes
 * something in it, a copy of it is taken, and each copy is what a process finds that starts after such a kill.
 *
 * It stands in for the functions of `node:fs` that our programs use, in this thread. What native code or
 * another thread writes goes into the copies as far as it has come. Power cuts are for the simulated disk.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import path from 'node:path'

/** A moment of the directory. */
export interface Step {
  /** Where the copy is. */
  readonly directory: string
  /** What was about to be done. */
  readonly call: string
}

/** The functions that change something by a path, and by an open file. */
const byPath = ['mkdirSync', 'renameSync', 'writeFileSync'] as const
const byFile = ['writeSync', 'writevSync', 'ftruncateSync', 'fsyncSync', 'fdatasyncSync'] as const
const byFileLater = ['write', 'fsync', 'fdatasync'] as const
/** Copies are read and written in pieces of this size, and pieces full of zeros are left out. */
const pieceBytes = 1024 * 1024
const zeros = Buffer.alloc(pieceBytes)
/** Of writes to one file that follow one another, only the first few are steps: zero-filling has many. */
const sameWritesMax = 2

const original = { ...fs }

/**
 * Runs `act` and returns all steps of `directory` on the way, and its end. The copies go into `into`. `act` can
 * ask how many there were so far.
 */
export async function stepsOf(
  directory: string,
  into: string,
  act: (taken: () => number) => Promise<void> | void,
): Promise<Step[]> {
  const steps: Step[] = []
  const open = new Map<unknown, string>()
  let sameWrites = { file: '', count: 0 }
  const take = (call: string): void => {
    const copy = path.join(into, String(steps.length))
    copyDirectory(directory, copy)
    steps.push({ directory: copy, call })
  }
  const isInside = (file: unknown): file is string =>
    typeof file === 'string' && `${file}${path.sep}`.startsWith(`${directory}${path.sep}`)
  const step = (name: string, file: string): void => {
    const isSame = name.startsWith('write') && sameWrites.file === file
    sameWrites = { file: name.startsWith('write') ? file : '', count: isSame ? sameWrites.count + 1 : 1 }
    if (sameWrites.count <= sameWritesMax) take(`${name} ${path.relative(directory, file)}`)
  }

  // The signatures differ, and what is called with is handed on as it came.
  type Anything = (...given: unknown[]) => unknown
  const replaced: (keyof typeof fs)[] = []
  const put = (name: keyof typeof fs, make: (was: Anything) => Anything): void => {
    const was = original[name] as Anything
    replaced.push(name)
    Object.assign(fs, { [name]: make(was) })
  }
  for (const name of byPath) {
    put(name, was => (...given) => {
      if (isInside(given[0])) step(name, given[0])
      return was(...given)
    })
  }
  for (const name of [...byFile, ...byFileLater]) {
    put(name, was => (...given) => {
      const file = open.get(given[0])
      if (file !== undefined) step(name, file)
      return was(...given)
    })
  }
  const noteOpening = (file: unknown, flags: unknown): void => {
    const makes = typeof flags === 'number' ? (flags & fs.constants.O_CREAT) !== 0 : flags !== 'r'
    if (isInside(file) && makes && !original.existsSync(file)) step('open', file)
  }
  put('openSync', was => (...given) => {
    noteOpening(given[0], given[1])
    const descriptor = was(...given)
    if (isInside(given[0])) open.set(descriptor, given[0])
    return descriptor
  })
  put('open', was => (...given) => {
    noteOpening(given[0], given[1])
    const done = given.at(-1) as Anything
    return was(...given.slice(0, -1), (error: unknown, descriptor: unknown) => {
      if (isInside(given[0])) open.set(descriptor, given[0])
      done(error, descriptor)
    })
  })
  for (const name of ['closeSync', 'close'] as const) {
    put(name, was => (...given) => {
      open.delete(given[0])
      return was(...given)
    })
  }
  // A removal of many is as many steps.
  const remove = (file: string): void => {
    const found = original.lstatSync(file, { throwIfNoEntry: false })
    if (found === undefined) return
    if (found.isDirectory()) for (const name of original.readdirSync(file)) remove(path.join(file, name))
    step('remove', file)
    if (found.isDirectory()) original.rmdirSync(file)
    else original.unlinkSync(file)
  }
  put(
    'rmSync',
    was =>
      (...given) =>
        isInside(given[0]) ? remove(given[0]) : was(...given),
  )
  put('rm', was => (...given) => {
    if (!isInside(given[0])) return was(...given)
    const done = given.at(-1) as Anything
    remove(given[0])
    setImmediate(() => done(null))
    return undefined
  })
  syncBuiltinESMExports()
  try {
    await act(() => steps.length)
    take('the end')
  } finally {
    for (const name of replaced) Object.assign(fs, { [name]: original[name] })
    syncBuiltinESMExports()
  }
  return steps
}

/** Copies files and directories; sockets belong to processes. */
function copyDirectory(from: string, to: string): void {
  original.mkdirSync(to, { recursive: true })
  if (!original.existsSync(from)) return
  for (const entry of original.readdirSync(from, { withFileTypes: true })) {
    const source = path.join(from, entry.name)
    const target = path.join(to, entry.name)
    if (entry.isDirectory()) copyDirectory(source, target)
    else if (entry.isFile()) copyFile(source, target)
  }
}

function copyFile(from: string, to: string): void {
  const source = original.openSync(from, 'r')
  const target = original.openSync(to, 'w', 0o600)
  const piece = Buffer.alloc(pieceBytes)
  let offset = 0
  for (;;) {
    const count = original.readSync(source, piece, 0, pieceBytes, offset)
    if (count === 0) break
    const isZero = piece.subarray(0, count).equals(zeros.subarray(0, count))
    if (!isZero) original.writeSync(target, piece, 0, count, offset)
    offset += count
  }
  original.ftruncateSync(target, offset)
  original.closeSync(source)
  original.closeSync(target)
}
