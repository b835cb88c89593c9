/** A node that was away for longer than the log reaches back is brought up by a snapshot, while writes go on. */
import { expect } from 'chai'
import { startCluster, startNode, stopAll, type TestNode, waitFor } from '../support/processes.js'
import { brokenPromises, PutLoad } from './cluster-puts.js'
import { allKeys, hasLogged, patienceMs, rolesOf, waitForCopies, waitForSync } from './cluster-state.js'

/** Large values fill the log with few requests: it is kept for some tens of megabytes. */
const valueBytes = 100_000
/** Far more than what a log is kept for; whoever runs into it waits for a compaction that does not come. */
const putsMax = 3000

describe('A cluster that has compacted its log', () => {
  let leader: TestNode
  let other: TestNode
  let absent: TestNode
  let filling: PutLoad

  before(async function () {
    this.timeout(4 * patienceMs)
    const nodes = await startCluster(3)
    const roles = await rolesOf(nodes)
    leader = roles.leader
    const [one, two] = roles.followers
    if (one === undefined || two === undefined) throw new Error('a cluster of three has two followers')
    other = one
    absent = two
    await absent.kill()
    filling = new PutLoad({ addresses: [leader.address, other.address], clients: 4, valueBytes })
    await waitFor(
      () => hasLogged(leader, 'compacted') || filling.puts.length > putsMax,
      2 * patienceMs,
      'the leader to compact its log',
    )
    await filling.stop()
  })
  after(stopAll)

  it('acknowledges every write while a node is away', () => {
    expect(filling.failed).to.deep.equal([])
    expect(hasLogged(leader, 'compacted')).to.equal(true)
  })

  it('brings the node back by a snapshot while writes go on', async function () {
    this.timeout(2 * patienceMs)
    const load = new PutLoad({ addresses: [leader.address, other.address] })
    await load.waitForMore(10)
    const startedAtMs = performance.now()
    await absent.start()
    await waitFor(() => hasLogged(absent, 'snapshot-installed'), patienceMs, 'the snapshot to be installed')
    console.log(`      back by a snapshot after ${(performance.now() - startedAtMs).toFixed(0)} ms`)
    await load.waitForMore(10)
    await load.stop()
    await waitForSync(leader)
    await waitForCopies(leader, [absent, other])

    expect(load.failed).to.deep.equal([])
    expect(await allKeys(absent)).to.deep.equal(await allKeys(other))
    for (const node of [absent, other]) {
      expect(await brokenPromises(node.address, [...filling.puts, ...load.puts], 'local')).to.deep.equal([])
    }
  })

  it('has the same data after the node was killed and started again', async () => {
    await absent.kill()
    await absent.start()
    await waitForCopies(leader, [absent])
    expect(await brokenPromises(absent.address, filling.puts, 'local')).to.deep.equal([])
  })

  it('goes on with adding a node when the leader dies, and lets it vote only with a full copy', async function () {
    this.timeout(3 * patienceMs)
    const added = await startNode()
    const load = new PutLoad({ addresses: [other.address, absent.address] })
    const asker = await other.connect()
    const reply = asker.ask(`add-node ${added.address}`)
    await waitFor(() => hasLogged(added, 'snapshot-receiving'), patienceMs, 'the copy to begin')
    await leader.kill()
    expect(await reply).to.equal(`SUCCESS: Node ${added.address} added to cluster.`)
    // With the old leader dead, three of the four voters live: the new one has what they have.
    const voted = await brokenPromises(added.address, filling.puts, 'local')
    await load.waitForMore(10)
    await load.stop()
    expect(voted).to.deep.equal([])
    expect(load.failed).to.deep.equal([])
    await waitForCopies(other, [added])
    expect(await brokenPromises(added.address, load.puts, 'local')).to.deep.equal([])
    await leader.start()
    await waitForSync(leader)
  })
})
