/** What stands beside the table in a checkpoint or snapshot: where in the log it is, and who was a member. */
import { logIndex, term } from '../base/ids.js'
import { decodeConfiguration, encodeConfiguration } from '../raft/configuration.js'
import type { LogPosition } from '../raft/log.js'
import type { Configuration } from '../raft/types.js'

export interface CheckpointMeta {
  /** The last entry that the table holds. */
  readonly position: LogPosition
  readonly configuration: Configuration
  /** The state machine's clock and sessions. */
  readonly state: unknown
}

/** The bytes that stand beside the rows: JSON in UTF-8, without a newline. */
export function encodeMeta(meta: CheckpointMeta): Uint8Array {
  const { position, configuration, state } = meta
  const plain = {
    ...position,
    configuration: Buffer.from(encodeConfiguration(configuration)).toString(),
    state,
  }
  return Buffer.from(JSON.stringify(plain))
}

/** Reads what {@link encodeMeta} made; undefined if the bytes are anything else. */
export function decodeMeta(bytes: Uint8Array): CheckpointMeta | undefined {
  try {
    const plain = JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>
    const { index, term: lastTerm, configuration: encoded, state } = plain
    if (typeof index !== 'number' || typeof lastTerm !== 'number' || typeof encoded !== 'string')
      return undefined
    const configuration = decodeConfiguration(Buffer.from(encoded))
    if (configuration === undefined || state === undefined) return undefined
    return { position: { index: logIndex(index), term: term(lastTerm) }, configuration, state }
  } catch {
    return undefined
  }
}
