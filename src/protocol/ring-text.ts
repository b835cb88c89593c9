/**
 * The answers of the ring engine in the text dialect. A key may have several versions at once; then the first
 * line says `CONFLICT:` and how many there are, and a line for each follows.
 */
import { displayAddress } from './address.js'
import type { ByteWriter } from './byte-writer.js'
import type { GetCommand, WriteCommand } from './command.js'
import { isOneLine } from './one-line.js'
import { type Failure, failure, type RingMemberStatus, type RingStatus } from './request.js'
import type { RingResponse, RingVersion } from './ring-request.js'

type Versions = Extract<RingResponse, { kind: 'versions' }>

/** Writes what `get` found; a failure where there is nothing, or nothing that can be shown in lines. */
export function writeFound(
  command: GetCommand,
  { versions, context }: Versions,
  out: ByteWriter,
): ByteWriter | Failure {
  const { key } = command.request
  const [first] = versions
  if (first === undefined) return failure('KEY_NOT_FOUND')
  const odd = command.raw ? undefined : versions.find(version => !isOneLine(version.value))
  if (odd !== undefined) return failure('NOT_ONE_LINE', { bytes: odd.value.length })
  if (versions.length > 1) writeConflict(key, versions.length, context, out)
  const suffix = versions.length === 1 && command.context ? ` Context: ${context}\n` : '\n'
  for (const { value } of versions) {
    if (command.raw) out.text(`${key} -> ${value.length} bytes${suffix}`).bytes(value).text('\n')
    else out.text(`${key} -> `).bytes(value).text(suffix)
  }
  return out
}

/** Writes that a write was done, or which versions stand beside it. */
export function writeStored(
  command: WriteCommand,
  { versions, context }: Versions,
  out: ByteWriter,
): ByteWriter {
  const { key } = command.request
  const left = command.verb === 'delete' ? 0 : 1
  if (versions.length > left) {
    writeConflict(key, versions.length, context, out)
    for (const version of versions) writeVersion(key, version, out)
    return out
  }
  const value = 'value' in command.request ? command.request.value : undefined
  if (command.verb === 'delete' || value === undefined) return out.text(`SUCCESS: ${key} removed.\n`)
  if (command.verb === 'update') out.text(`SUCCESS: ${key} updated to `).bytes(value).text('.')
  else
    out
      .text(`SUCCESS: ${key} -> `)
      .bytes(value)
      .text(command.verb === 'put' ? ' added.' : ' set.')
  return out.text(` Context: ${context}\n`)
}

/** The reply to `lookup`. */
export function ownersText(key: string, addresses: readonly string[]): string {
  return `${key}: ${addresses.map(displayAddress).join(', ')}\n`
}

/** The reply to `count`. */
export function countText(records: number): string {
  return `${counted(records, 'record')}.\n`
}

/** The reply to `members`. */
export function membersText(members: readonly RingMemberStatus[]): string {
  const lines = members.map(member => `${displayAddress(member.address)} ${member.role}\n`)
  return `${counted(members.length, 'member')}:\n${lines.join('')}`
}

/** What `status --verbose` adds, as lines: what moves just now, and the members. */
export function ringDetails(status: RingStatus): string[] {
  const { members, moving } = status
  const what = moving?.kind === 'fetching' ? 'to fetch' : 'to hand over'
  const hints = members.reduce((sum, member) => sum + member.hints, 0)
  return [
    `Replication Factor: ${status.replicationFactor}`,
    `Records Here: ${status.records}, ${counted(status.tombstones, 'deletion')} remembered`,
    `Hints Here: ${hints} (limit ${status.hintsMax})`,
    `Moving: ${moving === undefined ? 'nothing' : `${moving.left} of ${counted(moving.of, 'range')} ${what}`}`,
    `Members: ${members.length}`,
    ...members.map(memberText),
  ]
}

/** How long ago a member was heard, as people are told. */
export function heardText(lastHeardMs: number | undefined): string {
  if (lastHeardMs === undefined) return 'never heard'
  return lastHeardMs === 0 ? 'heard now' : `heard ${Math.round(lastHeardMs)} ms ago`
}

function memberText(member: RingMemberStatus): string {
  const fields = [member.role, `hints ${member.hints}`, heardText(member.lastHeardMs)]
  return `${displayAddress(member.address)}: ${fields.join(', ')}`
}

function writeConflict(key: string, count: number, context: string, out: ByteWriter): void {
  out.text(`CONFLICT: ${key} has ${counted(count, 'version')}. Context: ${context}\n`)
}

/** A version beside what was written: the write is done, so that one which is no line cannot be an error. */
function writeVersion(key: string, { value }: RingVersion, out: ByteWriter): void {
  if (isOneLine(value)) out.text(`${key} -> `).bytes(value).text('\n')
  else out.text(`${key} -> (${value.length} bytes that are not one line of text: use get --raw)\n`)
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
