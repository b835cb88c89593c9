/** The systems that are compared, each as it is set up at its best with writes as durable as its own default. */
import { mkdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { askStatus } from '../../src/node/ask-status.js'
import { fullAddress } from '../../src/protocol/address.js'
import { freePortPair } from '../support/ports.js'
import { programPath } from '../support/processes.js'
import { waitFor } from '../support/wait-for.js'
import { runGenerator } from './generator.js'
import { Server } from './servers.js'

/** What the load generator calls the way to talk to a system. */
export type Speech = 'quorate' | 'etcd' | 'redis'

/** What can be set up: the databases, and the bare log of bare-log.ts, which understands what Quorate does. */
export type SystemKind = Speech | 'bare'

/** Which system, with what in it. */
export interface SystemPlan {
  /** What it is called in the report, unique among the systems of a run. */
  readonly name: string
  readonly kind: SystemKind
  /** How many keys are written before anything is measured. */
  readonly keys: number
  readonly nodes: number
  /** Further flags of each server. */
  readonly flags?: readonly string[]
  /** Nodes of Quorate write the sizes of their heaps to files. */
  readonly withHeaps?: boolean
}

/** What systems need to be set up. */
export interface Surroundings {
  readonly directory: string
  readonly generator: string
  readonly valueBytes: number
}

const readyDeadlineMs = 60_000
/** How the keys are written at first: as fast as any of the systems takes them. */
const fillClients = { quorate: 64, bare: 64, etcd: 256, redis: 64 } as const

/** One system, running or not. */
export class System {
  readonly plan: SystemPlan
  readonly servers: readonly Server[]
  readonly directory: string
  readonly #surroundings: Surroundings
  #isFilled = false

  constructor(plan: SystemPlan, surroundings: Surroundings, servers: readonly Server[], directory: string) {
    this.plan = plan
    this.#surroundings = surroundings
    this.servers = servers
    this.directory = directory
  }

  get pids(): string {
    return this.servers
      .filter(server => server.isRunning)
      .map(server => server.pid)
      .join(',')
  }

  get addresses(): string {
    return this.servers.map(({ address }) => address).join(',')
  }

  get isRunning(): boolean {
    return this.servers.some(server => server.isRunning)
  }

  /** Starts all servers, waits until they serve, and writes the keys if that was not done yet. */
  async start(): Promise<void> {
    for (const server of this.servers) if (!server.isRunning) server.start()
    await this.ready()
    if (this.#isFilled) return
    const { kind, keys } = this.plan
    const { generator, valueBytes } = this.#surroundings
    const target = (await this.leader()).address
    const rest = { keys, 'value-bytes': valueBytes, clients: Math.min(keys, fillClients[kind]), pipeline: 16 }
    const system = speechOf(this.plan)
    const { errors } = await runGenerator(generator, { mode: 'fill', system, target, ...rest })
    const [error] = Object.keys(errors)
    if (error !== undefined) throw new Error(`${this.plan.name} did not take all keys: ${error}`)
    this.#isFilled = true
  }

  /** Waits until every server is there and in step with the others. */
  async ready(): Promise<void> {
    switch (this.plan.kind) {
      case 'quorate':
        await this.#each(async server => (await statusOf(server)).includes('All nodes in sync.'))
        return
      case 'redis':
        await this.#each(async ({ address }) => {
          const info = await ask(address, 'INFO replication\r\n')
          return info.includes('role:master') || info.includes('master_link_status:up')
        })
        return
      case 'etcd':
        // A leader to whom nobody listens is none: every node must hear it.
        await this.leader()
        await this.#each(server => isListening(server.address))
        return
      case 'bare':
        await this.#each(server => isListening(server.address))
        await waitFor(() => answers(this.servers[0]), readyDeadlineMs, `${this.plan.name} to answer`)
    }
  }

  async #each(isReady: (server: Server) => Promise<boolean>): Promise<void> {
    for (const server of this.servers) {
      const what = `${this.plan.name} at ${server.address} to be ready; its log is in ${this.directory}`
      await waitFor(() => isReady(server), readyDeadlineMs, what)
    }
  }

  /** The server that leads, once there is one. */
  async leader(): Promise<Server> {
    const { kind, name } = this.plan
    const [first] = this.servers
    if (first === undefined) throw new Error(`${name} has no servers`)
    if (kind === 'redis' || kind === 'bare') return first
    const address = kind === 'etcd' ? await this.#etcdLeader() : await this.#quorateLeader()
    const found = this.servers.find(server => server.address === address)
    if (found === undefined) throw new Error(`the leader of ${name}, ${address}, is none of its servers`)
    return found
  }

  async #etcdLeader(): Promise<string | undefined> {
    const flags = { mode: 'leader', system: 'etcd', target: this.addresses }
    return (await runGenerator(this.#surroundings.generator, flags)).leader
  }

  #quorateLeader(): Promise<string> {
    return waitFor(
      async () => {
        for (const server of this.servers.filter(({ isRunning }) => isRunning)) {
          const shown = /^Leader: (.+)$/m.exec(await statusOf(server))?.[1]
          const leader = shown === undefined || shown.startsWith('none') ? undefined : fullAddress(shown)
          if (leader !== undefined) return leader
        }
        return undefined
      },
      readyDeadlineMs,
      `${this.plan.name} to have a leader`,
    )
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map(server => server.stop()))
  }

  async kill(): Promise<void> {
    await Promise.all(this.servers.map(server => server.kill()))
  }
}

