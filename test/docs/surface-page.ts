/**
 * The reference page of everything that people and programs see, made from the tables that the programs
 * themselves are made of: commands, errors and settings. Replies are not described but produced, by the code
 * that answers clients, so that the page cannot promise what a node does not say.
 */
import { logIndex, nodeId, term } from '../../src/base/ids.js'
import { namedWriteExpiryMs, namedWritesMax } from '../../src/kv/named-writes.js'
import { flags } from '../../src/node/flags.js'
import { environmentName, type SettingRow, type SettingTable } from '../../src/node/settings.js'
import { ByteWriter } from '../../src/protocol/byte-writer.js'
import { keysPerPageMax } from '../../src/protocol/command.js'
import {
  commandRow,
  type Engine,
  isFor,
  summaryOf,
  usage,
  type Verb,
  verbs,
} from '../../src/protocol/commands.js'
import { errors } from '../../src/protocol/errors.js'
import { parseJson } from '../../src/protocol/json.js'
import { jsonFailure, jsonReply } from '../../src/protocol/json-reply.js'
import { keyBytesMax } from '../../src/protocol/key.js'
import { type ClusterEvent, type ClusterStatus, failure, type Response } from '../../src/protocol/request.js'
import { parseText } from '../../src/protocol/text.js'
import { eventText, watchText, writeTextFailure, writeTextReply } from '../../src/protocol/text-reply.js'

/** The whole page, with its last newline. */
export function surfacePage(): string {
  const parts = [
    '# What people see',
    '',
    introduction,
    '',
    '## The text dialect',
    '',
    textDialect,
    '',
    '### Commands',
    '',
    ...commandTable(),
    '',
    ...verbsOf('raft').flatMap(verb => optionTable(verb)),
    '### Replies',
    '',
    repliesExplained,
    '',
    ...session(textExamples.map(([line, response]) => [line, textReply(line, response)])),
    '',
    whileNoLeader,
    '',
    '### Watching the cluster',
    '',
    ...session([['watch --cluster', watchText + events.map(event => eventText(event) ?? '').join('')]]),
    '',
    '## The JSON dialect',
    '',
    jsonDialect,
    '',
    ...session(jsonExamples.map(([line, response]) => [line, replyInJson(line, response)])),
    '',
    '## The ring engine',
    '',
    ringExplained,
    '',
    ...commandTable('ring'),
    '',
    ...verbsOf('ring').flatMap(verb => optionTable(verb, 'ring')),
    ...session(ringTextExamples.map(([line, response]) => [line, textReply(line, response, 'ring')])),
    '',
    ringInJson,
    '',
    ...session(ringJsonExamples.map(([line, response]) => [line, replyInJson(line, response, 'ring')])),
    '',
    ...session([['watch --cluster', watchText + ringEvents.map(event => eventText(event) ?? '').join('')]]),
    '',
    '## Errors',
    '',
    errorsExplained,
    '',
    ...errorTable(),
    '',
    '## Flags of `quorate`',
    '',
    flagsExplained,
    '',
    ...flagTable(flags),
  ]
  return `${parts.join('\n')}\n`
}

const introduction = `This page is made from the tables in \`src/protocol/commands.ts\`, \`src/protocol/errors.ts\` and
\`src/node/flags.ts\`, and its replies by the code that answers clients. A test compares it with them;
\`UPDATE=1\` makes that test write it anew.

A node has one port for clients, 5000 unless changed. A line that begins with \`{\` is a request in the JSON
dialect, what begins with \`*\` is one in the protocol of Redis, which has [a page of its own](redis.md), and any other line
is a command of the text dialect. All can be used on one connection.`

const textDialect = `One command a line, one reply for each, in order. Lines end in \`\\n\` or \`\\r\\n\`; a last line without
either is carried out when the client closes its side. An empty line is nothing. Commands can be typed in either
case; keys and values cannot. Words are separated by blanks. Options come right behind the command, \`--name
value\` or \`--name=value\`, and \`--\` ends them. A value is the rest of the line behind one blank, as it stands. A key
is one word of at most ${keyBytesMax} bytes of UTF-8.

A reply is one line. Where there are more, the first one says how many: lines for \`keys\` and \`help\`, bytes for
\`get --raw\`; \`status\` has four lines, and \`status --verbose\` says how many members follow. A node is shown as \`<host>\`
where its client port is 5000, else as \`<host>:<port>\`; a reply to a command repeats what was typed.

A connection whose first line looks like HTTP is closed before anything is carried out, so that no web page can talk
to the database through a browser.`

