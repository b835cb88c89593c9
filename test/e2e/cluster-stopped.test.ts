/** Nodes are stopped with SIGTERM, as for an upgrade, and started again, once under another address. */
import { expect } from 'chai'
import { freePortPair } from '../support/ports.js'
import { startCluster, stopAll, TestNode } from '../support/processes.js'
import { waitFor } from '../support/wait-for.js'
import { PipelineLoad } from './cluster-pipeline.js'
import { brokenPromises, type Put, PutLoad } from './cluster-puts.js'
import {
  leaderShownBy,
  medianAndWorst,
  patienceMs,
  rolesOf,
  waitForCopies,
  waitForSync,
} from './cluster-state.js'

const stops = 3

describe('When the leader is stopped with SIGTERM', () => {
  let nodes: TestNode[]
  const puts: Put[] = []

  before(async () => {
    nodes = await startCluster(3)
  })
  after(stopAll)

  it('it hands over and ends well, and clients of the others notice nothing', async function () {
    this.timeout(stops * patienceMs)
    const handOversMs: number[] = []
    const stopsMs: number[] = []
    for (let stop = 0; stop < stops; stop++) {
      const { handOverMs, stopMs } = await stopLeaderUnderLoad(nodes, puts)
      handOversMs.push(handOverMs)
      stopsMs.push(stopMs)
    }
    console.log(`      from SIGTERM to another leader: ${medianAndWorst(handOversMs)}`)
    console.log(`      from SIGTERM to the end of the process: ${medianAndWorst(stopsMs)}`)
  })

  it('everything that was acknowledged is there, also on the nodes that were started again', async () => {
    const [one] = nodes
    if (one === undefined) throw new Error('a cluster has nodes')
    await waitForCopies(one, nodes)
    for (const node of nodes) expect(await brokenPromises(node.address, puts, 'local')).to.deep.equal([])
  })

  it('all nodes stopped together end well, and find their data again', async () => {
    const exits = await Promise.all(nodes.map(node => node.stop()))
    for (const exit of exits) expect(exit).to.deep.equal({ code: 0, signal: null })
    await Promise.all(nodes.map(node => node.start()))
    const [one] = nodes
    if (one === undefined) throw new Error('a cluster has nodes')
    await one.waitForLeader()
    expect(await brokenPromises(one.address, puts)).to.deep.equal([])
  })

  it('a node that is started again under another address keeps its place, under the new name', async () => {
    const { leader, followers } = await rolesOf(nodes)
    const [moving, staying] = followers
    if (moving === undefined || staying === undefined) throw new Error('the leader has two followers')
    await moving.stop()
    const moved = new TestNode({ ...(await freePortPair()), dataDirectory: moving.dataDirectory })
    await moved.start()
    for (const node of [leader, staying, moved]) {
      await waitFor(
        async () => {
          const said = await node.status()
          const text = said.kind === 'status' ? said.text : ''
          return (
            text.includes(moved.address) &&
            !text.includes(moving.address) &&
            text.includes('All nodes in sync.')
          )
        },
        patienceMs,
        () => `${node.address} to show the new address; it said:\n${node.process.output}`,
      )
    }
    await waitForSync(moved)
    const client = await moved.connect()
    expect(await client.ask('set after moving')).to.equal('SUCCESS: after -> moving set.')
    client.close()
    // It still votes: with it, the one that stays is a majority.
    await leader.kill()
    const load = new PutLoad({ addresses: [moved.address, staying.address] })
    await load.waitForMore(5)
    await load.stop()
    expect(load.failed).to.deep.equal([])
  })
})

async function stopLeaderUnderLoad(
  nodes: readonly TestNode[],
  all: Put[],
): Promise<{ handOverMs: number; stopMs: number }> {
  const { leader, followers } = await rolesOf(nodes)
  const [one] = followers
  if (one === undefined) throw new Error('the leader has followers')
  const load = new PutLoad({ addresses: followers.map(({ address }) => address) })
  const ownClients = new PutLoad({ addresses: [leader.address] })
  const pipeline = await PipelineLoad.start(one.address, `stop:${all.length}`)
  await load.waitForMore(20)

  const stoppedAtMs = performance.now()
  const exit = leader.stop()
  await waitFor(async () => (await leaderShownBy(one)) !== leader.address, patienceMs, 'another leader')
  await one.waitForLeader()
  const handOverMs = performance.now() - stoppedAtMs
  expect(await exit).to.deep.equal({ code: 0, signal: null })
  const stopMs = performance.now() - stoppedAtMs

  await load.waitForMore(20)
  await load.stop()
  await ownClients.stop()
  const { wrong } = await pipeline.stop()
  expect(load.failed).to.deep.equal([])
  expect(wrong).to.deep.equal([])
  // Clients of the node itself are told that nothing was done, or lose the connection when it is gone.
  all.push(...load.puts, ...ownClients.puts)
  await leader.start()
  await waitForCopies(one, [leader])
  return { handOverMs, stopMs }
}
