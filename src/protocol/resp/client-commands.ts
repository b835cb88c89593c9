/** CLIENT: what a connection tells of itself, and what is known of the others. */
import type { RespCommandRow } from './command-row.js'
import { nameProblem, textOf } from './connection-commands.js'
import type {
  ClientFacts,
  CommandContext,
  ContainerCommandRow,
  RespHost,
  SessionState,
} from './conversation.js'
import {
  arrayReply,
  errorReply,
  integerReply,
  nilReply,
  okReply,
  type RespReply,
  textReply,
} from './reply.js'

/** CLIENT and its subcommands. */
export const clientCommand: ContainerCommandRow = {
  ...row(-2, '2.4.0', 'What concerns connections'),
  subcommands: {
    id: {
      ...row(2, '5.0.0', 'Give the number of this connection'),
      run: (_words, { state }) => integerReply(state.id),
    },
    setname: {
      ...row(3, '2.6.9', 'Name this connection'),
      run: ([, , name], { state }) => {
        const problem = nameProblem(textOf(name))
        if (problem === undefined) state.name = textOf(name)
        return problem ?? okReply
      },
    },
    getname: {
      ...row(2, '2.6.9', 'Give the name of this connection'),
      run: (_words, { state }) => (state.name === '' ? nilReply : textReply(state.name)),
    },
    setinfo: {
      ...row(4, '7.2.0', 'Note the name (LIB-NAME) or version (LIB-VER) of the client library'),
      run: ([, , what, value], { state }) => setInfo(textOf(what), textOf(value), state),
    },
    info: {
      ...row(2, '6.2.0', 'Describe this connection'),
      inTransaction: 'refused',
      run: (_words, { state, host }) => {
        const own = host.clients().filter(client => client.state === state)
        return { kind: 'verbatim', text: clientLines(own, host) }
      },
    },
    list: {
      ...row(-2, '2.4.0', 'Describe the connections to this node that speak this protocol'),
      inTransaction: 'refused',
      run: (words, { host }) => list(words.slice(2).map(textOf), host),
    },
    reply: {
      ...row(3, '3.2.0', 'Turn replies ON or OFF, or SKIP one'),
      inTransaction: 'refused',
      run: ([, , how], { state }) => setReplies(textOf(how).toLowerCase(), state),
    },
    'no-evict': {
      ...row(3, '7.0.0', 'Does nothing: no connection is closed for its memory'),
      run: ([, , how]) => onOrOff(how),
    },
    'no-touch': {
      ...row(3, '7.2.0', 'Does nothing: no key is evicted'),
      run: ([, , how]) => onOrOff(how),
    },
    help: {
      ...row(2, '5.0.0', 'List the subcommands'),
      run: (_words, { table }) => subcommandHelp('CLIENT', table),
    },
  },
}

/** What a container says to HELP. */
export function subcommandHelp(name: string, table: CommandContext['table']): RespReply {
  const container = table.get(name.toLowerCase())
  const rows = container !== undefined && 'subcommands' in container ? container.subcommands : {}
  const lines = Object.entries(rows).flatMap(([subcommand, { summary }]) => [
    subcommand.toUpperCase(),
    `    ${summary}.`,
  ])
  const head = `${name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`
  return arrayReply([head, ...lines].map(text => ({ kind: 'status', text })))
}

function row(arity: number, since: string, summary: string): RespCommandRow {
  return {
    arity,
    flags: ['noscript', 'loading', 'stale'],
    keys: [0, 0, 0],
    group: 'connection',
    since,
    summary,
  }
}

function setInfo(what: string, value: string, state: SessionState): RespReply {
  const attribute = what.toLowerCase()
  if (attribute !== 'lib-name' && attribute !== 'lib-ver') {
    return errorReply(`ERR Unrecognized option '${what.slice(0, 64)}'`)
  }
  const problem = nameProblem(value, attribute)
  if (problem !== undefined) return problem
  if (attribute === 'lib-name') state.libraryName = value
  else state.libraryVersion = value
  return okReply
}

function setReplies(how: string, state: SessionState): RespReply {
  if (how !== 'on' && how !== 'off' && how !== 'skip') return errorReply('ERR syntax error')
  // Who hears nothing goes on to hear nothing; there is no single reply to be skipped.
  if (how !== 'skip' || state.replies === 'on') state.replies = how
  return okReply
}

function onOrOff(how: Buffer | undefined): RespReply {
  return /^(?:on|off)$/i.test(textOf(how)) ? okReply : errorReply('ERR syntax error')
}

function list(options: readonly string[], host: RespHost): RespReply {
  const [option, ...values] = options
  const clients = host.clients()
  if (option === undefined) return { kind: 'verbatim', text: clientLines(clients, host) }
  if (/^id$/i.test(option) && values.length > 0) {
    const bad = values.some(value => !/^\d{1,15}$/.test(value))
    if (bad) return errorReply('ERR Invalid client ID')
    const ids = new Set(values.map(Number))
    const some = clients.filter(({ state }) => ids.has(state.id))
    return { kind: 'verbatim', text: clientLines(some, host) }
  }
  const [type] = values
  if (/^type$/i.test(option) && values.length === 1) {
    const kind = type?.toLowerCase() ?? ''
    if (!/^(?:normal|master|replica|slave|pubsub)$/.test(kind)) {
      return errorReply(`ERR Unknown client type '${kind.slice(0, 64)}'`)
    }
    return { kind: 'verbatim', text: clientLines(kind === 'normal' ? clients : [], host) }
  }
  return errorReply('ERR syntax error')
}

/** Client libraries read these as numbers whether they use them or not; there is nothing to say of them. */
const alwaysThere = {
  fd: 0,
  qbuf: 0,
  'qbuf-free': 0,
  'argv-mem': 0,
  'multi-mem': 0,
  obl: 0,
  oll: 0,
  omem: 0,
  'tot-mem': 0,
}

/** A line for each client, with Redis's fields. */
function clientLines(clients: readonly ClientFacts[], host: RespHost): string {
  const { wallMs } = host.facts()
  const seconds = (sinceMs: number) => Math.max(0, Math.floor((wallMs - sinceMs) / 1000))
  return clients
    .map(({ state, remoteAddress, localAddress, connectedAtMs, spokeAtMs }) => {
      const fields = {
        id: state.id,
        addr: remoteAddress,
        laddr: localAddress,
        name: state.name,
        age: seconds(connectedAtMs),
        idle: seconds(spokeAtMs),
        flags: `${state.isReadOnly ? 'r' : ''}${state.transaction === undefined ? '' : 'x'}` || 'N',
        db: 0,
        sub: 0,
        psub: 0,
        ssub: 0,
        multi: state.transaction?.size ?? -1,
        watch: state.watched.keys.size,
        ...alwaysThere,
        cmd: state.lastCommand,
        user: 'default',
        resp: state.version,
        'lib-name': state.libraryName,
        'lib-ver': state.libraryVersion,
      }
      const words = Object.entries(fields).map(([name, value]) => `${name}=${value}`)
      return `${words.join(' ')}\n`
    })
    .join('')
}
