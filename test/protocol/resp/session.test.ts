import { expect } from 'chai'
import { logIndex, nodeId, term } from '../../../src/base/ids.js'
import type { Engine } from '../../../src/protocol/commands.js'
import { type ConsensusStatus, failure, type Response } from '../../../src/protocol/request.js'
import type { ClientFacts, Question, RespHost } from '../../../src/protocol/resp/conversation.js'
import type { RespReply } from '../../../src/protocol/resp/reply.js'
import { RespSession, type RespStep } from '../../../src/protocol/resp/session.js'

const addresses = ['127.0.0.1:5000', '127.0.0.1:5001', '127.0.0.1:5002']

function statusOf(leader: string | undefined): ConsensusStatus {
  const members = addresses.map((address, position) => ({
    id: nodeId(`0000000${position}-1111-4111-8111-111111111111`),
    address,
    role: address === leader ? ('leader' as const) : ('follower' as const),
    active: true,
    inSync: leader !== undefined && position < 2,
    term: term(4),
    lastIndex: logIndex(20),
    appliedIndex: logIndex(20),
    lag: 0,
    lastHeardMs: 0,
  }))
  return { engine: 'raft', leader, members, canLose: 1 }
}

/** A session, and what its questions are answered. */
class Talk {
  readonly session: RespSession
  readonly clients: ClientFacts[] = []
  /** The requests that were made of the database. */
  readonly requests: unknown[] = []

  constructor(engine: Engine = 'raft') {
    const host: RespHost = {
      engine,
      address: '127.0.0.1:5001',
      wordBytesMax: 1000,
      clients: () => this.clients,
      facts: () => ({
        version: '0.1.0',
        processId: 7,
        port: 5001,
        wallMs: 10_000,
        uptimeMs: 5000,
        residentBytes: 2048,
        heapBytes: 1024,
        cpuUserMs: 1500,
        cpuSystemMs: 500,
        connections: 3,
        connectionsMax: 100,
        connectionsReceived: 4,
        commandsProcessed: 5,
      }),
    }
    this.session = new RespSession(9, host)
    this.clients.push({
      state: this.session.state,
      remoteAddress: '127.0.0.1:40000',
      localAddress: '127.0.0.1:5001',
      connectedAtMs: 4000,
      spokeAtMs: 9000,
    })
  }

  /** Says a command of words without blanks, and gives the reply as plain values. */
  say(line: string, ...answers: Response[]): unknown {
    return this.finish(this.take(line), ...answers)
  }

  take(line: string): RespStep {
    return this.session.take(line.split(' ').map(word => Buffer.from(word)))
  }

  /** Answers what a step asks. */
  finish({ outcome }: RespStep, ...answers: Response[]): unknown {
    let step: RespReply | Question
    if (outcome.kind === 'ask') step = typeof outcome.first === 'function' ? outcome.first() : outcome.first
    else step = outcome
    const left = [...answers]
    while (step.kind === 'question') {
      this.requests.push(step.request)
      step = step.next(left.shift() ?? failure('LEADER_UNAVAILABLE'))
    }
    expect(left, 'answers that nobody asked for').to.deep.equal([])
    return plain(step)
  }
}

/** A reply as values that are easily compared. */
function plain(reply: RespReply): unknown {
  switch (reply.kind) {
    case 'status':
      return `+${reply.text}`
    case 'error':
      return `-${reply.text}`
    case 'verbatim':
      return reply.text
    case 'bytes':
      return Buffer.from(reply.value).toString('latin1')
    case 'integer':
      return Number(reply.value)
    case 'nil':
      return null
    case 'nil-array':
      return 'nil array'
    case 'map':
      return new Map(reply.entries.map(([name, value]) => [plain(name), plain(value)] as const))
    default:
      return reply.items.map(plain)
  }
}

const written: Response = { kind: 'written', version: 7 }
const status = (leader: string | undefined = '127.0.0.1:5000'): Response => ({
  kind: 'status',
  status: statusOf(leader),
})

