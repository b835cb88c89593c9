/**
 * A disk that can be cut off from power at any moment, and that is fast enough for thousands of runs.
 *
 * Files are held in memory as the running process sees them (disk-inode.ts). Beside them stands what a crash
 * may undo: writes that were not flushed, and creations, renames and removals since the directory was last
 * flushed. A crash undoes all of it and does a part of it again (loss.ts).
 */
import type { Clock } from '../../src/base/clock.js'
import type { Random } from '../../src/base/random.js'
import type { Disk, DiskError, DiskFile } from '../../src/storage/disk.js'
import { Inode } from './disk-inode.js'
import { type Loss, survivors } from './loss.js'

/** Thrown by the operation at which the power goes, and by every one after it until {@link SimulatedDisk.crash}. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut'
}

type NameChange =
  | { readonly kind: 'link'; readonly name: string; readonly inode: Inode }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly inode: Inode }
  | { readonly kind: 'unlink'; readonly name: string }

export class SimulatedDisk implements Disk {
  readonly #random: Random
  readonly #clock: Clock
  #names = new Map<string, Inode>()
  /** Names as of the last flush of the directory. */
  #durableNames = new Map<string, Inode>()
  #nameChanges: NameChange[] = []
  /** Counts the processes that used this disk; what an earlier one opened or waits for is dead. */
  #epoch = 0
  #operations = 0
  #cutAt = Number.POSITIVE_INFINITY
  #isOff = false
  #usedBytes = 0
  #capacityBytes = Number.POSITIVE_INFINITY
  #flushMs: readonly [low: number, high: number] = [0, 0]
  #flushesToFail = 0
  #loss: Loss = 'chance'

  constructor(random: Random, clock: Clock) {
    this.#random = random
    this.#clock = clock
  }

  // What the simulator does to it.

  /** How many operations that change something (writes, flushes, renames, ...) were begun. */
  operations(): number {
    return this.#operations
  }

  /** Cuts the power at the `count`-th operation from now on (1 is the next), before it has any effect. */
  powerCutAt(count: number): void {
    this.#cutAt = this.#operations + count
  }

  /** What becomes of what was not flushed, from the next crash on; any part of it is lost at first. */
  setLoss(loss: Loss): void {
    this.#loss = loss
  }

  /**
   * The power went: of what was not flushed, any part may be lost. Open files and callbacks that are still due
   * are dead; the disk can be used again at once.
   */
  crash(): void {
    if (this.#loss === 'none yet') {
      this.kill()
      return
    }
    const inodes = new Set([...this.#names.values(), ...this.#durableNames.values()])
    for (const change of this.#nameChanges) if (change.kind !== 'unlink') inodes.add(change.inode)
    for (const inode of inodes) inode.settle(this.#random, this.#loss)
    this.#settleNames()
    this.#restart()
  }

  /** The process was killed, the machine runs on: nothing is lost, and what was not flushed still is not. */
  kill(): void {
    this.#restart()
  }

  /** Leaves no room for anything new. Writing over what a file has still works. */
  fillUp(): void {
    this.#capacityBytes = this.#usedBytes
  }

  makeRoom(): void {
    this.#capacityBytes = Number.POSITIVE_INFINITY
  }

  /** How long asynchronous flushes and the making of zero files take from now on; 0 at first. */
  setFlushMs(low: number, high: number): void {
    this.#flushMs = [low, high]
  }

  /** Lets the next `count` flushes of files fail with `EIO`. */
  failFlushes(count: number): void {
    this.#flushesToFail = count
  }

  /** Flips one bit of what is stored. */
  corrupt(path: string, offset: number, bit = this.#random.below(8)): void {
    const inode = this.#find(path)
    const [byte = 0] = inode.read(offset, 1)
    inode.put(offset, Uint8Array.of(byte ^ (1 << bit)))
  }

  // The port.

  list(): string[] {
    this.#check(this.#epoch)
    return [...this.#names.keys()].sort()
  }

  read(path: string): Uint8Array | undefined {
    this.#check(this.#epoch)
    const inode = this.#names.get(path)
    return inode === undefined ? undefined : inode.read(0, inode.size)
  }

  open(path: string, create: boolean): DiskFile {
    this.#check(this.#epoch)
    const existing = this.#names.get(path)
    if (existing !== undefined) return this.#handle(path, existing)
    if (!create) throw diskError('ENOENT', `no such file: ${path}`)
    this.#operate(this.#epoch)
    return this.#handle(path, this.#link(path))
  }

  rename(from: string, to: string): void {
    this.#operate(this.#epoch)
    const inode = this.#find(from)
    this.#usedBytes -= this.#names.get(to)?.size ?? 0
    this.#names.delete(from)
    this.#names.set(to, inode)
    this.#nameChanges.push({ kind: 'rename', from, to, inode })
  }

  remove(path: string): void {
    this.#operate(this.#epoch)
    const inode = this.#names.get(path)
    if (inode === undefined) return
    this.#usedBytes -= inode.size
    this.#names.delete(path)
    this.#nameChanges.push({ kind: 'unlink', name: path })
  }

  flushDirectory(): void {
    this.#operate(this.#epoch)
    this.#durableNames = new Map(this.#names)
    this.#nameChanges = []
  }

  makeZeroFile(path: string, size: number, done: (error: DiskError | undefined) => void): void {
    const epoch = this.#epoch
    this.#operate(epoch)
    if (this.#names.has(path)) throw diskError('EEXIST', `the file is there: ${path}`)
    const inode = this.#link(path)
    inode.filling = size
    this.#clock.after(this.#delayMs(), () => {
      if (epoch !== this.#epoch || this.#isOff) return
      inode.filling = undefined
      if (this.#usedBytes + size > this.#capacityBytes) {
        this.#names.delete(path)
        this.#nameChanges.push({ kind: 'unlink', name: path })
        done(diskError('ENOSPC', `no space left for ${path}`))
        return
      }
      this.#usedBytes += size
      inode.size = size
      done(undefined)
    })
  }

  #handle(path: string, inode: Inode): DiskFile {
    const epoch = this.#epoch
    return {
      path,
      size: () => inode.size,
      read: (offset, length) => {
        this.#check(epoch)
        return inode.read(offset, Math.max(0, Math.min(length, inode.size - offset)))
      },
      write: (offset, parts) => {
        this.#operate(epoch)
        this.#write(inode, offset, parts)
      },
      truncate: size => {
        this.#operate(epoch)
        this.#truncate(inode, size)
      },
      flush: done => {
        this.#operate(epoch)
        const upTo = inode.lastWrite
        this.#clock.after(this.#delayMs(), () => {
          if (epoch === this.#epoch && !this.#isOff) done(this.#flush(inode, upTo))
        })
      },
      flushSync: () => {
        this.#operate(epoch)
        const error = this.#flush(inode, inode.lastWrite)
        if (error !== undefined) throw error
      },
      close: () => {},
    }
  }

  #write(inode: Inode, offset: number, parts: readonly Uint8Array[]): void {
    let end = offset
    for (const part of parts) end += part.length
    this.#resize(inode, Math.max(inode.size, end))
    inode.write(offset, end - offset, parts)
  }

  #truncate(inode: Inode, size: number): void {
    this.#resize(inode, size)
    inode.truncate(size)
  }

  #resize(inode: Inode, size: number): void {
    const growth = size - inode.size
    if (growth > 0 && this.#usedBytes + growth > this.#capacityBytes) {
      throw diskError('ENOSPC', 'no space left on the disk')
    }
    this.#usedBytes += growth
  }

  #flush(inode: Inode, upTo: number): DiskError | undefined {
    const fails = this.#flushesToFail > 0
    if (fails) this.#flushesToFail--
    inode.flush(upTo, fails)
    return fails ? diskError('EIO', 'the device reported an error') : undefined
  }

  #link(name: string): Inode {
    const inode = new Inode()
    this.#names.set(name, inode)
    this.#nameChanges.push({ kind: 'link', name, inode })
    return inode
  }

  #find(path: string): Inode {
    const inode = this.#names.get(path)
    if (inode === undefined) throw diskError('ENOENT', `no such file: ${path}`)
    return inode
  }

  /** Keeps a part of the changes of names; by chance the first ones, or (in any order) some. */
  #settleNames(): void {
    const random = this.#random
    const survives = survivors(this.#loss, random, this.#nameChanges.length, () => {
      const inOrder = random.chance(0.5)
      const kept = random.below(this.#nameChanges.length + 1)
      return position => (inOrder ? position < kept : random.chance(0.5))
    })
    const names = this.#durableNames
    for (const change of this.#nameChanges) {
      if (!survives()) continue
      if (change.kind === 'unlink') names.delete(change.name)
      else if (change.kind === 'link') names.set(change.name, change.inode)
      else {
        if (names.get(change.from) === change.inode) names.delete(change.from)
        names.set(change.to, change.inode)
      }
    }
    this.#names = new Map(names)
    this.#nameChanges = []
    this.#usedBytes = 0
    for (const inode of new Set(names.values())) this.#usedBytes += inode.size
  }

  #restart(): void {
    this.#epoch++
    this.#isOff = false
    this.#cutAt = Number.POSITIVE_INFINITY
    this.#flushesToFail = 0
  }

  #delayMs(): number {
    const [low, high] = this.#flushMs
    return low + (high - low) * this.#random.float()
  }

  #check(epoch: number): void {
    if (this.#isOff || epoch !== this.#epoch) throw new PowerCut('the power is off')
  }

  #operate(epoch: number): void {
    this.#check(epoch)
    this.#operations++
    if (this.#operations < this.#cutAt) return
    this.#isOff = true
    throw new PowerCut(`the power went at operation ${this.#operations}`)
  }
}

function diskError(code: string, message: string): DiskError {
  return Object.assign(new Error(`${code}: ${message}`), { code })
}
