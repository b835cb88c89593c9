/** The disk of one simulated node: journal records and a table, as the real store keeps them. */
import { present } from '../../src/base/assert.js'
import { type LogIndex, logIndex, type Term, term } from '../../src/base/ids.js'
import { decodeConfiguration, encodeConfiguration } from '../../src/raft/configuration.js'
import type { Log, LogPosition } from '../../src/raft/log.js'
import { beginning } from '../../src/raft/raft.js'
import type { Configuration, HardState, OutgoingSnapshot, RaftSaved } from '../../src/raft/types.js'
import {
  entryRecords,
  Recovery,
  resetRecord,
  type SavedRecord,
  stateRecord,
} from '../../src/replica/saved.js'

/** The state machine's state at one moment: the commands applied so far, in order. */
export interface Table {
  readonly position: LogPosition
  readonly configuration: Configuration
  readonly rows: readonly string[]
}

/** What a restart finds. */
export interface Recovered {
  readonly state: HardState
  readonly log: Log
  readonly table: Table
}

/** How many commands one piece of a snapshot holds. */
const rowsPerPiece = 2

export class NodeDisk {
  #table: Table
  #records: SavedRecord[] = []
  /** The snapshot that is being received. */
  #building: string[] = []
  /** Snapshots that are being sent and not closed. */
  openSnapshots = 0

  /** The disk of a node whose log begins with `configuration` in force. */
  constructor(configuration: Configuration) {
    this.#table = { position: beginning, configuration, rows: [] }
  }

  get table(): Table {
    return this.#table
  }

  save(batch: readonly RaftSaved[]): void {
    for (const saved of batch) {
      switch (saved.kind) {
        case 'state':
          this.#records.push(stateRecord(saved.state))
          break
        case 'entries':
          this.#records.push(...entryRecords(saved.entries))
          break
        case 'reset':
          this.#records.push(resetRecord(saved))
          break
        case 'snapshot-begin':
          this.#building = []
          break
        case 'snapshot-rows':
          this.#building.push(...(JSON.parse(Buffer.from(saved.data).toString()) as string[]))
          break
        case 'snapshot-end':
          this.#table = { ...present(decodeMeta(saved.meta), 'meta'), rows: this.#building }
          this.#building = []
          break
      }
    }
  }

  checkpoint(table: Table): void {
    this.#table = table
  }

  /** Gives up records at the front that belong to entries up to `index`, as the journal does. */
  compact(index: LogIndex): void {
    const { state } = this.recover()
    const kept = this.#records.findIndex(record => record.index > index)
    this.#records = [stateRecord(state), ...(kept < 0 ? [] : this.#records.slice(kept))]
  }

  recover(): Recovered {
    const recovery = new Recovery()
    for (const { kind, index, parts } of this.#records) recovery.replay(kind, index, Buffer.concat(parts))
    const log = recovery.log(this.#table.position, this.#table.configuration)
    return { state: recovery.state, log, table: this.#table }
  }

  openSnapshot(): OutgoingSnapshot | undefined {
    const { position, configuration, rows } = this.#table
    if (position.index === 0) return undefined
    let sent = 0
    this.openSnapshots++
    return {
      ...position,
      next: () => {
        const piece = rows.slice(sent, sent + rowsPerPiece)
        sent += piece.length
        const meta = sent < rows.length ? undefined : encodeMeta(position, configuration)
        return { data: Buffer.from(JSON.stringify(piece)), meta }
      },
      close: () => {
        this.openSnapshots--
      },
    }
  }
}

function encodeMeta(position: LogPosition, configuration: Configuration): Uint8Array {
  return Buffer.from(JSON.stringify([position, Buffer.from(encodeConfiguration(configuration)).toString()]))
}

/** Reads the meta of a snapshot; undefined if the bytes are anything else. */
export function decodeMeta(bytes: Uint8Array): Omit<Table, 'rows'> | undefined {
  try {
    const [position, encoded] = JSON.parse(Buffer.from(bytes).toString()) as [
      { index: number; term: number },
      string,
    ]
    const configuration = present(decodeConfiguration(Buffer.from(encoded)), 'a configuration')
    const lastTerm: Term = term(position.term)
    return { position: { index: logIndex(position.index), term: lastTerm }, configuration }
  } catch {
    return undefined
  }
}
