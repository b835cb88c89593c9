import { expect } from 'chai'
import fc from 'fast-check'
import { nodeId, term } from '../../src/base/ids.js'
import { parseJson } from '../../src/protocol/json.js'
import {
  jsonControlReply,
  jsonDone,
  jsonEvent,
  jsonFailure,
  jsonHelp,
  jsonMissedEvents,
  jsonReply,
} from '../../src/protocol/json-reply.js'
import { type ClusterStatus, failure, type MemberStatus, type Response } from '../../src/protocol/request.js'

const uuid = '0d5d3807-5fbf-4228-a657-5a091c4e497f'
const identity = undefined
const parse = (message: unknown) =>
  parseJson(
    Buffer.isBuffer(message)
      ? message
      : Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)),
    'raft',
  )

/** What a message asks for, with the value as text. */
function asked(message: unknown): unknown {
  const { request } = parse(message)
  if (!('request' in request)) return request
  const inner = request.request
  return 'value' in inner && inner.value !== undefined
    ? { ...inner, value: Buffer.from(inner.value).toString() }
    : inner
}

/** What a message is answered with, as an object, if this is the engine's response. */
function answer(message: unknown, response: Response): unknown {
  const { id, request } = parse(message)
  if (request.kind === 'control') throw new Error('a control message has no such answer')
  const line = request.kind === 'error' ? jsonFailure(id, request) : jsonReply(id, request, response)
  expect(line).to.match(/^\{[^\n]*\}\n$/)
  return JSON.parse(line)
}

