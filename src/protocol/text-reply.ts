/**
 * Writes the answers of the text dialect. Every reply is one line; a reply of more lines announces their number
 * (or, for `get --raw`, of bytes) on its first line, so that a script knows where it ends. `status` has four
 * lines; with `--verbose` the number of members follows, then a line for each.
 */
import { AssertionError } from '../base/assert.js'
import { displayAddress } from './address.js'
import type { ByteWriter } from './byte-writer.js'
import type { Command, GetCommand, WriteCommand } from './command.js'
import { type Engine, helpRows } from './commands.js'
import { errorText } from './errors.js'
import { isOneLine } from './one-line.js'
import {
  type ClusterEvent,
  type ClusterStatus,
  type Failure,
  failure,
  type MemberStatus,
  type Response,
} from './request.js'
import {
  countText,
  heardText,
  membersText,
  ownersText,
  ringDetails,
  writeFound,
  writeStored,
} from './ring-text.js'

/** Writes the whole reply to `command`, with its last newline, to `out`, which it returns. */
export function writeTextReply(command: Command, response: Response, out: ByteWriter): ByteWriter {
  switch (response.kind) {
    case 'error':
      return writeTextFailure(response, out, namedNode(command))
    case 'value':
      if (command.verb === 'get') return writeValue(command, response.value, response.version, out)
      break
    case 'written':
      if (command.kind === 'write') return writeWritten(command, response.version, out)
      break
    case 'keys':
      if (command.verb === 'keys') return out.text(keysText(response.keys, response.more))
      break
    case 'status':
      if (command.verb === 'status') return out.text(statusText(response.status, command.verbose))
      if (command.verb === 'members' && response.status.engine === 'ring') {
        return out.text(membersText(response.status.members))
      }
      break
    case 'versions':
      if (command.kind === 'write') return writeStored(command, response, out)
      if (command.verb === 'get') {
        const found = writeFound(command, response, out)
        return 'kind' in found ? writeTextFailure(found, out) : found
      }
      break
    case 'owners':
      if (command.verb === 'lookup' && command.request.op === 'lookup') {
        return out.text(ownersText(command.request.key, response.addresses))
      }
      break
    case 'count':
      return out.text(countText(response.records))
    case 'done':
      if (command.kind === 'admin') return out.text(doneText[command.verb](command.typed))
      break
  }
  throw new AssertionError(`a response of kind ${response.kind} answers no ${command.verb}`)
}

/** Writes `ERROR: ` and the failure's text. A node is named as the client typed it, where it did. */
export function writeTextFailure(
  { code, details }: Failure,
  out: ByteWriter,
  typedNode?: string,
): ByteWriter {
  const filled = typedNode === undefined ? details : { ...details, node: typedNode }
  // A reason may come from another machine: it must not add lines of its own.
  const text = errorText(code, filled).replace(/\p{Cc}/gu, ' ')
  return out.text(`ERROR: ${text}\n`)
}

/** The node that a failure is about as the client typed it, where the client named it. */
export function namedNode(command: Command): string | undefined {
  // What fails about joining or leaving is this node, which nobody typed.
  if (command.kind !== 'admin' || command.verb === 'join' || command.verb === 'leave') return undefined
  return command.typed
}

/** The reply to `help`. */
export function helpText(engine: Engine): string {
  const rows = helpRows('text', engine)
  const width = Math.max(...rows.map(row => row.usage.length))
  const lines = rows.map(row => `${row.usage.padEnd(width)}  ${row.summary}\n`)
  return `${rows.length} commands:\n${lines.join('')}`
}

/** The reply to `watch --cluster`; a line for each event follows. */
export const watchText = 'SUCCESS: Watching the cluster.\n'

/** What a watcher hears instead of the events that it was too slow to take. */
export function missedEventsText(count: number): string {
  const events = count === 1 ? 'event was' : 'events were'
  return `WARNING: ${count} ${events} dropped, this connection reads too slowly.\n`
}

/** What a watcher is told of an event; undefined for those that only concern the log of the node. */
export function eventText(event: ClusterEvent): string | undefined {
  switch (event.kind) {
    case 'leader':
      return event.address === undefined
        ? 'WARNING: no leader.\n'
        : `INFO: Leader is ${displayAddress(event.address)}.\n`
    case 'member-added':
      return `INFO: Node ${displayAddress(event.address)} added.\n`
    case 'member-removed':
      return `INFO: Node ${displayAddress(event.address)} removed.\n`
    case 'member-joining':
      return `INFO: Node ${displayAddress(event.address)} is joining.\n`
    case 'member-leaving':
      return `INFO: Node ${displayAddress(event.address)} is leaving.\n`
    case 'member-evicted':
      return `WARNING: Node ${displayAddress(event.address)} evicted.\n`
    case 'crowded':
      return `WARNING: Key ${event.key} has ${event.versions} versions.\n`
    case 'out-of-sync':
      return `WARNING: Node ${displayAddress(event.address)} out of sync.\n`
    case 'in-sync':
      return `INFO: Node ${displayAddress(event.address)} in sync.\n`
    case 'removed':
      return 'WARNING: This node was removed from the cluster.\n'
    default:
      return undefined
  }
}