const repliesExplained = `Each of these stands for itself; they are not one session.`

const whileNoLeader = `While a new leader is elected, requests wait and are then carried out as if nothing had happened. Only
when there is still none after \`--request-timeout\` does the client see an error.`

const jsonDialect = `One object a line. \`op\` is a command, in the table above or \`heartbeat\`; its words and options are fields of
the same names (\`node\` names a node). A reply is one line with the \`id\` of its request, and may overtake others.
A value that is not UTF-8 travels as \`valueBase64\`. A write says how many \`copies\` at least were on disks when it was
acknowledged (on the raft engine those without whom it could not have been: a majority of the voters), and \`set\`
whether the key \`existed\`. Addresses are in full, \`<host>:<port>\`. \`definite\` says whether
the request certainly did nothing; see the table of errors below.

A write may be named, \`"request": "<uuid>"\`. Repeating it, at any node, then does nothing and gives the first answer
again, as long as it is remembered: for ${namedWriteExpiryMs / 60_000} minutes, and among the last ${namedWritesMax.toLocaleString('en')} named writes. A repeat
that comes later is a new write.`

const errorsExplained = `In the text dialect an error is a line \`ERROR: \` and the text; in JSON \`code\`, \`message\`, \`definite\` and the
\`details\` that were filled in. Where the second column says "nothing", the request certainly did nothing, and sending
it again is harmless; where it says "perhaps", it may have happened.`

const flagsExplained = `A flag wins over the environment, the environment over the file of \`--config\`, whose keys are the flags without
dashes in front. A name that does not exist is refused with the nearest right one. Times may be written \`1500ms\` or
\`2s\`, sizes \`64kb\` or \`1mb\`.`

const value: Response = { kind: 'value', value: Buffer.from('value1'), version: 7 }
const twoLines: Response = { kind: 'value', value: Buffer.from('two\nlines'), version: 9 }
const written: Response = { kind: 'written', version: 8, copies: 2 }
const wasSet: Response = { kind: 'written', version: 8, existed: true, copies: 2 }
// What is not there has version 0, as `cas` takes it.
const wasDeleted: Response = { kind: 'written', version: 0, copies: 2 }
const done: Response = { kind: 'done' }
const keys: Response = { kind: 'keys', keys: ['key1', 'key2'], more: false }
const firstKeys: Response = { kind: 'keys', keys: ['key1'], more: true }
const status: Response = { kind: 'status', status: exampleStatus() }
const noAnswer = failure('OUTCOME_UNKNOWN')

/** What is typed, and what the engine makes of it. What is refused before it gets there needs no response. */
const textExamples: readonly (readonly [line: string, response: Response])[] = [
  ['put key1 value1', written],
  ['put key1 value1', failure('KEY_EXISTS')],
  ['get key1', value],
  ['get --version key1', value],
  ['get --raw key3', twoLines],
  ['get key3', twoLines],
  ['update key1 value2', written],
  ['set key1 value2', written],
  ['cas key1 7 value2', written],
  ['cas key1 7 value2', failure('VERSION_MISMATCH', { current: 9 })],
  ['delete key1', written],
  ['delete key1', failure('KEY_NOT_FOUND')],
  ['keys', keys],
  ['keys --limit 1', firstKeys],
  ['status', status],
  ['status --verbose', status],
  ['add-node 192.168.1.3', done],
  ['add-node 192.168.1.3', failure('NODE_EXISTS', { node: '192.168.1.3:5000' })],
  ['remove-node 192.168.1.3', done],
  ['remove-node 192.168.1.9', failure('NODE_UNKNOWN', { node: '192.168.1.9:5000' })],
  ['transfer-leader 192.168.1.2', done],
  ['put key1', noAnswer],
  ['get --loud key1', noAnswer],
  ['foo', noAnswer],
]

const jsonExamples: readonly (readonly [line: string, response: Response])[] = [
  ['{"id":1,"op":"put","key":"key1","value":"value1"}', written],
  ['{"id":2,"op":"put","key":"key1","value":"value1"}', failure('KEY_EXISTS')],
  ['{"id":3,"op":"get","key":"key1"}', value],
  ['{"id":4,"op":"set","key":"key1","valueBase64":"AP8="}', wasSet],
  ['{"id":5,"op":"cas","key":"key1","version":7,"value":"value2"}', written],
  ['{"id":6,"op":"delete","key":"key1","request":"5f0e2a3c-7f0b-4a58-9d7e-2f4a4f6f3b11"}', wasDeleted],
  ['{"id":7,"op":"keys","prefix":"key","limit":1}', firstKeys],
  ['{"id":8,"op":"heartbeat"}', status],
  ['{"id":9,"op":"add-node","node":"192.168.1.4"}', done],
  ['{"id":10,"op":"get"}', noAnswer],
]

