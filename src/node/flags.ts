/** The one table of the settings of `quorate`: flags, environment variables, keys of the file, and the help. */

import { connectionsMaxDefault } from '../net/client-limits.js'
import { defaultPort } from '../protocol/address.js'
import { lineBytesMaxDefault } from '../protocol/lines.js'
import { environmentName, type SettingRow, type SettingTable } from './settings.js'
import { address, addresses, choice, count, duration, host, onOff, path, port, size, text } from './values.js'

/** How far the peer port is from the client port, unless told otherwise. */
export const peerPortOffset = 1000

/** The table. */
export const flags = {
  host: {
    is: host,
    value: '<host>',
    default: '127.0.0.1',
    reason: 'A database without passwords is open to the network only when somebody says so.',
    summary: 'Listens on this address; 0.0.0.0 (all of them) needs --advertise',
  },
  port: {
    is: port,
    value: '<port>',
    default: String(defaultPort),
    reason: 'Addresses leave it out.',
    summary: 'Listens here for clients',
  },
  'peer-port': {
    is: port,
    value: '<port>',
    defaultShown: `--port + ${peerPortOffset}`,
    reason: 'Nodes that share a machine differ in one number only.',
    summary: 'Listens here for the other nodes',
  },
  advertise: {
    is: address,
    value: '<host>[:<port>]',
    defaultShown: '--host and --port',
    reason: 'What a node listens on is usually where it is reached.',
    summary: 'Where clients and nodes reach this node; it is also its name',
  },
  'data-dir': {
    is: path,
    value: '<path>',
    defaultShown: './data/<port>',
    reason: 'Nodes that share a machine must not share data.',
    summary: 'Keeps the data here',
  },
  engine: {
    is: choice(['raft', 'ring']),
    value: 'raft|ring',
    defaultShown: 'raft, or what the data directory says',
    reason: 'Most people expect to read what was written.',
    summary: 'Chosen when the cluster is created: raft keeps copies equal, ring stays writable',
  },
  join: {
    is: addresses,
    value: '<host>:<port>[,...]',
    reason: 'A node by itself is a cluster of one.',
    summary: 'First start: asks one of these members to add this node',
  },
  cluster: {
    is: addresses,
    value: '<a>,<b>,<c>',
    reason: 'A node by itself is a cluster of one.',
    summary: 'First start: forms a cluster with these nodes, itself one of them; the same list for each',
  },
  'force-new-cluster': {
    is: onOff,
    isSwitch: true,
    only: 'flag',
    reason: 'It gives up what only the lost nodes knew, so somebody has to say so each time.',
    summary:
      'The majority is lost for good: makes this node, with its data, a new cluster of one. See the docs first',
  },
  'replication-factor': {
    is: count(1, 100),
    value: '<n>',
    defaultShown: 'ring: 3, or what the ring that is joined has',
    reason: 'Three copies outlive the loss of one and still agree.',
    summary: 'Set when the ring is created: copies of each key. With raft every node has one',
  },
  'election-timeout': {
    is: duration('ms', 50, 600_000),
    value: '<ms>',
    unit: 'ms',
    default: '1000',
    reason:
      'Ten heartbeats: a busy machine is not taken for a dead one, a silent one is replaced in seconds.',
    summary: 'Silence of the leader after which the others elect a new one',
  },
  'heartbeat-interval': {
    is: duration('ms', 10, 60_000),
    value: '<ms>',
    unit: 'ms',
    default: '100',
    reason: 'Costs next to nothing, and a tenth of the election timeout forgives losing several.',
    summary: 'How often the leader says that it is there; at most a third of --election-timeout',
  },
  'request-timeout': {
    is: duration('ms', 10, 600_000),
    value: '<ms>',
    unit: 'ms',
    default: '5000',
    reason: 'An election or two fit into it, so that clients rarely see one.',
    summary: 'How long a request waits for a leader before the client gets an error',
  },
  'node-timeout': {
    is: duration('s', 1, 86_400),
    value: '<s>',
    unit: 's',
    default: '10',
    reason: 'A restart is shorter.',
    summary: 'Silence after which a member is shown dead',
  },
  evict: {
    is: onOff,
    isSwitch: true,
    reason: 'A member that is silent usually comes back.',
    summary: 'Ring: the others take over the share of a dead member until it is back',
  },
  reads: {
    is: choice(['linearizable', 'lease']),
    value: 'linearizable|lease',
    default: 'linearizable',
    reason: 'It needs no trust in clocks.',
    summary: 'Set when the cluster is created: lease saves a round trip by trusting the speed of clocks',
  },
  'max-line': {
    is: size('1kb', '64mb'),
    value: '<size>',
    unit: 'bytes',
    default: String(lineBytesMaxDefault),
    defaultShown: '1mb',
    reason: 'Large enough for documents, small enough that one client cannot fill the memory.',
    summary: 'Longest line that a client may send',
  },
  'max-connections': {
    is: count(1, 1_000_000),
    value: '<n>',
    default: String(connectionsMaxDefault),
    reason: 'About what one process serves well.',
    summary: 'Client connections at a time; more are refused',
  },
  'log-level': {
    is: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    value: '<level>',
    default: 'info',
    reason: 'Each change of state once, nothing per request.',
    summary: 'trace, debug, info, warn, error, fatal or silent',
  },
  banner: {
    is: text,
    value: '<text>',
    defaultShown: 'none',
    reason: 'Scripts expect the first line to be their answer.',
    summary: 'Greets each connection with this line',
  },
  config: {
    is: path,
    value: '<file.json>',
    only: 'flag and environment',
    reason: 'A file that names files is hard to follow.',
    summary: 'Reads settings from this file, under the same names',
  },
  help: { is: onOff, isSwitch: true, only: 'flag', reason: 'It is a question.', summary: 'Shows this' },
  version: {
    is: onOff,
    isSwitch: true,
    only: 'flag',
    reason: 'It is a question.',
    summary: 'Shows the version',
  },
} as const satisfies SettingTable

