/** The way of one request of a client to the backend, and of its answer back. */
import { unreachable } from '../base/assert.js'
import { failure } from '../protocol/request.js'
import type { Question } from '../protocol/resp/conversation.js'
import type { RespReply } from '../protocol/resp/reply.js'
import type { Backend } from './client-backend.js'
import type { Answer, Exchange } from './client-exchange.js'

type Done = (answer: Answer) => void

const nothing = () => {}

/**
 * Carries a request out; `done` is called once, perhaps before this returns. The returned function says that the
 * answer is no longer wanted.
 */
export function carryOut(request: Exchange['request'], backend: Backend, done: Done): () => void {
  switch (request.kind) {
    case 'read':
    case 'write':
      return backend.submit(request.request, done)
    case 'admin':
      return backend.administer({ op: request.verb, address: request.address }, done)
    case 'control': {
      // A conversation that broke off may have had its effect.
      const broken = () => done(failure('OUTCOME_UNKNOWN'))
      backend.control(request.message).then(reply => done({ kind: 'control', reply }), broken)
      return nothing
    }
    case 'resp': {
      const { outcome } = request
      if (outcome.kind !== 'ask') return nothing
      const { first } = outcome
      return converse(typeof first === 'function' ? first() : first, backend, done)
    }
    case 'session':
    case 'error':
      // Answered when they were read.
      return nothing
    default:
      return unreachable(request)
  }
}

/** Asks the backend, and goes on asking until there is a reply. */
function converse(step: RespReply | Question, backend: Backend, done: Done): () => void {
  if (step.kind !== 'question') {
    done({ kind: 'resp', reply: step })
    return nothing
  }
  let further: (() => void) | undefined
  const abandon = backend.submit(step.request, response => {
    further = converse(step.next(response), backend, done)
  })
  return () => (further ?? abandon)()
}
