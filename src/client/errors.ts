/**
 * The one class of errors that a client throws. Its codes are a closed list: those that a node answers with
 * (src/protocol/errors.ts), and those below, which arise on the way.
 */
import { type ErrorCode, errors, errorText, filledIn } from '../protocol/errors.js'

/** What can go wrong before a node has answered, or instead of its answer. */
export const clientErrors = {
  UNREACHABLE: {
    text: 'No node can be reached: {reason}.',
    definite: true,
    advice: 'See that the nodes run and that the addresses are right.',
  },
  DEADLINE_EXCEEDED: {
    text: 'There was no answer within {ms} ms.',
    definite: true,
    advice: 'Ask again, or give the request more time.',
  },
  ABORTED: {
    text: 'The request was called off.',
    definite: true,
    advice: 'The program itself did so, through its AbortSignal.',
  },
  CLOSED: {
    text: 'The client is closed.',
    definite: true,
    advice: 'Connect a new one.',
  },
  QUEUE_FULL: {
    text: 'Too many requests wait in this client (limit {limit}).',
    definite: true,
    advice: 'Await some answers before you ask more.',
  },
  BAD_REPLY: {
    text: 'The node answered something that this client does not understand: {reason}.',
    definite: false,
    advice: 'See that the client is as new as the nodes.',
  },
} as const satisfies Record<string, { text: string; definite: boolean; advice: string }>

/** Every code that a {@link QuorateError} can have. */
export type QuorateErrorCode = ErrorCode | keyof typeof clientErrors

type Details = Readonly<Record<string, string | number>>

/**
 * A request that did not succeed.
 *
 * A write whose answer did not come, and which may have happened, is `OUTCOME_UNKNOWN`, whatever ended the wait;
 * that is then its `cause`. Every other code says what its row in the table says.
 */
export class QuorateError extends Error {
  override readonly name = 'QuorateError'
  readonly code: QuorateErrorCode
  /** True: the request certainly did nothing. False: it may have happened. */
  readonly definite: boolean
  /** What the text was filled in with, such as `current` of a `VERSION_MISMATCH`. */
  readonly details: Details

  constructor(code: QuorateErrorCode, details: Details = {}, options: { cause?: unknown } = {}) {
    super(textOf(code, details), options)
    this.code = code
    this.definite = isClientCode(code) ? clientErrors[code].definite : errors[code].definite
    this.details = details
  }
}

/** Whether a text is a code that nodes answer with. */
export function isNodeCode(text: string): text is ErrorCode {
  return Object.hasOwn(errors, text)
}

function isClientCode(code: QuorateErrorCode): code is keyof typeof clientErrors {
  return Object.hasOwn(clientErrors, code)
}

function textOf(code: QuorateErrorCode, details: Details): string {
  if (!isClientCode(code)) return errorText(code, details)
  return filledIn(clientErrors[code].text, details)
}
