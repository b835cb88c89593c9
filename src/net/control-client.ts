/** One question to another node over its client port: connect, ask one line of JSON, read one, close. */
import { connect } from 'node:net'
import { formatAddress, parseAddress } from '../protocol/address.js'
import { LineSplitter, LongLine } from '../protocol/lines.js'
import { whyNotReached } from '../protocol/unreachable.js'
import { peerProtocolVersion } from './transport.js'

/** The longest answer that is read, in bytes. */
const answerBytesMax = 1024 * 1024

/** What came of asking. A `reason` is a sentence for people, to be put after a colon. */
export type ControlAnswer =
  /** It answered; the fields are those of its JSON object, with `id` and `ok` among them. */
  | { readonly kind: 'answer'; readonly fields: Readonly<Record<string, unknown>> }
  /** Nobody there, or nobody who answers in time; the message may have arrived all the same. */
  | { readonly kind: 'unreachable'; readonly reason: string }
  /** Somebody answered, but not as a Quorate node does. */
  | { readonly kind: 'not-quorate'; readonly reason: string }
  /** It understood and said no. The reason is the message, without what every refusal of that kind begins with. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string; readonly reason: string }
  /** Its answer names another version of the peer protocol (in the field `protocol`). */
  | {
      readonly kind: 'version'
      readonly ours: number
      readonly theirs: number
      readonly reason: string
    }

/**
 * Sends `message`, to which it adds an `id`, to the client port at `address` and gives the answer. Never fails:
 * what goes wrong is an answer too.
 */
export function askControl(
  address: string,
  message: Readonly<Record<string, unknown>>,
  timeoutMs: number,
): Promise<ControlAnswer> {
  const place = parseAddress(address)
  if (place === undefined) {
    return Promise.resolve({ kind: 'unreachable', reason: `'${address}' is no address.` })
  }
  const where = formatAddress(place)
  return new Promise(resolve => {
    const lines = new LineSplitter(answerBytesMax)
    let isConnected = false
    /** A line that was no JSON: a node may greet those who connect, so the answer can still come. */
    let greeting: string | undefined
    const socket = connect({ ...place, noDelay: true })
    const deadline = setTimeout(() => {
      const what = isConnected ? 'did not answer' : 'could not be reached'
      settle(notAnswered(`${where} ${what} within ${timeoutMs} ms.`))
    }, timeoutMs)

    function settle(answer: ControlAnswer): void {
      clearTimeout(deadline)
      socket.destroy()
      resolve(answer)
    }
    function notAnswered(reason: string): ControlAnswer {
      return greeting === undefined ? { kind: 'unreachable', reason } : notQuorate(where, greeting)
    }

    socket.on('connect', () => {
      isConnected = true
      socket.write(`${JSON.stringify({ id: 1, ...message })}\n`)
    })
    socket.on('data', chunk => {
      lines.push(chunk)
      for (let line = lines.next(); line !== undefined; line = lines.next()) {
        const fields = line instanceof LongLine ? undefined : parsedObject(line)
        if (fields !== undefined) {
          settle(toAnswer(fields, where))
          return
        }
        const said = (line instanceof LongLine ? line.head : line).toString('utf8')
        if (said.startsWith('ERROR: ')) {
          // A node that takes no connection says so in text, before it knows how it is spoken to.
          settle({ kind: 'unreachable', reason: `${where} answered: ${said.slice('ERROR: '.length)}` })
          return
        }
        if (greeting !== undefined || line instanceof LongLine) {
          settle(notQuorate(where, greeting ?? said))
          return
        }
        greeting = said
      }
      if (lines.isTooLong) settle(notQuorate(where, greeting ?? ''))
    })
    socket.on('end', () => settle(notAnswered(`${where} closed the connection without an answer.`)))
    socket.on('error', error => settle(notAnswered(whyUnreachable(error, where))))
  })
}

function toAnswer(fields: Record<string, unknown>, where: string): ControlAnswer {
  const { ok, code, message, reason, protocol } = fields
  if (typeof protocol === 'number' && protocol !== peerProtocolVersion) {
    const reason = `it speaks version ${protocol} of the peer protocol, this node speaks ${peerProtocolVersion}.`
    return { kind: 'version', ours: peerProtocolVersion, theirs: protocol, reason }
  }
  if (ok !== false) return { kind: 'answer', fields }
  if (typeof code !== 'string' || typeof message !== 'string') {
    return notQuorate(where, JSON.stringify(fields))
  }
  return { kind: 'refused', code, message, reason: typeof reason === 'string' ? reason : message }
}

function notQuorate(where: string, said: string): ControlAnswer {
  const quoted = JSON.stringify(said.slice(0, 80))
  return { kind: 'not-quorate', reason: `what answers at ${where} is not a Quorate node; it said ${quoted}.` }
}

function whyUnreachable(error: NodeJS.ErrnoException, where: string): string {
  return `${where} could not be reached: ${whyNotReached(error)}.`
}

function parsedObject(line: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'))
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    // An object of JSON has strings for keys, and its values are looked at before they are used.
    return value as Record<string, unknown>
  } catch {
    return undefined
  }
}