describe('reading the JSON dialect', () => {
  const understood: readonly [message: object, request: object][] = [
    [
      { op: 'get', key: 'k' },
      { op: 'get', key: 'k', local: false },
    ],
    [
      { op: 'GET', key: 'k', local: true },
      { op: 'get', key: 'k', local: true },
    ],
    [
      { op: 'get', key: 'k', local: false, raw: true },
      { op: 'get', key: 'k', local: false },
    ],
    [
      { op: 'put', key: 'k', value: 'v' },
      { op: 'put', key: 'k', value: 'v', identity },
    ],
    [
      { op: 'put', key: 'k', value: '' },
      { op: 'put', key: 'k', value: '', identity },
    ],
    [
      { op: 'put', key: 'k', value: 'two\nlines' },
      { op: 'put', key: 'k', value: 'two\nlines', identity },
    ],
    [
      { op: 'set', key: 'k', valueBase64: 'dmFsdWU=' },
      { op: 'set', key: 'k', value: 'value', identity },
    ],
    [
      { op: 'update', key: 'k', value: 'v', request: uuid },
      { op: 'update', key: 'k', value: 'v', identity: uuid },
    ],
    [
      { op: 'delete', key: 'k', request: uuid.toUpperCase() },
      { op: 'delete', key: 'k', identity: uuid },
    ],
    [
      { op: 'cas', key: 'k', version: 0, value: 'v' },
      { op: 'cas', key: 'k', version: 0, value: 'v', identity },
    ],
    [{ op: 'keys' }, { op: 'keys', prefix: '', after: '', limit: 1000 }],
    [
      { op: 'keys', prefix: 'a', after: 'ab', limit: 2 },
      { op: 'keys', prefix: 'a', after: 'ab', limit: 2 },
    ],
    [{ op: 'status' }, { op: 'status' }],
    [{ op: 'heartbeat' }, { op: 'status' }],
  ]
  for (const [message, request] of understood) {
    it(`takes ${JSON.stringify(message)}`, () => expect(asked(message)).to.deep.equal(request))
  }

  it('takes administrative and session commands', () => {
    expect(asked({ op: 'add-node', node: 'Host' })).to.deep.equal({
      kind: 'admin',
      verb: 'add-node',
      typed: 'Host',
      address: 'host:5000',
    })
    expect(asked({ op: 'watch', cluster: true })).to.deep.equal({ kind: 'session', verb: 'watch' })
    expect(asked({ op: 'help' })).to.deep.equal({ kind: 'session', verb: 'help' })
  })

  it('keeps the id, whatever else is wrong', () => {
    for (const id of [7, -1, 0.5, '', 'seven', null]) {
      expect(parse({ id, op: 'get', key: 'k' }).id).to.equal(id)
      expect(parse({ id, op: 'nonsense' }).id).to.equal(id)
    }
    expect(parse({ op: 'get', key: 'k' }).id).to.equal(undefined)
    expect(parse('{"id":7').id).to.equal(null)
  })

  it('hands a message between nodes on untouched', () => {
    for (const op of ['hello', 'adopt', 'promise', 'form', 'join']) {
      const message = {
        id: 7,
        op,
        address: '10.0.0.1:5000',
        cluster: uuid,
        anything: { nested: [1, 'two', null] },
      }
      expect(parse(message)).to.deep.equal({ id: 7, request: { kind: 'control', message } })
    }
  })

  const refused: readonly [message: unknown, code: string, text: string][] = [
    ['{', 'INVALID_JSON', 'Not a JSON request: not one whole JSON object.'],
    ['{} {}', 'INVALID_JSON', 'Not a JSON request: not one whole JSON object.'],
    [{}, 'INVALID_JSON', 'Not a JSON request: "op" is missing.'],
    [{ op: 7 }, 'INVALID_JSON', 'Not a JSON request: "op" is missing.'],
    [{ id: {}, op: 'status' }, 'INVALID_JSON', 'Not a JSON request: "id" must be a string or a safe number.'],
    [
      '{"id":9007199254740993,"op":"status"}',
      'INVALID_JSON',
      'Not a JSON request: "id" must be a string or a safe number.',
    ],
    [{ op: 'foo' }, 'UNKNOWN_COMMAND', "Unknown command 'foo'. Type 'help' for the list of commands."],
    [
      { op: 'toString' },
      'UNKNOWN_COMMAND',
      "Unknown command 'toString'. Type 'help' for the list of commands.",
    ],
    [{ op: 'lookup', key: 'k' }, 'ENGINE_MISMATCH', "'lookup' needs the ring engine."],
    [{ op: 'get' }, 'INVALID_JSON', 'Not a JSON request: \'get\' needs "key".'],
    [{ op: 'put', key: 'k' }, 'INVALID_JSON', 'Not a JSON request: \'put\' needs "value".'],
    [{ op: 'get', key: 7 }, 'INVALID_JSON', 'Not a JSON request: "key" must be a string.'],
    [{ op: 'get', key: '' }, 'INVALID_KEY', 'Invalid key: a key is one word, without whitespace.'],
    [{ op: 'get', key: 'a b' }, 'INVALID_KEY', 'Invalid key: a key is one word, without whitespace.'],
    [{ op: 'get', key: 'a\nb' }, 'INVALID_KEY', 'Invalid key: a key is one word, without whitespace.'],
    [{ op: 'get', key: 'ü'.repeat(513) }, 'KEY_TOO_LONG', 'Key too long (limit 1024 bytes).'],
    ['{"op":"get","key":"\\ud800"}', 'NOT_UTF8', 'Not valid UTF-8.'],
    ['{"op":"put","key":"k","value":"\\udc00"}', 'NOT_UTF8', 'Not valid UTF-8.'],
    [Buffer.from('{"op":"get","key":"\xff"}', 'latin1'), 'NOT_UTF8', 'Not valid UTF-8.'],
    [{ op: 'get', key: 'k', locl: true }, 'INVALID_JSON', 'Not a JSON request: \'get\' has no "locl".'],
    [{ op: 'get', key: 'k', request: uuid }, 'INVALID_JSON', 'Not a JSON request: \'get\' has no "request".'],
    [{ op: 'get', key: 'k', local: 'yes' }, 'INVALID_JSON', 'Not a JSON request: "local" must be a boolean.'],
    ...['ten', 1.5, -1].map((limit): [message: unknown, code: string, text: string] => [
      { op: 'keys', limit },
      'INVALID_JSON',
      'Not a JSON request: "limit" must be a whole number, 0 or more.',
    ]),
    [
      { op: 'cas', key: 'k', version: -1, value: 'v' },
      'INVALID_JSON',
      'Not a JSON request: "version" must be a whole number, 0 or more.',
    ],
    [{ op: 'join', node: '10.0.0.1' }, 'ENGINE_MISMATCH', "'join' needs the ring engine."],
    [{ op: 'keys', after: 7 }, 'INVALID_JSON', 'Not a JSON request: "after" must be a string.'],
    [
      { op: 'put', key: 'k', value: 'v', request: 'once' },
      'INVALID_JSON',
      'Not a JSON request: "request" must be a UUID.',
    ],
    [
      { op: 'put', key: 'k', value: 'v', valueBase64: 'dg==' },
      'INVALID_JSON',
      'Not a JSON request: give "value" or "valueBase64", not both.',
    ],
    [
      { op: 'put', key: 'k', valueBase64: 'dg' },
      'INVALID_JSON',
      'Not a JSON request: "valueBase64" must be base64, with its padding.',
    ],
    [
      { op: 'cas', key: 'k', version: 1.5, value: 'v' },
      'INVALID_JSON',
      'Not a JSON request: "version" must be a whole number, 0 or more.',
    ],
    [
      { op: 'add-node', node: 'a b' },
      'INVALID_ADDRESS',
      "Invalid address 'a b'. Write <host> or <host>:<port>.",
    ],
    [{ op: 'watch' }, 'INVALID_FORMAT', 'Invalid command format. Usage: watch --cluster'],
  ]
  for (const [message, code, text] of refused) {
    it(`refuses ${String(Buffer.isBuffer(message) ? message : JSON.stringify(message)).slice(0, 60)}`, () => {
      expect(answer(message, { kind: 'done' })).to.deep.include({
        ok: false,
        code,
        definite: true,
        message: text,
      })
    })
  }

  it('makes something of any bytes behind a brace', () => {
    const field = fc.constantFrom(
      'id',
      'op',
      'key',
      'value',
      'valueBase64',
      'version',
      'node',
      'limit',
      '__proto__',
    )
    const verb = fc.constantFrom('get', 'put', 'cas', 'keys', 'add-node', 'watch', 'join', 'status')
    const message = fc.dictionary(field, fc.oneof(verb, fc.jsonValue()), { noNullPrototype: true })
    const bytes = fc.uint8Array({ maxLength: 30 }).map(tail => Buffer.concat([Buffer.from('{'), tail]))
    fc.assert(
      fc.property(fc.oneof(message, bytes), given => {
        const { id, request } = parse(given instanceof Uint8Array ? Buffer.from(given) : given)
        expect(['undefined', 'string', 'number', 'object']).to.include(typeof id)
        expect(request).to.have.property('kind')
      }),
      { numRuns: 1000 },
    )
  })
})

