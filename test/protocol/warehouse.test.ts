import { expect } from 'chai'
import fc from 'fast-check'
import { logIndex, nodeId, term } from '../../src/base/ids.js'
import { readHeartbeat } from '../../src/client/results.js'
import { ByteWriter } from '../../src/protocol/byte-writer.js'
import { errors } from '../../src/protocol/errors.js'
import { placementOf } from '../../src/protocol/placement.js'
import { type ClusterStatus, failure, type Response, type RingStatus } from '../../src/protocol/request.js'
import { readWarehouseLine, warehouseText, warehouseWords } from '../../src/protocol/warehouse.js'

const key = '0d5d3807-5fbf-4228-a657-5a091c4e497f'

/** Takes a key of that length for a good one, so that the rule itself is not what is tested. */
const dialect = warehouseText(typed =>
  typed.length === key.length ? typed.toLowerCase() : failure('KEY_NOT_UUID4'),
)

/** The reply to a line, given what the engine makes of it. */
function reply(
  line: string | Buffer,
  response: Response = { kind: 'done' },
  engine: 'raft' | 'ring' = 'raft',
): string {
  const out = new ByteWriter()
  const command = dialect.parse(Buffer.from(line), engine)
  if (command === undefined) return ''
  if (command.kind === 'error') dialect.writeFailure(command, out)
  else if (command.kind === 'session') out.text(dialect.help('raft'))
  else dialect.writeReply(command, response, out)
  return out.take().toString()
}

function written(copies?: number, existed?: boolean): Response {
  const response = { kind: 'written', version: 8 } as const
  return {
    ...response,
    ...(copies === undefined ? {} : { copies }),
    ...(existed === undefined ? {} : { existed }),
  }
}

const status: ClusterStatus = {
  engine: 'raft',
  leader: 'a:1',
  canLose: 0,
  members: ['a:1', 'b:2', 'c:3'].map((address, at) => ({
    id: nodeId(address),
    address,
    role: at === 0 ? 'leader' : 'follower',
    active: at < 2,
    inSync: at < 2,
    term: term(1),
    lastIndex: logIndex(1),
    appliedIndex: logIndex(1),
    lag: 0,
    lastHeardMs: 0,
  })),
}

const ringMembers = ['a:1', 'b:2', 'c:3'].map(address => ({
  id: nodeId(`identity of ${address}`),
  address,
  role: 'up' as const,
  active: true,
  inSync: true,
  hints: 0,
  lastHeardMs: 0,
}))
const ring: RingStatus = {
  engine: 'ring',
  leader: 'a:1',
  epoch: 4,
  members: ringMembers,
  canLose: 1,
  replicationFactor: 2,
  records: 0,
  hintsMax: 100,
  moving: undefined,
  tombstones: 0,
}

