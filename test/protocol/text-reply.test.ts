import { expect } from 'chai'
import { AssertionError } from '../../src/base/assert.js'
import { logIndex, nodeId, term } from '../../src/base/ids.js'
import { ByteWriter } from '../../src/protocol/byte-writer.js'
import {
  type ClusterEvent,
  type ConsensusStatus,
  failure,
  type MemberStatus,
  type Response,
} from '../../src/protocol/request.js'
import { parseText } from '../../src/protocol/text.js'
import {
  eventText,
  helpText,
  missedEventsText,
  writeTextFailure,
  writeTextReply,
} from '../../src/protocol/text-reply.js'

/** What a line is answered with, if this is the engine's response. */
function reply(line: string, response: Response, engine: 'raft' | 'ring' = 'raft'): string {
  const command = parseText(Buffer.from(line), engine)
  const out = new ByteWriter()
  if (command === undefined) return ''
  if (command.kind === 'error') writeTextFailure(command, out)
  else writeTextReply(command, response, out)
  return out.take().toString('latin1')
}

const value = (text: string | Buffer, version = 7): Response => ({
  kind: 'value',
  value: Buffer.from(text),
  version,
})
const written: Response = { kind: 'written', version: 8 }
const done: Response = { kind: 'done' }
const raw = Buffer.from([0x61, 0x0a, 0x00, 0xff])

function member(address: string, more: Partial<MemberStatus> = {}): MemberStatus {
  return {
    id: nodeId(address),
    address,
    role: 'follower',
    active: true,
    inSync: true,
    term: term(3),
    lastIndex: logIndex(120),
    appliedIndex: logIndex(119),
    lag: 0,
    lastHeardMs: 12,
    ...more,
  }
}

const three = [
  member('192.168.1.1:5000', { role: 'leader', lastHeardMs: 0 }),
  member('192.168.1.2:5000'),
  member('192.168.1.3:5000'),
]
const healthy: ConsensusStatus = { engine: 'raft', leader: '192.168.1.1:5000', members: three, canLose: 1 }
const status = (changes: Partial<ConsensusStatus>): Response => ({
  kind: 'status',
  status: { ...healthy, ...changes },
})
const behind = (...places: number[]) =>
  three.map((each, place) => (places.includes(place) ? { ...each, inSync: false, active: false } : each))

