import { expect } from 'chai'
import { nodeId } from '../../src/base/ids.js'
import { ByteWriter } from '../../src/protocol/byte-writer.js'
import { commandRow, type Verb, verbs } from '../../src/protocol/commands.js'
import { errorText } from '../../src/protocol/errors.js'
import { parseJson } from '../../src/protocol/json.js'
import { jsonFailure, jsonHelp, jsonReply } from '../../src/protocol/json-reply.js'
import { failure, type Response, type RingMemberStatus, type RingStatus } from '../../src/protocol/request.js'
import { parseText } from '../../src/protocol/text.js'
import { helpText, writeTextFailure, writeTextReply } from '../../src/protocol/text-reply.js'

/** What a line asks the engine for, with its value as text; what it is answered with, where it is refused. */
function asked(line: string, engine: 'raft' | 'ring' = 'ring'): unknown {
  const command = parseText(Buffer.from(line), engine)
  if (command?.kind === 'error') return errorText(command.code, command.details)
  if (command === undefined || !('request' in command)) return command
  const { request } = command
  return 'value' in request && request.value !== undefined
    ? { ...request, value: Buffer.from(request.value).toString() }
    : request
}

/** What a line is answered with, if this is the engine's response. */
function reply(line: string, response: Response): string {
  const command = parseText(Buffer.from(line), 'ring')
  const out = new ByteWriter()
  if (command === undefined) return ''
  if (command.kind === 'error') writeTextFailure(command, out)
  else writeTextReply(command, response, out)
  return out.take().toString('utf8')
}

/** What a JSON request is answered with. */
function answer(message: object, response: Response): unknown {
  const { id, request } = parseJson(Buffer.from(JSON.stringify(message)), 'ring')
  if (request.kind === 'control') throw new Error('a control message has no such answer')
  return JSON.parse(request.kind === 'error' ? jsonFailure(id, request) : jsonReply(id, request, response))
}

const versions = (...values: (string | Buffer)[]): Response => ({
  kind: 'versions',
  versions: values.map((value, at) => ({
    value: Buffer.from(value),
    context: `c${at}`,
    writtenMs: 1000 + at,
  })),
  context: 'joined',
})

function member(address: string, more: Partial<RingMemberStatus> = {}): RingMemberStatus {
  const heard = { active: true, inSync: true, lastHeardMs: 40 }
  return { id: nodeId(address), address, role: 'up', hints: 0, ...heard, ...more }
}

const three = [
  member('192.168.1.1:5000', { lastHeardMs: 0 }),
  member('192.168.1.2:5000'),
  member('192.168.1.3:5001', { role: 'dead', active: false, inSync: false, hints: 4, lastHeardMs: 15_300 }),
]
const healthy: RingStatus = {
  engine: 'ring',
  leader: undefined,
  members: three.slice(0, 2),
  canLose: 1,
  replicationFactor: 3,
  records: 12,
  hintsMax: 1000,
  moving: undefined,
  tombstones: 1,
}
const status = (changes: Partial<RingStatus> = {}): Response => ({
  kind: 'status',
  status: { ...healthy, ...changes },
})

