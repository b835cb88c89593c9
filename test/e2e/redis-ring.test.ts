/** Redis clients at a ring: what they may ask there, of any node, and what they are told of the rest. */
import { expect } from 'chai'
import { startCluster, type TestNode } from '../support/processes.js'
import { libraries, type RedisClient, stopAllWithClients } from './redis-harness.js'

describe('Redis clients at a ring of three nodes', () => {
  let nodes: TestNode[]
  before(async () => {
    nodes = await startCluster(3, { flags: ['--engine=ring'] })
  })
  after(stopAllWithClients)

  function nodeAt(place: number): TestNode {
    const node = nodes[place]
    if (node === undefined) throw new Error(`there are ${nodes.length} nodes`)
    return node
  }

  async function failureOf(reply: Promise<unknown>): Promise<string> {
    return reply.then(
      value => `no failure, but ${String(value)}`,
      (error: Error) => error.message,
    )
  }

  for (const library of libraries) {
    it(`write, read and remove with ${library.name}, each of them at another node`, async () => {
      const [writer, reader, remover] = (await Promise.all(
        [0, 1, 2].map(place => library.connect(nodeAt(place))),
      )) as [RedisClient, RedisClient, RedisClient]
      const key = library.name.replaceAll(' ', '-')
      const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
      expect(await reader.call('GET', key)).to.equal(null)
      expect(String(await writer.call('SET', key, value))).to.equal('OK')
      expect(await reader.call('GET', key)).to.deep.equal(value)
      expect(Number(await remover.call('DEL', key, `${key}-not-there`))).to.equal(1)
      expect(await reader.call('GET', key)).to.equal(null)
    })
  }

  it('see one of the versions that stand side by side, and replace all of them', async () => {
    const text = await nodeAt(0).connect()
    await text.ask('put siblings one')
    text.send('put siblings two\n')
    expect(await text.line('the conflict')).to.match(/^CONFLICT: siblings has 2 versions/)
    const [library] = libraries
    const client = await library?.connect(nodeAt(1))
    expect(String(await client?.call('GET', 'siblings'))).to.equal('two')
    expect(String(await client?.call('SET', 'siblings', 'three'))).to.equal('OK')
    const other = await nodeAt(2).connect()
    expect(await other.ask('get siblings')).to.equal('siblings -> three')
  })

  it('are told that everything else needs the other engine', async () => {
    const [library] = libraries
    const client = await library?.connect(nodeAt(0))
    for (const words of [
      ['INCR', 'key'],
      ['EXPIRE', 'key', '10'],
      ['MGET', 'key'],
      ['CLUSTER', 'SLOTS'],
    ] as const) {
      const [name, ...rest] = words
      const told = await failureOf(client?.call(name, ...rest) ?? Promise.resolve())
      expect(told, words.join(' ')).to.match(/needs the raft engine/)
    }
    // Without an option there is a SET, so it is the option that is told of.
    for (const [options, told] of [
      [['NX'], 'set nx'],
      [['XX', 'GET'], 'set xx'],
      [['GET'], 'set get'],
      [['PX', '1000'], 'set ex'],
      [['KEEPTTL'], 'set keepttl'],
    ] as const) {
      const reply = client?.call('SET', 'key', 'value', ...options) ?? Promise.resolve()
      expect(await failureOf(reply)).to.equal(`ERR '${told}' needs the raft engine.`)
    }
    expect(String(await client?.call('INFO'))).to.include('quorate_engine:ring')
  })
})
