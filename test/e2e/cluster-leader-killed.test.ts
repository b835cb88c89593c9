/** The leader's process is killed while clients write through the other nodes. */
import { expect } from 'chai'
import { startCluster, stopAll, type TestNode } from '../support/processes.js'
import { CounterLoad } from './cluster-counter.js'
import { PipelineLoad } from './cluster-pipeline.js'
import { brokenPromises, type Put, PutLoad } from './cluster-puts.js'
import { medianAndWorst, patienceMs, rolesOf, waitForCopies } from './cluster-state.js'
import { movedVersions, VersionLoad } from './cluster-versions.js'

const kills = 5

describe('When the leader is killed with kill -9', () => {
  let nodes: TestNode[]
  const puts: Put[] = []

  before(async () => {
    nodes = await startCluster(3)
    const [first] = nodes
    const client = await first?.connect()
    await client?.ask('set counter 0')
    client?.close()
  })
  after(stopAll)

  it(`clients of the other nodes notice nothing but a pause, ${kills} times in a row`, async function () {
    this.timeout(kills * patienceMs)
    const pausesMs: number[] = []
    for (let kill = 1; kill <= kills; kill++) pausesMs.push(await killLeaderUnderLoad(nodes, kill, puts))
    console.log(`      from the kill to the next acknowledged write: ${medianAndWorst(pausesMs)}`)
  })

  it('every acknowledged write is there, on every node', async () => {
    const [writer] = nodes
    if (writer === undefined) throw new Error('a cluster has nodes')
    await waitForCopies(writer, nodes)
    expect(puts.length).to.be.greaterThan(kills)
    for (const node of nodes) expect(await brokenPromises(node.address, puts, 'local')).to.deep.equal([])
    expect(await brokenPromises(writer.address, puts)).to.deep.equal([])
  })
})

/** One round; returns the milliseconds from the kill to the first answer to a put that was sent after it. */
async function killLeaderUnderLoad(nodes: readonly TestNode[], round: number, all: Put[]): Promise<number> {
  const { leader, followers } = await rolesOf(nodes)
  const addresses = followers.map(({ address }) => address)
  const [one] = followers
  if (one === undefined) throw new Error('the leader has followers')
  const from = await counterAt(one)
  const puts = new PutLoad({ addresses })
  const counter = new CounterLoad('counter', addresses)
  const pipeline = await PipelineLoad.start(one.address, `pipeline:${round}`)
  const versions = await Promise.all(
    followers.map(node => VersionLoad.start(node.address, `${round}:${node.port}`)),
  )
  await puts.waitForMore(20)

  const killedAtMs = performance.now()
  await leader.kill()
  const deadAtMs = performance.now()
  const first = await puts.waitForStoredSince(deadAtMs)
  await puts.waitForMore(20)
  await puts.stop()
  const count = await counter.stop()
  const { wrong, rounds } = await pipeline.stop()
  const sets = await Promise.all(versions.map(load => load.stop()))
  all.push(...puts.puts)

  expect(puts.failed, 'puts that were not acknowledged').to.deep.equal([])
  expect(wrong, 'pipelined writes that failed, or took effect twice or out of order').to.deep.equal([])
  for (const { written, failed } of sets) {
    expect(failed, 'sets that failed').to.deep.equal([])
    expect(await movedVersions(one.address, written), 'sets that took effect twice').to.deep.equal([])
  }
  expect(count.errors, 'errors of the counting clients').to.deep.equal([])
  expect(count.unknown, 'increments without an outcome').to.equal(0)
  const expected = Array.from({ length: count.written.length }, (_, at) => from + at + 1)
  expect([...count.written].sort((left, right) => left - right)).to.deep.equal(expected)
  expect(await counterAt(one), 'the counter').to.equal(from + count.written.length)
  const client = await one.connect()
  expect(await client.ask(`get pipeline:${round}:last`)).to.equal(`pipeline:${round}:last -> ${rounds}`)
  client.close()

  await leader.start()
  await waitForCopies(one, [leader])
  return first.answeredAtMs - killedAtMs
}

async function counterAt(node: TestNode): Promise<number> {
  const client = await node.connect()
  const reply = await client.ask('get counter')
  client.close()
  return Number(reply.replace('counter -> ', ''))
}
