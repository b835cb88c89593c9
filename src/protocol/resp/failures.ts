/**
 * How the errors of the one table are said in the Redis protocol. The first word of an error decides what clients do
 * of their own accord: some, cluster clients above all, send a command again after `CLUSTERDOWN` or `TRYAGAIN`. So
 * these are only said of what certainly did nothing, and nothing else gets a word that any client knows.
 */
import { type ErrorCode, errors, errorText } from '../errors.js'
import type { Failure } from '../request.js'
import { errorReply, type RespReply } from './reply.js'

/** The codes that are not plainly `ERR`. */
const prefixes: Partial<Readonly<Record<ErrorCode, string>>> = {
  LEADER_UNAVAILABLE: 'CLUSTERDOWN',
  // Another node will take it, to which a cluster client goes once it has asked for the slots again.
  NODE_REMOVED: 'CLUSTERDOWN',
  NODE_REPLACED: 'CLUSTERDOWN',
  NOT_A_MEMBER: 'CLUSTERDOWN',
  STOPPING: 'CLUSTERDOWN',
  BUSY: 'TRYAGAIN',
  // What Redis says when it cannot write to its disk.
  DISK_FULL: 'MISCONF',
  OUTCOME_UNKNOWN: 'OUTCOMEUNKNOWN',
}

/** The words that make clients send a command again by themselves. */
export const retriedPrefixes: ReadonlySet<string> = new Set(['CLUSTERDOWN', 'TRYAGAIN'])

/** Each code with the word that its error begins with. */
export function prefixOf(code: ErrorCode): string {
  const prefix = prefixes[code] ?? 'ERR'
  return retriedPrefixes.has(prefix) && !errors[code].definite ? 'ERR' : prefix
}

/** The reply that a failure stands for. */
export function failureReply({ code, details }: Failure): RespReply {
  return errorReply(`${prefixOf(code)} ${errorText(code, details)}`)
}
