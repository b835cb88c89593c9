/**
 * What is measured, case by case. Systems that are compared take turns within each round, so that what else the
 * machine does falls on all of them alike.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { usageOf } from '../../bin/bench/linux.js'
import type { Bench, BenchSettings } from './bench.js'
import { runGenerator } from './generator.js'
import { heapPath, type System, type SystemPlan } from './systems.js'

export { compareWithRedis } from './redis-case.js'

/** Three nodes of Quorate as they are by default. */
export function quorate(keys: number): SystemPlan {
  return { name: 'Quorate', kind: 'quorate', keys, nodes: 3 }
}

/** Three nodes of etcd as they are by default. */
export function etcd(keys: number): SystemPlan {
  return { name: 'etcd', kind: 'etcd', keys, nodes: 3 }
}

function leased(keys: number): SystemPlan {
  return { name: 'Quorate, lease', kind: 'quorate', keys, nodes: 3, flags: ['--reads=lease'] }
}

/** What three processes in JavaScript do on this machine when they do hardly anything. */
function bareLog(keys: number): SystemPlan {
  return { name: 'Bare log', kind: 'bare', keys, nodes: 3 }
}

/** Rates of several systems side by side. */
export interface Grid {
  readonly table: string
  /** The first is compared with the second. */
  readonly systems: readonly SystemPlan[]
  readonly reads: number
  readonly clients: readonly number[]
  readonly pipeline?: number
}

/** The grids of a case; none for a case of another kind. */
export function gridsOf(name: string, { keys, clients, manyKeys, fewKeys }: BenchSettings): readonly Grid[] {
  const both = [quorate(keys), etcd(keys)]
  switch (name) {
    case 'writes':
      return [{ table: 'Durable linearizable writes', systems: both, reads: 0, clients }]
    case 'reads':
      return [{ table: 'Linearizable reads', systems: both, reads: 100, clients }]
    case 'lease': {
      const systems = [leased(keys), etcd(keys)]
      return [{ table: 'Linearizable reads, ours under a lease', systems, reads: 100, clients }]
    }
    case 'mixed':
      return [{ table: 'Half reads, half writes', systems: both, reads: 50, clients }]
    case 'pipelined': {
      const rest = { systems: [quorate(keys)], clients: [64], pipeline: 16 }
      return [
        { table: 'Writes, 16 requests pipelined', reads: 0, ...rest },
        { table: 'Reads, 16 requests pipelined', reads: 100, ...rest },
      ]
    }
    case 'ceiling': {
      const systems = [bareLog(keys), etcd(keys)]
      const rest = { systems: [bareLog(keys)], clients: [64], pipeline: 16 }
      return [
        { table: 'Writes of a bare log', systems, reads: 0, clients },
        { table: 'Reads of a bare log', systems, reads: 100, clients },
        { table: 'Writes of a bare log, 16 requests pipelined', reads: 0, ...rest },
        { table: 'Reads of a bare log, 16 requests pipelined', reads: 100, ...rest },
      ]
    }
    case 'overload': {
      const rest = { systems: [quorate(keys)], clients: overloadClients }
      return [
        { table: 'Writes with more and more clients', reads: 0, ...rest },
        { table: 'Half reads, half writes with more and more clients', reads: 50, ...rest },
      ]
    }
    case 'keys': {
      const systems = [many(quorate(manyKeys)), { ...quorate(fewKeys), name: 'Quorate, few keys' }]
      return [
        { table: 'Writes with many and with few keys', systems, reads: 0, clients: [64] },
        { table: 'Reads with many and with few keys', systems, reads: 100, clients: [64] },
      ]
    }
    default:
      return []
  }
}

/** Measures all grids, round by round. */
export async function runGrids(bench: Bench, grids: readonly Grid[]): Promise<void> {
  const plans = new Map(grids.flatMap(({ systems }) => systems.map(plan => [plan.name, plan])))
  const systems = await bench.have(...plans.values())
  for (const { table, systems: own, reads, pipeline = 1 } of grids) {
    for (const system of running(systems, own))
      await bench.warmUp(system, { table, reads, clients: warmUpClients, round: 0, pipeline })
  }
  await noteIdleShares(bench, systems)
  for (let round = 0; round < bench.settings.rounds; round++) {
    for (const { table, systems: own, reads, clients: numbers, pipeline = 1 } of grids) {
      for (const clients of numbers) {
        // Who comes first changes, in case it matters.
        const turns = round % 2 === 0 ? own : [...own].reverse()
        for (const system of running(systems, turns))
          await bench.measure(system, { table, reads, clients, round, pipeline })
      }
    }
  }
}

/** The systems of these plans, in their order. */
function running(systems: readonly System[], plans: readonly SystemPlan[]): readonly System[] {
  return plans.flatMap(({ name }) => systems.filter(({ plan }) => plan.name === name))
}

