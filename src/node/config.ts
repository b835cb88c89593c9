/**
 * The configuration of a node: read once, checked whole, then passed as a value. The table of settings is in
 * flags.ts, how they are read from flags, environment and file in settings.ts; here is what they mean together.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { formatAddress, parseAddress } from '../protocol/address.js'
import type { Engine } from '../protocol/commands.js'
import { flags, helpText, peerPortOffset } from './flags.js'
import { isUnbound, type KeptIdentity, readIdentity } from './identity.js'
import {
  readSettings,
  SettingError,
  type SettingProblem,
  type SettingSources,
  type SettingTable,
  type SettingValues,
  wantsHelp,
} from './settings.js'
import { programVersion } from './version.js'

/** Everything that a node is told at its start. Addresses are in full `host:port` form. */
export interface NodeConfig {
  readonly engine: Engine
  /** Which words the client port speaks, and what may be a key. */
  readonly preset: PresetName
  /** How many copies of each key the cluster is to have; undefined where nobody said so. Every member says the same. */
  readonly replicationFactor: number | undefined
  /** Whether dead members are left out of the ring. */
  readonly evict: boolean
  /** What both ports listen on: a host name or an IP address, without brackets. */
  readonly listenHost: string
  readonly port: number
  readonly peerPort: number
  /** Where clients reach this node: its name in the cluster. */
  readonly address: string
  /** Where the other nodes reach it. */
  readonly peerAddress: string
  /** An absolute path; it need not exist. */
  readonly dataDirectory: string
  /** Members to ask for admission at the first start; empty without `--join`. */
  readonly join: readonly string[]
  /** The nodes to form a cluster with at the first start, in the order given; empty without `--cluster`. */
  readonly cluster: readonly string[]
  /** The majority of its cluster is lost for good: this node goes on alone, as a new cluster. */
  readonly forceNewCluster: boolean
  readonly electionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly requestTimeoutMs: number
  readonly nodeTimeoutMs: number
  /** How the cluster reads, if this node founds it; the log decides afterwards. */
  readonly reads: 'linearizable' | 'lease'
  readonly lineBytesMax: number
  readonly connectionsMax: number
  readonly logLevel: LogLevel
  /** The line that greets each connection, if any. */
  readonly banner: string | undefined
}

/** The programs that run a node. They differ in their flags, and in what their client port speaks. */
export type PresetName = 'quorate' | 'warehouse'

/** A program that runs a node. */
export interface Program {
  readonly name: PresetName
  readonly introduction: string
  /** For the help. */
  readonly flags: SettingTable
  /** Reads the settings: those of `quorate`, with other defaults perhaps. */
  read(sources: SettingSources): Settings
}

/** What is written to the log: this level and the graver ones. */
export type LogLevel = Settings['log-level']

/** What the program was asked to do. */
export type ConfigResult =
  | { readonly kind: 'run'; readonly config: NodeConfig }
  /** Print this and end well: the help, or the version. */
  | { readonly kind: 'print'; readonly text: string }

/** Where a configuration comes from. */
export interface ConfigSources extends SettingSources {
  /**
   * Whether the data directory is still without a word on which cluster the node belongs to. If it is not,
   * `--join` and `--cluster` no longer matter and are not checked, so that they can stay on the command line
   * however the cluster has changed since. Left out: whether the directory is missing or empty, or its node bound
   * to nobody yet.
   */
  readonly isFirstStart?: (dataDirectory: string) => boolean
  /** The engine that a data directory was begun with, if it was. Left out: it is looked up there. */
  readonly engineOf?: (dataDirectory: string) => Engine | undefined
  /** The replication factor that a member's data directory was begun with. Left out: it is looked up there. */
  readonly replicationFactorOf?: (dataDirectory: string) => number | undefined
}

/** How many copies of each entry a warehouse has unless it is told another number. */
const warehouseCopiesDefault = 2

/** How many copies of each key a ring has unless it is founded with another number. */
export const copiesDefault = 3

