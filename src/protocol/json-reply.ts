/**
 * Writes the answers of the JSON dialect: one object a line, with the `id` of its request. Addresses are in full
 * `host:port` form, so that a program can connect to them as they are.
 */
import { AssertionError } from '../base/assert.js'
import type { Command } from './command.js'
import { type Engine, helpRows } from './commands.js'
import { errors, errorText } from './errors.js'
import type { JsonId } from './json.js'
import { topologyOf } from './placement.js'
import { type ClusterEvent, type ClusterStatus, type Failure, failure, type Response } from './request.js'
import type { RingVersion } from './ring-request.js'
import { eventText, namedNode, statusWarning } from './text-reply.js'
import { isUtf8 } from './utf8.js'

/** The reply to `command`, as a line with its newline. */
export function jsonReply(id: JsonId, command: Command, response: Response): string {
  switch (response.kind) {
    case 'error':
      return jsonFailure(id, response, namedNode(command))
    case 'value': {
      if (command.verb !== 'get') break
      return success(id, {
        key: command.request.key,
        ...valueFields(response.value),
        version: response.version,
      })
    }
    case 'written':
      return success(id, { version: response.version, existed: response.existed, copies: response.copies })
    case 'versions': {
      if (command.verb === 'get' && response.versions.length === 0) {
        return jsonFailure(id, failure('KEY_NOT_FOUND'))
      }
      const { versions, context } = response
      return success(id, { ...keyOf(command), versions: versions.map(versionFields), context })
    }
    case 'owners':
      return success(id, { ...keyOf(command), owners: response.addresses })
    case 'count':
      return success(id, { records: response.records })
    case 'keys':
      return success(id, { keys: response.keys, more: response.more })
    case 'status':
      return success(
        id,
        command.verb === 'heartbeat' ? heartbeatFields(response.status) : statusFields(response.status),
      )
    case 'done':
      return success(id, {})
  }
  throw new AssertionError(`a response of kind ${response.kind} answers no ${command.verb}`)
}

/** The reply to a request that failed, as a line with its newline. */
export function jsonFailure(id: JsonId, { code, details }: Failure, typedNode?: string): string {
  const filled = typedNode === undefined ? details : { ...details, node: typedNode }
  const message = errorText(code, filled)
  return line({ id, ok: false, code, definite: errors[code].definite, message, details: filled })
}

/** The reply to `help`; `oneVersion` as for {@link helpRows}. */
export function jsonHelp(id: JsonId, engine: Engine, oneVersion = false): string {
  return success(id, { commands: helpRows('json', engine, oneVersion) })
}

/** The reply to `quit` and to `watch`. */
export function jsonDone(id: JsonId): string {
  return success(id, {})
}

/** What a watcher is told of an event, with the id of its `watch`; undefined where the text dialect is silent. */
export function jsonEvent(id: JsonId, event: ClusterEvent): string | undefined {
  const message = eventText(event)?.trimEnd()
  return message === undefined ? undefined : line({ id, event, message })
}

/** What a watcher hears instead of the events that it was too slow to take. */
export function jsonMissedEvents(id: JsonId, count: number): string {
  return line({ id, missedEvents: count })
}

/** The answer to a control message. It bears the request's id, unless it has one of its own. */
export function jsonControlReply(id: JsonId, reply: Record<string, unknown>): string {
  return line({ id, ...reply })
}

function valueFields(value: Uint8Array): Record<string, string> {
  // A view, not a copy: the engine's bytes need not be a Buffer.
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return isUtf8(value) ? { value: bytes.toString('utf8') } : { valueBase64: bytes.toString('base64') }
}

function versionFields({ value, context, writtenMs }: RingVersion): Record<string, string | number> {
  return { ...valueFields(value), context, writtenMs }
}

function keyOf(command: Command): { readonly key?: string } {
  return 'request' in command && 'key' in command.request ? { key: command.request.key } : {}
}

function statusFields(status: ClusterStatus): Record<string, unknown> {
  return {
    engine: status.engine,
    leader: status.leader ?? null,
    members: status.members,
    canLose: status.canLose,
    ...(status.engine === 'ring' && {
      epoch: status.epoch ?? null,
      replicationFactor: status.replicationFactor,
      records: status.records,
      moving: status.moving ?? null,
    }),
    warnings: warnings(status),
  }
}

/** What `heartbeat` answers, in every dialect that has it. */
export function heartbeatFields(status: ClusterStatus): Record<string, unknown> {
  const { engine, voters, keepers, replicationFactor } = topologyOf(status)
  return {
    engine,
    nodes: addresses(status.members),
    active: addresses(status.members.filter(member => member.active)),
    voters,
    // A ring has owners of each key instead of voters: a client computes them from these.
    ...(status.engine === 'ring' && { keepers, epoch: status.epoch ?? null }),
    leader: status.leader ?? null,
    replicationFactor,
    warnings: warnings(status),
  }
}

function addresses(members: readonly { readonly address: string }[]): string[] {
  return members.map(member => member.address)
}

function warnings(status: ClusterStatus): readonly string[] {
  if (status.warnings !== undefined) return status.warnings
  const warning = statusWarning(status)
  return warning === undefined ? [] : [warning]
}

function success(id: JsonId, fields: Record<string, unknown>): string {
  return line({ id, ok: true, ...fields })
}

function line(fields: Record<string, unknown>): string {
  return `${JSON.stringify(fields)}\n`
}
