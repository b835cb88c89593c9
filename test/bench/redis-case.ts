/** Quorate through the dialect of Redis, beside Redis itself, with Redis's own load generator. */
import { spawn } from 'node:child_process'
import type { Bench } from './bench.js'
import { ask, type System, type SystemPlan } from './systems.js'

const clients = 64

/**
 * One Redis that flushes each write, one that flushes once a second, and one with two replicas that waits for one of
 * them; beside them three nodes of Quorate, if they speak the dialect.
 */
export async function compareWithRedis(bench: Bench): Promise<void> {
  const { keys, rounds } = bench.settings
  const ours: SystemPlan = { name: 'Quorate', kind: 'quorate', keys, nodes: 3 }
  const systems = await bench.have(
    redis('Redis, always', 'always', keys, 1),
    redis('Redis, everysec', 'everysec', keys, 1),
    redis('Redis, 2 replicas, always, WAIT 1', 'always', keys, 3),
    ours,
  )
  const speaking: System[] = []
  for (const system of systems) {
    const leader = await system.leader()
    const said = await ask(leader.address, '*1\r\n$4\r\nPING\r\n').catch((error: Error) => error.message)
    if (said.startsWith('+PONG')) speaking.push(system)
    else bench.note(`${system.plan.name} does not speak the dialect of Redis; it is left out of that case.`)
  }
  for (const system of speaking) {
    for (const reads of [0, 100]) {
      const table = `the dialect of Redis, ${reads}% reads`
      await bench.warmUp(system, { table, reads, clients, round: 0, speech: 'redis' })
    }
  }
  for (let round = 0; round < rounds; round++) {
    for (const command of ['SET', 'GET'] as const) {
      for (const system of speaking.filter(
        ({ servers, plan }) => plan.name === ours.name || servers.length === 1,
      )) {
        const perSecond = await redisBenchmark(bench, system, command)
        const what = `redis-benchmark ${command}, ${clients} clients`
        bench.findings.rates.push({ what, system: system.plan.name, round, perSecond })
        bench.tell(`${what}, round ${round + 1}, ${system.plan.name}: ${Math.round(perSecond)}/s`)
      }
    }
    // redis-benchmark cannot wait for replicas after each SET, so both are driven by our own generator here.
    for (const system of speaking.filter(({ servers }) => servers.length > 1)) {
      const flags = { wait: system.plan.name === ours.name ? 0 : 1 }
      const table = 'Writes in the dialect of Redis'
      await bench.measure(system, { table, reads: 0, clients, round, speech: 'redis', flags })
    }
  }
}

function redis(name: string, appendfsync: string, keys: number, nodes: number): SystemPlan {
  return { name, kind: 'redis', keys, nodes, flags: ['--appendfsync', appendfsync] }
}

const pilotRequests = 3000

/** Requests a second, over about as long as other measurements take: it only takes a number of requests. */
async function redisBenchmark(bench: Bench, system: System, command: 'SET' | 'GET'): Promise<number> {
  const { address } = await system.leader()
  const pilot = await runOnce(bench, address, command, pilotRequests)
  return runOnce(bench, address, command, Math.max(pilotRequests, Math.round(pilot * bench.settings.seconds)))
}

function runOnce(bench: Bench, address: string, command: string, requests: number): Promise<number> {
  const [host = '', port = ''] = address.split(':')
  const words = [
    ...['-h', host, '-p', port, '-c', String(clients), '-n', String(requests), '--csv'],
    ...['-t', command.toLowerCase(), '-d', String(bench.surroundings.valueBytes)],
    ...['-r', String(bench.settings.keys)],
  ]
  const child = spawn('redis-benchmark', words, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => {
      const perSecond = new RegExp(`^"${command}","([0-9.]+)"`, 'm').exec(output)?.[1]
      if (perSecond === undefined) reject(new Error(`redis-benchmark said: ${output.slice(-500)}`))
      else resolve(Number(perSecond))
    })
  })
}
