/** The answers of the ring as clients get them. */
import { unreachable } from '../base/assert.js'
import { failure, type Response } from '../protocol/request.js'
import type { Refusal, RingAnswer } from '../ring/types.js'

/** The bounds that refusals name, as they are just now. */
export interface AnswerLimits {
  readonly valueBytesMax: number
  readonly copies: number
}

/** The response to a read or a write. */
export function answered(answer: RingAnswer, limits: AnswerLimits): Response {
  switch (answer.kind) {
    case 'versions':
    case 'written':
      return { kind: 'versions', versions: answer.versions, context: answer.context }
    case 'quorum-not-met': {
      const details = { reached: answer.reached, quorum: answer.needed }
      return failure(answer.maybe ? 'QUORUM_NOT_MET' : 'QUORUM_UNREACHABLE', details)
    }
    case 'refused':
      return refused(answer.reason, limits)
    case 'unknown':
      return failure('OUTCOME_UNKNOWN')
    case 'entry':
      return { kind: 'value', value: answer.value, version: answer.version }
    case 'changed': {
      const { version, existed, copies } = answer
      return { kind: 'written', version, existed, copies }
    }
    case 'absent':
      return failure('KEY_NOT_FOUND')
    case 'present':
      return failure('KEY_EXISTS')
    case 'unavailable':
      return failure('ENTRY_UNAVAILABLE')
    default:
      return unreachable(answer)
  }
}

function refused(reason: Refusal, { valueBytesMax, copies }: AnswerLimits): Response {
  switch (reason) {
    case 'not-a-member':
      return failure('NOT_A_MEMBER')
    case 'invalid-quorum':
      return failure('QUORUM_INVALID', { copies })
    case 'invalid-context':
      return failure('CONTEXT_INVALID')
    case 'too-many-versions':
      return failure('TOO_MANY_VERSIONS')
    case 'value-too-large':
      return failure('VALUE_TOO_LARGE', { limit: valueBytesMax })
    case 'disk-full':
      return failure('DISK_FULL')
    case 'busy':
      return failure('BUSY')
    case 'stopping':
      return failure('STOPPING')
    case 'no-leader':
      return failure('LEADER_UNAVAILABLE')
    default:
      return unreachable(reason)
  }
}
