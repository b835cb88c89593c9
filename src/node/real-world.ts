/** The real world of a node: a data directory, TCP, the clocks of the machine. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import type { Clock } from '../base/clock.js'
import { logIndex, type Member, type NodeId, term } from '../base/ids.js'
import { askControl } from '../net/control-client.js'
import { openPeerChannel } from '../net/peer-channel.js'
import { peerLimits } from '../net/peer-limits.js'
import { encodeConfiguration, firstConfiguration } from '../raft/configuration.js'
import type { Entry, ReadMode } from '../raft/types.js'
import type { ConsensusOptions } from '../replica/consensus.js'
import { entryRecord, stateRecord } from '../replica/saved.js'
import type { DataDirectory } from '../storage/data-directory.js'
import { openJournal } from '../storage/journal.js'
import { openLmdbTable } from '../storage/lmdb-table.js'
import { realDisk } from '../storage/real-disk.js'
import type { NodeConfig } from './config.js'
import { openConsensus } from './consensus-engine.js'
import { openConsensusStore } from './consensus-store.js'
import { type HostParts, openHost } from './host.js'
import { plainIdentity, readIdentity } from './identity.js'
import type { Logger } from './logger.js'
import type { NodeWorld } from './node.js'

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

/** What a replica is told of times and sizes. */
export function consensusOptions(config: NodeConfig): ConsensusOptions {
  const ticks = (ms: number): number => Math.max(1, Math.round(ms / tickMs))
  return {
    tickMs,
    electionTicks: ticks(config.electionTimeoutMs),
    heartbeatTicks: ticks(config.heartbeatIntervalMs),
    requestTicks: ticks(config.requestTimeoutMs),
    appendBytesMax: 1024 * 1024,
    appendsInFlightMax: 2,
    snapshotChunkBytes: 512 * 1024,
    checkpointBytes: 32 * 1024 * 1024,
    logKeepBytes: 16 * 1024 * 1024,
    applySlice: 2000,
    answerSlice: 1024 * 1024,
    proposedBytesMax: 64 * 1024 * 1024,
    carriedBytesMax: 16 * 1024,
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
      const parts = {
        self,
        clock: realClock,
        disk: openDisk(self.id),
        table: openLmdbTable(placeOf(self.id)),
      }
      const options = consensusOptions(config)
      return openHost(
        { ...common, openEngine: told => openConsensus({ ...parts, ...told }, options) },
        events,
      )
    },
    writeFoundation: (node, members) => {
      rmSync(placeOf(node), { recursive: true, force: true })
      const entry = configurationEntry(1, 1, members, config.reads)
      return new Promise((resolve, reject) => {
        const unexpected = { head: () => [], onDiskState: () => {}, onFailure: reject }
        const journal = openJournal(openDisk(node), { clock: realClock, ...unexpected }, () => {})
        const records = [stateRecord({ term: entry.term, votedFor: undefined }), entryRecord(entry)]
        journal.save(records, 'inline', error => {
          journal.close()
          if (error === undefined) resolve()
          else reject(error)
        })
      })
    },
    writeLoneConfiguration: self => {
      const disk = openDisk(self.id)
      const table = openLmdbTable(placeOf(self.id))
      return new Promise((resolve, reject) => {
        const unexpected = { onDiskState: () => {}, onFailure: reject }
        const {
          store,
          state,
          log: raftLog,
        } = openConsensusStore(disk, table, { clock: realClock, ...unexpected })
        // A term of its own, so that this entry is not one that a leader of the old cluster could have made.
        const entryTerm = Math.max(state.term, raftLog.lastTerm) + 1
        const entry = configurationEntry(
          raftLog.lastIndex + 1,
          entryTerm,
          [self],
          raftLog.configuration.reads,
        )
        const saved = [
          { kind: 'state', state: { term: entry.term, votedFor: undefined } },
          { kind: 'entry', entry },
        ] as const
        store.save(saved, 'inline', error => {
          store.close()
          if (error === undefined) resolve()
          else reject(error)
        })
      })
    },
    forgetOthers: node => {
      for (const name of readdirSync(top)) {
        const isOther = name.startsWith('node-') && name !== `node-${node}`
        if (isOther) rmSync(path.join(top, name), { recursive: true, force: true })
      }
    },
  }
}

/** An entry that makes these the members, all of them voters. */
function configurationEntry(
  index: number,
  inTerm: number,
  members: readonly Member[],
  reads: ReadMode,
): Entry {
  const data = encodeConfiguration(firstConfiguration(members, reads))
  return { index: logIndex(index), term: term(inTerm), kind: 'configuration', data }
}