describe('answering in the JSON dialect', () => {
  const member = (address: string, role: MemberStatus['role'], inSync = true): MemberStatus => ({
    id: nodeId(address),
    address,
    role,
    active: inSync,
    inSync,
    term: term(3),
    lastIndex: undefined,
    appliedIndex: undefined,
    lag: 0,
    lastHeardMs: 0,
  })
  const members = [
    member('a:5000', 'leader'),
    member('b:5001', 'follower', false),
    member('c:5002', 'learner'),
  ]
  const status: ClusterStatus = { engine: 'raft', leader: 'a:5000', members, canLose: 0 }

  const cases: readonly [message: object, response: Response, reply: object][] = [
    [
      { id: 7, op: 'put', key: 'key1', value: 'v' },
      { kind: 'written', version: 8 },
      { id: 7, ok: true, version: 8 },
    ],
    [
      { id: 7, op: 'put', key: 'key1', value: 'value1' },
      failure('KEY_EXISTS'),
      { id: 7, ok: false, code: 'KEY_EXISTS', definite: true, message: 'Key already exists.' },
    ],
    [
      { id: 'x', op: 'get', key: 'k' },
      { kind: 'value', value: Buffer.from('größer\n'), version: 3 },
      { id: 'x', ok: true, key: 'k', value: 'größer\n', version: 3 },
    ],
    [
      { id: 8, op: 'get', key: 'k' },
      { kind: 'value', value: Uint8Array.from([0, 255]), version: 3 },
      { id: 8, ok: true, key: 'k', valueBase64: 'AP8=', version: 3 },
    ],
    [
      { op: 'get', key: 'k' },
      failure('KEY_NOT_FOUND'),
      { ok: false, code: 'KEY_NOT_FOUND', definite: true, message: 'Key not found.' },
    ],
    [
      { id: 1, op: 'cas', key: 'k', version: 7, value: 'v' },
      failure('VERSION_MISMATCH', { current: 9 }),
      {
        id: 1,
        ok: false,
        code: 'VERSION_MISMATCH',
        definite: true,
        message: 'Version mismatch (current 9).',
        details: { current: 9 },
      },
    ],
    [
      { id: 1, op: 'set', key: 'k', value: 'v' },
      failure('OUTCOME_UNKNOWN'),
      {
        id: 1,
        ok: false,
        code: 'OUTCOME_UNKNOWN',
        definite: false,
        message: 'Outcome unknown. The write may have happened.',
      },
    ],
    [
      { id: 1, op: 'keys' },
      { kind: 'keys', keys: ['a', 'b'], more: true },
      { id: 1, ok: true, keys: ['a', 'b'], more: true },
    ],
    [{ id: 1, op: 'add-node', node: 'b' }, { kind: 'done' }, { id: 1, ok: true }],
    [
      { id: 1, op: 'set', key: 'k', value: 'v' },
      { kind: 'written', version: 8, existed: true, copies: 2 },
      { id: 1, ok: true, version: 8, existed: true, copies: 2 },
    ],
    [
      { id: 1, op: 'heartbeat' },
      { kind: 'status', status },
      {
        id: 1,
        ok: true,
        engine: 'raft',
        nodes: ['a:5000', 'b:5001', 'c:5002'],
        active: ['a:5000', 'c:5002'],
        voters: ['a:5000', 'b:5001'],
        leader: 'a:5000',
        replicationFactor: 2,
        warnings: ['Node b:5001 out of sync.'],
      },
    ],
  ]
  for (const [message, response, reply] of cases) {
    it(`${JSON.stringify(message)} -> ${JSON.stringify(reply)}`, () => {
      expect(answer(message, response)).to.deep.equal(reply)
    })
  }

  it('names a node in an error as the client named it', () => {
    const reply = jsonReply(
      1,
      { kind: 'admin', verb: 'add-node', typed: 'Host', address: 'host:5000' },
      failure('NODE_EXISTS', { node: 'host:5000' }),
    )
    expect(JSON.parse(reply)).to.include({ message: 'Node Host already exists in cluster.' })
  })

  it('shows the status with everything that is known of each member', () => {
    const reply = answer(
      { id: 1, op: 'status' },
      { kind: 'status', status: { ...status, leader: undefined } },
    )
    expect(reply).to.deep.include({
      ok: true,
      engine: 'raft',
      leader: null,
      canLose: 0,
      warnings: ['no leader.'],
    })
    expect(reply).to.have.property('members').with.length(3)
  })

  it('tells a watcher of events, and of events it missed', () => {
    const event = { kind: 'in-sync', address: 'a:5000' } as const
    expect(JSON.parse(jsonEvent(5, event) ?? '')).to.deep.equal({
      id: 5,
      event,
      message: 'INFO: Node a in sync.',
    })
    expect(jsonEvent(5, { kind: 'role', role: 'leader', term: term(1) })).to.equal(undefined)
    expect(JSON.parse(jsonMissedEvents(5, 3))).to.deep.equal({ id: 5, missedEvents: 3 })
  })

  it('answers help, quit and messages between nodes', () => {
    const listed = JSON.parse(jsonHelp(1, 'raft')).commands
    expect(listed).to.deep.include({ usage: 'delete <key>', summary: 'Removes a key.' })
    expect(listed).to.deep.include({
      usage: 'heartbeat',
      summary: 'Known nodes, leader, replication factor and warnings.',
    })
    expect(JSON.parse(jsonDone(1))).to.deep.equal({ id: 1, ok: true })
    expect(JSON.parse(jsonControlReply(1, { any: 'thing' }))).to.deep.equal({ id: 1, any: 'thing' })
    expect(JSON.parse(jsonControlReply(1, { id: 2 }))).to.deep.equal({ id: 2 })
  })

  it('gives every value back as it came', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), bytes => {
        const stored = parse({
          op: 'put',
          key: 'k',
          valueBase64: Buffer.from(bytes).toString('base64'),
        }).request
        if (stored.kind !== 'write' || stored.request.op !== 'put') throw new Error('not read as a put')
        const { value } = stored.request
        const reply = answer({ op: 'get', key: 'k' }, { kind: 'value', value, version: 1 }) as Record<
          string,
          string
        >
        const back = reply['valueBase64'] ?? Buffer.from(reply['value'] ?? '').toString('base64')
        expect(back).to.equal(Buffer.from(bytes).toString('base64'))
      }),
    )
  })
})
