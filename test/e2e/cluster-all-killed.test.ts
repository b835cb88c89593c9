/** Every process of the cluster is killed at once, as in a power cut, and started again. */
import { expect } from 'chai'
import { startCluster, stopAll, type TestNode } from '../support/processes.js'
import { PipelineLoad } from './cluster-pipeline.js'
import { brokenPromises, type Put, PutLoad } from './cluster-puts.js'
import { allKeys, medianAndWorst, patienceMs, waitForCopies } from './cluster-state.js'

const cuts = 3

describe('When all nodes are killed with kill -9 at the same time', () => {
  let nodes: TestNode[]
  const puts: Put[] = []

  before(async () => {
    nodes = await startCluster(3)
  })
  after(stopAll)

  it('the cluster serves again once they are started', async function () {
    this.timeout(cuts * patienceMs)
    const startsMs: number[] = []
    for (let cut = 0; cut < cuts; cut++) startsMs.push(await cutAndStart(nodes, puts))
    console.log(`      from the start of the processes to an acknowledged write: ${medianAndWorst(startsMs)}`)
  })

  it('everything that was acknowledged is there, and nothing that was refused', async () => {
    const [one] = nodes
    if (one === undefined) throw new Error('a cluster has nodes')
    await waitForCopies(one, nodes)
    expect(await brokenPromises(one.address, puts)).to.deep.equal([])
    const keys = await allKeys(one)
    for (const node of nodes) {
      expect(await brokenPromises(node.address, puts, 'local')).to.deep.equal([])
      expect(await allKeys(node)).to.deep.equal(keys)
    }
  })

  it('nobody is told again of members that were there before', () => {
    for (const { process } of nodes) {
      expect(process.output).to.include('"event":"leader"').and.not.include('"event":"member-added"')
    }
  })
})

/** Returns the milliseconds from the start of the processes to the first answer to a new put. */
async function cutAndStart(nodes: readonly TestNode[], all: Put[]): Promise<number> {
  const addresses = nodes.map(({ address }) => address)
  const load = new PutLoad({ addresses })
  const pipelines = await Promise.all(addresses.map(address => PipelineLoad.start(address, `cut:${address}`)))
  await load.waitForMore(100)
  await Promise.all(nodes.map(node => node.kill()))
  // Their connections are gone, and what they wait for will not come.
  await Promise.all(pipelines.map(pipeline => pipeline.stop()))

  const startedAtMs = performance.now()
  for (const node of nodes) node.launch()
  // The clients of before have gone on trying to connect.
  const first = await load.waitForStoredSince(startedAtMs)
  await load.waitForMore(20)
  await load.stop()
  all.push(...load.puts)
  return first.answeredAtMs - startedAtMs
}