/** An election timeout has to forgive the loss of a heartbeat or two. */
const heartbeatsPerElectionTimeout = 3

/** The settings of a node, as its program reads them. */
export type Settings = SettingValues<typeof flags>

/**
 * Reads and checks the configuration.
 * @throws SettingError
 */
export function readConfig(sources: ConfigSources, program: Program = quorateProgram): ConfigResult {
  const { introduction, name } = program
  if (wantsHelp(sources.argv)) {
    return { kind: 'print', text: helpText(introduction, `${name} [flags]`, program.flags) }
  }
  const settings = program.read(sources)
  if (settings.version === true) return { kind: 'print', text: programVersion() }
  const config = configOf(settings, program.name, sources)
  refuseConflicts(config)
  refuseOtherEngines(config)
  if ((sources.isFirstStart ?? isWithoutCluster)(config.dataDirectory)) refuseFoundingConflicts(config)
  return { kind: 'run', config }
}

const quorateProgram: Program = {
  name: 'quorate',
  introduction: 'One node of a replicated key-value database that anyone can use with netcat.',
  flags,
  read: sources => readSettings(flags, sources),
}

function configOf(
  settings: Settings,
  preset: PresetName,
  { engineOf = keptEngine, replicationFactorOf = keptReplicationFactor }: ConfigSources,
): NodeConfig {
  const peerPort = settings['peer-port'] ?? settings.port + peerPortOffset
  if (peerPort > 65535) {
    refuse(
      'conflict',
      '--port',
      `--port ${settings.port} leaves no room for the peer port: give --peer-port.`,
    )
  }
  const advertised = advertisedAddress(settings)
  const dataDirectory = resolve(settings['data-dir'] ?? `data/${settings.port}`)
  const engine = settings.engine ?? engineOf(dataDirectory) ?? (preset === 'warehouse' ? 'ring' : 'raft')
  const copiesUnsaid =
    preset === 'warehouse' ? (replicationFactorOf(dataDirectory) ?? warehouseCopiesDefault) : undefined
  return {
    engine,
    preset,
    replicationFactor: settings['replication-factor'] ?? copiesUnsaid,
    evict: settings.evict ?? (preset === 'warehouse' && engine === 'ring'),
    listenHost: settings.host,
    port: settings.port,
    peerPort,
    address: formatAddress(advertised),
    peerAddress: formatAddress({ host: advertised.host, port: peerPort }),
    dataDirectory,
    join: settings.join ?? [],
    cluster: settings.cluster ?? [],
    forceNewCluster: settings['force-new-cluster'] === true,
    electionTimeoutMs: settings['election-timeout'],
    heartbeatIntervalMs: settings['heartbeat-interval'],
    requestTimeoutMs: settings['request-timeout'],
    nodeTimeoutMs: settings['node-timeout'],
    reads: settings.reads,
    lineBytesMax: settings['max-line'],
    connectionsMax: settings['max-connections'],
    logLevel: settings['log-level'],
    banner: settings.banner === '' ? undefined : settings.banner,
  }
}

/** Where others reach this node. An address without a port means the port that is listened on. */
function advertisedAddress({ host, port, advertise }: Settings): { host: string; port: number } {
  if (advertise === undefined) {
    if (isEveryAddress(host)) {
      refuse(
        'conflict',
        '--host',
        `--host ${host} listens on every address, so others cannot know which of them to use: ` +
          'give --advertise <host>, the address where they reach this node.',
      )
    }
    return { host, port }
  }
  const address = parseAddress(`${advertise}:${port}`) ?? parseAddress(advertise)
  if (address === undefined || isEveryAddress(address.host)) {
    refuse('bad-value', '--advertise', `--advertise ${advertise} is not an address that others can reach.`)
  }
  return address
}

/** Whether listening on this host means on every address: `0.0.0.0`, `::` and the other ways to write them. */
export function isEveryAddress(host: string): boolean {
  return /^(::ffff:)?[0.:]+$/.test(host)
}

