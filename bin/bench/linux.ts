/**
 * What Linux counts of processes and disks, from /proc. Elsewhere, or where it may not be looked at, there is
 * nothing to be known, and that is what these functions say.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** What a process has used so far. */
export interface ProcessUsage {
  readonly cpuSeconds: number
  readonly residentBytes: number
}

/** Linux tells programs times in hundredths of a second, whatever it counts in. */
const ticksPerSecond = 100
const stateListen = '0A'

/** The process that listens on a TCP port of this machine. */
export function processListeningOn(port: number): number | undefined {
  const sockets = new Set(['tcp', 'tcp6'].flatMap(table => listeningSockets(table, port)))
  if (sockets.size === 0) return undefined
  return processes().find(pid => openFiles(pid).some(file => sockets.has(file)))
}

/** What a process has used; undefined if it is not there. */
export function usageOf(pid: number): ProcessUsage | undefined {
  const stat = read(`/proc/${pid}/stat`)
  const resident = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1]
  // The name, in parentheses, may hold spaces; the times are the 12th and 13th field behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (stat === '' || resident === undefined) return undefined
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    residentBytes: Number(resident) * 1024,
  }
}

/**
 * How many flushes the disks of this machine have done. The kernel merges flushes that come at the same time, and
 * counts those of everybody, so this is neither exact nor one node's. Undefined where it is not counted.
 */
export function diskFlushes(): number | undefined {
  let flushes: number | undefined
  for (const line of read('/proc/diskstats').split('\n')) {
    const fields = line.trim().split(/\s+/)
    const [, , name = '', ...counters] = fields
    if (counters.length < 17 || /^(loop|ram|zram|dm-|md)/.test(name)) continue
    flushes = (flushes ?? 0) + Number(counters[15])
  }
  return flushes
}

function listeningSockets(table: string, port: number): string[] {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return read(`/proc/net/${table}`)
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .filter(([, local = '', , state]) => state === stateListen && local.endsWith(wanted))
    .map(fields => `socket:[${fields[9]}]`)
}

function processes(): number[] {
  return list('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
}

function openFiles(pid: number): string[] {
  return list(`/proc/${pid}/fd`).map(name => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${name}`)
    } catch {
      return ''
    }
  })
}

function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
