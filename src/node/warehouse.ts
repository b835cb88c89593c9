/**
 * Warehouse 13 is a preset over the same node: keys are UUIDs of version 4, the client port speaks its words, and a
 * replication factor belongs to the cluster.
 */
import { validate, version } from 'uuid'
import type { ClusterStatus, Request } from '../protocol/request.js'
import { type Failure, failure } from '../protocol/request.js'
import { quorateText, type TextDialect } from '../protocol/text-dialect.js'
import { type KeyRule, warehouseText } from '../protocol/warehouse.js'
import type { NodeConfig, Program } from './config.js'
import { flags } from './flags.js'
import { mapKeys } from './request-keys.js'
import { readSettings, type SettingTable } from './settings.js'

/** The settings of `warehouse`: those of a node, with the defaults of a document store. */
const warehouseFlags = {
  ...flags,
  port: { ...flags.port, default: '8765', reason: 'The port that its client asks for first.' },
  engine: {
    ...flags.engine,
    defaultShown: 'ring, or what the data directory says',
    reason: 'A warehouse is to be open as long as one instance lives.',
    summary:
      'Chosen when the cluster is created: ring serves down to the last instance, raft needs a majority',
  },
  'replication-factor': {
    ...flags['replication-factor'],
    defaultShown: '2, or what the data directory says',
    reason: 'Two copies outlive the loss of one.',
    summary: 'Copies of each entry, the same for all instances; fewer instances than that are warned of',
  },
  'node-timeout': {
    ...flags['node-timeout'],
    summary: 'Silence after which an instance is shown dead; on the ring the others then copy what it kept',
  },
  evict: {
    ...flags.evict,
    defaultShown: 'on; --no-evict for off',
    reason: 'Each entry is to have its copies among the living.',
    summary: 'Ring: the others take over the share of a dead instance until it is back',
  },
} as const satisfies SettingTable

/** The program `warehouse`. */
export const warehouseProgram: Program = {
  name: 'warehouse',
  introduction: 'One instance of the Warehouse 13 database: documents under UUID4 keys.',
  flags: warehouseFlags,
  read: sources => readSettings(warehouseFlags, sources),
}

/** What a preset changes in the answers of a node. */
export interface Preset {
  /** The dialect of the client port. */
  readonly text: TextDialect
  /** The request with its keys in the form in which they are kept, or why it is refused; for every dialect. */
  check(request: Request): Request | Failure
  /** What the cluster's state looks like to clients. */
  decorate(status: ClusterStatus): ClusterStatus
}

/** The preset of a node. */
export function presetOf({ preset, replicationFactor }: NodeConfig): Preset {
  if (preset === 'quorate') {
    return { text: quorateText, check: request => request, decorate: status => status }
  }
  return {
    text: warehouseText(uuid4Rule),
    check: request => {
      const refusals: Failure[] = []
      const checked = mapKeys(request, typed => {
        const key = uuid4Rule(typed)
        if (typeof key === 'string') return key
        refusals.push(key)
        return typed
      })
      return refusals[0] ?? checked
    },
    decorate: status => warehouseStatus(status, replicationFactor ?? 1),
  }
}

/** A key is a UUID of version 4 and the usual variant; it is kept in lower case, so that either case finds it. */
export const uuid4Rule: KeyRule = key =>
  validate(key) && version(key) === 4 ? key.toLowerCase() : failure('KEY_NOT_UUID4')

/** Clients are warned of one thing: that there are not enough instances for the copies that were asked for. */
function warehouseStatus(status: ClusterStatus, started: number): ClusterStatus {
  const replicationFactor = status.engine === 'ring' ? status.replicationFactor : started
  const size = status.members.filter(({ active }) => active).length
  // A node that belongs to no cluster yet cannot know.
  const isSmall = status.members.length > 0 && size < replicationFactor
  const warning = `cluster size (${size}) is smaller than a replication factor (${replicationFactor})!`
  return { ...status, replicationFactor, warnings: isSmall ? [warning] : [] }
}
