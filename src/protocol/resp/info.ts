/** INFO: what a node tells of itself, in Redis's sections and with two of its own. */
import type { ClusterStatus } from '../request.js'
import { addressOf, fieldLines, leaderOf, replicasOf, shownId, termOf } from './cluster-view.js'
import { redisVersion } from './connection-commands.js'
import type { ServerFacts } from './conversation.js'

/** What INFO is made of; what is not known is undefined. */
export interface InfoSources {
  readonly facts: ServerFacts
  /** The node's own client address. */
  readonly address: string
  readonly status: ClusterStatus | undefined
  readonly keys: { readonly count: number; readonly expiring: number } | undefined
}

type Fields = Readonly<Record<string, string | number>>

/** Each section, by its name in INFO. */
const sections: Readonly<Record<string, (sources: InfoSources) => Fields>> = {
  Server: ({ facts, status }) => ({
    redis_version: redisVersion,
    redis_mode: status?.engine === 'ring' ? 'standalone' : 'cluster',
    quorate_version: facts.version,
    quorate_engine: status?.engine ?? 'unknown',
    process_id: facts.processId,
    tcp_port: facts.port,
    server_time_usec: Math.round(facts.wallMs * 1000),
    uptime_in_seconds: Math.floor(facts.uptimeMs / 1000),
    uptime_in_days: Math.floor(facts.uptimeMs / 86_400_000),
  }),
  Clients: ({ facts }) => ({
    connected_clients: facts.connections,
    maxclients: facts.connectionsMax,
    blocked_clients: 0,
  }),
  Memory: ({ facts }) => ({
    used_memory: facts.heapBytes,
    used_memory_human: human(facts.heapBytes),
    used_memory_rss: facts.residentBytes,
    used_memory_rss_human: human(facts.residentBytes),
    maxmemory: 0,
    maxmemory_human: '0B',
    maxmemory_policy: 'noeviction',
  }),
  Persistence: () => ({
    loading: 0,
    async_loading: 0,
    // What is acknowledged is on the disks of a majority: in Redis's words, an append-only file synced always.
    aof_enabled: 1,
    aof_last_write_status: 'ok',
    rdb_bgsave_in_progress: 0,
    rdb_last_bgsave_status: 'ok',
  }),
  Stats: ({ facts }) => ({
    total_connections_received: facts.connectionsReceived,
    total_commands_processed: facts.commandsProcessed,
    evicted_keys: 0,
    pubsub_channels: 0,
  }),
  Replication: replication,
  CPU: ({ facts }) => ({
    used_cpu_sys: (facts.cpuSystemMs / 1000).toFixed(6),
    used_cpu_user: (facts.cpuUserMs / 1000).toFixed(6),
  }),
  Cluster: ({ status }) => ({ cluster_enabled: status?.engine === 'ring' ? 0 : 1 }),
  Raft: raft,
  Keyspace: ({ keys }) => (keys ? { db0: `keys=${keys.count},expires=${keys.expiring},avg_ttl=0` } : {}),
}

/** The sections asked for, by their names in any case; none, `all`, `default` or `everything`: all of them. */
export function infoText(names: readonly string[], sources: InfoSources): string {
  const wanted = new Set(names.map(name => name.toLowerCase()))
  const isAll = wanted.size === 0 || ['all', 'default', 'everything'].some(name => wanted.has(name))
  return Object.entries(sections)
    .filter(([name]) => isAll || wanted.has(name.toLowerCase()))
    .map(([name, fieldsOf]) => `# ${name}\r\n${fieldLines(fieldsOf(sources))}`)
    .join('\r\n')
}

function replication({ status, address }: InfoSources): Fields {
  // Without a leader every node takes every write.
  if (status?.engine === 'ring') return { role: 'master', connected_slaves: 0 }
  const leader = status && leaderOf(status)
  const own = status?.members.find(member => member.address === address)
  const offset = own?.appliedIndex ?? 0
  if (status === undefined || leader === undefined || leader.address !== address) {
    const at = leader === undefined ? undefined : addressOf(leader)
    return {
      role: 'slave',
      master_host: at?.host ?? '',
      master_port: at?.port ?? 0,
      master_link_status: leader === undefined ? 'down' : 'up',
      master_sync_in_progress: own?.inSync === false && leader !== undefined ? 1 : 0,
      slave_repl_offset: offset,
      // Writes are passed on to the leader.
      slave_read_only: 0,
      connected_slaves: 0,
      master_repl_offset: offset,
    }
  }
  const replicas = replicasOf(status)
  const lines = replicas.map((member, position) => {
    const { host, port } = addressOf(member)
    const lag = Math.floor((member.lastHeardMs ?? 0) / 1000)
    const offset = member.lastIndex ?? 0
    return [`slave${position}`, `ip=${host},port=${port},state=online,offset=${offset},lag=${lag}`] as const
  })
  return {
    role: 'master',
    connected_slaves: replicas.length,
    ...Object.fromEntries(lines),
    master_replid: shownId(leader.id),
    master_repl_offset: offset,
  }
}

function raft({ status, address }: InfoSources): Fields {
  if (status === undefined || status.engine !== 'raft') return {}
  const own = status.members.find(member => member.address === address)
  const { leader, members, canLose } = status
  return {
    raft_role: own?.role ?? 'unknown',
    raft_term: termOf(status),
    raft_leader: leader ?? '',
    raft_last_index: own?.lastIndex ?? 0,
    raft_applied_index: own?.appliedIndex ?? 0,
    raft_nodes: members.length,
    raft_nodes_active: members.filter(({ active }) => active).length,
    raft_nodes_in_sync: members.filter(({ inSync }) => inSync).length,
    raft_nodes_can_be_lost: canLose,
  }
}

/** A size as Redis shows it to people. */
function human(bytes: number): string {
  const units = ['B', 'K', 'M', 'G', 'T']
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10))
  return power === 0 ? `${bytes}B` : `${(bytes / 1024 ** power).toFixed(2)}${units[power]}`
}