/** What a system uses while it has nothing to do falls on the one that is measured. */
async function noteIdleShares(bench: Bench, systems: readonly System[]): Promise<void> {
  const used = (system: System) =>
    system.servers.reduce((sum, { pid }) => sum + (usageOf(pid)?.cpuSeconds ?? 0), 0)
  await bench.settle()
  const before = systems.map(used)
  await setTimeout(idleMs)
  const shares = systems.map((system, at) => {
    const share = ((used(system) - (before[at] ?? 0)) * 1000) / idleMs
    return `${system.plan.name} ${Math.round(share * 100)}%`
  })
  bench.note(`Of one core, while they had nothing to do, the nodes used: ${shares.join('; ')}.`)
}

const idleMs = 4000
const warmUpClients = 64

/** Kills the leader again and again: the time until the next write is acknowledged. */
export async function measureFailover(bench: Bench): Promise<void> {
  const { keys, kills } = bench.settings
  const systems = await bench.have(quorate(keys), etcd(keys))
  for (let kill = 0; kill < kills; kill++) {
    for (const system of systems) {
      await system.ready()
      const leader = await system.leader()
      const target = system.servers
        .filter(server => server !== leader)
        .map(({ address }) => address)
        .join(',')
      const flags = { mode: 'failover', system: system.plan.kind, target, kill: leader.pid, keys }
      const { waitedMs = 0 } = await runGenerator(bench.surroundings.generator, flags)
      await leader.ended()
      leader.start()
      const what = 'kill -9 of the leader to the next acknowledged write'
      bench.findings.durations.push({ what, system: system.plan.name, ms: waitedMs })
      bench.tell(`failover ${kill + 1}, ${system.plan.name}: ${Math.round(waitedMs)} ms`)
    }
  }
}

/** Ends all nodes and starts them again: the time until each of them has answered a linearizable read. */
export async function measureRestart(bench: Bench): Promise<void> {
  const { manyKeys, rounds } = bench.settings
  for (const plan of [many(quorate(manyKeys)), many(etcd(manyKeys))]) {
    const [system] = await bench.have(plan)
    if (system === undefined) return
    for (let round = 0; round < rounds; round++) {
      await restartOnce(bench, system, 'kill -9 of all nodes', () => system.kill())
      await restartOnce(bench, system, 'SIGTERM to all nodes', () => system.stop())
    }
  }
}

async function restartOnce(
  bench: Bench,
  system: System,
  how: string,
  end: () => Promise<void>,
): Promise<void> {
  await system.ready()
  await end()
  const startedAtMs = Date.now()
  for (const server of system.servers) server.start()
  const flags = { mode: 'await', system: system.plan.kind, target: system.addresses, keys: 64 }
  const { endedAtMs = startedAtMs } = await runGenerator(bench.surroundings.generator, flags)
  const ms = endedAtMs - startedAtMs
  const what = `${how}, started again, until all answer linearizable reads`
  bench.findings.durations.push({ what, system: system.plan.name, ms })
  bench.tell(`restart after ${how}, ${system.plan.name}: ${Math.round(ms)} ms`)
}

/** How much memory the nodes hold while they are under full load for a long time. */
export async function measureMemory(bench: Bench): Promise<void> {
  const { keys, memorySeconds } = bench.settings
  const [system] = await bench.have({ ...quorate(keys), name: 'Quorate, memory', withHeaps: true })
  if (system === undefined) return
  let isOver = false
  const startedAtMs = performance.now()
  const table = 'Half reads, half writes, for a long time'
  const load = bench
    .measure(system, { table, reads: 50, clients: 64, round: 0, seconds: memorySeconds })
    .finally(() => {
      isOver = true
    })
  while (!isOver) {
    sampleMemory(bench, system, (performance.now() - startedAtMs) / 1000)
    await Promise.race([load, setTimeout(memorySampleMs)])
  }
  await load
}

const memorySampleMs = 10_000

function sampleMemory(bench: Bench, system: System, seconds: number): void {
  for (const [at, { pid }] of system.servers.entries()) {
    const usage = usageOf(pid)
    if (usage === undefined) continue
    const residentMb = usage.residentBytes / 2 ** 20
    const heapMb = lastHeapMb(heapPath(join(system.directory, `node${at + 1}`)))
    bench.findings.memory.push({ seconds, node: at + 1, residentMb, heapMb })
  }
}

function lastHeapMb(path: string): number | undefined {
  try {
    const last = readFileSync(path, 'utf8').trimEnd().split('\n').at(-1) ?? ''
    const read: unknown = JSON.parse(last)
    if (typeof read !== 'object' || read === null || !('heapUsed' in read)) return undefined
    return Number(read.heapUsed) / 2 ** 20
  } catch {
    // There is none yet.
    return undefined
  }
}

/** Somewhere among them is what saturates three nodes on one machine, and twice of it. */
const overloadClients: readonly number[] = [64, 128, 256, 512, 1024]

function many(plan: SystemPlan): SystemPlan {
  return { ...plan, name: `${plan.name}, many keys` }
}
