/** The commands that concern a connection: what it speaks, who it is, and its end. */
import type { RespCommandRow } from './command-row.js'
import type { CommandContext, ConnectionCommandRow, SessionState } from './conversation.js'
import { noWatchedKeys } from './conversation.js'
import {
  arrayReply,
  errorReply,
  integerReply,
  mapReply,
  okReply,
  type RespReply,
  textReply,
} from './reply.js'

/** By name, in lower case. */
export const connectionCommands: Readonly<Record<string, ConnectionCommandRow>> = {
  ping: {
    ...row(-1, ['fast'], '1.0.0', 'Answer PONG, or the message'),
    run: words => {
      if (words.length > 2) return errorReply("ERR wrong number of arguments for 'ping' command")
      const [, message] = words
      return message === undefined ? { kind: 'status', text: 'PONG' } : { kind: 'bytes', value: message }
    },
  },
  echo: {
    ...row(2, ['fast'], '1.0.0', 'Answer the message'),
    run: ([, message]) => ({ kind: 'bytes', value: message ?? nothing }),
  },
  quit: {
    ...row(-1, ['fast', 'noscript', 'loading', 'stale'], '1.0.0', 'Close the connection'),
    inTransaction: 'at-once',
    run: (_words, { state }) => {
      state.isClosing = true
      return okReply
    },
  },
  reset: {
    ...row(1, ['fast', 'noscript', 'loading', 'stale'], '6.2.0', 'Make the connection as new'),
    inTransaction: 'at-once',
    run: (_words, { state }) => {
      resetState(state)
      return { kind: 'status', text: 'RESET' }
    },
  },
  select: {
    ...row(2, ['loading', 'stale', 'fast'], '1.0.0', 'Select the database: there is one, 0'),
    run: ([, index]) => {
      const text = textOf(index)
      if (!/^-?\d{1,18}$/.test(text)) return errorReply('ERR value is not an integer or out of range')
      return Number(text) === 0 ? okReply : errorReply('ERR DB index is out of range')
    },
  },
  auth: {
    ...row(-2, ['noscript', 'loading', 'stale', 'fast'], '1.0.0', 'Is refused: there are no passwords'),
    run: () => noPasswords,
  },
  hello: {
    ...row(-1, ['noscript', 'loading', 'stale', 'fast'], '6.0.0', 'Choose the version of the protocol'),
    inTransaction: 'refused',
    run: hello,
  },
  readonly: {
    ...row(1, ['loading', 'stale', 'fast'], '3.0.0', 'Let reads be answered from the copy of this node'),
    run: (_words, { state }) => {
      state.isReadOnly = true
      return okReply
    },
  },
  readwrite: {
    ...row(1, ['loading', 'stale', 'fast'], '3.0.0', 'Let reads see every write again'),
    run: (_words, { state }) => {
      state.isReadOnly = false
      return okReply
    },
  },
  asking: {
    ...row(1, ['fast'], '3.0.0', 'Does nothing: slots never move'),
    run: () => okReply,
  },
}

/** What nobody has told yet of itself. */
export function newSessionState(id: number): SessionState {
  return {
    id,
    version: 2,
    name: '',
    libraryName: '',
    libraryVersion: '',
    isReadOnly: false,
    replies: 'on',
    transaction: undefined,
    watched: noWatchedKeys(),
    lastCommand: 'NULL',
    isClosing: false,
  }
}

/** A word as text, whatever its bytes are. */
export function textOf(word: Buffer | undefined): string {
  return word?.toString('latin1') ?? ''
}

/** What is wrong with a name that a client gives itself, if anything is. */
export function nameProblem(name: string, what = 'Client names'): RespReply | undefined {
  if (/^[!-~]*$/.test(name) && name.length <= nameLengthMax) return undefined
  return errorReply(`ERR ${what} cannot contain spaces, newlines or special characters.`)
}

const nothing = Buffer.alloc(0)
/** A name is kept as long as its connection lives. */
const nameLengthMax = 1024

const noPasswords = errorReply(
  'ERR AUTH <password> called without any password configured for the default user. Are you sure your ' +
    'configuration is correct?',
)

function row(arity: number, flags: readonly string[], since: string, summary: string): RespCommandRow {
  return { arity, flags, keys: [0, 0, 0], group: 'connection', since, summary }
}

function resetState(state: SessionState): void {
  const { id, libraryName, libraryVersion } = state
  Object.assign(state, newSessionState(id), { libraryName, libraryVersion })
}

function hello(words: readonly Buffer[], { state, host }: CommandContext): RespReply {
  const [, version, ...options] = words
  const asked = version === undefined ? String(state.version) : textOf(version)
  if (!/^\d{1,9}$/.test(asked)) return errorReply('ERR Protocol version is not an integer or out of range')
  if (asked !== '2' && asked !== '3') return errorReply('NOPROTO unsupported protocol version')
  let name: string | undefined
  for (let position = 0; position < options.length; position++) {
    const option = textOf(options[position])
    const left = options.length - position - 1
    if (/^auth$/i.test(option) && left >= 2) return noPasswords
    if (!/^setname$/i.test(option) || left < 1) {
      return errorReply(`ERR Syntax error in HELLO option '${option.slice(0, 64)}'`)
    }
    name = textOf(options[++position])
    const problem = nameProblem(name)
    if (problem !== undefined) return problem
  }
  if (name !== undefined) state.name = name
  state.version = asked === '2' ? 2 : 3
  return mapReply([
    ['server', textReply('redis')],
    ['version', textReply(redisVersion)],
    ['proto', integerReply(state.version)],
    ['id', integerReply(state.id)],
    ['mode', textReply('cluster')],
    // Every node takes writes, whichever leads.
    ['role', textReply('master')],
    ['modules', arrayReply([])],
    ['quorate_version', textReply(host.facts().version)],
  ])
}

/** The Redis whose commands and words these are; clients ask for it before they use what is newer. */
export const redisVersion = '7.2.0'
