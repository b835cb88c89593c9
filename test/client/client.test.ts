/** The client against nodes that misbehave on purpose. */
import { expect } from 'chai'
import { pathOf, placementOf, rangeOf } from '../../src/base/placement.js'
import { Client, type ClientEvent, type ClientOptions, QuorateError } from '../../src/client/index.js'
import { freePort } from '../support/ports.js'
import { waitFor } from '../support/wait-for.js'
import { type Asked, FakeCluster, type FakeNode, refusal } from './fake-node.js'

const patienceMs = 10_000

describe('a client', () => {
  let cluster: FakeCluster
  let first: FakeNode
  const clients: Client[] = []

  beforeEach(async () => {
    cluster = new FakeCluster()
    first = await cluster.add()
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close()
    await cluster.close()
  })

  async function connect(options: ClientOptions = {}, addresses = [first.address]): Promise<Client> {
    const client = await Client.connect(addresses, { heartbeatIntervalMs: 50, ...options })
    clients.push(client)
    return client
  }

  it('reads and writes', async () => {
    const client = await connect()
    expect(await client.set('k', 'v')).to.deep.include({ version: 1, existed: false, copies: 2 })
    const entry = await client.get('k')
    expect(entry).to.deep.include({ key: 'k', value: 'v', version: 1 })
    expect(await client.get('nothing')).to.equal(undefined)
    expect((await failureOf(client.put('k', 'w'))).code).to.equal('KEY_EXISTS')
    await client.delete('k')
    expect(cluster.data.size).to.equal(0)
  })

  it('has a value that is neither text nor bytes refused, as any other mistake', async () => {
    first.behaviour = asked =>
      typeof asked['value'] === 'string' || asked['op'] === 'heartbeat'
        ? cluster.answer(asked)
        : refusal('INVALID_JSON')
    const client = await connect()
    for (const wrong of [undefined, null, 5, {}, new ArrayBuffer(2)]) {
      // From a program without types.
      const written = client.set('k', wrong as string)
      expect((await failureOf(written)).code).to.equal('INVALID_JSON')
    }
  })

  it('gives bytes that are not text as they are', async () => {
    first.behaviour = asked =>
      asked['op'] === 'get' ? { key: 'k', valueBase64: 'AP8=', version: 7 } : cluster.answer(asked)
    const client = await connect()
    expect([...((await client.get('k'))?.bytes ?? [])]).to.deep.equal([0, 255])
    await client.set('k', Uint8Array.of(0, 254))
    expect(first.asks('set')[0]).to.deep.include({ valueBase64: 'AP4=' })
  })

  it('sends many requests without waiting for answers, and keeps their order', async () => {
    const client = await connect()
    const keys = Array.from({ length: 1000 }, (_, at) => `k${at}`)
    await Promise.all(keys.map(key => client.set(key, 'v')))
    expect(cluster.written).to.deep.equal(keys.map(key => `set ${key} v`))
  })

  it('goes to the leader that the node names, and follows it', async () => {
    const second = await cluster.add()
    cluster.leader = second
    const client = await connect()
    expect(client.address).to.equal(second.address)
    const events = client.events()
    cluster.leader = first
    await nextOf(events, 'moved')
    expect(client.address).to.equal(first.address)
    await client.set('k', 'v')
    expect(first.asks('set')).to.have.length(1)
  })

  it('stays where it is when the leader cannot be reached from there', async () => {
    const second = await cluster.add()
    cluster.leader = second
    await second.kill()
    const client = await connect()
    expect(client.address).to.equal(first.address)
    await client.set('k', 'v')
  })

  it('goes on at another node when its own is killed, and repeats writes under their identity', async () => {
    const second = await cluster.add()
    const client = await connect()
    // Carried out, and killed before the answer: the worst moment.
    first.behaviour = asked => {
      const answer = cluster.answer(asked)
      if (asked['op'] !== 'set') return answer
      cluster.leader = second
      void first.kill()
      return undefined
    }
    const events = client.events()
    expect(await client.set('k', 'v')).to.deep.include({ existed: false })
    expect(cluster.written).to.deep.equal(['set k v'])
    expect(second.asks('set')[0]?.['request']).to.equal(first.asks('set')[0]?.['request'])
    const { address, nodes } = await nextOf(events, 'reconnected')
    expect(address).to.equal(second.address)
    expect(nodes).to.deep.equal([second.address])
  })

  it('waits for the living to name another leader than the dead one', async () => {
    const second = await cluster.add()
    const third = await cluster.add()
    const client = await connect()
    expect(client.address).to.equal(first.address)
    const events = client.events()
    await first.kill()
    // The others still believe in the first, until they were asked a few times.
    await waitFor(
      () => second.asks('heartbeat').length + third.asks('heartbeat').length > 5,
      patienceMs,
      'both to be asked again',
    )
    cluster.leader = third
    expect((await nextOf(events, 'reconnected')).address).to.equal(third.address)
  })

  it('leaves a node that takes its heartbeats and says nothing', async () => {
    const second = await cluster.add()
    const client = await connect({ silenceMs: 200 })
    const events = client.events()
    cluster.leader = second
    first.behaviour = () => undefined
    const { reason } = await nextOf(events, 'disconnected')
    expect(reason).to.match(/silent/)
    expect((await nextOf(events, 'reconnected')).address).to.equal(second.address)
  })

  it('leaves a node that answers heartbeats and no requests, and asks another', async () => {
    const second = await cluster.add()
    const client = await connect({ answerWithinMs: 200 })
    first.behaviour = asked => (asked['op'] === 'get' ? undefined : cluster.answer(asked))
    cluster.data.set('k', 'v')
    const asking = client.get('k')
    await waitFor(() => first.asks('get').length > 0, patienceMs, 'the question')
    cluster.leader = second
    expect((await asking)?.value).to.equal('v')
  })

  it('leaves a node that says that it is stopping', async () => {
    const second = await cluster.add()
    const client = await connect()
    first.behaviour = asked => {
      cluster.leader = second
      return asked['op'] === 'set' ? refusal('STOPPING') : cluster.answer(asked)
    }
    await client.set('k', 'v')
    expect(second.asks('set')).to.have.length(1)
  })

  it('leaves a node that belongs to no cluster, and says so when there is no other', async () => {
    const second = await cluster.add()
    const client = await connect()
    const refuse = (asked: Asked) => (asked['op'] === 'set' ? refusal('NOT_A_MEMBER') : cluster.answer(asked))
    first.behaviour = refuse
    cluster.leader = undefined
    await client.set('k', 'v')
    expect(client.address).to.equal(second.address)
    second.behaviour = refuse
    const started = first.asks('set').length
    expect(await failureOf(client.set('k', 'v'))).to.deep.include({ code: 'NOT_A_MEMBER', definite: true })
    expect(first.asks('set').length - started, 'tries at the first').to.be.below(2)
  })

  it('asks a busy node again', async () => {
    const client = await connect()
    let refusals = 0
    first.behaviour = asked =>
      asked['op'] === 'set' && refusals++ < 3 ? refusal('BUSY') : cluster.answer(asked)
    await client.set('k', 'v')
    expect(refusals).to.equal(4)
  })

  it('gives up at the deadline, and says whether the request may have happened', async () => {
    const client = await connect()
    first.behaviour = asked =>
      asked['op'] === 'set' || asked['op'] === 'get' ? undefined : cluster.answer(asked)
    const write = await failureOf(client.set('k', 'v', { timeoutMs: 50 }))
    expect(write).to.deep.include({ code: 'OUTCOME_UNKNOWN', definite: false })
    expect(write.cause).to.deep.include({ code: 'DEADLINE_EXCEEDED' })
    const read = await failureOf(client.get('k', { timeoutMs: 50 }))
    expect(read).to.deep.include({ code: 'DEADLINE_EXCEEDED', definite: true })
  })

  it('reports what the node said last when there is no leader, instead of trying until nobody knows', async () => {
    const client = await connect({ timeoutMs: 400 })
    first.behaviour = (asked, socket) => {
      if (asked['op'] !== 'set') return cluster.answer(asked)
      const line = JSON.stringify({ id: asked['id'], ...refusal('LEADER_UNAVAILABLE') })
      setTimeout(() => socket.write(`${line}\n`), 250)
      return undefined
    }
    const error = await failureOf(client.set('k', 'v'))
    expect(error).to.deep.include({ code: 'LEADER_UNAVAILABLE', definite: true })
    expect(first.asks('set')).to.have.length(1)
  })

  it('does not ask again when the deadline would hardly let the answer come, and hide the one that came', async () => {
    first.behaviour = asked => {
      if (asked['op'] !== 'set') return cluster.answer(asked)
      return first.asks('set').length === 1 ? refusal('LEADER_UNAVAILABLE') : undefined
    }
    const client = await connect()
    await failureOf(client.set('k', 'v', { timeoutMs: 90 }))
    // Behind whatever was sent before it.
    await client.get('k')
    expect(first.asks('set')).to.have.length(1)
  })

  it('never says of a write that it did nothing when an earlier attempt may have happened', async () => {
    const client = await connect({ timeoutMs: 1000 })
    const answers = [refusal('OUTCOME_UNKNOWN', false), refusal('DISK_FULL')]
    first.behaviour = asked => (asked['op'] === 'set' ? answers.shift() : cluster.answer(asked))
    const error = await failureOf(client.set('k', 'v'))
    expect(error.code).to.equal('OUTCOME_UNKNOWN')
    expect(error.cause).to.deep.include({ code: 'DISK_FULL' })
  })

  it('is called off by its signal, before and while it is under way', async () => {
    const client = await connect()
    first.behaviour = asked => (asked['op'] === 'set' ? undefined : cluster.answer(asked))
    const early = await failureOf(client.set('k', 'v', { signal: AbortSignal.abort() }))
    expect(early).to.deep.include({ code: 'ABORTED', definite: true })
    const controller = new AbortController()
    const asking = failureOf(client.set('k', 'v', { signal: controller.signal }))
    await waitFor(() => first.asks('set').length === 1, patienceMs, 'the write to be sent')
    controller.abort()
    expect(await asking).to.deep.include({ code: 'OUTCOME_UNKNOWN', definite: false })
  })

  it('holds no more requests than its bounds allow', async () => {
    const client = await connect({ requestsMax: 10, requestBytesMax: 10_000 })
    first.behaviour = asked => (asked['op'] === 'set' ? undefined : cluster.answer(asked))
    const waiting = Array.from({ length: 10 }, (_, at) => failureOf(client.set(`k${at}`, 'v')))
    expect(await failureOf(client.set('k', 'v'))).to.deep.include({ code: 'QUEUE_FULL', definite: true })
    client.close()
    for (const error of await Promise.all(waiting)) expect(error.code).to.equal('OUTCOME_UNKNOWN')
    const other = await connect({ requestBytesMax: 10_000 })
    const large = failureOf(other.set('k', 'v'.repeat(9000)))
    expect((await failureOf(other.set('k', 'v'.repeat(2000)))).code).to.equal('QUEUE_FULL')
    other.close()
    await large
  })

  it('sends a node that does not read only as much as fits, and keeps the rest', async () => {
    const client = await connect({ silenceMs: 60_000, answerWithinMs: 60_000 })
    for (const socket of first.sockets) socket.pause()
    const value = 'v'.repeat(1024 * 1024)
    const sets = Array.from({ length: 40 }, (_, at) => client.set(`k${at}`, value))
    await waitFor(
      () => [...first.sockets].some(socket => socket.readableLength > 0),
      patienceMs,
      'the node to be sent something',
    )
    for (const socket of first.sockets) socket.resume()
    await Promise.all(sets)
    expect(cluster.written.map(line => line.split(' ')[1])).to.deep.equal(
      Array.from({ length: 40 }, (_, at) => `k${at}`),
    )
  })

  it('fails at once when every node is away and it was told not to wait, and goes on trying', async () => {
    const client = await connect({ unreachableAfterMs: 1 })
    const events = client.events()
    await first.kill()
    await nextOf(events, 'disconnected')
    const error = await failureOf(client.set('k', 'v'))
    expect(error).to.deep.include({ code: 'UNREACHABLE', definite: true })
    expect(error.message).to.include(first.address)
    await first.start()
    await nextOf(events, 'reconnected')
    await client.set('k', 'v')
  })

  it('waits for a node to come back within the deadline otherwise', async () => {
    const client = await connect()
    await first.kill()
    const setting = client.set('k', 'v')
    await first.start()
    await setting
  })

  it('takes an answer that it does not understand for an error, not for a value', async () => {
    const client = await connect()
    first.behaviour = asked =>
      asked['op'] === 'get'
        ? { key: 'k', value: 7 }
        : asked['op'] === 'set'
          ? refusal('NEW_CODE')
          : cluster.answer(asked)
    expect((await failureOf(client.get('k'))).code).to.equal('BAD_REPLY')
    expect(await failureOf(client.set('k', 'v'))).to.deep.include({ code: 'BAD_REPLY', definite: false })
  })

  it('gives every version of a key that a ring has, and the last written as its value', async () => {
    const versions = [
      { value: 'older', context: 'a', writtenMs: 1 },
      { valueBase64: 'AP8=', context: 'b', writtenMs: 2 },
    ]
    cluster.engine = 'ring'
    first.behaviour = asked => {
      if (asked['op'] === 'get') return { key: 'k', versions, context: 'ab' }
      if (asked['op'] === 'lookup') return { key: 'k', owners: ['127.0.0.1:1', '127.0.0.1:2'] }
      return asked['op'] === 'put' ? { versions: versions.slice(1), context: 'ab' } : cluster.answer(asked)
    }
    const client = await connect()
    const entry = await client.get('k', { quorum: 1 })
    expect([...(entry?.bytes ?? [])]).to.deep.equal([0, 255])
    expect(entry?.siblings.map(({ value, context }) => [value, context])[0]).to.deep.equal(['older', 'a'])
    const written = await client.put('k', 'v', { quorum: 2, context: entry?.context ?? '' })
    expect(written).to.deep.include({ version: 0, context: 'ab' })
    expect(written.siblings).to.have.length(1)
    expect(first.asks('get')[0]).to.include({ quorum: 1 })
    expect(first.asks('put')[0]).to.include({ quorum: 2, context: 'ab' })
    expect(await client.lookup('k')).to.deep.equal(['127.0.0.1:1', '127.0.0.1:2'])
  })

  it('waits on a ring that is led until the living name another leader', async () => {
    cluster.engine = 'ring'
    cluster.epoch = 1
    const [second, third] = [await cluster.add(), await cluster.add()]
    const client = await connect({ followLeader: false })
    const events = client.events()
    await first.kill()
    cluster.leader = undefined
    await waitFor(() => second.asks('heartbeat').length > 2, patienceMs, 'the second to be asked who leads')
    expect(client.address).to.equal(undefined)
    cluster.epoch = 2
    cluster.leader = third
    expect((await nextOf(events, 'reconnected')).address).to.equal(third.address)
    expect((await client.heartbeat()).epoch).to.equal(2)
  })

  it('waits for no leader where the engine needs none', async () => {
    cluster.engine = 'ring'
    cluster.leader = undefined
    const second = await cluster.add()
    cluster.leader = undefined
    const client = await connect()
    const events = client.events()
    await first.kill()
    expect((await nextOf(events, 'reconnected')).address).to.equal(second.address)
    await client.set('k', 'v')
  })

  it('learns that a line was too long for the node, which cannot say whose line it was', async () => {
    const client = await connect()
    first.behaviour = asked =>
      String(asked['value']).length > 1000
        ? { ...refusal('LINE_TOO_LONG', true, { limit: 1000 }), id: null }
        : cluster.answer(asked)
    const small = client.set('small', 'v')
    const large = failureOf(client.set('large', 'v'.repeat(1001)))
    expect(await large).to.deep.include({ code: 'LINE_TOO_LONG', definite: true })
    await small
  })

  it('does not wait forever for an answer before it follows the leader', async () => {
    const second = await cluster.add()
    const client = await connect({ answerWithinMs: 200 })
    first.behaviour = asked => (asked['op'] === 'get' ? undefined : cluster.answer(asked))
    // Nobody waits for this answer any more, and it will not come.
    expect((await failureOf(client.get('k', { timeoutMs: 20 }))).code).to.equal('DEADLINE_EXCEEDED')
    cluster.leader = second
    await waitFor(() => client.address === second.address, patienceMs, 'the client to be at the leader')
    await client.set('k', 'v')
    expect(second.asks('set')).to.have.length(1)
  })

  it('stays with its node while a change of the cluster is under way there', async () => {
    const second = await cluster.add()
    const client = await connect()
    let finish: () => void = () => {}
    first.behaviour = (asked, socket) => {
      if (asked['op'] !== 'add-node') return cluster.answer(asked)
      finish = () => socket.write(`${JSON.stringify({ id: asked['id'], ok: true })}\n`)
      return undefined
    }
    const adding = client.addNode('127.0.0.1:1')
    await waitFor(() => first.asks('add-node').length === 1, patienceMs, 'the change to be asked for')
    cluster.leader = second
    const beats = first.asks('heartbeat').length
    await waitFor(() => first.asks('heartbeat').length > beats + 3, patienceMs, 'more heartbeats')
    expect(client.address).to.equal(first.address)
    finish()
    await adding
    await waitFor(() => client.address === second.address, patienceMs, 'the client to follow the leader')
  })

  it('reads past the line with which a node greets', async () => {
    first.banner = 'welcome'
    const client = await connect()
    await client.set('k', 'v')
  })

  it('tells a warning once when it becomes true, and once when it no longer is', async () => {
    const client = await connect()
    const events = client.events()
    cluster.warnings = ['too few']
    expect((await nextOf(events, 'warning')).text).to.equal('too few')
    const beats = first.asks('heartbeat').length
    await waitFor(() => first.asks('heartbeat').length > beats + 3, patienceMs, 'more heartbeats')
    cluster.warnings = []
    expect(await events.next()).to.deep.equal({
      done: false,
      value: { kind: 'warning-over', text: 'too few' },
    })
  })

  it('drops events that nobody takes, and says how many', async () => {
    const client = await connect()
    const events = client.events({ waitingMax: 2 })
    await waitFor(() => first.asks('watch').length === 1, patienceMs, 'the client to watch')
    const watch = first.asks('watch')[0]
    for (let count = 0; count < 5; count++) {
      const line = JSON.stringify({ id: watch?.['id'], event: { kind: 'leader', count }, message: 'm' })
      for (const socket of first.sockets) socket.write(`${line}\n`)
    }
    await client.get('k')
    await waitFor(() => first.asks('heartbeat').length > 3, patienceMs, 'the news to have come')
    const taken: ClientEvent[] = []
    for (let count = 0; count < 3; count++) {
      const { value } = await events.next()
      if (value !== undefined) taken.push(value)
    }
    expect(taken.map(({ kind }) => kind)).to.deep.equal(['cluster', 'cluster', 'missed'])
    await events.return?.()
    expect((await events.next()).done).to.equal(true)
  })

  it('ends its events when it is closed, and fails what is asked then', async () => {
    const client = await connect()
    const events = client.events()
    client.close()
    expect((await events.next()).done).to.equal(true)
    expect((await failureOf(client.get('k'))).code).to.equal('CLOSED')
    expect((await client.events().next()).done).to.equal(true)
  })

  it('says where a key is kept without asking', async () => {
    await cluster.add()
    const client = await connect()
    const asked = first.asked.length
    expect(client.placement('k')).to.deep.equal(cluster.nodes.map(({ address }) => address))
    expect(first.asked.length).to.equal(asked)
  })

  it('says where a key of a ring is kept, by the function of the nodes', async () => {
    cluster.engine = 'ring'
    for (let more = 0; more < 4; more++) await cluster.add()
    const client = await connect()
    const kept = Array.from({ length: 50 }, (_, at) => client.placement(`key ${at}`))
    const placement = placementOf(
      cluster.keepers.map(({ id }) => id),
      5,
    )
    for (const [at, addresses] of kept.entries()) {
      const owners = placement.owners(rangeOf(pathOf(`key ${at}`)))
      expect(addresses).to.deep.equal(owners.map(id => id.replace('node ', '')))
    }
    expect(new Set(kept.map(([first]) => first)).size, 'first owners').to.be.above(1)
  })

  it('takes no heartbeat whose keepers it cannot read', async () => {
    cluster.engine = 'ring'
    const tooMany = Array.from({ length: 1001 }, (_, at) => ({ id: String(at), address: 'a:1' }))
    for (const keepers of ['none', [null], [{ id: 1, address: 'a:1' }], [{ id: 'a' }], tooMany]) {
      first.behaviour = asked => ({ ...cluster.answer(asked), keepers })
      const refused = await failureOf(connect({ timeoutMs: 300 }))
      expect(refused.message, JSON.stringify(keepers).slice(0, 50)).to.match(/does not understand/)
    }
  })
})