const helpWidth = 110

/** The help of a program, made from its table. */
export function helpText(introduction: string, usage: string, table: SettingTable): string {
  const rows = Object.entries(table).map(([name, row]) => ({ flag: flagShown(name, row), says: says(row) }))
  const indent = Math.max(...rows.map(row => row.flag.length)) + 2
  const lines = rows.map(({ flag, says }) => {
    const [first = '', ...more] = wrap(says, helpWidth - indent)
    return [flag.padEnd(indent) + first, ...more.map(line => ' '.repeat(indent) + line)].join('\n')
  })
  const closing =
    `Each flag is also an environment variable (--data-dir: ${environmentName('data-dir')}) and, where there is ` +
    '--config, a key of that file ("data-dir"). A flag wins over the environment, the environment over the file.'
  const isFlagsOnly = Object.values(table).every(row => row.only === 'flag')
  const end = isFlagsOnly ? [] : ['', ...wrap(closing, helpWidth)]
  return [introduction, '', `Usage: ${usage}`, '', ...lines, ...end].join('\n')
}

function flagShown(name: string, row: SettingRow<unknown>): string {
  return row.value === undefined ? `  --${name}` : `  --${name} ${row.value}`
}

function says(row: SettingRow<unknown>): string {
  const unit = row.defaultShown === undefined && row.unit !== undefined ? row.unit : ''
  const shown = row.defaultShown ?? row.default
  return shown === undefined ? row.summary : `${row.summary} ${unbroken(`(default ${shown}${unit})`)}`
}

const noBreakSpace = '\u00a0'

/** Keeps words together until {@link wrap} has broken the lines. */
function unbroken(words: string): string {
  return words.replaceAll(' ', noBreakSpace)
}

/** Breaks a text between words into lines of at most `width`. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line].map(one => one.replaceAll(noBreakSpace, ' '))
}
