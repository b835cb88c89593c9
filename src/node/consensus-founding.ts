/** What is written to the disk of a node before its consensus engine runs: the first entry, or one beside all safety. */
import type { Clock } from '../base/clock.js'
import { logIndex, type Member, term } from '../base/ids.js'
import type { TableStore } from '../kv/table.js'
import { encodeConfiguration, firstConfiguration } from '../raft/configuration.js'
import type { Entry, ReadMode } from '../raft/types.js'
import { entryRecords, stateRecord } from '../replica/saved.js'
import type { Disk } from '../storage/disk.js'
import { openJournal } from '../storage/journal.js'
import { openConsensusStore } from './consensus-store.js'

/** Writes the first entry of a new cluster of these members to an empty disk, durably. */
export function foundConsensus(
  members: readonly Member[],
  reads: ReadMode,
  files: { readonly clock: Clock; readonly disk: Disk },
): Promise<void> {
  const entry = configurationEntry(1, 1, members, reads)
  return new Promise((resolve, reject) => {
    const unexpected = { head: () => [], onDiskState: () => {}, onFailure: reject }
    const journal = openJournal(files.disk, { clock: files.clock, ...unexpected }, () => {})
    const records = [stateRecord({ term: entry.term, votedFor: undefined }), ...entryRecords([entry])]
    journal.save(records, 'inline', error => {
      journal.close()
      if (error === undefined) resolve()
      else reject(error)
    })
  })
}

/** Appends, beside all safety, an entry to the node's log that makes it the only member of its cluster. */
export function writeLoneConfiguration(
  self: Member,
  files: { readonly clock: Clock; readonly disk: Disk; readonly table: TableStore },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const told = { clock: files.clock, onDiskState: () => {}, onFailure: reject }
    const { store, state, log } = openConsensusStore(files.disk, files.table, told)
    // A term of its own, so that this entry is not one that a leader of the old cluster could have made.
    const entryTerm = Math.max(state.term, log.lastTerm) + 1
    const entry = configurationEntry(log.lastIndex + 1, entryTerm, [self], log.configuration.reads)
    const saved = [
      { kind: 'state', state: { term: entry.term, votedFor: undefined } },
      { kind: 'entries', entries: [entry] },
    ] as const
    store.save(saved, 'inline', error => {
      store.close()
      if (error === undefined) resolve()
      else reject(error)
    })
  })
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