describe('answering in the text dialect', () => {
  const cases: readonly [line: string, response: Response, reply: string][] = [
    ['put key1 value1', written, 'SUCCESS: key1 -> value1 added.\n'],
    ['PUT key1  a "b" ', written, 'SUCCESS: key1 ->  a "b"  added.\n'],
    ['put key1 v', failure('KEY_EXISTS'), 'ERROR: Key already exists.\n'],
    ['get key1', value('value1'), 'key1 -> value1\n'],
    ['get key1', value(''), 'key1 -> \n'],
    ['get --version key1', value('value1'), 'key1 -> value1 (version 7)\n'],
    ['get --local key1', value('value1'), 'key1 -> value1\n'],
    ['update key1 value2', written, 'SUCCESS: key1 updated to value2.\n'],
    ['delete key1', written, 'SUCCESS: key1 removed.\n'],
    ['get key1', failure('KEY_NOT_FOUND'), 'ERROR: Key not found.\n'],
    ['update key1 v', failure('KEY_NOT_FOUND'), 'ERROR: Key not found.\n'],
    ['delete key1', failure('KEY_NOT_FOUND'), 'ERROR: Key not found.\n'],
    ['set key1 value1', written, 'SUCCESS: key1 -> value1 set.\n'],
    ['cas key1 7 value1', written, 'SUCCESS: key1 -> value1 set (version 8).\n'],
    ['cas key1 7 v', failure('VERSION_MISMATCH', { current: 9 }), 'ERROR: Version mismatch (current 9).\n'],
    ['add-node 192.168.1.2', done, 'SUCCESS: Node 192.168.1.2 added to cluster.\n'],
    ['add-node Host:5000', done, 'SUCCESS: Node Host:5000 added to cluster.\n'],
    ['remove-node 192.168.1.3', done, 'SUCCESS: Node 192.168.1.3 removed from cluster.\n'],
    ['transfer-leader host:5001', done, 'SUCCESS: Leadership transferred to host:5001.\n'],
    ['foo', done, "ERROR: Unknown command 'foo'. Type 'help' for the list of commands.\n"],
    ['put key1', done, 'ERROR: Invalid command format. Usage: put <key> <value>\n'],
    ['', done, ''],
    [
      'add-node host',
      failure('NODE_EXISTS', { node: 'host:5000' }),
      'ERROR: Node host already exists in cluster.\n',
    ],
    [
      'remove-node host',
      failure('NODE_UNKNOWN', { node: 'host:5000' }),
      'ERROR: Node host does not exist in cluster.\n',
    ],
    [
      'add-node host',
      failure('NODE_REFUSED', { reason: 'it holds\ndata.' }),
      'ERROR: Node host cannot be added: it holds data.\n',
    ],
    ['put a b', failure('LEADER_UNAVAILABLE'), 'ERROR: Leader unavailable. Retrying...\n'],
    ['put a b', failure('OUTCOME_UNKNOWN'), 'ERROR: Outcome unknown. The write may have happened.\n'],
    ['put a b', failure('BUSY'), 'ERROR: Server busy. Nothing was done, send it again.\n'],
    ['put a b', failure('DISK_FULL'), 'ERROR: Disk full. Writes are refused.\n'],
    ['get a', failure('NODE_REMOVED'), 'ERROR: This node was removed from the cluster.\n'],
    ['get key1', value(raw), 'ERROR: Value is not one line of text (4 bytes). Use get --raw.\n'],
    ['get key1', value('ends in\r'), 'ERROR: Value is not one line of text (8 bytes). Use get --raw.\n'],
    ['get key1', value('a\rb'), 'key1 -> a\rb\n'],
    ['get --raw key1', value(raw), `key1 -> 4 bytes\n${raw.toString('latin1')}\n`],
    ['get --raw --version key1', value('v'), 'key1 -> 1 bytes (version 7)\nv\n'],
    ['keys', { kind: 'keys', keys: [], more: false }, '0 keys:\n'],
    ['keys', { kind: 'keys', keys: ['a'], more: false }, '1 key:\na\n'],
    ['keys', { kind: 'keys', keys: ['a', 'b'], more: false }, '2 keys:\na\nb\n'],
    ['keys', { kind: 'keys', keys: ['a', 'b'], more: true }, '2 keys, more follow (use --after b):\na\nb\n'],
  ]
  for (const [line, response, expected] of cases) {
    it(`${JSON.stringify(line)} -> ${JSON.stringify(expected)}`, () => {
      expect(reply(line, response)).to.equal(expected)
    })
  }

  it('gives a value back as the bytes it is', () => {
    expect(reply('get k', value('größer 🙂'))).to.equal(Buffer.from('k -> größer 🙂\n').toString('latin1'))
  })

  it('shows a healthy cluster', () => {
    const expected = [
      'Cluster Status:',
      'Leader: 192.168.1.1',
      'Active Nodes: [192.168.1.1, 192.168.1.2, 192.168.1.3]',
      'Sync Status: All nodes in sync.',
      '',
    ].join('\n')
    expect(reply('status', status({}))).to.equal(expected)
    expect(reply('Cluster-Status', status({}))).to.equal(expected)
  })

  it('warns of one node out of sync, and of several', () => {
    expect(reply('status', status({ members: behind(2) }))).to.equal(
      [
        'Cluster Status:',
        'Leader: 192.168.1.1',
        'Active Nodes: [192.168.1.1, 192.168.1.2]',
        'Sync Status: WARNING: Node 192.168.1.3 out of sync.',
        '',
      ].join('\n'),
    )
    expect(reply('status', status({ members: behind(1, 2) }))).to.contain(
      'Sync Status: WARNING: Nodes 192.168.1.2, 192.168.1.3 out of sync.\n',
    )
  })

  it('warns that there is no leader, before anything else', () => {
    expect(reply('status', status({ leader: undefined, members: behind(0, 1) }))).to.equal(
      [
        'Cluster Status:',
        'Leader: none',
        'Active Nodes: [192.168.1.3]',
        'Sync Status: WARNING: no leader.',
        '',
      ].join('\n'),
    )
  })

  it('shows a port that is not 5000', () => {
    expect(reply('status', status({ leader: '127.0.0.1:5001' }))).to.contain('Leader: 127.0.0.1:5001\n')
  })

  it('adds a line for each member when asked to be verbose', () => {
    const unheard = {
      term: undefined,
      lastIndex: undefined,
      appliedIndex: undefined,
      lag: undefined,
    } as const
    const members = [
      ...three.slice(0, 2),
      member('host:5001', { role: 'learner', ...unheard, lastHeardMs: undefined }),
    ]
    expect(reply('status --verbose', status({ members })).split('\n').slice(4)).to.deep.equal([
      'Fault Tolerance: 1 more node can be lost.',
      'Members: 3',
      '192.168.1.1: leader, term 3, last 120, applied 119, lag 0, heard now',
      '192.168.1.2: follower, term 3, last 120, applied 119, lag 0, heard 12 ms ago',
      'host:5001: learner, term ?, last ?, applied ?, lag ?, never heard',
      '',
    ])
  })

  it('answers help with as many lines as it announces, every command of the engine among them', () => {
    for (const engine of ['raft', 'ring'] as const) {
      const [first, ...lines] = helpText(engine).trimEnd().split('\n')
      expect(first).to.equal(`${lines.length} commands:`)
      const names = lines.map(line => line.split(' ')[0])
      expect(names).to.include.members(['get', 'put', 'update', 'delete', 'set', 'status', 'quit'])
      for (const verb of ['cas', 'keys']) expect(names.includes(verb), verb).to.equal(engine === 'raft')
      expect(names.includes('lookup'), 'lookup').to.equal(engine === 'ring')
      expect(names).to.not.include('heartbeat')
    }
  })

  const events: readonly [event: ClusterEvent, text: string | undefined][] = [
    [{ kind: 'out-of-sync', address: '192.168.1.3:5000' }, 'WARNING: Node 192.168.1.3 out of sync.\n'],
    [{ kind: 'in-sync', address: '192.168.1.3:5000' }, 'INFO: Node 192.168.1.3 in sync.\n'],
    [{ kind: 'leader', address: '192.168.1.2:5000', term: term(2) }, 'INFO: Leader is 192.168.1.2.\n'],
    [{ kind: 'leader', address: undefined, term: term(2) }, 'WARNING: no leader.\n'],
    [{ kind: 'member-added', address: 'host:5001' }, 'INFO: Node host:5001 added.\n'],
    [{ kind: 'member-removed', address: 'host:5001' }, 'INFO: Node host:5001 removed.\n'],
    [{ kind: 'removed' }, 'WARNING: This node was removed from the cluster.\n'],
    [{ kind: 'role', role: 'candidate', term: term(2) }, undefined],
    [{ kind: 'compacted', index: logIndex(5) }, undefined],
  ]
  for (const [event, text] of events) {
    it(`tells a watcher ${text === undefined ? 'nothing' : JSON.stringify(text)} of ${JSON.stringify(event)}`, () => {
      expect(eventText(event)).to.equal(text)
    })
  }

  it('counts the events that a watcher missed', () => {
    expect(missedEventsText(1)).to.contain('1 event was')
    expect(missedEventsText(12)).to.contain('12 events were')
  })

  it('takes a response that fits no such command for a mistake of ours', () => {
    expect(() => reply('get k', written)).to.throw(AssertionError)
    expect(() => reply('put k v', done)).to.throw(AssertionError)
  })
})

describe('gathering replies', () => {
  it('gives everything that was added since the last time, as bytes of its own', () => {
    const out = new ByteWriter()
    const big = Buffer.alloc(100_000, 'x')
    const first = out.text('ä').bytes(big).text('\n').take()
    expect(out.length).to.equal(0)
    const second = out.text('second').take()
    expect(first.equals(Buffer.concat([Buffer.from('ä'), big, Buffer.from('\n')]))).to.equal(true)
    expect(second.toString()).to.equal('second')
    expect(out.take()).to.have.length(0)
  })

  it('still works after a burst beyond what it keeps', () => {
    const out = new ByteWriter()
    expect(out.bytes(Buffer.alloc(3_000_000, 'y')).take()).to.have.length(3_000_000)
    expect(out.text('small').take().toString()).to.equal('small')
  })
})
