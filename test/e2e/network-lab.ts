/**
 * Hosts of their own on one machine: network namespaces, joined by a bridge, each with an address. All of it,
 * the bridge too, is inside namespaces of this run, so that runs beside each other may use the same addresses
 * and nothing is changed outside.
 *
 * The namespaces are named after the process that made them. Whoever makes some first removes those whose
 * maker is dead; a maker that ends normally removes its own.
 */
import { spawnSync } from 'node:child_process'

const prefix = 'quorate-e2e'
const labs = new Set<NetworkLab>()
let labsMade = 0

/** One host. */
export interface LabHost {
  readonly name: string
  readonly address: string
  /** The command that runs another one on this host, in its own place. */
  readonly through: readonly string[]
}

/** See the head of this file. */
export class NetworkLab {
  readonly #name: string
  readonly #hosts = new Map<string, LabHost>()
  readonly #prefixLength: number

  /** Makes the bridge. Addresses are of one subnet with that prefix length. */
  constructor(prefixLength: number) {
    if (labs.size === 0) removeAbandoned()
    this.#name = `${prefix}-${process.pid}-${labsMade++}`
    this.#prefixLength = prefixLength
    labs.add(this)
    ip('netns', 'add', this.#switch)
    ip('-n', this.#switch, 'link', 'add', 'bridge', 'type', 'bridge')
    ip('-n', this.#switch, 'link', 'set', 'bridge', 'up')
  }

  /** Adds a host, with a cable to the bridge. */
  addHost(name: string, address: string): LabHost {
    const namespace = this.#namespace(name)
    const port = `p${this.#hosts.size}`
    const host = { name, address, through: ['ip', 'netns', 'exec', namespace] }
    this.#hosts.set(name, host)
    ip('netns', 'add', namespace)
    const end = ['peer', 'name', 'eth0', 'netns', namespace]
    ip('-n', this.#switch, 'link', 'add', port, 'type', 'veth', ...end)
    ip('-n', this.#switch, 'link', 'set', port, 'master', 'bridge')
    ip('-n', this.#switch, 'link', 'set', port, 'up')
    ip('-n', namespace, 'address', 'add', `${address}/${this.#prefixLength}`, 'dev', 'eth0')
    ip('-n', namespace, 'link', 'set', 'lo', 'up')
    ip('-n', namespace, 'link', 'set', 'eth0', 'up')
    return host
  }

  /** Pulls the cable of a host out of the bridge: what it sends is lost, and so is what others send it. */
  cut(name: string): void {
    ip('-n', this.#switch, 'link', 'set', this.#port(name), 'down')
  }

  /** Puts it back. */
  heal(name: string): void {
    ip('-n', this.#switch, 'link', 'set', this.#port(name), 'up')
  }

  /** Removes everything. The processes on the hosts must have ended, or their hosts live on without a name. */
  close(): void {
    if (!labs.delete(this)) return
    for (const name of namespaces()) if (name.startsWith(`${this.#name}-`)) deleteNamespace(name)
  }

  get #switch(): string {
    return this.#namespace('switch')
  }

  #namespace(host: string): string {
    return `${this.#name}-${host}`
  }

  #port(name: string): string {
    const at = [...this.#hosts.keys()].indexOf(name)
    if (at < 0) throw new Error(`there is no host ${name}`)
    return `p${at}`
  }
}

/** Removes what runs have left that were killed, with the processes in it. */
function removeAbandoned(): void {
  for (const name of namespaces()) {
    const maker = new RegExp(`^${prefix}-(\\d+)-`).exec(name)?.[1]
    if (maker === undefined || isAlive(Number(maker))) continue
    for (const pid of lines(spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).stdout)) {
      if (isAlive(Number(pid))) process.kill(Number(pid), 'SIGKILL')
    }
    deleteNamespace(name)
  }
}

function namespaces(): string[] {
  // A name may be followed by an id: `name (id: 3)`.
  return lines(ip('netns', 'list')).map(line => line.split(' ')[0] ?? '')
}

function deleteNamespace(name: string): void {
  // Somebody else may sweep at the same time.
  spawnSync('ip', ['netns', 'delete', name])
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function ip(...words: string[]): string {
  const { status, stdout, stderr, error } = spawnSync('ip', words, { encoding: 'utf8', timeout: 10_000 })
  if (status !== 0) throw new Error(`ip ${words.join(' ')}: ${error?.message ?? stderr}`)
  return stdout
}

function lines(text: string): string[] {
  return text.split('\n').filter(line => line !== '')
}

process.on('exit', () => {
  for (const lab of [...labs]) lab.close()
})
