/**
 * What a client says and hears in each dialect, as far as a load needs it: `set` and `get`. The keys of a load are
 * plain ASCII, and so are its values.
 */
import { errors } from '../../src/protocol/errors.js'

/** What became of a request. */
export type Outcome =
  | 'done'
  /** A read of a key that is not there. */
  | 'absent'
  /** An error, after which the request certainly did nothing. */
  | 'refused'
  /** An error, after which a write may have happened. */
  | 'unclear'

/** Where a reply ends, and what it says. */
export interface Reply {
  /** The offset behind it. */
  readonly end: number
  readonly outcome: Outcome
  /** Which request it answers, where replies may overtake each other; undefined where they come in order. */
  readonly slot: number | undefined
}

/** How one dialect is spoken. */
export interface Dialect {
  write(slot: number, key: string, value: string): string
  read(slot: number, key: string): string
  /** The reply that begins at `from`; undefined while it is incomplete. */
  reply(bytes: Buffer, from: number): Reply | undefined
  /** The value in the whole reply to a read that is done. */
  valueIn(reply: Buffer): string
  /** The error in a whole reply, for people. */
  errorIn(reply: Buffer): string
}

/** The name of a dialect. */
export type DialectName = 'text' | 'json' | 'resp'

const newline = 0x0a

const text: Dialect = {
  write: (_, key, value) => `set ${key} ${value}\n`,
  read: (_, key) => `get ${key}\n`,
  reply(bytes, from) {
    const end = endOfLine(bytes, from)
    if (end === undefined) return undefined
    // Nothing else that a load is told begins with an E: its keys do not.
    const outcome = bytes[from] === 0x45 ? textOutcome(text.errorIn(bytes.subarray(from, end))) : 'done'
    return { end, outcome, slot: undefined }
  },
  valueIn(reply) {
    const line = withoutLineEnd(reply)
    return line.slice(line.indexOf(' -> ') + ' -> '.length)
  },
  errorIn: reply => withoutLineEnd(reply).replace(/^ERROR: /, ''),
}

const json: Dialect = {
  write: (slot, key, value) => `{"id":${slot},"op":"set","key":"${key}","value":"${value}"}\n`,
  read: (slot, key) => `{"id":${slot},"op":"get","key":"${key}"}\n`,
  reply(bytes, from) {
    const end = endOfLine(bytes, from)
    if (end === undefined) return undefined
    const { id, ok, code, definite } = parsed(bytes.subarray(from, end))
    const outcome =
      ok === true ? 'done' : code === 'KEY_NOT_FOUND' ? 'absent' : definite === true ? 'refused' : 'unclear'
    return { end, outcome, slot: typeof id === 'number' ? id : undefined }
  },
  valueIn: reply => String(parsed(reply)['value']),
  errorIn: reply => String(parsed(reply)['message'] ?? withoutLineEnd(reply)),
}

const resp: Dialect = {
  write: (_, key, value) => `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`,
  read: (_, key) => `*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`,
  reply(bytes, from) {
    const line = endOfLine(bytes, from)
    if (line === undefined) return undefined
    switch (bytes[from]) {
      case 0x24: {
        const length = Number(bytes.toString('latin1', from + 1, line - 2))
        if (length < 0) return { end: line, outcome: 'absent', slot: undefined }
        const end = line + length + 2
        return end > bytes.length ? undefined : { end, outcome: 'done', slot: undefined }
      }
      case 0x5f:
        return { end: line, outcome: 'absent', slot: undefined }
      case 0x2d:
        // Redis's errors do not say whether a write may have happened.
        return { end: line, outcome: 'unclear', slot: undefined }
      default:
        return { end: line, outcome: 'done', slot: undefined }
    }
  },
  valueIn: reply => reply.toString('latin1', reply.indexOf(newline) + 1, reply.length - 2),
  errorIn: reply => withoutLineEnd(reply).replace(/^-/, ''),
}

/** All dialects. */
export const dialects: Readonly<Record<DialectName, Dialect>> = { text, json, resp }

function endOfLine(bytes: Buffer, from: number): number | undefined {
  const at = bytes.indexOf(newline, from)
  return at < 0 ? undefined : at + 1
}

function withoutLineEnd(reply: Buffer): string {
  return reply.toString('latin1').replace(/\r?\n$/, '')
}

function parsed(line: Buffer): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(line.toString('utf8'))
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

/** The table of errors tells: a text belongs to the row whose text it begins like, up to the first detail. */
function textOutcome(said: string): Outcome {
  if (said === errors.KEY_NOT_FOUND.text) return 'absent'
  const row = Object.values(errors).find(({ text }) => said.startsWith(text.split('{', 1)[0] ?? text))
  return row?.definite === true ? 'refused' : 'unclear'
}
