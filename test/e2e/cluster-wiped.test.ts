/** A node whose data directory is gone comes back: it is a new node, and must not pass for the old one. */
import { rmSync } from 'node:fs'
import { expect } from 'chai'
import { startCluster, stopAll, type TestNode, waitFor } from '../support/processes.js'
import { brokenPromises, PutLoad } from './cluster-puts.js'
import { patienceMs, rolesOf, waitForCopies, waitForSync } from './cluster-state.js'

describe('A member that lost its data directory', () => {
  let nodes: TestNode[]
  let wiped: TestNode
  let living: TestNode
  let load: PutLoad

  before(async () => {
    nodes = await startCluster(3)
    const { leader, followers } = await rolesOf(nodes)
    const [one] = followers
    if (one === undefined) throw new Error('the leader has followers')
    wiped = one
    living = leader
    load = new PutLoad({ addresses: nodes.filter(node => node !== wiped).map(({ address }) => address) })
    await load.waitForMore(50)
  })
  beforeEach(async () => {
    await wiped.kill()
    rmSync(wiped.dataDirectory, { recursive: true, force: true })
  })
  after(stopAll)

  it('founds no new cluster when it is started with --cluster, and says what to do', async () => {
    const process = wiped.launch()
    expect(await process.waitForExit()).to.deep.equal({ code: 1, signal: null })
    expect(process.output).to.include(`remove-node ${wiped.address}`)
    expect(process.output).to.match(/--join [0-9.:]+ instead of --cluster/)
  })

  it('is not let in when it is started with --join, and says what to do', async () => {
    const process = wiped.launch([`--join=${living.address}`])
    expect(await process.waitForExit()).to.deep.equal({ code: 1, signal: null })
    expect(process.output).to.include('the cluster knows it under another identity')
    expect(process.output).to.include(`remove-node ${wiped.address}`)
  })

  it('serves nobody once the cluster has found it when it is started without flags, and says what to do', async () => {
    const process = wiped.launch([])
    await process.waitForOutput('This node lost its data directory')
    const client = await wiped.connect()
    for (const line of ['put a 1', 'get a', 'status', 'keys']) {
      const reply = await client.ask(line)
      expect(reply, line).to.match(
        /^ERROR: This node lost its data directory: cluster .* under another identity\./,
      )
      expect(reply, line).to.include(`remove-node ${wiped.address}, then add-node ${wiped.address}`)
    }
    client.close()
  })

  it('comes back, with a full copy, by what it was told to do', async function () {
    this.timeout(2 * patienceMs)
    wiped.launch([])
    await wiped.process.waitForOutput('This node lost its data directory')
    const client = await living.connect()
    expect(await client.ask(`remove-node ${wiped.address}`)).to.equal(
      `SUCCESS: Node ${wiped.address} removed from cluster.`,
    )
    expect(await client.ask(`add-node ${wiped.address}`)).to.equal(
      `SUCCESS: Node ${wiped.address} added to cluster.`,
    )
    client.close()
    await load.waitForMore(10)
    await load.stop()
    expect(load.failed).to.deep.equal([])
    await waitForSync(living)
    await waitForCopies(living, nodes)
    expect(await brokenPromises(wiped.address, load.puts, 'local')).to.deep.equal([])
  })

  it('waits, and founds nothing, when it is started with --cluster while the others are away', async () => {
    await Promise.all(nodes.map(node => node.kill()))
    const process = wiped.launch()
    await process.waitForOutput('waiting for')
    const client = await waitFor(() => wiped.connect(), patienceMs, 'the node to listen')
    expect(await client.ask('put a 1')).to.equal('ERROR: This node is not a member of a cluster yet.')
    client.close()
    await Promise.all(nodes.filter(node => node !== wiped).map(node => node.start()))
    expect(await process.waitForExit()).to.deep.equal({ code: 1, signal: null })
    expect(process.output).to.include(`remove-node ${wiped.address}`)
    expect(await brokenPromises(living.address, load.puts)).to.deep.equal([])
  })
})
