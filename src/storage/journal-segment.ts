/**
 * A journal segment: one file, written from front to back and then only read.
 *
 * Each use of a file is a *life* with its own number. Lives are counted without gaps and never used twice; the
 * number is in the file's name, in its header and in the checksum of its records. A file is given its next
 * name ahead of time, while it is spare, so that beginning a segment is one write and one flush like any other
 * save: the header is part of the segment's first save.
 */
import zlib from 'node:zlib'
import type { Disk, DiskFile } from './disk.js'
import { type JournalRecord, lifeSeed } from './journal-record.js'

/** The layout of segments. Another number in a header is refused with {@link JournalFormatUnknown}. */
export const journalFormat = 1
/** The header occupies this many bytes; records begin behind it. */
export const segmentHeaderBytes = 32
/** Offsets are written in 31 bits. */
export const segmentBytesMax = 2 ** 31 - 1

const magic = Buffer.from('QUORATEJ', 'latin1')
const namePrefix = 'journal.'
const nameDigits = 16
/** A spare that is being made; what is left of one after a crash is removed. */
export const unfinishedName = `${namePrefix}unfinished`

/** A segment that holds records. */
export interface Segment {
  readonly life: number
  readonly path: string
  /** Bytes of the file. */
  readonly size: number
  /** Where the next save goes; behind the last one. */
  end: number
  /** The highest index of its records. */
  indexMax: number
}

/** A segment that records are being written to. */
export interface OpenSegment extends Segment {
  readonly file: DiskFile
  readonly seed: number
}

/** Thrown when a journal was written by a program whose format this one does not know. */
export class JournalFormatUnknown extends Error {
  override readonly name = 'JournalFormatUnknown'
}

/** The file name of a life, spare or in use. The number has leading zeros, so names sort as lives do. */
export function segmentName(life: number): string {
  return namePrefix + String(life).padStart(nameDigits, '0')
}

/** The life in a segment's name, or undefined if the file is not a segment. */
export function lifeInName(name: string): number | undefined {
  if (!name.startsWith(namePrefix) || name.length !== namePrefix.length + nameDigits) return undefined
  const life = Number(name.slice(namePrefix.length))
  return Number.isSafeInteger(life) && life > 0 ? life : undefined
}

/** Opens a segment file for writing from `end` on. */
export function openSegment(disk: Disk, life: number, end: number, indexMax: number): OpenSegment {
  const path = segmentName(life)
  const file = disk.open(path, false)
  return { life, path, size: file.size(), end, indexMax, file, seed: lifeSeed(life) }
}

/**
 * A segment's header: magic (8 bytes), format (4), where the records of the life before this one end (4), life
 * (8), zero (4), checksum of all that (4). Later formats keep magic, format and checksum where they are.
 */
export function encodeSegmentHeader(life: number, previousEnd: number, format = journalFormat): Buffer {
  const header = Buffer.alloc(segmentHeaderBytes)
  magic.copy(header)
  header.writeUInt32LE(format, 8)
  header.writeUInt32LE(previousEnd, 12)
  header.writeBigUInt64LE(BigInt(life), 16)
  header.writeUInt32LE(zlib.crc32(header.subarray(0, segmentHeaderBytes - 4)), segmentHeaderBytes - 4)
  return header
}

/**
 * Reads the header of the file `path`, whose name says `life`. Undefined when this life was not begun in it
 * (or its header is damaged, which only the records can tell). Throws {@link JournalFormatUnknown}.
 */
export function readSegmentHeader(
  bytes: Uint8Array,
  path: string,
  life: number,
): { readonly previousEnd: number } | undefined {
  if (bytes.length < segmentHeaderBytes) return undefined
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, segmentHeaderBytes)
  const checksum = zlib.crc32(header.subarray(0, segmentHeaderBytes - 4))
  if (!header.subarray(0, magic.length).equals(magic)) return undefined
  if (header.readUInt32LE(segmentHeaderBytes - 4) !== checksum) return undefined
  const format = header.readUInt32LE(8)
  if (format !== journalFormat) {
    throw new JournalFormatUnknown(
      `File ${path} is a journal of format ${format}; this program knows format ${journalFormat}. ` +
        'Start the version of the program that wrote it, or a later one.',
    )
  }
  if (header.readBigUInt64LE(16) !== BigInt(life)) return undefined
  return { previousEnd: header.readUInt32LE(12) }
}

/** The highest index among `records`, or `floor` if that is higher. */
export function highestIndex(records: readonly JournalRecord[], floor: number): number {
  let highest = floor
  for (const record of records) highest = Math.max(highest, record.index)
  return highest
}
