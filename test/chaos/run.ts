/**
 * Real nodes under a nemesis: `npm run chaos -- --nodes 3 --minutes 2 --faults mix`. Each node is a process on a
 * host of its own (a network namespace); clients write and read through sockets, as netcat does, while nodes are
 * killed, held still, cut off and slowed down. What the clients heard is judged at the end.
 *
 * This program owns the hosts and the directory, and takes them away whatever becomes of the round, which
 * runs as a process on the clients' host. Exits with 0 if every promise was kept, 1 if one was broken or could
 * not be judged, 2 if the round could not be run.
 */
import { spawn, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import minimist from 'minimist'
import { type LabHost, NetworkLab } from '../e2e/network-lab.js'
import { has } from '../support/requirements.js'
import { type PlannedHost, parseFamilies, type RoundPlan, through } from './plan.js'

const usage =
  'Usage: npm run chaos -- [--nodes 3|5] [--minutes 2 | --seconds 120] [--faults kill,pause,partition,slow,mix] [--seed <seed>] [--keep]'
/** Start, healing, reading back and judging may take so much longer than the faults, and no longer. */
const extraMs = 180_000

process.exitCode = await main()

async function main(): Promise<number> {
  const flags = minimist(process.argv.slice(2), {
    string: ['nodes', 'minutes', 'seconds', 'faults', 'seed'],
    boolean: ['help', 'keep'],
    unknown: flag => {
      console.error(`Unknown: ${flag}. ${usage}`)
      process.exit(2)
    },
  })
  const text = (name: string, otherwise: string): string => {
    const value: unknown = flags[name]
    return typeof value === 'string' && value !== '' ? value : otherwise
  }
  if (flags['help'] === true) {
    console.log(usage)
    return 0
  }
  const nodes = Number(text('nodes', '3'))
  const seconds = Number(text('seconds', String(60 * Number(text('minutes', '2')))))
  const families = parseFamilies(text('faults', 'mix'))
  const seed = text('seed', String(randomInt(1, 2 ** 47)))
  if (![3, 5].includes(nodes) || !(seconds > 0 && seconds <= 24 * 3600) || families === undefined) {
    console.error(usage)
    return 2
  }
  if (!has('netns')) {
    console.error('This needs network namespaces: root, package iproute2 and a kernel that has them.')
    return 2
  }
  console.log(`seed ${seed}: ${nodes} nodes, ${seconds} s of ${families.join(', ')}`)

  const directory = mkdtempSync(join(tmpdir(), 'quorate-chaos-'))
  let lab: NetworkLab | undefined
  let hosts: readonly PlannedHost[] = []
  let code = 2
  try {
    const network = new NetworkLab(24)
    lab = network
    hosts = Array.from({ length: nodes }, (_, at) =>
      planned(network.addHost(`node${at + 1}`, `10.77.0.${at + 1}`)),
    )
    const clientHost = planned(network.addHost('clients', '10.77.0.100'))
    hosts = [...hosts, clientHost]
    code = await runRound({ seed, seconds, families, directory, hosts: hosts.slice(0, nodes), clientHost })
  } finally {
    hosts.forEach(killAllOn)
    lab?.close()
    // After a failure the history and the logs are worth keeping; the data would only fill the disk.
    const isKept = code === 1 || flags['keep'] === true
    if (code === 0 && isKept) console.log(`The history, the faults and the logs are kept in ${directory}`)
    rmSync(isKept ? join(directory, 'data') : directory, { recursive: true, force: true })
  }
  return code
}

/** Runs the round to its end and returns its exit code. A signal or the deadline ends it. */
function runRound(plan: RoundPlan): Promise<number> {
  const program = fileURLToPath(new URL('./round.js', import.meta.url))
  const [command = '', ...words] = through(plan.clientHost)
  const child = spawn(command, [...words, process.execPath, program, JSON.stringify(plan)], {
    // Over the channel it notices that we are gone.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  let isStuck = false
  const end = () => child.kill('SIGKILL')
  const deadline = setTimeout(
    () => {
      console.error(`The round did not come to an end; what it has written is kept in ${plan.directory}`)
      isStuck = true
      end()
    },
    plan.seconds * 1000 + extraMs,
  )
  process.once('SIGINT', end).once('SIGTERM', end)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', code => {
      clearTimeout(deadline)
      process.off('SIGINT', end).off('SIGTERM', end)
      resolve(isStuck ? 1 : (code ?? 2))
    })
  })
}

/** Ends what still runs on a host that this run has made. */
function killAllOn(host: PlannedHost): void {
  const { stdout } = spawnSync('ip', ['netns', 'pids', host.namespace], { encoding: 'utf8', timeout: 10_000 })
  for (const pid of (stdout ?? '').split('\n').filter(line => line !== '')) {
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

function planned({ name, address, through }: LabHost): PlannedHost {
  const namespace = through.at(-1)
  if (namespace === undefined) throw new Error(`host ${name} has no namespace`)
  return { name, address, namespace }
}