/** What only the other engine has. */
function refuseOtherEngines(config: NodeConfig): void {
  const { engine, preset, replicationFactor, evict, reads, forceNewCluster } = config
  // A warehouse warns of fewer instances than that, whichever engine it runs.
  const isWarehouse = preset === 'warehouse'
  const isRing = engine === 'ring'
  const wrong: readonly (readonly [isGiven: boolean, setting: string])[] = [
    [!isRing && !isWarehouse && replicationFactor !== undefined, '--replication-factor'],
    [!isRing && evict, '--evict'],
    [isRing && reads === 'lease', '--reads'],
    [isRing && forceNewCluster, '--force-new-cluster'],
  ]
  const [, setting] = wrong.find(([isGiven]) => isGiven) ?? []
  if (setting === undefined) return
  const other = isRing ? 'raft' : 'ring'
  refuse('conflict', setting, `${setting} belongs to the ${other} engine, and this node runs ${engine}.`)
}

function refuseConflicts(config: NodeConfig): void {
  const { port, peerPort, electionTimeoutMs, heartbeatIntervalMs } = config
  if (port === peerPort) {
    refuse(
      'conflict',
      '--peer-port',
      `--port and --peer-port are both ${port}: clients and nodes need a port each.`,
    )
  }
  if (electionTimeoutMs < heartbeatsPerElectionTimeout * heartbeatIntervalMs) {
    refuse(
      'conflict',
      '--election-timeout',
      `--election-timeout ${electionTimeoutMs}ms is too short for --heartbeat-interval ${heartbeatIntervalMs}ms: ` +
        `it must be at least ${heartbeatsPerElectionTimeout} times as long.`,
    )
  }
  if (config.banner !== undefined && /[\r\n]/.test(config.banner)) {
    refuse('bad-value', '--banner', '--banner must be one line.')
  }
}

/** What only matters while the node does not belong to a cluster. */
function refuseFoundingConflicts({ join, cluster, address }: NodeConfig): void {
  if (join.length > 0 && cluster.length > 0) {
    refuse(
      'conflict',
      '--join',
      '--join and --cluster exclude each other: a node joins a cluster that exists, or forms a new one.',
    )
  }
  if (cluster.length > 0 && !cluster.includes(address)) {
    refuse(
      'conflict',
      '--cluster',
      `--cluster ${cluster.join(',')} does not contain this node, which is ${address}: ` +
        'every node is given the same list, itself included (--advertise says how it is reached).',
    )
  }
  if (join.includes(address)) {
    refuse('conflict', '--join', `--join ${address} is this node itself: name a member of the cluster.`)
  }
}

function keptEngine(directory: string): Engine | undefined {
  return keptIdentity(directory)?.engine
}

/** One that only waited to be added has nothing to go on with, so what it was told then does not count. */
function keptReplicationFactor(directory: string): number | undefined {
  const kept = keptIdentity(directory)
  return kept?.standing.kind === 'joining' ? undefined : kept?.replicationFactor
}

/** The identity in a data directory, if it can be read; whoever opens the directory checks the file itself. */
function keptIdentity(directory: string): KeptIdentity | undefined {
  try {
    const kept: unknown = JSON.parse(readFileSync(join(directory, 'identity.json'), 'utf8'))
    const value = typeof kept === 'object' && kept !== null && 'value' in kept ? kept.value : undefined
    return readIdentity(value)
  } catch {
    return undefined
  }
}

function isWithoutCluster(directory: string): boolean {
  const kept = keptIdentity(directory)
  return kept === undefined ? isMissingOrEmpty(directory) : isUnbound(kept.standing)
}

function isMissingOrEmpty(directory: string): boolean {
  try {
    // A file system's own folder is there before anything of ours.
    return readdirSync(directory).every(name => name === 'lost+found')
  } catch {
    return true
  }
}

function refuse(problem: SettingProblem, setting: string, message: string): never {
  throw new SettingError(problem, setting, message)
}