const events: readonly ClusterEvent[] = [
  { kind: 'leader', address: undefined, term: term(4) },
  { kind: 'leader', address: '192.168.1.2:5000', term: term(5) },
  { kind: 'out-of-sync', address: '192.168.1.1:5000' },
  { kind: 'in-sync', address: '192.168.1.1:5000' },
  { kind: 'member-added', address: '192.168.1.4:5000' },
  { kind: 'member-removed', address: '192.168.1.4:5000' },
  { kind: 'removed' },
]

const ringExplained = `A node that was started with \`--engine ring\` speaks the same dialects, with these commands. How it
differs from consensus, and what each costs, is told in [engines.md](engines.md).

A key may have several versions at once, when clients wrote it without having seen each other's writes. The first line
of the answer then says \`CONFLICT:\` and how many lines follow. A *context* stands for the versions that an answer
gave; a write with that context replaces them, and no others. It is one word, and the same on every node for the same
versions. A quorum is from 1 to the replication factor.`

const ringInJson = `In JSON \`get\` gives value and context of each version, and the context of all of them. A write answers with the
versions that stand after it.

The name of a write is kept with the version that it wrote, and as long as that: a repeat that finds it gives the first
answer. Once that version was replaced, or a deletion is remembered no more, a repeat is a new write. A \`put\` then
stands beside what came later, and a \`delete\` is told that there is no such key. (A [warehouse](warehouse.md) on the
ring has one version of a key, and the same holds of that.)`

const context = 'AQIBWjMxMjVmAQ'
const writtenMs = 1_735_689_600_000
const oneVersion = versionsOf('value1')
const twoVersions = versionsOf('value1', 'value2')

const ringTextExamples: readonly (readonly [line: string, response: Response])[] = [
  ['put key1 value1', oneVersion],
  ['put key1 value2', twoVersions],
  ['get key1', twoVersions],
  ['get --context key1', oneVersion],
  [`put --quorum 3 --context ${context} key1 value1`, oneVersion],
  ['set key1 value1', oneVersion],
  ['delete key1', versionsOf()],
  ['get key1', versionsOf()],
  ['put key1 value1', failure('QUORUM_NOT_MET', { reached: 1, quorum: 2 })],
  ['put --quorum 4 key1 value1', failure('QUORUM_INVALID', { copies: 3 })],
  [
    'lookup key1',
    { kind: 'owners', addresses: ['192.168.1.2:5000', '192.168.1.1:5000', '192.168.1.3:5000'] },
  ],
  ['count', { kind: 'count', records: 17 }],
  ['members', { kind: 'status', status: exampleRing() }],
  ['status --verbose', { kind: 'status', status: exampleRing() }],
  ['join 192.168.1.1', done],
  ['leave', done],
  ['cas key1 7 value2', noAnswer],
]

const ringJsonExamples: readonly (readonly [line: string, response: Response])[] = [
  ['{"id":1,"op":"put","key":"key1","value":"value1","quorum":2}', oneVersion],
  ['{"id":2,"op":"get","key":"key1"}', twoVersions],
  ['{"id":3,"op":"lookup","key":"key1"}', { kind: 'owners', addresses: ['192.168.1.2:5000'] }],
  ['{"id":4,"op":"put","key":"key1","value":"v"}', failure('QUORUM_NOT_MET', { reached: 1, quorum: 2 })],
]

const ringEvents: readonly ClusterEvent[] = [
  { kind: 'member-joining', address: '192.168.1.4:5000' },
  { kind: 'member-added', address: '192.168.1.4:5000' },
  { kind: 'crowded', key: 'key1', versions: 25 },
  { kind: 'member-evicted', address: '192.168.1.3:5000' },
  { kind: 'member-leaving', address: '192.168.1.4:5000' },
  { kind: 'member-removed', address: '192.168.1.4:5000' },
]

function versionsOf(...values: readonly string[]): Response {
  return {
    kind: 'versions',
    versions: values.map(value => ({ value: Buffer.from(value), context, writtenMs })),
    context,
  }
}

