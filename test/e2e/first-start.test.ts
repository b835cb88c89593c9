/** A first start that went wrong binds a node to nothing: told the right thing, it does it. */
import { createServer } from 'node:net'
import { expect } from 'chai'
import { freePortPair } from '../support/ports.js'
import { startNode, stopAll, TestNode } from '../support/processes.js'
import { patienceMs } from './cluster-state.js'

describe('A node whose first start went wrong', function () {
  this.timeout(2 * patienceMs)
  afterEach(stopAll)

  const planned = async (): Promise<TestNode> => new TestNode(await freePortPair())
  const clusterOf = (...nodes: { address: string }[]): string =>
    `--cluster=${nodes.map(({ address }) => address).join(',')}`

  it('forms a cluster with the right list after it has waited for a wrong one', async () => {
    const nodes = [await planned(), await planned()]
    const wrong = clusterOf(...nodes, { address: '127.0.0.1:1' })
    for (const node of nodes) {
      node.launch([wrong])
      await node.process.waitForOutput('waiting for 127.0.0.1')
      await node.stop()
    }
    await Promise.all(nodes.map(node => node.start([clusterOf(...nodes)])))
    for (const node of nodes) await node.waitUntilServing()
  })

  it('goes on waiting for its list when it is started without one', async () => {
    const node = await planned()
    for (const flags of [[clusterOf(node, { address: '127.0.0.1:1' })], []]) {
      node.launch(flags)
      await node.process.waitForOutput('waiting for 127.0.0.1:1 ')
      await node.stop()
    }
  })

  it('joins a cluster with --join, as it was told when it could not form one with a member of it', async () => {
    const member = await startNode()
    await (await member.connect()).ask('put key1 value1')
    const node = await planned()
    const refused = node.launch([clusterOf(node, member)])
    await refused.waitForExit()
    expect(refused.output).to.include(`start it with --join ${member.address} instead of --cluster`)
    await node.start([`--join=${member.address}`])
    await node.waitUntilServing()
    expect(await (await node.connect()).ask('get key1')).to.equal('key1 -> value1')
  })

  it('says again that a list without itself, and a list beside --join, cannot be', async () => {
    const node = await planned()
    node.launch([clusterOf(node, { address: '127.0.0.1:1' })])
    await node.process.waitForOutput('waiting for')
    await node.stop()
    const others = clusterOf({ address: '127.0.0.1:1' }, { address: '127.0.0.1:2' })
    expect(await node.launch([others]).waitForExit()).to.deep.equal({ code: 2, signal: null })
    expect(node.process.output).to.include('does not contain this node')
  })

  for (const taken of ['port', 'peerPort'] as const) {
    it(`belongs to no cluster of its own when its ${taken} was taken`, async () => {
      const member = await startNode()
      const node = await planned()
      const other = createServer().listen(node[taken], '127.0.0.1')
      await new Promise(resolve => other.once('listening', resolve))
      try {
        expect(await node.launch([]).waitForExit()).to.deep.equal({ code: 1, signal: null })
        expect(node.process.output).to.include('the port is in use')
        expect(node.process.output).not.to.include('cluster formed')
      } finally {
        await new Promise(resolve => other.close(resolve))
      }
      await node.start([`--join=${member.address}`])
      await node.process.waitForOutput('adopted by a cluster')
    })
  }

  it('says that --join is not looked at when it has become a cluster of its own', async () => {
    const member = await startNode()
    const node = await startNode()
    await node.stop()
    await node.start([`--join=${member.address}`])
    await node.process.waitForOutput('--join is not looked at: this node is a cluster of its own')
  })
})
