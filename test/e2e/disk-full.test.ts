/** The disk of a node is full: it says so, keeps what it has, goes on reading, and recovers by itself. */
import { join } from 'node:path'
import { expect } from 'chai'
import { startNode, stopAll, type TestNode, waitFor } from '../support/processes.js'
import { requires } from '../support/requirements.js'
import { brokenPromises, PutLoad } from './cluster-puts.js'
import { SmallDisk } from './cluster-small-disk.js'
import { patienceMs, rolesOf, waitForCopies, waitForSync } from './cluster-state.js'

const full = 'ERROR: Disk full. Writes are refused.'
/** Room for the journal's files, the table and a while of writing. */
const diskMegabytes = 120
/** Large values fill a journal file with few requests. */
const valueBytes = 100_000

describe('A node whose disk is full', () => {
  let disk: SmallDisk
  let node: TestNode
  let load: PutLoad

  before(async function () {
    requires(this, 'tmpfs')
    disk = await SmallDisk.make(diskMegabytes)
    node = await startNode({ dataDirectory: join(disk.path, 'data'), through: disk.through })
    load = new PutLoad({ addresses: [node.address], clients: 2, valueBytes })
    await load.waitForMore(10)
    disk.fill()
    await waitFor(() => load.puts.at(-1)?.reply === full, patienceMs, 'a write to be refused')
    await load.stop()
  })
  after(async function () {
    await stopAll.call(this)
    await disk?.remove()
  })

  it('refuses writes, saying why, and still has every write that it acknowledged', async () => {
    expect(new Set(load.failed.map(({ reply }) => reply))).to.deep.equal(new Set([full]))
    expect(await brokenPromises(node.address, load.puts)).to.deep.equal([])
    const client = await node.connect()
    for (const line of ['put a 1', 'set a 1', 'delete put1:1', 'cas a 0 1']) {
      expect(await client.ask(line), line).to.equal(full)
    }
    client.close()
  })

  it('starts again while the disk is full, and still reads', async () => {
    await node.kill()
    await node.start()
    await node.waitForLeader()
    expect(await brokenPromises(node.address, load.puts)).to.deep.equal([])
    const client = await node.connect()
    expect(await client.ask('put a 1')).to.equal(full)
    client.close()
  })

  it('takes writes again by itself when there is space', async () => {
    disk.clear()
    const more = new PutLoad({ addresses: [node.address] })
    await more.waitForMore(10)
    await more.stop()
    expect(await brokenPromises(node.address, [...load.puts, ...more.puts])).to.deep.equal([])
  })
})

describe('A cluster in which the disk of the leader is full', () => {
  let disk: SmallDisk
  let cramped: TestNode
  let nodes: TestNode[]

  before(async function () {
    requires(this, 'tmpfs')
    disk = await SmallDisk.make(diskMegabytes)
    cramped = await startNode({ dataDirectory: join(disk.path, 'data'), through: disk.through })
    const others = [await startNode(), await startNode()]
    const client = await cramped.connect()
    for (const { address } of others) await client.ask(`add-node ${address}`)
    client.close()
    nodes = [cramped, ...others]
  })
  after(async function () {
    await stopAll.call(this)
    await disk?.remove()
  })

  it('is led by a node that has space, and writes go on through every node', async () => {
    expect((await rolesOf(nodes)).leader).to.equal(cramped)
    const load = new PutLoad({ addresses: nodes.map(({ address }) => address), valueBytes })
    await load.waitForMore(10)
    disk.fill()
    await waitFor(async () => (await rolesOf(nodes)).leader !== cramped, 2 * patienceMs, 'another leader')
    await load.waitForMore(50)
    await load.stop()
    expect(load.failed.map(({ reply }) => reply)).to.deep.equal([])
    expect(await brokenPromises(cramped.address, load.puts)).to.deep.equal([])
  })

  it('has the node in sync by itself when there is space', async () => {
    disk.clear()
    const { leader } = await rolesOf(nodes)
    await waitForCopies(leader, nodes)
    await waitForSync(leader)
  })
})
