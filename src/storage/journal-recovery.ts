/**
 * Reading a journal back after a stop or a crash.
 *
 * Saves were made durable one after the other, so only the last one can be torn. It is recovered whole or not
 * at all. Where the records of the last segment stop to make sense there are two cases:
 *
 * - nothing behind that place belongs to a later save: the last save is torn, and is cut off. (Damage *within*
 *   the very last save looks exactly like this, and is treated alike.)
 * - something does: the place was durable once and is damaged now. The same holds for a segment that ends
 *   before the place which the next one's header names, and for a segment that is missing. Then
 *   {@link JournalDamaged} is thrown: records that were acknowledged are lost, and only a person, or the other
 *   members, can help.
 *
 * Recovery may itself be cut short at any point and begun again: it only ever writes zeros over what was cut
 * off, and over the last save the very bytes it holds.
 */
import type { Disk } from './disk.js'
import {
  aligned,
  lifeSeed,
  mayBeHeader,
  type RecordHeader,
  readBody,
  readHeader,
  recordAlignment,
  recordHeaderBytes,
} from './journal-record.js'
import {
  lifeInName,
  readSegmentHeader,
  type Segment,
  segmentHeaderBytes,
  segmentName,
  unfinishedName,
} from './journal-segment.js'

/** Called for every record in the order it was saved. `body` is a view of the bytes that were read. */
export type Replay = (kind: number, index: number, body: Uint8Array) => void

/** Thrown when records that were durable cannot be read. The message names file and offset, and what to do. */
export class JournalDamaged extends Error {
  override readonly name = 'JournalDamaged'
  readonly path: string
  readonly offset: number

  constructor(path: string, offset: number, what: string) {
    super(
      `The journal is damaged: file ${path}, offset ${offset}: ${what}. Records that had been stored safely are ` +
        'lost on this disk, so this node does not start. If the other members of its cluster live: remove this ' +
        'node there, empty its data directory and add it again. Otherwise restore the data directory from a ' +
        'back-up.',
    )
    this.path = path
    this.offset = offset
  }
}

/** What recovery found. */
export interface Recovered {
  /** Segments that hold records, the oldest first; the last one can be written on at its `end`. */
  readonly segments: readonly Segment[]
  /** The life that follows the last segment's. */
  readonly nextLife: number
  /** How many spares there are, with the lives from `nextLife` on. */
  readonly spares: number
}

interface Candidate {
  readonly life: number
  readonly path: string
  /** Undefined where the header was not written, or is damaged. */
  readonly header: { readonly previousEnd: number } | undefined
}

/**
 * Replays every record and leaves the files ready to be written on. Throws {@link JournalDamaged},
 * {@link JournalFormatUnknown} or what the disk throws; `replay` may have been called before that.
 */
export function recoverJournal(disk: Disk, segmentBytes: number, replay: Replay): Recovered {
  const candidates = findSegments(disk)
  const begun = countBegun(candidates)
  const segments: Segment[] = []
  for (const [position, candidate] of candidates.slice(0, begun).entries()) {
    const next = candidates[position + 1]
    const previous = candidates[position - 1]
    if (previous !== undefined && previous.life !== candidate.life - 1) {
      throw new JournalDamaged(segmentName(candidate.life - 1), 0, 'the file is missing')
    }
    const mustEnd = position < begun - 1 ? next?.header?.previousEnd : undefined
    const segment = recoverSegment(disk, candidate, mustEnd, replay)
    if (segment !== undefined) segments.push(segment)
  }
  const last = segments.at(-1)
  const nextLife = last === undefined ? (candidates[0]?.life ?? 1) : last.life + 1
  const spares = keepSpares(disk, candidates.slice(segments.length), nextLife, segmentBytes)
  return { segments, nextLife, spares }
}

function findSegments(disk: Disk): Candidate[] {
  const candidates: Candidate[] = []
  for (const name of disk.list()) {
    const life = lifeInName(name)
    if (life === undefined) continue
    const file = disk.open(name, false)
    const header = readSegmentHeader(file.read(0, segmentHeaderBytes), name, life)
    file.close()
    candidates.push({ life, path: name, header })
  }
  return candidates.sort((one, other) => one.life - other.life)
}

/** How many of the files, counted from the front, hold records; those behind them are spares. */
function countBegun(candidates: readonly Candidate[]): number {
  const begun = candidates.findLastIndex(candidate => candidate.header !== undefined) + 1
  const headless = candidates.slice(0, begun).find(candidate => candidate.header === undefined)
  if (headless !== undefined)
    throw new JournalDamaged(headless.path, 0, 'the header of the segment is damaged')
  return begun
}

/**
 * Reads one segment. One that others follow must hold complete saves up to `mustEnd`; the last one (`mustEnd`
 * undefined) is repaired, and undefined is returned if not even its first save is complete.
 */
