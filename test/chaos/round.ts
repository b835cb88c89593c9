/**
 * One round, as a process on the clients' host: `node round.js <plan as JSON>`. Started by run.ts, with whose end
 * it ends. Exits with 0 if every promise was kept, 1 if one was broken.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { seededRandom } from '../../src/base/random.js'
import { HistoryRecorder } from '../sim/history.js'
import { showProgress } from '../support/progress.js'
import { newClients, runClient } from './clients.js'
import { ChaosCluster } from './cluster.js'
import { runNemesis } from './nemesis.js'
import { probeSlowness } from './network-faults.js'
import type { RoundPlan } from './plan.js'
import { readBack } from './read-back.js'
import { summarize } from './summary.js'

const clientCount = 6

for (const event of ['disconnect', 'SIGINT', 'SIGTERM'] as const) process.on(event, () => process.exit(2))

// Our caller is run.ts, which made the plan from flags it checked.
const plan = JSON.parse(process.argv[2] ?? '') as RoundPlan
const historyPath = join(plan.directory, 'history.jsonl')
const log = openSync(join(plan.directory, 'faults.log'), 'a')
const history = openSync(historyPath, 'a')

try {
  process.exitCode = await runRound()
} catch (error) {
  console.error(`FAILED: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
}
closeSync(history)
closeSync(log)
if (process.exitCode !== 0) tellHowToLook()
// What is left over, connections to dead hosts above all, would hold it up for minutes.
process.exit()

async function runRound(): Promise<number> {
  const random = seededRandom(plan.seed)
  const cluster = new ChaosCluster(plan)
  try {
    const slowness = await probeSlowness(plan.clientHost)
    if (plan.families.includes('slow'))
      console.log(`links are made slow with: ${slowness ?? 'nothing; skipped'}`)
    if (slowness === undefined && plan.families.every(family => family === 'slow')) return 2
    await cluster.start()

    const write = (line: string) => writeSync(history, line)
    const recorder = new HistoryRecorder({ write, nowMs: () => performance.now() })
    const clients = newClients(
      recorder,
      cluster.members.map(({ node }) => node.address),
    )
    const running = Array.from({ length: clientCount }, (_, at) =>
      runClient(`c${at + 1}`, random.fork(`client ${at + 1}`), clients),
    )
    const startedAtMs = performance.now()
    const progress = showProgress(plan.seconds, 'seconds')
    const ticking = setInterval(
      () => progress.update(Math.min(plan.seconds, Math.round((performance.now() - startedAtMs) / 1000))),
      1000,
    )
    const note = (line: string) => {
      writeSync(log, `${((performance.now() - startedAtMs) / 1000).toFixed(3).padStart(8)} ${line}\n`)
    }
    const { clientHost, families } = plan
    const nemesis = runNemesis(
      { random: random.fork('nemesis'), cluster, clientHost, families, slowness, note },
      startedAtMs + plan.seconds * 1000,
    )
    const faults = await nemesis.finally(() => {
      clearInterval(ticking)
      progress.clear()
      clients.isOver = true
    })
    const endedAtMs = performance.now()
    await Promise.all(running)
    cluster.failOnUnexpectedEnd()

    const back = await readBack(
      cluster.members.map(({ node }) => node),
      clients,
    )
    cluster.failOnUnexpectedEnd()
    await cluster.end()
    const { acknowledgedAtMs, strange } = clients
    const operations = recorder.operations()
    const { lines, code } = summarize({
      operations,
      acknowledgedAtMs,
      faults,
      startedAtMs,
      endedAtMs,
      back,
      strange,
    })
    console.log(lines.join('\n'))
    return code
  } finally {
    await cluster.end()
  }
}

function tellHowToLook(): void {
  const judge = fileURLToPath(new URL('../sim/judge-history.js', import.meta.url))
  console.error(`The history, the faults and the logs of the nodes are kept in ${plan.directory}`)
  console.error(`Judge the history again with: node ${judge} ${historyPath}`)
  console.error(
    `Try the same faults again with: npm run chaos -- --nodes ${plan.hosts.length} --seconds ${plan.seconds} ` +
      `--faults ${plan.families.join(',')} --seed ${plan.seed}`,
  )
}
