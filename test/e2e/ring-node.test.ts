/** One node of a ring, and small rings, as people meet them. */
import { expect } from 'chai'
import { freePortPair } from '../support/ports.js'
import {
  startCluster,
  startNode,
  startProgram,
  stopAll,
  type TestNode,
  temporaryDirectory,
  textClient,
  waitFor,
} from '../support/processes.js'
import { patienceMs, waitForSync } from './cluster-state.js'

/** What a node answers to these lines, without the contexts, which differ from run to run. */
async function type(node: TestNode, ...lines: readonly string[]): Promise<string[]> {
  const client = await node.connect()
  client.send(lines.map(line => `${line}\n`).join(''))
  client.end()
  return (await client.rest()).map(line => line.replace(/Context: \S+$/, 'Context: ...'))
}

describe('A node of the ring engine', () => {
  afterEach(stopAll)

  it('serves by itself, as text', async () => {
    const node = await startNode({ flags: ['--engine=ring'] })
    const told = await type(
      node,
      'put key1 value1',
      'get key1',
      'put key1 value2',
      'set key1 value3',
      'get --context key1',
      'update key1 value4',
      'update key2 value',
      'delete key1',
      'get key1',
      'delete key1',
      'lookup key1',
      'count',
      'put --quorum 4 key1 value',
      'put --context nonsense key1 value',
      'cas key1 1 value',
      'transfer-leader 127.0.0.1',
      'status',
      'leave',
    )
    expect(told).to.deep.equal([
      'SUCCESS: key1 -> value1 added. Context: ...',
      'key1 -> value1',
      'CONFLICT: key1 has 2 versions. Context: ...',
      'key1 -> value1',
      'key1 -> value2',
      'SUCCESS: key1 -> value3 set. Context: ...',
      'key1 -> value3 Context: ...',
      'SUCCESS: key1 updated to value4. Context: ...',
      'ERROR: Key not found.',
      'SUCCESS: key1 removed.',
      'ERROR: Key not found.',
      'ERROR: Key not found.',
      `key1: ${node.address}`,
      '0 records.',
      'ERROR: Quorum must be from 1 to 3, the number of copies.',
      'ERROR: Not a context of this key: give one as an answer gave it.',
      "ERROR: 'cas' needs the raft engine.",
      "ERROR: 'transfer-leader' needs the raft engine.",
      'Cluster Status:',
      'Leader: none (leaderless)',
      `Active Nodes: [${node.address}]`,
      'Sync Status: All nodes in sync.',
      `ERROR: Node ${node.address} cannot be removed: it is the last member.`,
    ])
  })

  it('has what it acknowledged after it was killed, and refuses the other engine on its data', async () => {
    const node = await startNode({ flags: ['--engine=ring'] })
    const lines = Array.from({ length: 200 }, (_, at) => `put key${at} value${at}`)
    expect(await type(node, ...lines)).to.have.length(200)
    await node.kill()
    // The data directory says which engine it is.
    await node.start([])
    const found = await type(node, ...lines.map((_, at) => `get key${at}`), 'count')
    expect(found).to.deep.equal([...lines.map((_, at) => `key${at} -> value${at}`), '200 records.'])
    await node.stop()
    expect((await node.launch(['--engine=raft']).waitForExit()).code).to.equal(1)
    expect(node.process.output).to.include(
      'belongs to a node of the ring engine. Start it with --engine ring',
    )
  })

  it('keeps values as bytes, in JSON and raw', async () => {
    const node = await startNode({ flags: ['--engine=ring'] })
    const client = await node.connect()
    const put = JSON.parse(await client.ask('{"id":1,"op":"put","key":"k","valueBase64":"AP8K"}'))
    expect(put.ok).to.equal(true)
    const got = JSON.parse(await client.ask('{"id":2,"op":"get","key":"k"}'))
    const [{ writtenMs }] = got.versions
    expect(writtenMs).to.be.within(Date.now() - 600_000, Date.now() + 1000)
    expect(got.versions).to.deep.equal([{ valueBase64: 'AP8K', context: put.context, writtenMs }])
    expect(got.context).to.equal(put.context)
    expect(await client.ask('get k')).to.equal(
      'ERROR: Value is not one line of text (3 bytes). Use get --raw.',
    )
    expect(await client.ask('get --raw k')).to.equal('k -> 3 bytes')
  })

  it('goes on to the last of three nodes, for who asks for less', async () => {
    const nodes = await startRing(3)
    const [last, ...others] = nodes
    if (last === undefined) throw new Error('a ring has nodes')
    expect((await type(last, 'put --quorum 3 key1 value1'))[0]).to.match(/^SUCCESS/)
    await Promise.all(others.map(node => node.kill()))
    expect(await type(last, 'get --quorum 1 key1', 'set --quorum=1 key1 value2')).to.deep.equal([
      'key1 -> value1',
      'SUCCESS: key1 -> value2 set. Context: ...',
    ])
    expect(await type(last, 'set key1 value3')).to.deep.equal(['ERROR: Quorum not met (1 of 2).'])
    for (const node of others) {
      await node.start()
      await waitFor(
        async () => (await type(node, 'get key1'))[0] === 'key1 -> value2',
        patienceMs,
        'a node that is back to serve what it missed',
      )
    }
  })

  it('is started in numbers by quorate-cluster', async () => {
    const directory = temporaryDirectory()
    const { port } = await freePortPair()
    const flags = ['--engine=ring', '--nodes=1', `--port=${port}`, `--data-dir=${directory}`]
    const cluster = startProgram('quorate-cluster', flags)
    await cluster.waitForOutput('The ring of 1 nodes is ready; it needs no leader.')
    const client = await textClient(`127.0.0.1:${port}`)
    expect(await client.ask('lookup key1')).to.equal(`key1: 127.0.0.1:${port}`)
    expect((await cluster.stop()).code).to.equal(0)
  })

  /** Starts a ring and waits until each node hears all. */
  async function startRing(count: number): Promise<TestNode[]> {
    const nodes = await startCluster(count, { flags: ['--engine=ring'] })
    await Promise.all(nodes.map(waitForSync))
    return nodes
  }
})