/** Sets a system up in a folder of its own, and starts nothing. */
export async function planSystem(plan: SystemPlan, surroundings: Surroundings): Promise<System> {
  const directory = join(surroundings.directory, plan.name.replaceAll(/[^a-z0-9]+/gi, '-'))
  mkdirSync(directory, { recursive: true })
  const ports: { port: number; peerPort: number }[] = []
  while (ports.length < plan.nodes) {
    const pair = await freePortPair()
    if (ports.every(({ port, peerPort }) => port !== pair.peerPort && peerPort !== pair.port))
      ports.push(pair)
  }
  const commands = { quorate: quorateServer, bare: bareServer, etcd: etcdServer, redis: redisServer }
  const servers = ports.map((_, at) => {
    const folder = join(directory, `node${at + 1}`)
    mkdirSync(folder, { recursive: true })
    const address = `${localHost}:${ports[at]?.port}`
    const { command, words, env } = commands[plan.kind](plan, ports, at, folder)
    const logPath = join(directory, `node${at + 1}.log`)
    return new Server({ address, command, words: [...words, ...(plan.flags ?? [])], logPath, env: env ?? {} })
  })
  return new System(plan, surroundings, servers, directory)
}

/** How a system is spoken to. */
export function speechOf({ kind }: SystemPlan): Speech {
  return kind === 'bare' ? 'quorate' : kind
}

/** Where the heaps of a system's nodes are written to. */
export function heapPath(folder: string): string {
  return join(folder, 'heap.jsonl')
}

/** Says one line, over a connection of its own, and returns what comes within a moment. */
export function ask(address: string, line: string): Promise<string> {
  const [host = '', port = ''] = address.split(':')
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port) })
    socket.setEncoding('utf8').setTimeout(2000, () => socket.destroy(new Error('no answer')))
    socket.once('error', reject)
    socket.once('connect', () => socket.write(line))
    socket.once('data', (chunk: string) => {
      socket.destroy()
      resolve(chunk)
    })
    socket.once('close', () => reject(new Error('the connection was closed')))
  })
}

const localHost = '127.0.0.1'

type Ports = readonly { readonly port: number; readonly peerPort: number }[]
interface Command {
  readonly command: string
  readonly words: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

function quorateServer(plan: SystemPlan, ports: Ports, at: number, folder: string): Command {
  const program = programPath('quorate')
  const reporter = pathToFileURL(join(import.meta.dirname, 'heap-reporter.js')).href
  const heaps = plan.withHeaps ? ['--import', reporter] : []
  const words = [
    ...heaps,
    program,
    `--port=${ports[at]?.port}`,
    `--peer-port=${ports[at]?.peerPort}`,
    `--data-dir=${join(folder, 'data')}`,
    '--log-level=warn',
    `--cluster=${ports.map(({ port }) => `${localHost}:${port}`).join(',')}`,
  ]
  return { command: process.execPath, words, env: { HEAP_REPORT_PATH: heapPath(folder) } }
}

/** The first leads. */
function bareServer(_: SystemPlan, ports: Ports, at: number, folder: string): Command {
  const program = join(import.meta.dirname, 'bare-log.js')
  const [own, ...others] = [ports[at], ...(at === 0 ? ports.slice(1) : [])].map(pair => String(pair?.port))
  return {
    command: process.execPath,
    words: [program, at === 0 ? 'lead' : 'follow', folder, own ?? '', ...others],
  }
}

function etcdServer(_: SystemPlan, ports: Ports, at: number, folder: string): Command {
  const url = (port: number | undefined) => `http://${localHost}:${port}`
  const own = ports[at]
  const words = [
    `--name=node${at + 1}`,
    `--data-dir=${join(folder, 'data')}`,
    `--listen-client-urls=${url(own?.port)}`,
    `--advertise-client-urls=${url(own?.port)}`,
    `--listen-peer-urls=${url(own?.peerPort)}`,
    `--initial-advertise-peer-urls=${url(own?.peerPort)}`,
    `--initial-cluster=${ports.map(({ peerPort }, n) => `node${n + 1}=${url(peerPort)}`).join(',')}`,
    '--initial-cluster-state=new',
    '--logger=zap',
    '--log-level=warn',
  ]
  return { command: 'etcd', words }
}

function redisServer(_: SystemPlan, ports: Ports, at: number, folder: string): Command {
  const replica = at === 0 ? [] : ['--replicaof', localHost, String(ports[0]?.port)]
  const words = [
    ...['--port', String(ports[at]?.port), '--bind', localHost, '--dir', folder],
    ...['--save', '', '--appendonly', 'yes', ...replica],
  ]
  return { command: 'redis-server', words }
}

function statusOf(server: Server): Promise<string> {
  const [host = '', port = ''] = server.address.split(':')
  return askStatus(host, Number(port), 2000).then(said => (said.kind === 'silent' ? '' : said.text))
}

async function answers(server: Server | undefined): Promise<boolean> {
  return server !== undefined && (await ask(server.address, 'set ready yes\n').catch(() => '')) !== ''
}

function isListening(address: string): Promise<boolean> {
  const [host = '', port = ''] = address.split(':')
  return new Promise(resolve => {
    const socket = connect({ host, port: Number(port) })
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
