/**
 * One connection of a client: bytes to commands, commands to the backend, answers to bytes. When it reads and when
 * it does not is decided here; in which order requests run and replies leave, in the ordering of the protocol.
 *
 * What must always hold:
 * - the socket is read only while everything it brought has been cut into messages and no bound is reached;
 * - what a connection does in one turn is bounded, and its replies leave in one write a turn;
 * - a request gets one reply, or none because the connection is gone.
 */
import type { Socket } from 'node:net'
import type { ByteWriter } from '../protocol/byte-writer.js'
import { parseJson } from '../protocol/json.js'
import { LongLine } from '../protocol/lines.js'
import { type Message, MessageReader } from '../protocol/messages.js'
import { Ordering } from '../protocol/ordering.js'
import { failure } from '../protocol/request.js'
import type { ClientFacts, RespHost } from '../protocol/resp/conversation.js'
import { BrokenProtocol, type ParsedRequest, RespRequest } from '../protocol/resp/parser.js'
import { RespSession, type RespStep } from '../protocol/resp/session.js'
import { isHttp } from '../protocol/text.js'
import type { TextDialect } from '../protocol/text-dialect.js'
import { readAccepted } from './accepted-socket.js'
import type { Backend } from './client-backend.js'
import { answerOf, carryOut } from './client-carry-out.js'
import {
  type Answer,
  answerBytes,
  Exchange,
  type ExchangeOwner,
  type LineForm,
  writeReply,
} from './client-exchange.js'
import {
  lingerMs,
  lingerWhileStoppingMs,
  messageBytesPerTurn,
  messagesPerTurn,
  requestBytesMax,
  unsentBytesMax,
  windowFirst,
  windowMax,
  windowMin,
} from './client-limits.js'
import { EventQueue } from './client-watch.js'

/** What a connection needs of the server it belongs to. */
export interface ConnectionHost {
  readonly backend: Backend
  readonly lineBytesMax: number
  /** How lines that are no JSON are read and answered. */
  readonly text: TextDialect
  /** Gathers the replies of one connection at a time; empty between its uses. */
  readonly writer: ByteWriter
  /** What every connection is greeted with, if anything. */
  readonly greeting: string | undefined
  /** What commands of the Redis protocol ask of their node. */
  readonly resp: RespHost
  /** Counts what was taken. */
  noteRequests(count: number): void
  /** Asks for one call of {@link ClientConnection.turn} after the input that already waits has been read. */
  schedule(connection: ClientConnection): void
  /** The same as soon as what runs now is over: the backend has answered, perhaps with more answers to come. */
  scheduleReplies(connection: ClientConnection): void
  /** The connection is gone. */
  forget(connection: ClientConnection): void
}

const text: LineForm = { dialect: 'text' }
const openingBrace = 0x7b

/** See the head of this file. Made for a socket that was just accepted; it tells its host when it is gone. */
export class ClientConnection implements ExchangeOwner {
  readonly #socket: Socket
  readonly #host: ConnectionHost
  readonly #id: number
  readonly #ordering = new Ordering<Exchange>()
  readonly #connectedAtMs = Date.now()
  #spokeAtMs = this.#connectedAtMs
  #messages: MessageReader
  /** Set once the client has spoken the Redis protocol. */
  #session: RespSession | undefined
  /** `ended`: the client said everything, some of which may wait here; `finished`: no more is read. */
  #input: 'open' | 'ended' | 'finished' = 'open'
  #isPaused = false
  #isEnding = false
  /** Set while messages are read and requests started. */
  #isReading = false
  /** Set from an answer of the backend to the turn in which it may leave. */
  #isToReply = false
  /** Whether a line with anything in it has come; the first one decides whether this is a browser. */
  #hasSpoken = false
  #window = windowFirst
  /** Bytes of the lines of the requests in `#ordering`. */
  #requestBytes = 0
  /** Bytes of the answers that are there and have not left. */
  #answerBytes = 0
  /** Set while the connection watches the cluster. */
  #events: EventQueue | undefined
  #lingerMs = lingerMs
  #lingering: NodeJS.Timeout | undefined

