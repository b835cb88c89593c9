/** Instances of Warehouse 13 for tests: real processes with their places, killed and started again. */
import { join } from 'node:path'
import { freePortPair } from './ports.js'
import { type Exit, startProgram, type TestProcess, temporaryDirectory, textClient } from './processes.js'
import { waitFor } from './wait-for.js'

const patienceMs = 30_000

/** For instances on the ring: patient with a busy machine; that one was killed is noticed at once all the same. */
export const ringFlags: readonly string[] = ['--election-timeout=2000']

/** One instance. */
export class WarehouseInstance {
  readonly port: number
  readonly dataDirectory: string
  readonly #flags: readonly string[]
  #process: TestProcess | undefined

  constructor(port: number, flags: readonly string[], dataDirectory = join(temporaryDirectory(), 'data')) {
    this.port = port
    this.#flags = flags
    this.dataDirectory = dataDirectory
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  get process(): TestProcess {
    if (this.#process === undefined) throw new Error(`${this.address} was not started`)
    return this.#process
  }

  get isRunning(): boolean {
    return this.#process?.isRunning === true
  }

  /** Starts the process without waiting for it. */
  launch(): TestProcess {
    const own = [`--port=${this.port}`, `--data-dir=${this.dataDirectory}`]
    this.#process = startProgram('warehouse', [...own, ...this.#flags])
    return this.#process
  }

  kill(): Promise<Exit> {
    return this.process.kill()
  }

  /** What it answers to one line. */
  async ask(line: string): Promise<string> {
    const client = await textClient(this.address)
    try {
      return await client.ask(line)
    } finally {
      client.close()
    }
  }

  /** Waits until it knows exactly these nodes, in this order, has a leader and finds all in sync. */
  async waitForNodes(addresses: readonly string[]): Promise<void> {
    const nodes = addresses.join(', ')
    await waitFor(
      async () => {
        const said = await this.ask('STATUS')
        return said.includes(`Known nodes: ${nodes}. All nodes in sync.`) && !said.includes('Leader: none')
      },
      patienceMs,
      () => `${this.address} to know ${nodes}; it said:\n${this.process.output}`,
    )
  }

  /** Waits until it has a leader. */
  async waitForLeader(): Promise<string> {
    return waitFor(
      async () => /^Leader: (\S+:\d+)\./.exec(await this.ask('STATUS'))?.[1],
      patienceMs,
      () => `${this.address} to know a leader; it said:\n${this.process.output}`,
    )
  }
}

/**
 * Starts instances one after the other, so that they join in this order; each knows all when this settles. The first
 * one leads.
 */
export async function startWarehouse(
  count: number,
  flags: readonly string[] = ['--engine=raft'],
): Promise<WarehouseInstance[]> {
  const instances: WarehouseInstance[] = []
  while (instances.length < count) {
    const { port } = await freePortPair()
    const [first] = instances
    const join = first === undefined ? [] : [`--join=${first.address}`]
    const instance = new WarehouseInstance(port, [...flags, ...join])
    instance.launch()
    instances.push(instance)
    const addresses = instances.map(({ address }) => address)
    for (const each of instances) await each.waitForNodes(addresses)
  }
  return instances
}