describe('connecting', () => {
  it('skips a dead address, and a host that does not resolve', async () => {
    const cluster = new FakeCluster()
    const node = await cluster.add()
    const dead = `127.0.0.1:${await freePort()}`
    const client = await Client.connect([dead, 'no-such-host.invalid:5000', node.address])
    expect(client.address).to.equal(node.address)
    client.close()
    await cluster.close()
  })

  it('says of each address why nobody could be reached there', async () => {
    const dead = `127.0.0.1:${await freePort()}`
    const error = await failureOf(Client.connect(dead, { timeoutMs: 500 }))
    expect(error.code).to.equal('UNREACHABLE')
    expect(error.message).to.equal(`No node can be reached: ${dead} (nothing listens there).`)
  })

  it('refuses what is no address, and options that there are not', async () => {
    expect((await failureOf(Client.connect('a b'))).code).to.equal('INVALID_ADDRESS')
    // A misspelled option from a program without types.
    const wrong = { timeout: 5 } as ClientOptions
    const error = await Client.connect('127.0.0.1', wrong).catch((thrown: unknown) => thrown)
    expect(error).to.be.instanceOf(RangeError)
    for (const timeoutMs of ['2s', 0, -1, Number.NaN, null]) {
      const odd = { timeoutMs } as ClientOptions
      const refused = await Client.connect('127.0.0.1', odd).catch((thrown: unknown) => thrown)
      expect(refused).to.be.instanceOf(RangeError)
      expect(String(refused)).to.equal(`RangeError: timeoutMs must be a number above 0, not ${timeoutMs}`)
    }
    const notAnswer = { followLeader: 'no' } as unknown as ClientOptions
    const refused = await Client.connect('127.0.0.1', notAnswer).catch((thrown: unknown) => thrown)
    expect(String(refused)).to.equal('RangeError: followLeader must be true or false, not no')
  })

  it('can be called off', async () => {
    const dead = `127.0.0.1:${await freePort()}`
    const error = await failureOf(Client.connect(dead, { signal: AbortSignal.timeout(50) }))
    expect(error.code).to.equal('ABORTED')
  })
})

/** The error of a promise that must fail with one. */
async function failureOf(promise: Promise<unknown>): Promise<QuorateError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).to.be.instanceOf(QuorateError)
  // Checked the line above.
  return error as QuorateError
}

/** The next event of that kind; others before it are passed over. */
async function nextOf<Kind extends ClientEvent['kind']>(
  events: AsyncIterableIterator<ClientEvent, undefined>,
  kind: Kind,
): Promise<ClientEvent & { kind: Kind }> {
  for (;;) {
    const { value, done } = await events.next()
    if (done || value === undefined) throw new Error(`the events ended before '${kind}'`)
    // The kind is what tells the members of the union apart.
    if (value.kind === kind) return value as ClientEvent & { kind: Kind }
  }
}