/** What is wrong with the cluster, in a sentence; undefined if nothing is. */
export function statusWarning(status: {
  readonly engine: ClusterStatus['engine']
  readonly leader: string | undefined
  readonly members: readonly Pick<MemberStatus, 'address' | 'inSync'>[]
}): string | undefined {
  if (status.engine === 'raft' && status.leader === undefined) return 'no leader.'
  if (status.members.length === 0) return 'not a member of a ring yet.'
  const lagging = status.members
    .filter(member => !member.inSync)
    .map(member => displayAddress(member.address))
  if (lagging.length === 0) return undefined
  return `${lagging.length === 1 ? 'Node' : 'Nodes'} ${lagging.join(', ')} out of sync.`
}

function writeValue(command: GetCommand, value: Uint8Array, version: number, out: ByteWriter): ByteWriter {
  const { key } = command.request
  const suffix = command.version ? ` (version ${version})\n` : '\n'
  // In pieces, because putting strings together costs more than writing them one by one.
  if (command.raw) return out.text(`${key} -> ${value.length} bytes${suffix}`).bytes(value).text('\n')
  if (isOneLine(value)) return out.text(key).text(' -> ').bytes(value).text(suffix)
  return writeTextFailure(failure('NOT_ONE_LINE', { bytes: value.length }), out)
}

function writeWritten({ request }: WriteCommand, version: number, out: ByteWriter): ByteWriter {
  switch (request.op) {
    case 'put':
      return out.text('SUCCESS: ').text(request.key).text(' -> ').bytes(request.value).text(' added.\n')
    case 'update':
      return out.text('SUCCESS: ').text(request.key).text(' updated to ').bytes(request.value).text('.\n')
    case 'set':
      return out.text('SUCCESS: ').text(request.key).text(' -> ').bytes(request.value).text(' set.\n')
    case 'delete':
      return out.text('SUCCESS: ').text(request.key).text(' removed.\n')
    case 'cas':
      return out.text(`SUCCESS: ${request.key} -> `).bytes(request.value).text(` set (version ${version}).\n`)
    case 'write-version':
      throw new AssertionError('the ring does not answer with a version')
  }
}

const doneText = {
  'add-node': (node: string) => `SUCCESS: Node ${node} added to cluster.\n`,
  'remove-node': (node: string) => `SUCCESS: Node ${node} removed from cluster.\n`,
  'transfer-leader': (node: string) => `SUCCESS: Leadership transferred to ${node}.\n`,
  join: (node: string) => `SUCCESS: Joined the ring of ${node}.\n`,
  leave: () => 'SUCCESS: Left the ring.\n',
}

function keysText(keys: readonly string[], more: boolean): string {
  const count = `${keys.length} ${keys.length === 1 ? 'key' : 'keys'}`
  const last = keys.at(-1)
  // The option for the next page stands there complete, to be pasted behind `keys`.
  const first = more && last !== undefined ? `${count}, more follow (use --after ${last}):` : `${count}:`
  return [first, ...keys, ''].join('\n')
}

function statusText(status: ClusterStatus, verbose: boolean): string {
  const nobody = status.engine === 'ring' ? 'none (leaderless)' : 'none'
  const leader = status.leader === undefined ? nobody : displayAddress(status.leader)
  const active = status.members.filter(member => member.active).map(member => displayAddress(member.address))
  const warning = statusWarning(status)
  const lines = [
    'Cluster Status:',
    `Leader: ${leader}`,
    `Active Nodes: [${active.join(', ')}]`,
    `Sync Status: ${warning === undefined ? 'All nodes in sync.' : `WARNING: ${warning}`}`,
  ]
  if (verbose) {
    lines.push(
      `Fault Tolerance: ${status.canLose} more ${status.canLose === 1 ? 'node' : 'nodes'} can be lost.`,
    )
    if (status.engine === 'ring') lines.push(...ringDetails(status))
    else lines.push(`Members: ${status.members.length}`, ...status.members.map(memberText))
  }
  return `${lines.join('\n')}\n`
}

/** One member, as `status --verbose` shows it: every field is there, `?` where it is not known. */
function memberText(member: MemberStatus): string {
  const fields = [
    member.role,
    `term ${member.term ?? '?'}`,
    `last ${member.lastIndex ?? '?'}`,
    `applied ${member.appliedIndex ?? '?'}`,
    `lag ${member.lag ?? '?'}`,
    heardText(member.lastHeardMs),
  ]
  return `${displayAddress(member.address)}: ${fields.join(', ')}`
}
