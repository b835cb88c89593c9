/** The majority is lost for good, and a survivor goes on alone because somebody said so. */
import { expect } from 'chai'
import { startCluster, startNode, stopAll, type TestNode, waitFor } from '../support/processes.js'
import { patienceMs } from './cluster-state.js'

describe('A survivor started with --force-new-cluster', () => {
  after(stopAll)

  it('serves alone, with its data, and takes new members', async function () {
    this.timeout(2 * patienceMs)
    const [one, two, three] = await startCluster(3)
    if (one === undefined || two === undefined || three === undefined) throw new Error('a cluster has nodes')
    expect(await ask(one, 'put key1 value1')).to.equal('SUCCESS: key1 -> value1 added.')
    await waitFor(async () => (await ask(one, 'get --local key1')) === 'key1 -> value1', patienceMs, 'a copy')
    await Promise.all([two.kill(), three.kill()])
    await one.stop()

    one.launch(['--force-new-cluster'])
    await waitFor(
      async () => (await ask(one, 'get key1')) === 'key1 -> value1',
      patienceMs,
      'the survivor to serve',
    )
    expect(await ask(one, 'put key2 value2')).to.equal('SUCCESS: key2 -> value2 added.')

    const fresh = await startNode()
    const added = await ask(one, `add-node ${fresh.address}`)
    expect(added).to.equal(`SUCCESS: Node ${fresh.address} added to cluster.`)
    expect(await ask(fresh, 'get key2')).to.equal('key2 -> value2')
  })
})

/** One command over a connection of its own. */
async function ask(node: TestNode, command: string): Promise<string> {
  const client = await node.connect()
  try {
    return await client.ask(command)
  } finally {
    client.close()
  }
}
