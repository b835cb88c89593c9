/** What a node tells clients of the Redis protocol of itself and of its other clients. */
import type { Engine } from '../protocol/commands.js'
import type { ClientFacts, RespHost, ServerFacts } from '../protocol/resp/conversation.js'

/** Where the facts come from. */
export interface FactSources {
  readonly engine: Engine
  /** Where clients reach this node, in full `host:port` form. */
  readonly address: () => string
  readonly version: string
  readonly port: () => number
  readonly wordBytesMax: number
  readonly connectionsMax: number
  readonly counts: () => Pick<ServerFacts, 'connections' | 'connectionsReceived' | 'commandsProcessed'>
  readonly clients: () => readonly ClientFacts[]
}

/** The node as commands of the Redis protocol see it, with what the process tells of itself. */
export function respHost(sources: FactSources): RespHost {
  const { engine, wordBytesMax, version, connectionsMax } = sources
  return {
    engine,
    wordBytesMax,
    get address() {
      return sources.address()
    },
    clients: sources.clients,
    facts: () => {
      const { rss, heapUsed, external } = process.memoryUsage()
      const cpu = process.cpuUsage()
      return {
        version,
        processId: process.pid,
        port: sources.port(),
        wallMs: Date.now(),
        uptimeMs: process.uptime() * 1000,
        residentBytes: rss,
        heapBytes: heapUsed + external,
        cpuUserMs: cpu.user / 1000,
        cpuSystemMs: cpu.system / 1000,
        connectionsMax,
        ...sources.counts(),
      }
    },
  }
}