  /** `id` tells it from all other connections of its server. */
  constructor(accepted: Socket, host: ConnectionHost, id: number) {
    // What a request brings is not kept beyond its answer.
    const socket = readAccepted(accepted, 'shared', bytes => this.#onBytes(bytes))
    this.#socket = socket
    this.#host = host
    this.#id = id
    this.#messages = new MessageReader(host.lineBytesMax)
    socket.on('end', () => this.#onEnd())
    socket.on('drain', () => host.schedule(this))
    socket.on('finish', () => this.#linger())
    // A reset or a broken pipe is told by `close` as well, and there is nothing else to do about it.
    socket.on('error', () => {})
    socket.on('close', () => this.#onClose())
    if (host.greeting !== undefined) socket.write(host.greeting)
  }

  /** Bytes of replies and events that are held because the client has not taken them yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength + this.#answerBytes + (this.#events?.bytes ?? 0)
  }

  /** Requests that were read and whose replies have not left. */
  get requests(): number {
    return this.#ordering.size
  }

  /** Whether the client is held up: its socket is not being read. */
  get isPaused(): boolean {
    return this.#isPaused
  }

  /** What CLIENT LIST tells of it; undefined if it does not speak the Redis protocol. */
  get facts(): ClientFacts | undefined {
    if (this.#session === undefined) return undefined
    const { remoteAddress, remotePort, localAddress, localPort } = this.#socket
    return {
      state: this.#session.state,
      remoteAddress: `${remoteAddress ?? ''}:${remotePort ?? 0}`,
      localAddress: `${localAddress ?? ''}:${localPort ?? 0}`,
      connectedAtMs: this.#connectedAtMs,
      spokeAtMs: this.#spokeAtMs,
    }
  }

  /** Does what the connection has to do in one turn of the loop: sends replies, reads messages, starts requests. */
  turn(): void {
    this.#isToReply = false
    if (this.#socket.destroyed) return
    // What leaves makes room for what is read.
    this.#sendReplies()
    this.#read()
    this.#settle()
  }

  /** Reads nothing more, and ends the connection when everything that was read is answered. */
  drain(): void {
    this.#lingerMs = lingerWhileStoppingMs
    this.#finishInput()
    this.#host.schedule(this)
  }

  /** Drops the connection at once. */
  destroy(): void {
    this.#socket.destroy()
  }

  #onBytes(bytes: Buffer): void {
    if (this.#input === 'finished') return
    // Asked for of those only who speak the Redis protocol.
    if (this.#session !== undefined) this.#spokeAtMs = Date.now()
    this.#messages.push(bytes)
    this.#read()
    this.#settle()
  }

  #onEnd(): void {
    if (this.#input === 'finished') return
    this.#input = 'ended'
    this.#host.schedule(this)
  }

  #onClose(): void {
    clearTimeout(this.#lingering)
    this.#input = 'finished'
    this.#stopWatching()
    const { backend } = this.#host
    for (const { submission } of this.#ordering.underWay()) if (submission !== 0) backend.abandon(submission)
    this.#host.forget(this)
  }

  /** Reads as many messages as one turn and the bounds allow, and starts what may start. */
  #read(): void {
    this.#isReading = true
    let bytes = 0
    let count = 0
    while (count < messagesPerTurn && bytes < messageBytesPerTurn && this.#mayRead()) {
      const message = this.#messages.next() ?? this.#lastLine()
      if (message === undefined) break
      bytes += this.#take(message)
      count++
    }
    this.#host.noteRequests(count)
    this.#start()
    this.#isReading = false
  }

  /** What the client said without a newline before it closed its side; nothing is read after it. */
  #lastLine(): Buffer | LongLine | undefined {
    if (this.#input !== 'ended') return undefined
    const line = this.#messages.end()
    if (line === undefined) this.#finishInput()
    return line
  }

  #mayRead(): boolean {
    return (
      this.#input !== 'finished' &&
      this.#ordering.size < this.#window &&
      this.#requestBytes < requestBytesMax &&
      this.unsentBytes < unsentBytesMax
    )
  }

  /** Takes one message, in whatever dialect its first byte says; gives about how many bytes it had. */
  #take(message: Message): number {
    if (message instanceof RespRequest) {
      this.#takeRequest(message)
      return message.bytes
    }
    if (message instanceof LongLine || Buffer.isBuffer(message)) {
      this.#takeLine(message)
      return message instanceof LongLine ? 0 : message.length
    }
    this.#takeRequest(message)
    return 0
  }

  #takeRequest(request: ParsedRequest): void {
    this.#hasSpoken = true
    if (this.#session === undefined) {
      this.#session = new RespSession(this.#id, this.#host.resp)
      this.#spokeAtMs = Date.now()
    }
    if (request instanceof BrokenProtocol) this.#pushStep(this.#session.takeBroken(request.text), 0)
    else if (!(request instanceof RespRequest)) this.#pushStep(this.#session.takeLarge(), 0)
    else if (request.words.length > 0) this.#pushStep(this.#session.take(request.words), request.bytes)
  }

  #takeLine(line: Buffer | LongLine): void {
    const head = line instanceof LongLine ? line.head : line
    if (!this.#hasSpoken && isHttp(head, line instanceof LongLine ? line.tail : line)) {
      this.#finishInput()
      return
    }
    const isJson = head[0] === openingBrace
    if (line instanceof LongLine) {
      const form: LineForm = isJson ? { dialect: 'json', id: null } : text
      this.#hasSpoken = true
      this.#push(form, failure('LINE_TOO_LONG', { limit: this.#host.lineBytesMax }), 0)
    } else if (isJson) {
      const { id, request } = parseJson(line, this.#host.backend.engine, this.#host.text.oneVersion)
      this.#hasSpoken = true
      this.#push({ dialect: 'json', id }, request, line.length)
    } else {
      const request = this.#host.text.parse(line, this.#host.backend.engine)
      if (request === undefined) return
      this.#hasSpoken = true
      this.#push(text, request, line.length)
    }
  }

  /** A step of the Redis protocol, whose reply is there already if it asks nothing. */
  #pushStep(step: RespStep, bytes: number): void {
    const { form, outcome, isLast } = step
    if (isLast) this.#finishInput()
    const isAsking = outcome.kind === 'ask'
    if (!isAsking && form.isSilent) return
    const exchange = new Exchange(this, isAsking ? outcome.order : 'session', form, step, bytes)
    this.#requestBytes += bytes
    this.#ordering.push(exchange)
    if (!isAsking) this.#noteAnswer(exchange, { kind: 'resp', reply: outcome })
  }

  #push(form: LineForm, request: Exclude<Exchange['request'], RespStep>, bytes: number): void {
    const quits = request.kind === 'session' && request.verb === 'quit'
    if (quits) this.#finishInput()
    // In text, the closing of the connection is the whole answer.
    if (quits && form.dialect === 'text') return
    const isSession = request.kind === 'session' || request.kind === 'error'
    const kind = isSession ? 'session' : request.kind === 'control' ? 'admin' : request.kind
    const exchange = new Exchange(this, kind, form, request, bytes)
    this.#requestBytes += bytes
    this.#ordering.push(exchange)
    if (!isSession) return
    this.#ordering.answered(exchange)
    this.#host.schedule(this)
  }

  /** Hands to the backend what the ordering lets start. */
  #start(): void {
    const { backend } = this.#host
    for (;;) {
      const exchange = this.#ordering.start()
      if (exchange === undefined) return
      const answer = carryOut(exchange, backend)
      if (answer !== undefined) this.#noteAnswer(exchange, answer)
    }
  }

  onAnswer(exchange: Exchange, told: Answer): void {
    if (this.#socket.destroyed) return
    const answer = answerOf(exchange, told, this.#host.backend)
    if (answer !== undefined) this.#noteAnswer(exchange, answer)
  }

  #noteAnswer(exchange: Exchange, answer: Answer): void {
    exchange.answer = answer
    this.#answerBytes += answerBytes(answer)
    this.#ordering.answered(exchange)
    // What was answered on the spot waits for others to have their turns, or a flood would have all of them.
    if (this.#isReading) this.#host.schedule(this)
    else if (!this.#isToReply) {
      this.#isToReply = true
      this.#host.scheduleReplies(this)
    }
  }

  /** Sends the replies that may leave, and what a watcher is to be told, in one write. */
  #sendReplies(): void {
    const out = this.#host.writer
    const unsent = this.#socket.writableLength
    let left = 0
    while (unsent + out.length < unsentBytesMax) {
      const exchange = this.#ordering.leave()
      if (exchange === undefined) break
      this.#requestBytes -= exchange.bytes
      if (exchange.answer !== undefined) this.#answerBytes -= answerBytes(exchange.answer)
      writeReply(exchange, this.#host.backend.engine, this.#host.text, out)
      const { form, request } = exchange
      const watches = request.kind === 'session' && request.verb === 'watch'
      if (watches && form.dialect !== 'resp') this.#watch(form, out)
      left++
    }
    if (unsent + out.length < unsentBytesMax) this.#events?.writeTo(out)
    const piledUp = unsent + out.length >= unsentBytesMax
    this.#window = piledUp ? windowMin : Math.min(windowMax, this.#window + left)
    if (out.length === 0) return
    const isTaken = this.#write(out)
    // The system took it all at once, so that no `drain` will say that there is room for the rest.
    if (isTaken && piledUp) this.#host.schedule(this)
  }

  /** Hands the replies to the system, which mostly takes them on the spot: then nothing has to be copied. */
  #write(out: ByteWriter): boolean {
    const socket = this.#socket
    if (socket.writableLength > 0) return socket.write(out.take())
    const isTaken = socket.write(out.view())
    out.clear(socket.writableLength > 0)
    return isTaken
  }

  /** From now on events are told, in the form of the last `watch`. */
  #watch(form: LineForm, out: ByteWriter): void {
    this.#events?.writeTo(out)
    this.#events?.stop()
    const stop = this.#host.backend.watch(event => {
      const room = unsentBytesMax - this.unsentBytes
      if (this.#events?.add(event, room)) this.#host.schedule(this)
    })
    this.#events = new EventQueue(form, stop)
  }

  #stopWatching(): void {
    this.#events?.stop()
    this.#events = undefined
  }

  /** Decides, after anything has changed, whether to read on, to have another turn, or to end. */
  #settle(): void {
    if (this.#input === 'finished') {
      if (this.#ordering.size === 0) this.#end()
      return
    }
    const mayRead = this.#mayRead()
    const { hasUnread } = this.#messages
    if (mayRead && (hasUnread || this.#input === 'ended')) this.#host.schedule(this)
    this.#setPaused(!mayRead || hasUnread)
  }

  #setPaused(isPaused: boolean): void {
    if (isPaused === this.#isPaused) return
    this.#isPaused = isPaused
    if (isPaused) this.#socket.pause()
    else this.#socket.resume()
  }

  #finishInput(): void {
    this.#input = 'finished'
    this.#messages = new MessageReader(this.#host.lineBytesMax)
  }

  /** Ends our side. What the client still sends is read and dropped until it ends its own. */
  #end(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#stopWatching()
    this.#setPaused(false)
    this.#socket.end()
  }

  /** Everything was handed to the system: the client has a moment to read it and to close. */
  #linger(): void {
    this.#lingering = setTimeout(() => this.#socket.destroy(), this.#lingerMs)
    this.#lingering.unref()
  }
}
