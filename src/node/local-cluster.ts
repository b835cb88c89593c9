/**
 * A cluster of nodes on this machine, each a child process: how they are started, watched and stopped. What is
 * said to people about it is for whoever runs it (run-local-cluster.ts).
 *
 * - A node's ports are `port + i` and 1000 above it, its data directory is `<data>/<port>`, and everything it
 *   logs is kept in `<data>/<port>.log`, beside the directory, so that an emptied node keeps its log.
 * - Children have an IPC channel that is only there to be closed: a node stops when it closes (signals.ts), so
 *   that none is left behind however this process ends.
 * - None is restarted: a node that fails should be seen to fail.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, type WriteStream } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { makeDirectory } from '../storage/make-directory.js'
import { askStatus, type StatusAnswer } from './ask-status.js'
import { peerPortOffset } from './flags.js'
import { withoutOurVariables } from './settings.js'

/** One node of the cluster, as it is planned. */
export interface LocalNode {
  readonly port: number
  readonly peerPort: number
  /** In full form. */
  readonly address: string
  readonly dataDirectory: string
  readonly logPath: string
}

/** Every node listens here: nobody else can reach a cluster that somebody tries out. */
export const localHost = '127.0.0.1'

/** Plans `count` nodes from a port on. */
export function planNodes(count: number, firstPort: number, dataDirectory: string): readonly LocalNode[] {
  return Array.from({ length: count }, (_, at) => {
    const port = firstPort + at
    return {
      port,
      peerPort: port + peerPortOffset,
      address: `${localHost}:${port}`,
      dataDirectory: join(dataDirectory, String(port)),
      logPath: join(dataDirectory, `${port}.log`),
    }
  })
}

/**
 * The flags of one node. The list of nodes is given at every start: once a node belongs to a cluster, its data
 * directory decides.
 */
export function nodeFlags(
  node: LocalNode,
  nodes: readonly LocalNode[],
  extra: readonly string[],
): readonly string[] {
  return [
    `--host=${localHost}`,
    `--port=${node.port}`,
    `--peer-port=${node.peerPort}`,
    `--data-dir=${node.dataDirectory}`,
    `--cluster=${nodes.map(({ address }) => address).join(',')}`,
    ...extra,
  ]
}

/** How a node ended. */
export interface NodeExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** What a cluster is started with. */
export interface LocalClusterOptions {
  readonly nodes: readonly LocalNode[]
  /** The program to run with Node for each. */
  readonly program: string
  /** Further flags of every node. */
  readonly flags: readonly string[]
  /** Told each line that a node writes, after it went to the node's log. */
  onLine(node: LocalNode, line: string): void
  onExit(node: LocalNode, exit: NodeExit): void
}

/** How long nodes have to stop by themselves. */
const stopDeadlineMs = 15_000

/** A node that has not answered by then is asked again. */
const statusDeadlineMs = 1000

interface Running {
  readonly node: LocalNode
  readonly child: ChildProcess
  readonly log: WriteStream
}

/** A cluster of child processes. */
export class LocalCluster {
  readonly #options: LocalClusterOptions
  readonly #running = new Set<Running>()
  readonly #allExited: Promise<void>
  #tellAllExited: () => void = () => {}
  #isStopping = false

  /** Starts all nodes. Throws what the file system throws when the data directory cannot be used. */
  constructor(options: LocalClusterOptions) {
    this.#options = options
    this.#allExited = new Promise(resolve => {
      this.#tellAllExited = resolve
    })
    for (const node of options.nodes) makeDirectory(resolve(node.dataDirectory))
    for (const node of options.nodes) this.#start(node)
  }

  /** The nodes that run. */
  get running(): readonly LocalNode[] {
    return [...this.#running].map(({ node }) => node)
  }

  /** The process id of a node that runs. */
  pidOf(node: LocalNode): number | undefined {
    return [...this.#running].find(running => running.node === node)?.child.pid
  }

  /** Settles when the last node has ended. */
  get allExited(): Promise<void> {
    return this.#allExited
  }

  get isStopping(): boolean {
    return this.#isStopping
  }

  /** Asks all nodes to stop; those that have not after a while are killed. */
  stop(): void {
    if (this.#isStopping) return
    this.#isStopping = true
    for (const { child } of this.#running) child.kill('SIGTERM')
    const deadline = setTimeout(() => this.kill(), stopDeadlineMs)
    void this.#allExited.then(() => clearTimeout(deadline))
  }

  /** Ends all nodes at once. What they acknowledged is on the disk. */
  kill(): void {
    this.#isStopping = true
    for (const { child } of this.#running) child.kill('SIGKILL')
  }

  /** What each running node says to `status`, all asked at the same time. */
  async statuses(): Promise<ReadonlyMap<LocalNode, StatusAnswer>> {
    const asked = this.running.map(async node => {
      return [node, await askStatus(localHost, node.port, statusDeadlineMs)] as const
    })
    return new Map(await Promise.all(asked))
  }

  #start(node: LocalNode): void {
    const { program, nodes, flags } = this.#options
    const child = spawn(process.execPath, [program, ...nodeFlags(node, nodes, flags)], {
      // The nodes are told everything by flags: a variable meant for us must not reach them a second time.
      env: withoutOurVariables(process.env),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    const running: Running = { node, child, log: createWriteStream(node.logPath, { flags: 'a' }) }
    this.#running.add(running)
    running.log.on('error', error => {
      this.#options.onLine(node, `the log ${node.logPath} cannot be written: ${error.message}`)
    })
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue
      createInterface({ input: stream }).on('line', line => {
        running.log.write(`${line}\n`)
        this.#options.onLine(node, line)
      })
    }
    let isEnded = false
    const end = (exit: NodeExit) => {
      if (isEnded) return
      isEnded = true
      this.#running.delete(running)
      running.log.end()
      this.#options.onExit(node, exit)
      if (this.#running.size === 0) this.#tellAllExited()
    }
    child.on('error', error => {
      this.#options.onLine(node, `the process cannot be started: ${error.message}`)
      if (child.pid === undefined) end({ code: null, signal: null })
    })
    // Not at 'exit', because what a node says last comes after it.
    child.on('close', (code, signal) => end({ code, signal }))
  }
}
