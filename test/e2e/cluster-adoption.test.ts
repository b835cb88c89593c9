/** An unused node is added while somebody begins to use it: one of the two must win, never half of each. */
import { setTimeout } from 'node:timers/promises'
import { expect } from 'chai'
import { startCluster, startNode, stopAll, type TestNode } from '../support/processes.js'
import { brokenPromises, PutLoad, promisedBy } from './cluster-puts.js'
import { patienceMs } from './cluster-state.js'

const races = 8

describe('A node that is used by a client while a cluster adds it', () => {
  let cluster: TestNode[]

  before(async () => {
    cluster = await startCluster(1)
  })
  after(stopAll)

  it(`loses no acknowledged write, whoever is first (${races} races)`, async function () {
    this.timeout(races * patienceMs)
    const [member] = cluster
    if (member === undefined) throw new Error('a cluster has a node')
    const ends = { added: 0, refused: 0 }
    // Each race is started so that the last one would have been closer: whoever won begins later.
    let clientStartMs = 8
    for (let race = 0, stepMs = 8; race < races; race++, stepMs = Math.max(1, stepMs / 2)) {
      const end = await runRace(member, clientStartMs)
      ends[end]++
      clientStartMs = Math.max(0, clientStartMs + (end === 'refused' ? stepMs : -stepMs))
    }
    console.log(`      the add won ${ends.added} times, the client ${ends.refused} times`)
  })
})

/** The client begins so many milliseconds after the add was asked for. */
async function runRace(member: TestNode, clientStartMs: number): Promise<'added' | 'refused'> {
  const node = await startNode()
  const admin = await member.connect()
  const reply = admin.ask(`add-node ${node.address}`)
  await setTimeout(clientStartMs)
  const load = new PutLoad({ addresses: [node.address], clients: 3 })
  const added = await reply
  await load.waitForMore(5)
  await load.stop()

  const wasAdded = added === `SUCCESS: Node ${node.address} added to cluster.`
  if (!wasAdded) expect(added).to.match(/^ERROR: Node .* cannot be added: .*it holds data/)
  expect(load.puts.filter(put => promisedBy(put) === 'unknown')).to.deep.equal([])
  // What was acknowledged is there, and what was refused is not, in the cluster that the node belongs to now.
  expect(await brokenPromises(node.address, load.puts)).to.deep.equal([])
  if (wasAdded) {
    expect(await brokenPromises(member.address, load.puts)).to.deep.equal([])
    expect(await admin.ask(`remove-node ${node.address}`)).to.equal(
      `SUCCESS: Node ${node.address} removed from cluster.`,
    )
  }
  admin.close()
  await node.kill()
  return wasAdded ? 'added' : 'refused'
}