describe('A session of the Redis protocol', () => {
  let talk: Talk
  beforeEach(() => {
    talk = new Talk()
  })

  it('takes commands in either case, and asks the database', () => {
    expect(talk.say('SeT key1 value1', written)).to.equal('+OK')
    expect(talk.say('get key1', { kind: 'value', value: Buffer.from('value1'), version: 7 })).to.equal(
      'value1',
    )
    expect(talk.say('GET key2', failure('KEY_NOT_FOUND'))).to.equal(null)
    expect(talk.say('DEL key2', failure('KEY_NOT_FOUND'))).to.equal(0)
    expect(talk.say('SET key1 value1', failure('OUTCOME_UNKNOWN'))).to.equal(
      '-OUTCOMEUNKNOWN Outcome unknown. The write may have happened.',
    )
    expect(talk.say('SET key1 value1', failure('BUSY'))).to.match(/^-TRYAGAIN /)
  })

  it("refuses in Redis's words what is no command, or has too few words", () => {
    const refusals = {
      'foo bar baz': "-ERR unknown command 'foo', with args beginning with: 'bar' 'baz' ",
      GET: "-ERR wrong number of arguments for 'get' command",
      'GET a b': "-ERR wrong number of arguments for 'get' command",
      'PING a b': "-ERR wrong number of arguments for 'ping' command",
      CLIENT: "-ERR wrong number of arguments for 'client' command",
      'CLIENT foo': "-ERR unknown subcommand 'foo'. Try CLIENT HELP.",
      'CLIENT constructor': "-ERR unknown subcommand 'constructor'. Try CLIENT HELP.",
      'CLIENT SETNAME': "-ERR wrong number of arguments for 'client|setname' command",
      constructor: "-ERR unknown command 'constructor', with args beginning with: ",
      'SELECT 1': '-ERR DB index is out of range',
      'SELECT x': '-ERR value is not an integer or out of range',
      'HELLO 4': '-NOPROTO unsupported protocol version',
      'HELLO x': '-ERR Protocol version is not an integer or out of range',
      'HELLO 3 foo': "-ERR Syntax error in HELLO option 'foo'",
      'CONFIG SET save x': '-ERR CONFIG SET is not available: settings are flags of the node',
      'CLIENT REPLY maybe': '-ERR syntax error',
    }
    for (const [line, refusal] of Object.entries(refusals)) expect(talk.say(line), line).to.equal(refusal)
    const many = `foo ${'x'.repeat(100)} ${'y'.repeat(100)} z`
    expect(talk.say(many)).to.equal(
      `-ERR unknown command 'foo', with args beginning with: '${'x'.repeat(100)}' '${'y'.repeat(25)}' `,
    )
  })

  it('greets in the version that HELLO asks for, and refuses passwords', () => {
    expect(talk.take('PING').form.version).to.equal(2)
    const step = talk.take('HELLO 3 SETNAME me')
    expect(step.form.version).to.equal(3)
    const greeting = new Map(
      Object.entries({ server: 'redis', version: '7.2.0', proto: 3, id: 9, mode: 'cluster' }),
    )
    const told = talk.finish(step)
    for (const [name, value] of greeting)
      expect(told)
        .to.be.a('map')
        .that.satisfies((all: typeof greeting) => all.get(name) === value)
    expect(talk.say('CLIENT GETNAME')).to.equal('me')
    expect(talk.say('HELLO 2 AUTH default secret')).to.match(
      /^-ERR AUTH <password> called without any password/,
    )
    expect(talk.say('AUTH secret')).to.match(/^-ERR AUTH <password> called without any password/)
    expect(talk.take('PING').form.version).to.equal(3)
    expect(talk.take('RESET').form.version).to.equal(2)
    expect(talk.say('CLIENT GETNAME')).to.equal(null)
  })

  it('describes its connection', () => {
    talk.say('CLIENT SETNAME me')
    talk.say('CLIENT SETINFO LIB-NAME redis-kit')
    expect(talk.say('CLIENT ID')).to.equal(9)
    const line =
      /^id=9 addr=127\.0\.0\.1:40000 .* name=me age=6 idle=1 .* cmd=client\|\w+ .* lib-name=redis-kit /
    expect(talk.say('CLIENT INFO')).to.match(line)
    expect(talk.say('CLIENT LIST')).to.match(line)
    expect(talk.say('CLIENT LIST ID 8 9')).to.match(line)
    expect(talk.say('CLIENT LIST ID 8')).to.equal('')
    expect(talk.say('CLIENT LIST TYPE pubsub')).to.equal('')
  })

  it('keeps silent when told to, and skips one reply when told to', () => {
    const silent = (line: string): boolean => talk.take(line).form.isSilent
    expect(silent('PING')).to.equal(false)
    expect(silent('CLIENT REPLY SKIP')).to.equal(true)
    expect(silent('PING')).to.equal(true)
    expect(silent('PING')).to.equal(false)
    expect(silent('CLIENT REPLY OFF')).to.equal(true)
    expect(silent('PING')).to.equal(true)
    expect(silent('PING')).to.equal(true)
    expect(silent('CLIENT REPLY ON')).to.equal(false)
  })

  it('ends with QUIT, and after what is no Redis protocol', () => {
    expect(talk.take('PING').isLast).to.equal(false)
    expect(talk.take('QUIT').isLast).to.equal(true)
    const step = new Talk().session.takeBroken('ERR Protocol error: x')
    expect(step.isLast).to.equal(true)
    expect(talk.finish(step)).to.equal('-ERR Protocol error: x')
  })

  it('reads the copy of its node after READONLY, and no longer after READWRITE', () => {
    const value: Response = { kind: 'value', value: Buffer.from('1'), version: 3 }
    for (const line of ['READONLY', 'GET a', 'READWRITE', 'GET a', 'ASKING']) {
      if (line === 'GET a') talk.say(line, value)
      else expect(talk.say(line)).to.equal('+OK')
    }
    expect(talk.requests).to.deep.equal([
      { op: 'get', key: 'a', local: true },
      { op: 'get', key: 'a', local: false },
    ])
  })

  it('sends writes to the leader that come where READONLY was said, as cluster clients say it to replicas', () => {
    talk.say('READONLY')
    expect(talk.say('SET foo 1', status())).to.equal('-MOVED 12182 127.0.0.1:5000')
    expect(talk.say('FLUSHALL', status())).to.equal('-MOVED 0 127.0.0.1:5000')
    for (const line of ['MULTI', 'SET foo 1']) talk.say(line)
    expect(talk.say('EXEC', status())).to.equal('-MOVED 0 127.0.0.1:5000')
    expect(talk.requests.every(request => JSON.stringify(request) === '{"op":"status"}')).to.equal(true)
    // Here is the leader, or will be soon, or nobody knows.
    expect(talk.say('SET foo 1', status('127.0.0.1:5001'), written)).to.equal('+OK')
    const gone: Response = { kind: 'status', status: { ...statusOf('127.0.0.1:5000'), leaderGone: true } }
    expect(talk.say('SET foo 1', gone, written)).to.equal('+OK')
    expect(talk.say('SET foo 1', failure('NODE_REMOVED'), failure('NODE_REMOVED'))).to.match(/^-CLUSTERDOWN /)
    talk.say('READWRITE')
    expect(talk.say('SET foo 1', written)).to.equal('+OK')
  })

  describe('with a transaction', () => {
    it('queues commands, and carries them out as one', () => {
      expect(talk.say('MULTI')).to.equal('+OK')
      expect(talk.say('SET a 1')).to.equal('+QUEUED')
      expect(talk.say('PING')).to.equal('+QUEUED')
      expect(talk.say('SETNX a 2')).to.equal('+QUEUED')
      const ok = { kind: 'status', text: 'OK' } as const
      const answer: Response = { kind: 'redis', replies: [ok, { kind: 'nil' }] }
      expect(talk.say('EXEC', answer)).to.deep.equal(['+OK', '+PONG', 0])
      expect(talk.requests).to.have.length(1)
      expect(talk.say('EXEC')).to.equal('-ERR EXEC without MULTI')
    })

    it('answers an empty one at once', () => {
      talk.say('MULTI')
      expect(talk.say('EXEC')).to.deep.equal([])
    })

    it('forgets everything at DISCARD', () => {
      for (const line of ['MULTI', 'SET a 1', 'DISCARD']) talk.say(line)
      expect(talk.say('DISCARD')).to.equal('-ERR DISCARD without MULTI')
      expect(talk.say('EXEC')).to.equal('-ERR EXEC without MULTI')
    })

    it('carries nothing out once a command could not be queued', () => {
      const aborted = '-EXECABORT Transaction discarded because of previous errors.'
      for (const line of ['foo', 'GET', 'CLIENT foo', 'INFO', 'HELLO 3', 'CLUSTER SLOTS', 'KEYS *']) {
        talk.say('MULTI')
        talk.say('SET a 1')
        expect(talk.say(line), line).to.match(/^-ERR /)
        expect(talk.say('SET a 2')).to.equal('+QUEUED')
        expect(talk.say('EXEC'), line).to.equal(aborted)
      }
      talk.say('MULTI')
      talk.finish(talk.session.takeLarge())
      expect(talk.say('EXEC')).to.equal(aborted)
      expect(talk.requests).to.deep.equal([])
    })

    it('answers words that make no sense in their place, and carries out the others, as Redis does', () => {
      talk.say('MULTI')
      expect(talk.say('INCRBY a x')).to.equal('+QUEUED')
      expect(talk.say('GET a')).to.equal('+QUEUED')
      const answer: Response = { kind: 'value', value: Buffer.from('1'), version: 3 }
      expect(talk.say('EXEC', answer)).to.deep.equal(['-ERR value is not an integer or out of range', '1'])
    })

    it('goes on after what is merely out of place', () => {
      talk.say('MULTI')
      expect(talk.say('MULTI')).to.equal('-ERR MULTI calls can not be nested')
      expect(talk.say('WATCH a')).to.equal('-ERR WATCH inside MULTI is not allowed')
      expect(talk.say('EXEC')).to.deep.equal([])
    })

    it('keeps no more of what the socket brought than its words', () => {
      const chunk = Buffer.concat([Buffer.alloc(60_000), Buffer.from('SETa1')])
      const word = (from: number, to: number) => chunk.subarray(60_000 + from, 60_000 + to)
      talk.say('MULTI')
      talk.finish(talk.session.take([word(0, 3), word(3, 4), word(4, 5)]))
      chunk.fill(0)
      talk.say('EXEC', written)
      expect(talk.requests).to.deep.equal([{ op: 'set', key: 'a', value: Buffer.from('1') }])
    })

    it('is bounded', () => {
      talk.say('MULTI')
      const value = 'x'.repeat(900)
      const replies = Array.from({ length: 100 }, () => talk.say(`SET a ${value}`))
      expect(replies.find(reply => reply !== '+QUEUED')).to.match(/^-ERR Transaction too large/)
      expect(talk.say('EXEC')).to.match(/^-EXECABORT/)
    })

    it('tells the unknown outcome of all of it', () => {
      talk.say('MULTI')
      talk.say('SET a 1')
      expect(talk.say('EXEC', failure('OUTCOME_UNKNOWN'))).to.match(/^-OUTCOMEUNKNOWN /)
    })
  })

  describe('that watches keys', () => {
    const value = (version: number): Response => ({ kind: 'value', value: Buffer.from('1'), version })

    it('names their first versions, and answers nil when one has changed', () => {
      expect(talk.say('WATCH a b a', value(3), failure('KEY_NOT_FOUND'))).to.equal('+OK')
      expect(talk.say('WATCH a c', value(5))).to.equal('+OK')
      talk.say('MULTI')
      talk.say('SET a 1')
      const step = talk.take('EXEC')
      expect(step.outcome).to.include({ kind: 'ask', order: 'write' })
      expect(talk.finish(step, failure('VERSION_MISMATCH', { current: 9 }))).to.equal('nil array')
      const expected = [
        { key: 'a', version: 3 },
        { key: 'b', version: 0 },
        { key: 'c', version: 5 },
      ]
      expect(talk.requests.at(-1)).to.deep.include({ op: 'redis-write', watched: expected })
      talk.say('MULTI')
      talk.say('SET a 1')
      expect(talk.say('EXEC', written)).to.deep.equal(['+OK'])
      expect(talk.requests.at(-1)).to.deep.include({ op: 'set' })
    })

    it('asks even for a transaction of nothing', () => {
      talk.say('WATCH a', value(3))
      talk.say('MULTI')
      expect(talk.say('EXEC', { kind: 'redis', replies: [] })).to.deep.equal([])
    })

    it('waits for the versions when everything is sent in one go, and reads nothing stale meanwhile', () => {
      talk.say('READONLY')
      const watch = talk.take('WATCH a')
      expect(watch.outcome, 'is alone').to.include({ order: 'admin' })
      const get = talk.take('GET a')
      talk.take('MULTI')
      talk.take('SET a 1')
      const exec = talk.take('EXEC')
      talk.finish(watch, value(3))
      talk.finish(get, value(3))
      const ok: Response = { kind: 'redis', replies: [{ kind: 'status', text: 'OK' }] }
      talk.finish(exec, status('127.0.0.1:5001'), ok)
      expect(talk.requests[1]).to.deep.equal({ op: 'get', key: 'a', local: false })
      expect(talk.requests[3]).to.deep.include({ watched: [{ key: 'a', version: 3 }] })
    })

    it('carries nothing out when a version could not be had', () => {
      const watch = talk.take('WATCH a')
      talk.take('MULTI')
      talk.take('SET a 1')
      const exec = talk.take('EXEC')
      expect(talk.finish(watch, failure('LEADER_UNAVAILABLE'))).to.match(/^-CLUSTERDOWN /)
      expect(talk.finish(exec)).to.match(/^-EXECABORT/)
      expect(talk.requests).to.have.length(1)
    })

    it('forgets them at UNWATCH, DISCARD and EXEC', () => {
      for (const lines of [['UNWATCH'], ['MULTI', 'DISCARD'], ['MULTI', 'EXEC'], ['RESET']]) {
        talk.say('WATCH a', value(3))
        for (const line of lines) talk.finish(talk.take(line), ...(line === 'EXEC' ? [written] : []))
        talk.say('MULTI')
        talk.say('SET a 1')
        talk.say('EXEC', written)
        expect(talk.requests.at(-1)).to.deep.include({ op: 'set' })
      }
    })
  })

  describe('asked for the cluster', () => {
    it('points all slots at the leader, with the followers in sync as replicas', () => {
      const slots = talk.say('CLUSTER SLOTS', status())
      const node = (port: number, id: string) => ['127.0.0.1', port, id, new Map()]
      expect(slots).to.deep.equal([
        [
          0,
          16383,
          node(5000, '0000000011114111811111111111111100000000'),
          node(5001, '0000000111114111811111111111111100000001'),
        ],
      ])
      const shards = talk.say('CLUSTER SHARDS', status())
      expect(shards).to.be.an('array').with.length(1)
    })

    it('says that it is down when there is no leader, or the one there was has gone', () => {
      const gone: ConsensusStatus = { ...statusOf('127.0.0.1:5000'), leaderGone: true }
      for (const line of ['CLUSTER SLOTS', 'CLUSTER SHARDS']) {
        expect(talk.say(line, { kind: 'status', status: statusOf(undefined) })).to.match(/^-CLUSTERDOWN /)
        expect(talk.say(line, { kind: 'status', status: gone })).to.match(/^-CLUSTERDOWN /)
      }
      const down = talk.say('CLUSTER INFO', { kind: 'status', status: statusOf(undefined) })
      expect(down).to.include('cluster_state:fail\r\n')
      expect(talk.say('CLUSTER INFO', status())).to.include(
        'cluster_state:ok\r\ncluster_slots_assigned:16384\r\n',
      )
    })

    it('lists the nodes and marks itself', () => {
      const leader = '0000000011114111811111111111111100000000'
      expect(talk.say('CLUSTER NODES', status())).to.equal(
        `${leader} 127.0.0.1:5000@0 master - 0 0 4 connected 0-16383\n` +
          `0000000111114111811111111111111100000001 127.0.0.1:5001@0 myself,slave ${leader} 0 0 4 connected\n` +
          `0000000211114111811111111111111100000002 127.0.0.1:5002@0 slave ${leader} 0 0 4 connected\n`,
      )
      expect(talk.say('CLUSTER MYID', status())).to.equal('0000000111114111811111111111111100000001')
      expect(talk.say(`CLUSTER REPLICAS ${leader}`, status()))
        .to.be.an('array')
        .with.length(2)
      expect(talk.say('CLUSTER REPLICAS x', status())).to.equal('-ERR Unknown node x')
    })

    it('counts the keys of a slot over all pages', () => {
      expect(talk.say('CLUSTER KEYSLOT foo')).to.equal(12182)
      const first: Response = { kind: 'keys', keys: ['bar', 'foo'], more: true }
      const second: Response = { kind: 'keys', keys: ['x', '{foo}1'], more: false }
      expect(talk.say('CLUSTER COUNTKEYSINSLOT 12182', first, second)).to.equal(2)
      expect(talk.say('CLUSTER COUNTKEYSINSLOT 16384')).to.equal('-ERR Invalid slot')
    })
  })

  describe('asked for the node', () => {
    const integer = (value: number) => ({ kind: 'integer', value }) as const
    const count: Response = { kind: 'redis', replies: [integer(3), integer(2)] }

    it('gives INFO by sections, and all of them unless told otherwise', () => {
      const all = talk.say('INFO', status(), count)
      for (const section of ['Server', 'Clients', 'Memory', 'Persistence', 'Stats', 'Replication', 'Raft']) {
        expect(all).to.include(`# ${section}\r\n`)
      }
      expect(all).to.include('role:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:5000\r\n')
      expect(all).to.include('loading:0\r\n').and.to.include('raft_role:follower\r\n')
      expect(all).to.include('db0:keys=3,expires=2,avg_ttl=0\r\n')
      expect(talk.say('INFO server CPU', status(), count)).to.match(
        /^# Server\r\n[^#]*# CPU\r\nused_cpu_sys:0\.500000\r\n/,
      )
      expect(talk.say('INFO nothing', status(), count)).to.equal('')
    })

    it('gives INFO to those who ask a node that is no member', () => {
      expect(talk.say('INFO', failure('NODE_REMOVED'))).to.include('role:slave\r\n')
    })

    it('tells whom it follows', () => {
      expect(talk.say('ROLE', status())).to.deep.equal(['slave', '127.0.0.1', 5000, 'connected', 20])
      const leads: Response = { kind: 'status', status: statusOf('127.0.0.1:5001') }
      expect(talk.say('ROLE', leads)).to.deep.equal(['master', 20, [['127.0.0.1', '5000', '20']]])
    })

    it('gives the settings that clients ask for, by name or pattern', () => {
      expect(talk.say('CONFIG GET save')).to.deep.equal(new Map([['save', '']]))
      expect(talk.say('CONFIG GET maxmem*')).to.deep.equal(
        new Map([
          ['maxmemory', '0'],
          ['maxmemory-policy', 'noeviction'],
        ]),
      )
      expect(talk.say('CONFIG GET APPENDONLY nothing')).to.deep.equal(new Map([['appendonly', 'yes']]))
      expect(talk.say('CONFIG GET a?pendonly')).to.deep.equal(new Map([['appendonly', 'yes']]))
      expect(talk.say(`CONFIG GET ${'*?'.repeat(400)}x`)).to.deep.equal(new Map())
    })

    it('describes its commands by the one table', () => {
      const all = talk.say('COMMAND') as unknown[][]
      expect(talk.say('COMMAND COUNT')).to.equal(all.length)
      expect(talk.say('COMMAND LIST')).to.deep.equal(all.map(([name]) => name))
      const [get, none, setname] = talk.say('COMMAND INFO get nothing client|setname') as unknown[][]
      expect(get?.slice(0, 7)).to.deep.equal([
        'get',
        2,
        ['+readonly', '+fast'],
        1,
        1,
        1,
        ['+@read', '+@string', '+@fast'],
      ])
      expect(none).to.equal(null)
      expect(setname?.slice(0, 2)).to.deep.equal(['client|setname', 3])
      const docs = talk.say('COMMAND DOCS set nothing') as Map<string, Map<string, string>>
      expect([...docs.keys()]).to.deep.equal(['set'])
      expect(docs.get('set')?.get('group')).to.equal('string')
      expect(talk.say('COMMAND GETKEYS mset a 1 b 2')).to.deep.equal(['a', 'b'])
      expect(talk.say('COMMAND GETKEYS get a')).to.deep.equal(['a'])
      expect(talk.say('COMMAND GETKEYS ping')).to.equal('-ERR The command has no key arguments')
      expect(talk.say('COMMAND GETKEYS get')).to.equal(
        '-ERR Invalid number of arguments specified for command',
      )
      expect(talk.say('COMMAND GETKEYS foo')).to.equal('-ERR Invalid command specified')
    })

    it('answers PING and ECHO with bytes as they came, and helps', () => {
      expect(talk.say('PING')).to.equal('+PONG')
      expect(talk.say('PING hello')).to.equal('hello')
      expect(talk.say('ECHO hello')).to.equal('hello')
      for (const name of ['CLIENT', 'CLUSTER', 'CONFIG', 'COMMAND']) {
        expect(talk.say(`${name} HELP`))
          .to.be.an('array')
          .that.includes('+HELP')
      }
    })
  })

  it('says what needs the raft engine where it is not there', () => {
    talk = new Talk('ring')
    expect(talk.say('SET a 1', written)).to.equal('+OK')
    expect(talk.say('GET a', failure('KEY_NOT_FOUND'))).to.equal(null)
    expect(talk.say('DEL a', { kind: 'written', version: 0 })).to.equal(1)
    expect(talk.say('INCR a')).to.equal("-ERR 'incr' needs the raft engine.")
    expect(talk.say('SET a 1 NX')).to.equal("-ERR 'set nx' needs the raft engine.")
    expect(talk.say('WATCH a')).to.equal("-ERR 'watch' needs the raft engine.")
  })

  // Libraries send MULTI, the commands and EXEC in one go: were MULTI refused, the commands between would be carried
  // out one by one, and their sender would be told that the transaction failed.
  it('carries nothing out of a transaction where it needs the raft engine, and is out of it after EXEC', () => {
    talk = new Talk('ring')
    expect(talk.say('MULTI')).to.equal('+OK')
    expect(talk.say('SET a 1')).to.equal('+QUEUED')
    expect(talk.say('GET a')).to.equal('+QUEUED')
    expect(talk.say('EXEC')).to.equal("-ERR 'exec' needs the raft engine.")
    expect(talk.requests).to.deep.equal([])
    expect(talk.say('SET a 1', written)).to.equal('+OK')
  })
})
