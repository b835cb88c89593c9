/** The way of one request of a client to the backend, and of its answer back. */
import { unreachable } from '../base/assert.js'
import type { DataRequest } from '../protocol/command.js'
import { failure } from '../protocol/request.js'
import type { Question } from '../protocol/resp/conversation.js'
import type { RespReply } from '../protocol/resp/reply.js'
import type { Backend } from './client-backend.js'
import type { Answer, Exchange } from './client-exchange.js'

/**
 * Carries a request out. Gives its answer where nobody has to be asked for it; else `exchange` is told one, perhaps
 * before this returns, and {@link answerOf} says what it comes to.
 */
export function carryOut(exchange: Exchange, backend: Backend): Answer | undefined {
  const { request } = exchange
  switch (request.kind) {
    case 'read':
    case 'write':
      submit(request.request, exchange, backend)
      return undefined
    case 'admin':
      backend.administer({ op: request.verb, address: request.address }, exchange)
      return undefined
    case 'control': {
      // A conversation that broke off may have had its effect.
      const broken = () => exchange.answered(failure('OUTCOME_UNKNOWN'))
      backend.control(request.message).then(reply => exchange.answered({ kind: 'control', reply }), broken)
      return undefined
    }
    case 'resp': {
      const { outcome } = request
      if (outcome.kind !== 'ask') return undefined
      const { first } = outcome
      return converse(typeof first === 'function' ? first() : first, exchange, backend)
    }
    case 'session':
    case 'error':
      // Answered when they were read.
      return undefined
    default:
      return unreachable(request)
  }
}

/** What the backend's answer comes to; undefined if something further is asked, of which `exchange` will be told. */
export function answerOf(exchange: Exchange, answer: Answer, backend: Backend): Answer | undefined {
  exchange.submission = 0
  const { question } = exchange
  if (question === undefined || answer.kind === 'control' || answer.kind === 'resp') return answer
  return converse(question.next(answer), exchange, backend)
}

/** Asks the backend what is to be asked; if there is a reply instead, that is the answer. */
function converse(step: RespReply | Question, exchange: Exchange, backend: Backend): Answer | undefined {
  if (step.kind !== 'question') return { kind: 'resp', reply: step }
  exchange.question = step
  submit(step.request, exchange, backend)
  return undefined
}

function submit(request: DataRequest, exchange: Exchange, backend: Backend): void {
  const submission = backend.submit(request, exchange)
  // If it was answered on the spot, a further question may be under way already.
  if (submission !== 0) exchange.submission = submission
}