describe('the words of a warehouse', () => {
  const replies: readonly (readonly [line: string, response: Response, reply: string])[] = [
    [`SET ${key} v`, written(2, false), 'Created (2 replicas)'],
    [`SET ${key} v`, written(1, false), 'Created (1 replica)'],
    [`SET ${key} v`, written(3, true), 'Updated (3 replicas)'],
    [`SET ${key} v`, written(undefined, true), 'Updated'],
    [`DELETE ${key}`, written(2), 'Deleted (2 replicas)'],
    [`DELETE ${key}`, failure('KEY_NOT_FOUND'), 'Not found'],
    [`GET ${key}`, { kind: 'value', value: Buffer.from(` a 'b' "c" `), version: 1 }, ` a 'b' "c" `],
    [`GET ${key}`, failure('KEY_NOT_FOUND'), 'Not found'],
    [
      `GET ${key}`,
      { kind: 'value', value: Buffer.from('a\nb'), version: 1 },
      'Error: the value is not one line of text (3 bytes)',
    ],
    [`GET ${key}`, failure('LEADER_UNAVAILABLE'), 'Error: no majority, nothing was read'],
    [`SET ${key} v`, failure('LEADER_UNAVAILABLE'), 'Error: no majority, nothing was written'],
    [`SET ${key} v`, failure('OUTCOME_UNKNOWN'), 'Error: outcome unknown, the write may have happened'],
    [`SET ${key} v`, failure('KEY_NOT_UUID4'), 'Error: Key is not a proper UUID4'],
    [`SET ${key} v`, failure('DISK_FULL'), 'Error: Disk full. Writes are refused.'],
    ['NODES', { kind: 'status', status }, 'a:1 b:2'],
    [`NODES ${key}`, { kind: 'status', status }, 'a:1 b:2 c:3'],
    [
      'STATUS',
      { kind: 'status', status },
      'Leader: a:1. Known nodes: a:1, b:2. WARNING: Node c:3 out of sync.',
    ],
  ]
  for (const [line, response, text] of replies) {
    it(`${line} -> ${text}`, () => expect(reply(line, response)).to.equal(`${text}\n`))
  }

  it('show in a heartbeat what a program gets', () => {
    const warned = { ...status, replicationFactor: 3, warnings: ['too few'] }
    expect(JSON.parse(reply('HEARTBEAT', { kind: 'status', status: warned }))).to.deep.equal({
      engine: 'raft',
      nodes: ['a:1', 'b:2', 'c:3'],
      active: ['a:1', 'b:2'],
      voters: ['a:1', 'b:2', 'c:3'],
      leader: 'a:1',
      replicationFactor: 3,
      warnings: ['too few'],
    })
  })

  it('ask a ring for one version of a key, and write one in the place of whatever is there', () => {
    const requestOf = (line: string): unknown => {
      const command = dialect.parse(Buffer.from(line), 'ring')
      return command !== undefined && 'request' in command ? command.request : command
    }
    const unsaid = { quorum: undefined, context: undefined, identity: undefined }
    expect(requestOf(`GET ${key}`)).to.deep.equal({ op: 'read-versions', key, quorum: undefined })
    const write = { op: 'write-version', key, ...unsaid }
    expect(requestOf(`SET ${key} v`)).to.deep.equal({ ...write, verb: 'set', value: Buffer.from('v') })
    expect(requestOf(`DELETE ${key}`)).to.deep.equal({ ...write, verb: 'delete', value: undefined })
    expect(requestOf('NODES')).to.deep.equal({ op: 'status' })
  })

  const ringReplies: readonly (readonly [line: string, response: Response, reply: string])[] = [
    [`SET ${key} v`, written(2, false), 'Created (2 replicas)'],
    [`SET ${key} v`, written(1, true), 'Updated (1 replica)'],
    [`DELETE ${key}`, written(2), 'Deleted (2 replicas)'],
    [`GET ${key}`, { kind: 'value', value: Buffer.from('v'), version: 1 }, 'v'],
    [`GET ${key}`, failure('KEY_NOT_FOUND'), 'Not found'],
    [`GET ${key}`, failure('ENTRY_UNAVAILABLE'), 'Error: entry unavailable, its replicas are down'],
    [`DELETE ${key}`, failure('ENTRY_UNAVAILABLE'), 'Error: entry unavailable, its replicas are down'],
    [`GET ${key}`, failure('LEADER_UNAVAILABLE'), 'Error: no leader, nothing was read'],
    [`SET ${key} v`, failure('LEADER_UNAVAILABLE'), 'Error: no leader, nothing was written'],
    [`SET ${key} v`, failure('OUTCOME_UNKNOWN'), 'Error: outcome unknown, the write may have happened'],
    ['NODES', { kind: 'status', status: ring }, 'a:1 b:2 c:3'],
    [
      'STATUS',
      { kind: 'status', status: ring },
      'Leader: a:1. Known nodes: a:1, b:2, c:3. All nodes in sync.',
    ],
  ]
  for (const [line, response, text] of ringReplies) {
    it(`${line} -> ${text} on a ring`, () => expect(reply(line, response, 'ring')).to.equal(`${text}\n`))
  }

  it('show where a key of a ring is kept as a client computes it from a heartbeat', () => {
    const response: Response = { kind: 'status', status: ring }
    const heartbeat: unknown = JSON.parse(reply('HEARTBEAT', response, 'ring'))
    expect(heartbeat).to.deep.equal({
      engine: 'ring',
      nodes: ['a:1', 'b:2', 'c:3'],
      active: ['a:1', 'b:2', 'c:3'],
      voters: [],
      keepers: ringMembers.map(({ id, address }) => ({ id, address })),
      epoch: 4,
      leader: 'a:1',
      replicationFactor: 2,
      warnings: [],
    })
    // It was made by the node a line above.
    const heard = readHeartbeat(heartbeat as Record<string, unknown>)
    fc.assert(
      fc.property(fc.uuid({ version: 4 }), uuid => {
        const kept = placementOf(uuid, heard)
        expect(kept).to.have.length(2)
        expect(reply(`NODES ${uuid}`, response, 'ring')).to.equal(`${kept.join(' ')}\n`)
      }),
    )
  })

  it('can be written in either case, and are all in the help', () => {
    expect(reply(`get ${key.toUpperCase()}`, failure('KEY_NOT_FOUND'))).to.equal('Not found\n')
    for (const { usage } of Object.values(warehouseWords)) expect(reply('HELP')).to.include(usage)
  })

  for (const line of [
    'GET',
    'SET',
    `SET ${key}`,
    `GET ${key} x`,
    `DELETE ${key} x`,
    'HELP me',
    'EXIT now',
    `NODES ${key} x`,
  ]) {
    it(`refuse '${line}' as an invalid command`, () =>
      expect(reply(line)).to.equal('Error: invalid command\n'))
  }

  for (const line of ['put key1 value1', 'SETT', '*1', 'x'.repeat(5000), 'constructor x', '\u0000']) {
    it(`refuse ${JSON.stringify(line.slice(0, 20))} as an unknown command`, () =>
      expect(reply(line)).to.equal('Error: unknown command\n'))
  }

  it('say of any key that the rule refuses that it is no UUID4', () => {
    for (const typed of ['12345', 'x'.repeat(2000), Buffer.of(0xff)]) {
      expect(reply(Buffer.concat([Buffer.from('GET '), Buffer.from(typed)]))).to.equal(
        'Error: Key is not a proper UUID4\n',
      )
    }
  })

  it('take a value byte for byte, blanks and all, and refuse one that is no UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), value => {
        const said = readWarehouseLine(Buffer.from(`SET ${key} ${value}`), typed => typed)
        expect(said !== undefined && 'value' in said && said.value.toString()).to.equal(value)
      }),
    )
    expect(reply(Buffer.concat([Buffer.from(`SET ${key} `), Buffer.of(0xff)]))).to.equal(
      'Error: Not valid UTF-8.\n',
    )
  })

  it('answer every error with one line', () => {
    const lineFeed = { node: 'a\nb', reason: 'c\nd' }
    for (const code of Object.keys(errors)) {
      // The keys of the table are its codes.
      const text = reply(`GET ${key}`, failure(code as keyof typeof errors, lineFeed))
      expect(text).to.match(/^(Error: .+|Not found)\n$/)
    }
  })

  it('never trip over what is typed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        reply(Buffer.from(bytes.filter(byte => byte !== 0x0a)), failure('BUSY'))
      }),
    )
  })

  it('do not answer an empty line', () => {
    expect(reply('')).to.equal('')
    expect(reply(' \t ')).to.equal('')
  })
})
