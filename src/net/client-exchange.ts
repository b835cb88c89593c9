/** One request of a connection together with its answer, and how that is written in the dialect it was asked in. */
import type { ByteWriter } from '../protocol/byte-writer.js'
import type { Command } from '../protocol/command.js'
import type { Engine } from '../protocol/commands.js'
import type { ControlMessage, JsonId } from '../protocol/json.js'
import { jsonControlReply, jsonDone, jsonFailure, jsonHelp, jsonReply } from '../protocol/json-reply.js'
import { type RequestKind, Ticket } from '../protocol/ordering.js'
import type { Failure, Receiver, Response } from '../protocol/request.js'
import type { Question } from '../protocol/resp/conversation.js'
import type { RespReply } from '../protocol/resp/reply.js'
import type { RespForm, RespStep } from '../protocol/resp/session.js'
import { replyBytes, writeReply as writeRespReply } from '../protocol/resp/writer.js'
import type { TextDialect } from '../protocol/text-dialect.js'

/** How a line was said, and therefore how it is to be answered. */
export type LineForm = { readonly dialect: 'text' } | { readonly dialect: 'json'; readonly id: JsonId }

/** The same of any request. */
export type Form = LineForm | RespForm

/** The answer to a message between nodes. */
export interface ControlReply {
  readonly kind: 'control'
  readonly reply: Record<string, unknown>
}

/** The reply that a request of the Redis protocol came to. */
export interface RespAnswer {
  readonly kind: 'resp'
  readonly reply: RespReply
}

/** What answers a request. */
export type Answer = Response | ControlReply | RespAnswer

/** Whoever carries out the requests of a connection. */
export interface ExchangeOwner {
  /** Called with each answer of the backend to what was asked for a request. */
  onAnswer(exchange: Exchange, answer: Answer): void
}

/**
 * One message of a client and what becomes of it, from the moment it was read until its reply is written. Replies
 * follow the order of the messages; only in JSON one may overtake another, and names its request by `id`. It is its
 * own ticket in the ordering and itself takes the backend's answer, so that a request costs one object here.
 */
export class Exchange extends Ticket implements Receiver {
  readonly form: Form
  /** A failure where the line was no request, or one that is refused before anybody else sees it. */
  readonly request: Command | ControlMessage | RespStep | Failure
  /** Length of its line, or of its words. */
  readonly bytes: number
  /** Undefined until it is there, and always for lines that the connection answers by itself. */
  answer: Answer | undefined = undefined
  /** What the backend has it under, as long as it is under way there; else 0. */
  submission = 0
  /** What is being asked for a request of the Redis protocol. */
  question: Question | undefined = undefined
  readonly #owner: ExchangeOwner

  constructor(
    owner: ExchangeOwner,
    kind: RequestKind,
    form: Form,
    request: Exchange['request'],
    bytes: number,
  ) {
    super(kind, form.dialect === 'json' ? 'overtaking' : 'in-order')
    this.#owner = owner
    this.form = form
    this.request = request
    this.bytes = bytes
  }

  answered(answer: Answer): void {
    this.#owner.onAnswer(this, answer)
  }
}

/** Writes the reply to a request that has been answered. */
export function writeReply(
  { form, request, answer }: Exchange,
  engine: Engine,
  text: TextDialect,
  out: ByteWriter,
): void {
  if (form.dialect === 'resp') {
    if (answer?.kind === 'resp' && !form.isSilent) writeRespReply(answer.reply, form.version, out)
    return
  }
  const id = form.dialect === 'json' ? form.id : undefined
  const isText = form.dialect === 'text'
  if (request.kind === 'error') {
    if (isText) text.writeFailure(request, out)
    else out.text(jsonFailure(id, request))
  } else if (request.kind === 'session') {
    if (request.verb === 'help') out.text(isText ? text.help(engine) : jsonHelp(id, engine, text.oneVersion))
    else out.text(isText ? text.watch : jsonDone(id))
  } else if (request.kind === 'control') {
    if (answer?.kind === 'control') out.text(jsonControlReply(id, answer.reply))
    else if (answer?.kind === 'error') out.text(jsonFailure(id, answer))
  } else if (request.kind !== 'resp' && answer !== undefined && isResponse(answer)) {
    if (isText) text.writeReply(request, answer, out)
    else out.text(jsonReply(id, request, answer))
  }
}

/** About how much memory an answer holds. */
export function answerBytes(answer: Answer): number {
  if (answer.kind === 'value') return answer.value.length
  if (answer.kind === 'resp') return replyBytes(answer.reply)
  if (answer.kind !== 'keys') return 0
  let bytes = 0
  for (const key of answer.keys) bytes += key.length
  return bytes
}

function isResponse(answer: Answer): answer is Response {
  return answer.kind !== 'control' && answer.kind !== 'resp'
}
