/**
 * A small disk in memory for the data of one node, which a test can fill to the last byte. It is mounted where
 * only that node sees it, by a process that holds the place and ends with the test; the disk ends with the last
 * of them, so that nothing stays mounted.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { present } from '../../src/base/assert.js'

const stepBytes = 1024 * 1024

/** See the head of this file. */
export class SmallDisk {
  /** Where the node sees it. */
  readonly path: string
  readonly #holder: ChildProcess
  readonly #pid: number

  private constructor(path: string, holder: ChildProcess) {
    this.path = path
    this.#holder = holder
    this.#pid = present(holder.pid, 'the process that holds the disk')
  }

  /** Makes a disk of so many megabytes. */
  static async make(megabytes: number): Promise<SmallDisk> {
    const path = mkdtempSync(join(tmpdir(), 'quorate-disk-'))
    const script = 'mount -t tmpfs -o "size=$1m" tmpfs "$0" && echo mounted && exec cat'
    // It waits for the end of its input, which comes when this process ends, however it does.
    const holder = spawn('unshare', ['--mount', 'sh', '-c', script, path, String(megabytes)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const [said] = await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')])
    if (String(said) !== 'mounted\n') throw new Error(`the disk could not be mounted: ${String(said)}`)
    return new SmallDisk(path, holder)
  }

  /** The words before a command that is to see the disk. */
  get through(): readonly string[] {
    return ['nsenter', `--mount=/proc/${this.#pid}/ns/mnt`, '--']
  }

  /** Takes all the space that is left. */
  fill(): void {
    const file = openSync(this.#ballast, 'a')
    try {
      for (let bytes = stepBytes; bytes >= 1; ) {
        try {
          if (writeSync(file, Buffer.alloc(bytes)) < bytes) bytes = Math.floor(bytes / 2)
        } catch (error) {
          if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
          bytes = Math.floor(bytes / 2)
        }
      }
    } finally {
      closeSync(file)
    }
  }

  /** Gives back what {@link fill} took. */
  clear(): void {
    rmSync(this.#ballast, { force: true })
  }

  /** Lets the disk go; the node that uses it should have ended. */
  async remove(): Promise<void> {
    this.#holder.stdin?.end()
    if (this.#holder.exitCode === null) await once(this.#holder, 'exit')
    rmSync(this.path, { recursive: true, force: true })
  }

  /** As this process sees it. */
  get #ballast(): string {
    return join(`/proc/${this.#pid}/root`, this.path, 'ballast')
  }
}