describe('asking the ring engine', () => {
  const write = { op: 'write-version', key: 'a', quorum: undefined, context: undefined, identity: undefined }

  const cases: readonly [line: string, request: object][] = [
    ['get a', { op: 'read-versions', key: 'a', quorum: undefined }],
    ['get --quorum 2 a', { op: 'read-versions', key: 'a', quorum: 2 }],
    ['get --quorum=1 --context a', { op: 'read-versions', key: 'a', quorum: 1 }],
    ['put a  b c', { ...write, verb: 'put', value: ' b c' }],
    ['put --quorum=3 --context=xyz a b', { ...write, verb: 'put', value: 'b', quorum: 3, context: 'xyz' }],
    ['update a b', { ...write, verb: 'update', value: 'b' }],
    ['set --quorum 1 a b', { ...write, verb: 'set', value: 'b', quorum: 1 }],
    ['delete --context xyz a', { ...write, verb: 'delete', value: undefined, context: 'xyz' }],
    ['lookup a', { op: 'lookup', key: 'a' }],
    ['count', { op: 'count' }],
    ['members', { op: 'status' }],
  ]
  for (const [line, request] of cases) {
    it(`reads '${line}'`, () => {
      expect(asked(line)).to.deep.equal(request)
    })
  }

  it('reads join and leave as changes of the cluster', () => {
    const join = { kind: 'admin', verb: 'join', typed: '127.0.0.1:5001', address: '127.0.0.1:5001' }
    expect(asked('join 127.0.0.1:5001')).to.deep.equal(join)
    const inJson = (line: string): unknown => parseJson(Buffer.from(line), 'ring').request
    expect(inJson('{"op":"join","node":"127.0.0.1:5001"}')).to.deep.equal(join)
    expect(inJson('{"op":"join"}')).to.include({ code: 'INVALID_JSON' })
    expect(asked('leave')).to.deep.equal({ kind: 'admin', verb: 'leave', typed: '', address: '' })
  })

  it('says which engine has a command or an option that this one has not', () => {
    expect(asked('cas a 1 b')).to.equal("'cas' needs the raft engine.")
    expect(asked('transfer-leader 127.0.0.1')).to.equal("'transfer-leader' needs the raft engine.")
    expect(asked('get --version a')).to.equal("'get --version' needs the raft engine.")
    expect(asked('put --quorum 2 a b', 'raft')).to.equal("'put --quorum' needs the ring engine.")
    expect(asked('lookup a', 'raft')).to.equal("'lookup' needs the ring engine.")
    expect(asked('leave', 'raft')).to.equal("'leave' needs the ring engine.")
  })

  it('wants a number for a quorum', () => {
    expect(asked('put --quorum many a b')).to.equal(
      'Invalid command format. Usage: put [--quorum <copies>] [--context <context>] <key> <value>',
    )
  })

  it('lists in its help what it has', () => {
    const help = helpText('ring')
    for (const verb of ['put', 'lookup', 'members', 'count', 'join', 'leave']) {
      expect(help).to.match(new RegExp(`^${verb}\\b`, 'm'))
    }
    expect(help).to.not.contain('cas').and.to.not.contain('--local')
  })
})

describe('JSON at the port of a warehouse', () => {
  const parsed = (message: object, engine: 'raft' | 'ring'): unknown =>
    parseJson(Buffer.from(JSON.stringify(message)), engine, true).request

  for (const engine of ['raft', 'ring'] as const) {
    it(`knows nothing of what only makes sense where a key has several versions, on the ${engine} engine`, () => {
      const refused = (option: string, usage: string) => failure('UNKNOWN_OPTION', { option, usage })
      const show = engine === 'raft' ? '[--version] [--raw] [--local]' : '[--raw]'
      for (const [message, option, usage] of [
        [{ op: 'get', key: 'k', quorum: 1 }, 'quorum', `get ${show} <key>`],
        [{ op: 'get', key: 'k', context: true }, 'context', `get ${show} <key>`],
        [{ op: 'put', key: 'k', value: 'v', quorum: 1 }, 'quorum', 'put <key> <value>'],
        [{ op: 'set', key: 'k', value: 'v', context: 'c' }, 'context', 'set <key> <value>'],
        [{ op: 'delete', key: 'k', context: 'c' }, 'context', 'delete <key>'],
      ] as const) {
        expect(parsed(message, engine), JSON.stringify(message)).to.deep.equal(refused(option, usage))
      }
    })

    it(`lists in its help every option that it takes, and no other, on the ${engine} engine`, () => {
      const { commands: listed } = JSON.parse(jsonHelp(undefined, engine, true)) as {
        commands: { usage: string; summary: string }[]
      }
      for (const { usage } of listed) {
        const [verb = ''] = usage.split(' ')
        if (!isVerb(verb)) throw new Error(`there is no ${verb}`)
        const { words, options } = commandRow(verb)
        const given = Object.fromEntries(words.map(({ name, is }) => [name, is === 'number' ? 1 : 'a']))
        for (const [name, { takes }] of Object.entries(options)) {
          const value = takes === undefined ? true : takes.is === 'number' ? 1 : 'a'
          const isTaken = !isFailure(parsed({ op: verb, ...given, [name]: value }, engine))
          expect(usage.includes(`--${name}`), `${usage}: ${name}`).to.equal(isTaken)
        }
      }
      expect(listed).to.deep.include({
        usage: 'put <key> <value>',
        summary: 'Adds a key that does not exist yet.',
      })
    })
  }
})