/** Three members, for the last of which something is kept here until it is back. */
function exampleRing(): ClusterStatus {
  const members = ['192.168.1.1:5000', '192.168.1.2:5000', '192.168.1.3:5000'].map((address, at) => {
    const isGone = at === 2
    return {
      id: nodeId(address),
      address,
      role: isGone ? 'dead' : 'up',
      active: !isGone,
      inSync: !isGone,
      hints: isGone ? 4 : 0,
      lastHeardMs: at === 0 ? 0 : isGone ? 15_310 : 40,
    } as const
  })
  const held = { records: 17, hintsMax: 100_000, moving: undefined, tombstones: 2 }
  return { engine: 'ring', leader: undefined, members, canLose: 0, replicationFactor: 3, ...held }
}

/** Three members, the last of which was cut off a while ago. */
function exampleStatus(): ClusterStatus {
  const members = ['192.168.1.1:5000', '192.168.1.2:5000', '192.168.1.3:5000'].map((address, at) => {
    const isGone = at === 2
    return {
      id: nodeId(address),
      address,
      role: at === 0 ? 'leader' : 'follower',
      active: !isGone,
      inSync: !isGone,
      term: term(4),
      lastIndex: logIndex(isGone ? 17 : 21),
      appliedIndex: logIndex(isGone ? 17 : 21),
      lag: isGone ? 4 : 0,
      lastHeardMs: at === 0 ? 0 : isGone ? 5310 : 40,
    } as const
  })
  return { engine: 'raft', leader: '192.168.1.1:5000', members, canLose: 0 }
}

function verbsOf(engine: Engine): readonly Verb[] {
  return verbs.filter(verb => isFor(engine, verb))
}

function commandTable(engine: Engine = 'raft'): string[] {
  const rows = verbsOf(engine).map(verb => {
    const row = commandRow(verb)
    const names = [...(row.aliases ?? []).map(code)].join(', ')
    const alias = names === '' ? '' : ` Also called ${names}.`
    const only = row.only === 'json' ? ' In the JSON dialect only.' : ''
    return [code(usage(verb, engine)), `${summaryOf(verb, engine)}${alias}${only}`]
  })
  return table(['command', 'does'], rows)
}

function optionTable(verb: Verb, engine: Engine = 'raft'): string[] {
  const options = Object.entries(commandRow(verb).options).filter(([, option]) => isFor(engine, verb, option))
  if (options.length === 0) return []
  const rows = options.map(([name, option]) => [
    code(option.takes === undefined ? `--${name}` : `--${name} <${option.takes.name}>`),
    option.summary +
      (verb === 'keys' && name === 'limit'
        ? `; ${keysPerPageMax} unless told otherwise, and never more`
        : ''),
  ])
  return [...table([`option of ${code(verb)}`, 'does'], rows), '']
}

function errorTable(): string[] {
  const rows = Object.entries(errors).map(([name, row]) => [
    code(name),
    row.definite ? 'nothing' : 'perhaps',
    code(row.text),
    row.advice,
  ])
  return table(['code', 'it did', 'text', 'what to do'], rows)
}

function flagTable(settings: SettingTable): string[] {
  const rows = Object.entries(settings).map(([name, row]) => {
    const flag = code(row.value === undefined ? `--${name}` : `--${name} ${row.value}`)
    const variable = row.only === 'flag' ? '' : code(environmentName(name))
    return [flag, variable, defaultShown(row), `${row.summary}.`, row.reason]
  })
  return table(['flag', 'environment', 'default', 'does', 'why that default'], rows)
}

function defaultShown(row: SettingRow<unknown>): string {
  const unit = row.unit === undefined ? '' : ` ${row.unit}`
  const shown = row.defaultShown ?? (row.default === undefined ? '' : row.default + unit)
  return shown === '' ? '' : code(shown)
}

function textReply(line: string, response: Response, engine: Engine = 'raft'): string {
  const command = parseText(Buffer.from(line), engine)
  const out = new ByteWriter()
  if (command === undefined) return ''
  if (command.kind === 'error') writeTextFailure(command, out)
  else writeTextReply(command, response, out)
  return out.take().toString('utf8')
}

function replyInJson(line: string, response: Response, engine: Engine = 'raft'): string {
  const { id, request } = parseJson(Buffer.from(line), engine)
  if (request.kind === 'error') return jsonFailure(id, request)
  if (request.kind === 'control') throw new Error('nodes speak in no example')
  return jsonReply(id, request, response)
}

/** A block of what is typed, each behind `> `, and what comes back. */
function session(exchanges: readonly (readonly [line: string, reply: string])[]): string[] {
  return ['```', ...exchanges.flatMap(([line, reply]) => [`> ${line}`, reply.trimEnd()]), '```']
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) =>
    `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)]
}

function code(text: string): string {
  return `\`${text}\``
}
