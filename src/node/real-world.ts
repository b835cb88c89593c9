/** The real world of a node: a data directory, TCP, the clocks of the machine. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import type { Clock } from '../base/clock.js'
import type { NodeId } from '../base/ids.js'
import { askControl } from '../net/control-client.js'
import { openPeerChannel } from '../net/peer-channel.js'
import { peerLimits } from '../net/peer-limits.js'
import type { ConsensusOptions } from '../replica/consensus.js'
import type { LeaderlessOptions } from '../replica/leaderless.js'
import type { DataDirectory } from '../storage/data-directory.js'
import { openLmdbTable } from '../storage/lmdb-table.js'
import { realDisk } from '../storage/real-disk.js'
import { copiesDefault, type NodeConfig } from './config.js'
import { openConsensus } from './consensus-engine.js'
import { foundConsensus, writeLoneConfiguration } from './consensus-founding.js'
import { type HostParts, openHost } from './host.js'
import { plainIdentity, readIdentity } from './identity.js'
import { foundLeaderless, openLeaderless } from './leaderless-engine.js'
import type { Logger } from './logger.js'
import type { NodeWorld } from './world.js'

/** How long a node waits for another one's answer before they are peers. */
const askTimeoutMs = 3000
/** The tick of the replica: what times are counted in. */
const tickMs = 10

/** The clocks and timers of this machine. A task that waits keeps the process from ending by itself. */
export const realClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, task) => {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  },
  soon: task => {
    setImmediate(task)
  },
}

const ticks = (ms: number): number => Math.max(1, Math.round(ms / tickMs))

/** What a consensus replica is told of times and sizes. */
export function consensusOptions(config: NodeConfig): ConsensusOptions {
  return {
    tickMs,
    electionTicks: ticks(config.electionTimeoutMs),
    heartbeatTicks: ticks(config.heartbeatIntervalMs),
    requestTicks: ticks(config.requestTimeoutMs),
    appendBytesMax: 1024 * 1024,
    appendsInFlightMax: 2,
    snapshotChunkBytes: 512 * 1024,
    // With twice as much, writes cost somewhat less, memory and a restart more (docs/performance.md).
    checkpointBytes: 32 * 1024 * 1024,
    logKeepBytes: 16 * 1024 * 1024,
    applySlice: 2000,
    answerSlice: 1024 * 1024,
    proposedBytesMax: 64 * 1024 * 1024,
  }
}

/** What a leaderless replica is told of times and sizes. */
export function leaderlessOptions(config: NodeConfig): LeaderlessOptions {
  const { heartbeatIntervalMs, electionTimeoutMs, requestTimeoutMs } = config
  return {
    tickMs,
    // A document has one version.
    ordered: config.preset === 'warehouse',
    gossipTicks: ticks(heartbeatIntervalMs),
    silentTicks: ticks(electionTimeoutMs),
    deadTicks: ticks(config.nodeTimeoutMs),
    evict: config.evict,
    // Long enough for a busy machine; a client waits for that once, since what was learnt of a failure is kept.
    copyTicks: ticks(Math.min(electionTimeoutMs / 2, requestTimeoutMs / 4)),
    requestTicks: ticks(requestTimeoutMs),
    repairTicks: ticks(electionTimeoutMs),
    // A digest of each goes into one message; a node that joins asks for all of its share so many at a time.
    rangesPerRepair: 512,
    rowsPerMessage: 500,
    bytesPerMessage: 512 * 1024,
    hintsMax: 100_000,
    requestsMax: 10_000,
    versionsWarning: 25,
    versionsMax: 100,
    valueBytesMax: 4 * 1024 * 1024,
    // Two such records that a division grew apart still fit in one line of the peer channel, as base64 too.
    recordBytesMax: 16 * 1024 * 1024,
    pastMax: 20,
    checkpointBytes: 32 * 1024 * 1024,
  }
}

/** The world of a node that keeps its data in `directory`. */
export function realWorld(config: NodeConfig, directory: DataDirectory, log: Logger): NodeWorld {
  const { path: top, disk: topDisk, identity: file } = directory
  const placeOf = (node: NodeId): string => path.join(top, `node-${node}`)
  const openDisk = (node: NodeId) => {
    mkdirSync(placeOf(node), { recursive: true })
    topDisk.flushDirectory()
    return realDisk(placeOf(node))
  }
  const openFiles = (node: NodeId) => {
    return { clock: realClock, disk: openDisk(node), table: openLmdbTable(placeOf(node)) }
  }
  return {
    clock: realClock,
    log,
    ask: (address, message) => askControl(address, message, askTimeoutMs),
    loadIdentity: () => {
      const plain = file.load()
      if (plain === undefined) return undefined
      const identity = readIdentity(plain)
      if (identity === undefined) throw new Error(`${path.join(top, 'identity.json')} is of another version.`)
      return identity
    },
    storeIdentity: identity => file.store(plainIdentity(identity)),
    openHost: (self, cluster, events) => {
      const openTransport: HostParts<unknown, unknown>['openTransport'] = (hello, told) =>
        openPeerChannel({
          hello,
          host: config.listenHost,
          port: config.peerPort,
          events: told,
          // A connection on which no heartbeat gets through for as long as that is of no use to the replica.
          limits: { pingMs: config.electionTimeoutMs / peerLimits.pingsUnansweredMax },
        })
      const common = { self, cluster, clock: realClock, tickMs, openTransport }
      const parts = { self, ...openFiles(self.id) }
      if (config.engine === 'raft') {
        const options = consensusOptions(config)
        return openHost(
          { ...common, openEngine: told => openConsensus({ ...parts, ...told }, options) },
          events,
        )
      }
      const options = leaderlessOptions(config)
      return openHost(
        { ...common, openEngine: told => openLeaderless({ ...parts, ...told }, options) },
        events,
      )
    },
    writeFoundation: (self, members) => {
      rmSync(placeOf(self.id), { recursive: true, force: true })
      if (config.engine === 'raft') {
        return foundConsensus(members, config.reads, { clock: realClock, disk: openDisk(self.id) })
      }
      const copies = config.replicationFactor ?? copiesDefault
      return foundLeaderless({ self, members, copies }, openFiles(self.id), leaderlessOptions(config))
    },
    writeLoneConfiguration: self => writeLoneConfiguration(self, openFiles(self.id)),
    forgetOthers: node => {
      for (const name of readdirSync(top)) {
        const isOther = name.startsWith('node-') && name !== `node-${node}`
        if (isOther) rmSync(path.join(top, name), { recursive: true, force: true })
      }
    },
  }
}