function recoverSegment(
  disk: Disk,
  candidate: Candidate,
  mustEnd: number | undefined,
  replay: Replay,
): Segment | undefined {
  const { life, path } = candidate
  const contents = readWhole(disk, path)
  const size = Math.min(mustEnd ?? contents.length, contents.length)
  const parsed = parseSaves(contents, size, lifeSeed(life), replay)
  if (mustEnd !== undefined) {
    if (parsed.end !== mustEnd) throw new JournalDamaged(path, parsed.stopped, 'a record cannot be read')
  } else {
    const behind = searchBehind(contents, parsed.stopped, lifeSeed(life))
    if (behind === 'later save') {
      throw new JournalDamaged(path, parsed.stopped, 'a record cannot be read, but later ones can')
    }
    // Without a complete first save the segment was never begun: its head records must come first, always.
    if (parsed.end === segmentHeaderBytes) return undefined
    settleTail(disk, path, contents, parsed, behind === 'same save')
  }
  return { life, path, size: contents.length, end: parsed.end, indexMax: parsed.indexMax }
}

interface Parsed {
  /** Behind the last complete save. */
  readonly end: number
  readonly lastSaveStart: number
  /** Where reading stopped: `end`, or within the save that begins there. */
  readonly stopped: number
  readonly indexMax: number
}

/** Replays the complete saves at the front of a segment. */
function parseSaves(contents: Buffer, size: number, seed: number, replay: Replay): Parsed {
  let end = segmentHeaderBytes
  let lastSaveStart = segmentHeaderBytes
  let indexMax = 0
  let position = end
  let save: { header: RecordHeader; body: Uint8Array }[] = []
  for (;;) {
    const header = readHeader(contents, size, position, seed)
    if (header === undefined || header.saveStart !== end) break
    const body = readBody(contents, header)
    if (body === undefined) break
    save.push({ header, body })
    position = header.end
    if (!header.isLastOfSave) continue
    for (const record of save) {
      indexMax = Math.max(indexMax, record.header.index)
      replay(record.header.kind, record.header.index, record.body)
    }
    save = []
    lastSaveStart = end
    end = position
  }
  return { end, lastSaveStart, stopped: position, indexMax }
}

/**
 * Whether records of this life stand at or behind `stopped`, and of which save. A header is enough: a later
 * save was begun only when the one before it was durable.
 */
function searchBehind(
  contents: Buffer,
  stopped: number,
  seed: number,
): 'nothing' | 'same save' | 'later save' {
  let found: 'nothing' | 'same save' = 'nothing'
  const view = new DataView(contents.buffer, contents.byteOffset, contents.length)
  const last = contents.length - recordHeaderBytes
  for (let offset = aligned(stopped); offset <= last; offset += recordAlignment) {
    if (!mayBeHeader(view, offset)) continue
    const header = readHeader(contents, contents.length, offset, seed)
    if (header === undefined) continue
    if (header.saveStart > stopped) return 'later save'
    found = 'same save'
  }
  return found
}

/**
 * Makes the last segment's end what was read: durable, and with nothing behind it that could be taken for a
 * record later.
 */
function settleTail(disk: Disk, path: string, contents: Buffer, parsed: Parsed, hasTornSave: boolean): void {
  const file = disk.open(path, false)
  // What was read may be in memory only: written before the crash of the process and not flushed, or flushed
  // in vain (a system forgets that a page is unwritten once it has reported the failure). Writing the last
  // save again is what makes the flush below mean something.
  const from = parsed.lastSaveStart === segmentHeaderBytes ? 0 : parsed.lastSaveStart
  file.write(from, [contents.subarray(from, Math.min(parsed.end, contents.length))])
  if (hasTornSave) file.write(parsed.end, zeros(contents.length - parsed.end))
  file.flushSync()
  file.close()
}

/**
 * Decides over the files behind the last segment: a first save that was torn is wiped out, files of a wrong
 * size or behind a gap in the lives are removed. Returns how many spares are left.
 */
function keepSpares(disk: Disk, files: readonly Candidate[], nextLife: number, segmentBytes: number): number {
  let kept = 0
  for (const { life, path, header } of files) {
    const isNext = life === nextLife + kept
    const isFirst = isNext && kept === 0
    if (isFirst) wipeTornStart(disk, path, life, header !== undefined)
    if (isNext && fileSize(disk, path) === segmentBytes) kept++
    else disk.remove(path)
  }
  disk.remove(unfinishedName)
  // Renames and removals of the earlier run count from here on, whatever became of them.
  disk.flushDirectory()
  return kept
}

/** Wipes out the first save of a segment if it was begun and not completed. */
function wipeTornStart(disk: Disk, path: string, life: number, hasHeader: boolean): void {
  const contents = readWhole(disk, path)
  const behind = searchBehind(contents, segmentHeaderBytes, lifeSeed(life))
  if (behind === 'later save') {
    throw new JournalDamaged(path, 0, 'the header of the segment is damaged, but records can be read')
  }
  if (behind === 'nothing' && !hasHeader) return
  const file = disk.open(path, false)
  file.write(0, zeros(contents.length))
  file.flushSync()
  file.close()
}

function readWhole(disk: Disk, path: string): Buffer {
  const bytes = disk.read(path) ?? new Uint8Array(0)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function fileSize(disk: Disk, path: string): number {
  const file = disk.open(path, false)
  const size = file.size()
  file.close()
  return size
}

/** `count` zero bytes, as parts that share their memory. */
export function zeros(count: number): Uint8Array[] {
  const slice = new Uint8Array(Math.min(count, 1024 * 1024))
  const parts: Uint8Array[] = []
  for (let left = count; left > 0; left -= slice.length) {
    parts.push(left < slice.length ? slice.subarray(0, left) : slice)
  }
  return parts
}