function isVerb(word: string): word is Verb {
  return verbs.some(verb => verb === word)
}

function isFailure(read: unknown): boolean {
  return typeof read === 'object' && read !== null && 'kind' in read && read.kind === 'error'
}

describe('the answers of the ring engine as text', () => {
  const cases: readonly [line: string, response: Response, text: string][] = [
    ['put k v', versions('v'), 'SUCCESS: k -> v added. Context: joined\n'],
    ['set k v', versions('v'), 'SUCCESS: k -> v set. Context: joined\n'],
    ['update k v', versions('v'), 'SUCCESS: k updated to v. Context: joined\n'],
    ['delete k', versions(), 'SUCCESS: k removed.\n'],
    ['put k v', versions('u', 'v'), 'CONFLICT: k has 2 versions. Context: joined\nk -> u\nk -> v\n'],
    ['delete --context c k', versions('u'), 'CONFLICT: k has 1 version. Context: joined\nk -> u\n'],
    ['get k', versions('v'), 'k -> v\n'],
    ['get --context k', versions('v'), 'k -> v Context: joined\n'],
    ['get k', versions('u', 'v'), 'CONFLICT: k has 2 versions. Context: joined\nk -> u\nk -> v\n'],
    ['get k', versions(), 'ERROR: Key not found.\n'],
    ['get k', versions('a\nb'), 'ERROR: Value is not one line of text (3 bytes). Use get --raw.\n'],
    ['get --raw k', versions('a\nb'), 'k -> 3 bytes\na\nb\n'],
    ['get --raw --context k', versions('a'), 'k -> 1 bytes Context: joined\na\n'],
    [
      'get --raw k',
      versions('a\nb', 'c'),
      'CONFLICT: k has 2 versions. Context: joined\nk -> 3 bytes\na\nb\nk -> 1 bytes\nc\n',
    ],
    [
      'put k v',
      versions(Buffer.of(0xff), 'v'),
      'CONFLICT: k has 2 versions. Context: joined\n' +
        'k -> (1 bytes that are not one line of text: use get --raw)\nk -> v\n',
    ],
    [
      'lookup k',
      { kind: 'owners', addresses: ['192.168.1.2:5000', '192.168.1.1:5001'] },
      'k: 192.168.1.2, 192.168.1.1:5001\n',
    ],
    ['count', { kind: 'count', records: 0 }, '0 records.\n'],
    ['count', { kind: 'count', records: 1 }, '1 record.\n'],
    ['members', status(), '2 members:\n192.168.1.1 up\n192.168.1.2 up\n'],
    ['join 127.0.0.1', { kind: 'done' }, 'SUCCESS: Joined the ring of 127.0.0.1.\n'],
    ['leave', { kind: 'done' }, 'SUCCESS: Left the ring.\n'],
    ['put k v', failure('QUORUM_NOT_MET', { reached: 1, quorum: 2 }), 'ERROR: Quorum not met (1 of 2).\n'],
    [
      'put --quorum 4 k v',
      failure('QUORUM_INVALID', { copies: 3 }),
      'ERROR: Quorum must be from 1 to 3, the number of copies.\n',
    ],
    [
      'join 127.0.0.1',
      failure('NODE_REFUSED', { node: '127.0.0.1:5003', reason: 'it holds data.' }),
      'ERROR: Node 127.0.0.1:5003 cannot be added: it holds data.\n',
    ],
  ]
  for (const [line, response, text] of cases) {
    it(`answers '${line}' with ${JSON.stringify(text)}`, () => {
      expect(reply(line, response)).to.equal(text)
    })
  }

  it('shows a status without a leader, which is nothing to warn of', () => {
    expect(reply('status', status())).to.equal(
      [
        'Cluster Status:',
        'Leader: none (leaderless)',
        'Active Nodes: [192.168.1.1, 192.168.1.2]',
        'Sync Status: All nodes in sync.',
        '',
      ].join('\n'),
    )
  })

  it('warns on a node that waits for its ring', () => {
    expect(reply('status', status({ members: [] }))).to.contain(
      'Active Nodes: []\nSync Status: WARNING: not a member of a ring yet.\n',
    )
  })

  it('adds, when asked to be verbose, what is kept for others, what moves, and the members', () => {
    expect(
      reply('status --verbose', status({ members: three, moving: { kind: 'fetching', left: 2, of: 8 } })),
    ).to.equal(
      [
        'Cluster Status:',
        'Leader: none (leaderless)',
        'Active Nodes: [192.168.1.1, 192.168.1.2]',
        'Sync Status: WARNING: Node 192.168.1.3:5001 out of sync.',
        'Fault Tolerance: 1 more node can be lost.',
        'Replication Factor: 3',
        'Records Here: 12, 1 deletion remembered',
        'Hints Here: 4 (limit 1000)',
        'Moving: 2 of 8 ranges to fetch',
        'Members: 3',
        '192.168.1.1: up, hints 0, heard now',
        '192.168.1.2: up, hints 0, heard 40 ms ago',
        '192.168.1.3:5001: dead, hints 4, heard 15300 ms ago',
        '',
      ].join('\n'),
    )
  })
})

