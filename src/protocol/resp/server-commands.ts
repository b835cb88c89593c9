/** The commands that concern the node: what it is, how it is set, and which commands it has. */
import { subcommandHelp } from './client-commands.js'
import { askConsensus, askStatus } from './cluster-commands.js'
import { addressOf, leaderOf, replicasOf } from './cluster-view.js'
import { commandDocs, commandInfos, commandKeys, commandNames } from './command-replies.js'
import type { RespCommandRow } from './command-row.js'
import { textOf } from './connection-commands.js'
import type {
  ConnectionCommandRow,
  ContainerCommandRow,
  Outcome,
  Question,
  RespHost,
} from './conversation.js'
import { dataRequest, repliesOf } from './data-request.js'
import { type InfoSources, infoText } from './info.js'
import { arrayReply, errorReply, integerReply, mapReply, type RespReply, textReply } from './reply.js'

const command: ContainerCommandRow & Pick<ConnectionCommandRow, 'run'> = {
  ...row(-1, '2.8.13', 'Describe the commands'),
  run: (_words, { table }) => commandInfos(table),
  subcommands: {
    count: {
      ...row(2, '2.8.13', 'Count the commands'),
      run: (_words, { table }) => integerReply(table.size),
    },
    docs: {
      ...row(-2, '7.0.0', 'Explain commands'),
      run: (words, { table }) => commandDocs(table, words.slice(2).map(textOf)),
    },
    info: {
      ...row(-2, '2.8.13', 'Describe some commands'),
      run: (words, { table }) =>
        commandInfos(table, words.length > 2 ? words.slice(2).map(textOf) : undefined),
    },
    getkeys: {
      ...row(-3, '2.8.13', 'Tell which words of a command are keys'),
      run: (words, { table }) => commandKeys(table, words.slice(2)),
    },
    list: {
      ...row(2, '7.0.0', 'List the names of the commands'),
      run: (_words, { table }) => commandNames(table),
    },
    help: {
      ...row(2, '5.0.0', 'List the subcommands'),
      run: (_words, { table }) => subcommandHelp('COMMAND', table),
    },
  },
}

const config: ContainerCommandRow = {
  ...row(-2, '2.0.0', 'How the node is set, as far as clients ask for it'),
  subcommands: {
    get: {
      ...row(-3, '2.0.0', 'Give settings by name or pattern'),
      run: (words, { host }) => settingsReply(words.slice(2).map(textOf), host),
    },
    set: {
      ...row(-4, '2.0.0', 'Is refused: a node is set by its flags'),
      run: () => errorReply('ERR CONFIG SET is not available: settings are flags of the node'),
    },
    help: {
      ...row(2, '5.0.0', 'List the subcommands'),
      run: (_words, { table }) => subcommandHelp('CONFIG', table),
    },
  },
}

/** By name, in lower case. */
export const serverCommands: Readonly<Record<string, ConnectionCommandRow | ContainerCommandRow>> = {
  command,
  config,
  info: {
    ...row(-1, '1.0.0', 'Tell how the node is'),
    inTransaction: 'refused',
    run: (words, { host }) => info(words.slice(1).map(textOf), host),
  },
  role: {
    ...row(1, '2.8.12', 'Tell whether the node leads'),
    inTransaction: 'refused',
    run: (_words, { host }) => role(host),
  },
}

function row(arity: number, since: string, summary: string): RespCommandRow {
  return { arity, flags: ['loading', 'stale'], keys: [0, 0, 0], group: 'server', since, summary }
}

/** Answered whether there is a leader or not, and whether the node is a member or not. */
function info(names: readonly string[], host: RespHost): Outcome {
  const { address } = host
  const reply = (status: InfoSources['status'], keys: InfoSources['keys']): RespReply => ({
    kind: 'verbatim',
    text: infoText(names, { facts: host.facts(), address, status, keys }),
  })
  return askStatus(
    status => {
      if (host.engine !== 'raft') return reply(status, undefined)
      const { request } = dataRequest([{ op: 'dbsize' }, { op: 'expiring' }], true)
      const question: Question = {
        kind: 'question',
        request,
        next: response => {
          const replies = repliesOf(request, response)
          const [count, expiring] = 'kind' in replies ? [] : replies
          const isKnown = count?.kind === 'integer' && expiring?.kind === 'integer'
          return reply(
            status,
            isKnown ? { count: Number(count.value), expiring: Number(expiring.value) } : undefined,
          )
        },
      }
      return question
    },
    () => reply(undefined, undefined),
  )
}

function role(host: RespHost): Outcome {
  return askConsensus('role', status => {
    const leader = leaderOf(status)
    const own = status.members.find(({ address }) => address === host.address)
    const offset = integerReply(own?.appliedIndex ?? 0)
    if (leader === undefined || leader !== own) {
      const at = leader === undefined ? { host: '', port: 0 } : addressOf(leader)
      const link = textReply(leader === undefined ? 'connect' : 'connected')
      return arrayReply([textReply('slave'), textReply(at.host), integerReply(at.port), link, offset])
    }
    const replicas = replicasOf(status).map(member => {
      const { host, port } = addressOf(member)
      return arrayReply([host, String(port), String(member.lastIndex ?? 0)].map(textReply))
    })
    return arrayReply([textReply('master'), offset, arrayReply(replicas)])
  })
}

/** What clients and benchmarks ask for, in Redis's names. */
function settings(host: RespHost): Readonly<Record<string, string>> {
  const { port, connectionsMax } = host.facts()
  return {
    // No snapshots now and then, but a log that is synced before anything is acknowledged.
    save: '',
    appendonly: 'yes',
    appendfsync: 'always',
    maxmemory: '0',
    'maxmemory-policy': 'noeviction',
    maxclients: String(connectionsMax),
    databases: '1',
    timeout: '0',
    port: String(port),
    requirepass: '',
    'cluster-enabled': 'yes',
    'notify-keyspace-events': '',
    'proto-max-bulk-len': String(host.wordBytesMax),
    'replica-read-only': 'no',
  }
}

function settingsReply(patterns: readonly string[], host: RespHost): RespReply {
  const found = Object.entries(settings(host)).filter(([name]) =>
    patterns.some(pattern => matches(name, pattern.toLowerCase().slice(0, patternCharactersMax))),
  )
  return mapReply(found.map(([name, value]) => [name, textReply(value)]))
}

/** Longer than any name. */
const patternCharactersMax = 64

/** Whether a name fits a pattern of letters, `*` and `?`. Only the last star is tried anew, which is enough. */
function matches(name: string, pattern: string): boolean {
  let position = 0
  let inPattern = 0
  let star: { readonly inPattern: number; position: number } | undefined
  while (position < name.length) {
    const character = pattern[inPattern]
    if (character === '*') {
      star = { inPattern: inPattern++, position }
    } else if (character === '?' || character === name[position]) {
      position++
      inPattern++
    } else if (star !== undefined) {
      position = ++star.position
      inPattern = star.inPattern + 1
    } else return false
  }
  return /^\**$/.test(pattern.slice(inPattern))
}
