/** What a client types for an action, and what the line it hears says about it. */
import { unreachable } from '../../src/base/assert.js'
import { type ErrorCode, errors } from '../../src/protocol/errors.js'
import type { Action, Outcome } from '../sim/history.js'

/** Errors, beside those about the key, that a correct request may get while nodes and links fail. */
const failures = [
  'LEADER_UNAVAILABLE',
  'OUTCOME_UNKNOWN',
  'BUSY',
  'STOPPING',
  'NOT_A_MEMBER',
] as const satisfies readonly ErrorCode[]

/** The line, without its ending. */
export function toLine(action: Action): string {
  switch (action.op) {
    case 'get':
      return `get --version ${action.key}`
    case 'delete':
      return `delete ${action.key}`
    case 'cas':
      return `cas ${action.key} ${action.version} ${action.value}`
    default:
      return `${action.op} ${action.key} ${action.value}`
  }
}

/** What the reply says; undefined if no such reply may be given to the action. */
export function toOutcome(action: Action, reply: string): Outcome | undefined {
  const error = reply.startsWith('ERROR: ') ? reply.slice('ERROR: '.length) : undefined
  return error === undefined ? toSuccess(action, reply) : toError(action, error)
}

function toSuccess(action: Action, reply: string): Outcome | undefined {
  const { key } = action
  switch (action.op) {
    case 'get': {
      const [, found, value = '', version] = /^(\S+) -> (.*) \(version (\d+)\)$/.exec(reply) ?? []
      return found === key ? { kind: 'value', value, version: Number(version) } : undefined
    }
    case 'put':
      return written(reply === `SUCCESS: ${key} -> ${action.value} added.`)
    case 'update':
      return written(reply === `SUCCESS: ${key} updated to ${action.value}.`)
    case 'set':
      return written(reply === `SUCCESS: ${key} -> ${action.value} set.`)
    case 'delete':
      return written(reply === `SUCCESS: ${key} removed.`)
    case 'cas': {
      const begin = `SUCCESS: ${key} -> ${action.value} set (version `
      const version = reply.startsWith(begin) ? /^(\d+)\)\.$/.exec(reply.slice(begin.length))?.[1] : undefined
      return version === undefined ? undefined : { kind: 'written', version: Number(version) }
    }
    default:
      return unreachable(action)
  }
}

function written(isSo: boolean): Outcome | undefined {
  return isSo ? { kind: 'written' } : undefined
}

function toError(action: Action, error: string): Outcome | undefined {
  const { op } = action
  if (error === errors.KEY_EXISTS.text) return op === 'put' ? { kind: 'exists' } : undefined
  if (error === errors.KEY_NOT_FOUND.text) {
    return op === 'put' || op === 'set' ? undefined : { kind: 'not-found' }
  }
  const current = /^Version mismatch \(current (\d+)\)\.$/.exec(error)?.[1]
  if (current !== undefined) return op === 'cas' ? { kind: 'mismatch', current: Number(current) } : undefined
  const failed = failures.find(code => errors[code].text === error)
  if (failed === undefined) return undefined
  return { kind: errors[failed].definite ? 'refused' : 'unknown' }
}
