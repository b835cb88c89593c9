/** One stage of a benchmark: so many clients for so long, and what was measured meanwhile. */
import { networkInterfaces } from 'node:os'
import { parseAddress } from '../../src/protocol/address.js'
import { diskFlushes, processListeningOn, usageOf } from './linux.js'
import { type ErrorCounts, Load, type LoadPlan } from './load.js'

/** A server that runs on this machine. */
export interface ServerReport {
  readonly target: string
  readonly pid: number
  /** Microseconds of its CPU time for each request of the load, whichever server that went to. */
  readonly cpuMicrosPerRequest: number
  readonly residentBytes: number
}

/** What a stage has shown. */
export interface StageReport {
  readonly clients: number
  readonly pipeline: number
  /** Reads in a hundred requests. */
  readonly reads: number
  readonly seconds: number
  readonly operations: number
  readonly perSecond: number
  /** In milliseconds. */
  readonly latencyMs: Readonly<Record<'p50' | 'p99' | 'p999' | 'max', number>>
  /** Reads of keys that were not there. */
  readonly absent: number
  /** Requests that certainly did nothing. */
  readonly refused: number
  readonly errors: Readonly<Record<string, number>>
  /** Those of the targets that run on this machine. */
  readonly servers: readonly ServerReport[]
  /** Of all disks of this machine; undefined where servers run elsewhere or the system does not count them. */
  readonly diskFlushes: { readonly perSecond: number; readonly writesPerFlush: number } | undefined
  /** How much of one core this program used; it cannot use more. */
  readonly ownCpuShare: number
  /** This program was the limit, not the servers. */
  readonly isGeneratorBound: boolean
}

/** Above this share of its one core the load generator is taken for the bottleneck. */
const generatorShareMax = 0.85

/** Runs a stage. `onTick` is told how it goes, twice a second. */
export async function runStage(
  plan: LoadPlan & { readonly seconds: number; readonly reads: number },
  onTick: (load: Load, elapsedSeconds: number) => void,
): Promise<StageReport> {
  const servers = localServers(plan.targets)
  const load = new Load(plan)
  try {
    await load.connect()
    const before = servers.map(({ pid }) => usageOf(pid))
    const flushesBefore = servers.length > 0 ? diskFlushes() : undefined
    const cpuBefore = process.cpuUsage()
    const startedAtMs = performance.now()
    const elapsed = () => (performance.now() - startedAtMs) / 1000
    const ticker = setInterval(() => onTick(load, elapsed()), tickMs)
    try {
      await load.run()
    } finally {
      clearInterval(ticker)
    }
    const seconds = elapsed()
    const { user, system } = process.cpuUsage(cpuBefore)
    const ownCpuShare = (user + system) / 1e6 / seconds
    const flushesAfter = diskFlushes()
    const operations = load.done + load.absent
    return {
      clients: plan.clients,
      pipeline: plan.pipeline,
      reads: plan.reads,
      seconds,
      operations,
      perSecond: operations / seconds,
      latencyMs: latencies(load),
      absent: load.absent,
      refused: load.refused,
      errors: byCount(load.errors),
      servers: servers.flatMap(({ target, pid }, at) => {
        const [first, last] = [before[at], usageOf(pid)]
        if (first === undefined || last === undefined) return []
        const cpuMicros = (last.cpuSeconds - first.cpuSeconds) * 1e6
        const cpuMicrosPerRequest = cpuMicros / Math.max(1, operations)
        return [{ target, pid, cpuMicrosPerRequest, residentBytes: last.residentBytes }]
      }),
      diskFlushes: flushReport(flushesBefore, flushesAfter, seconds, load.writes),
      ownCpuShare,
      isGeneratorBound: ownCpuShare > generatorShareMax,
    }
  } finally {
    load.close()
  }
}

/** How often it is told how a stage goes. */
const tickMs = 500

function latencies({ latencies }: Load): StageReport['latencyMs'] {
  const at = (share: number) => (latencies.count === 0 ? 0 : latencies.percentile(share) / 1000)
  return { p50: at(50), p99: at(99), p999: at(99.9), max: latencies.count === 0 ? 0 : latencies.max / 1000 }
}

function byCount(errors: ErrorCounts): Record<string, number> {
  return Object.fromEntries([...errors].sort(([, one], [, other]) => other - one))
}

function flushReport(
  before: number | undefined,
  after: number | undefined,
  seconds: number,
  writes: number,
): StageReport['diskFlushes'] {
  if (before === undefined || after === undefined) return undefined
  const flushes = after - before
  return { perSecond: flushes / seconds, writesPerFlush: writes / Math.max(1, flushes) }
}

/** The targets that are processes of this machine, as far as it lets us see. */
function localServers(targets: readonly string[]): { readonly target: string; readonly pid: number }[] {
  const own = new Set(
    Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(({ address }) => address)),
  )
  const found = new Map<number, string>()
  for (const target of targets) {
    const address = parseAddress(target)
    if (address === undefined) continue
    const isLocal = address.host === 'localhost' || address.host.startsWith('127.') || own.has(address.host)
    const pid = isLocal ? processListeningOn(address.port) : undefined
    if (pid !== undefined && !found.has(pid)) found.set(pid, target)
  }
  return [...found].map(([pid, target]) => ({ target, pid }))
}