describe('the answers of the ring engine as JSON', () => {
  it('give value and context of each version, and the joined context', () => {
    expect(answer({ id: 1, op: 'get', key: 'k' }, versions('u', Buffer.of(0xff)))).to.deep.equal({
      id: 1,
      ok: true,
      key: 'k',
      versions: [
        { value: 'u', context: 'c0', writtenMs: 1000 },
        { valueBase64: '/w==', context: 'c1', writtenMs: 1001 },
      ],
      context: 'joined',
    })
  })

  it('say of a key without versions that it is not found', () => {
    expect(answer({ id: 1, op: 'get', key: 'k' }, versions())).to.include({
      ok: false,
      code: 'KEY_NOT_FOUND',
    })
  })

  it('give the versions that stand after a write', () => {
    expect(answer({ id: 2, op: 'put', key: 'k', value: 'v', quorum: 1 }, versions('v'))).to.deep.include({
      ok: true,
      versions: [{ value: 'v', context: 'c0', writtenMs: 1000 }],
      context: 'joined',
    })
    const removed = answer({ id: 3, op: 'delete', key: 'k', context: 'c0' }, versions())
    expect(removed).to.deep.include({ ok: true, versions: [], context: 'joined' })
  })

  it('name owners, members and the count', () => {
    const owners: Response = { kind: 'owners', addresses: ['a:5000', 'b:5000'] }
    expect(answer({ id: 4, op: 'lookup', key: 'k' }, owners)).to.deep.equal({
      id: 4,
      ok: true,
      key: 'k',
      owners: ['a:5000', 'b:5000'],
    })
    expect(answer({ id: 5, op: 'count' }, { kind: 'count', records: 7 })).to.include({ records: 7 })
    expect(answer({ id: 6, op: 'members' }, status())).to.deep.include({ leader: null, replicationFactor: 3 })
    expect(answer({ id: 7, op: 'heartbeat' }, status())).to.deep.include({
      nodes: ['192.168.1.1:5000', '192.168.1.2:5000'],
      // Who keeps a key is asked by `lookup`.
      voters: [],
      replicationFactor: 3,
    })
  })

  it('say whether a request without its quorum may have happened', () => {
    const refused = answer(
      { id: 8, op: 'put', key: 'k', value: 'v' },
      failure('QUORUM_NOT_MET', { reached: 1, quorum: 2 }),
    )
    expect(refused).to.deep.include({ code: 'QUORUM_NOT_MET', definite: false })
  })
})
