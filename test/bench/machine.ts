/** What a figure was measured on: machine, programs, disk. */
import { spawnSync } from 'node:child_process'
import { closeSync, fdatasyncSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { programVersion } from '../../src/node/version.js'

/** See {@link describeMachine}. */
export interface Machine {
  readonly date: string
  readonly processor: string
  readonly cores: number
  readonly memoryGb: number
  readonly kernel: string
  readonly fileSystem: string
  /** Flushes of 300 bytes a second, one after the other, into a file that has its size already. */
  readonly flushesPerSecond: number
  /** The same into a file that grows. */
  readonly growingFlushesPerSecond: number
  /** How many processes wanted to run, on average, when the benchmark began. */
  readonly loadBefore: number
  readonly versions: Readonly<Record<string, string>>
}

/** By the magic number that the kernel gives. */
const fileSystems: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  2035054128: 'overlayfs',
  16914836: 'tmpfs',
  2240043254: 'ramfs',
}

/** Looks at the machine, and measures the disk that holds the folder. */
export function describeMachine(folder: string): Machine {
  const magic = statfsSync(folder).type
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    fileSystem: fileSystems[magic] ?? `type ${magic}`,
    flushesPerSecond: flushRate(folder, false),
    growingFlushesPerSecond: flushRate(folder, true),
    loadBefore: loadavg()[0] ?? 0,
    versions: {
      quorate: programVersion(),
      node: process.version,
      etcd: firstMatch('etcd', /etcd Version: (\S+)/),
      redis: firstMatch('redis-server', /v=(\S+)/),
      go: firstMatch('go', /go version (\S+)/, 'version'),
    },
  }
}

/** Whether the folder is in memory, where a flush costs nothing and shows nothing. */
export function isInMemory(folder: string): boolean {
  return ['tmpfs', 'ramfs'].includes(fileSystems[statfsSync(folder).type] ?? '')
}

const flushes = 300
const recordBytes = 300

function flushRate(folder: string, isGrowing: boolean): number {
  const path = join(folder, 'flush-rate')
  const file = openSync(path, 'w')
  try {
    if (!isGrowing) writeSync(file, Buffer.alloc(flushes * recordBytes))
    fsyncSync(file)
    const record = Buffer.alloc(recordBytes, 1)
    const startedAtMs = performance.now()
    for (let at = 0; at < flushes; at++) {
      writeSync(file, record, 0, recordBytes, at * recordBytes)
      fdatasyncSync(file)
    }
    return (flushes * 1000) / (performance.now() - startedAtMs)
  } finally {
    closeSync(file)
    rmSync(path, { force: true })
  }
}

function firstMatch(program: string, pattern: RegExp, flag = '--version'): string {
  const { stdout } = spawnSync(program, [flag], { encoding: 'utf8' })
  return pattern.exec(stdout ?? '')?.[1] ?? 'not installed'
}
