/** One node of a simulated cluster: a Raft core, the disk below it, and a state machine that keeps a list. */
import { present } from '../../src/base/assert.js'
import { type LogIndex, logIndex, type NodeId } from '../../src/base/ids.js'
import type { Random } from '../../src/base/random.js'
import { Raft, type RaftOutput } from '../../src/raft/raft.js'
import type { RaftOptions } from '../../src/raft/types.js'
import { decodeMeta, type NodeDisk } from './node-disk.js'

/** Short times, so that a scenario's ticks can be counted by eye; small appends, so that there are several. */
export const options: RaftOptions = {
  electionTicks: 10,
  heartbeatTicks: 3,
  appendBytesMax: 12,
  appendsInFlightMax: 2,
  snapshotChunkBytes: 100,
}

export class SimulatedNode {
  readonly id: NodeId
  readonly disk: NodeDisk
  readonly raft: Raft
  /** The commands applied, in order. */
  rows: string[]
  /** The batch that waits for the disk, and what leaves after it. */
  flushing: Pick<RaftOutput, 'save' | 'send'> | undefined
  /** What was last told of it; see report.ts. */
  told = ''
  toldCommit: LogIndex

  /** Starts with what the disk holds. */
  constructor(id: NodeId, disk: NodeDisk, random: Random) {
    this.id = id
    this.disk = disk
    const { state, log, table } = disk.recover()
    this.rows = [...table.rows]
    this.toldCommit = table.position.index
    this.raft = new Raft(
      { id, state, log, applied: table.position.index },
      {
        random,
        options,
        openSnapshot: () => disk.openSnapshot(),
        configurationOf: meta => decodeMeta(meta)?.configuration,
      },
    )
  }

  /** Applies what may be applied. */
  apply(): void {
    const { raft } = this
    let { appliedIndex } = raft.view
    while (appliedIndex < raft.applicableIndex) {
      appliedIndex = logIndex(appliedIndex + 1)
      const entry = present(raft.view.log.entry(appliedIndex), 'the entry to apply')
      if (entry.kind === 'command') this.rows.push(Buffer.from(entry.data).toString())
      raft.noteApplied(appliedIndex)
    }
  }

  /** The batch is on the disk. */
  finishFlush(): Pick<RaftOutput, 'save' | 'send'> {
    const flushed = present(this.flushing, 'a flush that is under way')
    this.flushing = undefined
    this.disk.save(flushed.save)
    this.raft.saved()
    return flushed
  }

  /** A snapshot took the place of the table. */
  takeOverTable(): void {
    const { position, rows } = this.disk.table
    this.rows = [...rows]
    this.raft.noteApplied(position.index)
  }

  /** Makes a checkpoint of what is applied, then forgets the log up to `index`. */
  compact(index: LogIndex): void {
    const { appliedIndex, log } = this.raft.view
    const position = { index: appliedIndex, term: present(log.termAt(appliedIndex), 'the last applied term') }
    this.disk.checkpoint({
      position,
      configuration: log.configurationAt(appliedIndex),
      rows: [...this.rows],
    })
    this.raft.compact(index)
    this.disk.compact(index)
  }
}
