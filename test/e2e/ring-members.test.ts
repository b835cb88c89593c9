/** Nodes come to a ring and leave it, with their data, while it goes on. */
import { rmSync } from 'node:fs'
import { expect } from 'chai'
import { freePortPair } from '../support/ports.js'
import { startNode, stopAll, TestNode, waitFor } from '../support/processes.js'
import { patienceMs } from './cluster-state.js'
import { hasOuterHost } from './divisible-network.js'
import { RingLab, type RingNode, type } from './ring-lab.js'

const keyCount = 60

describe('Joining and leaving a ring', () => {
  const lab = new RingLab()
  const keys = Array.from({ length: keyCount }, (_, at) => `key${at}`)

  before(async function () {
    if (!(await hasOuterHost())) {
      console.log('      skipped: this machine has one loopback address only')
      this.skip()
    }
    await lab.start(3)
    const [first] = lab.nodes
    if (first === undefined) throw new Error('a ring has nodes')
    const replies = await type(first, ...keys.map(key => `put ${key} value-of-${key}`))
    expect(replies.filter(reply => reply.startsWith('SUCCESS'))).to.have.length(keyCount)
  })
  after(async function () {
    await stopAll.call(this)
    await lab.network.close()
  })

  /** The keys of which a node is an owner. */
  async function ownedBy(asked: RingNode, owner: RingNode): Promise<string[]> {
    const replies = await type(asked, ...keys.map(key => `lookup ${key}`))
    return keys.filter((_, at) =>
      replies[at]?.slice(`${keys[at]}: `.length).split(', ').includes(owner.address),
    )
  }

  async function expectAllReadable(at: RingNode): Promise<void> {
    const replies = await type(at, ...keys.map(key => `get ${key}`))
    expect(replies).to.deep.equal(keys.map(key => `${key} -> value-of-${key}`))
  }

  function nodeAt(place: number): RingNode {
    const node = lab.nodes[place]
    if (node === undefined) throw new Error(`there is no node ${place}`)
    return node
  }

  it('a node that joins owns keys and serves what was there before', async () => {
    const joining = await lab.startAnother()
    const [reply] = await type(joining, `join ${nodeAt(0).address}`)
    expect(reply).to.equal(`SUCCESS: Joined the ring of ${nodeAt(0).address}.`)
    await lab.waitForQuiet()
    const owned = await ownedBy(nodeAt(0), joining)
    expect(owned.length, 'keys of the new node').to.be.within(1, keyCount - 1)
    expect(await type(joining, ...owned.map(key => `get --quorum 1 ${key}`))).to.deep.equal(
      owned.map(key => `${key} -> value-of-${key}`),
    )
    await expectAllReadable(joining)
    const members = await type(nodeAt(1), 'members')
    expect(members.slice(0, 1).concat(members.slice(1).sort())).to.deep.equal([
      '4 members:',
      ...lab.nodes.map(({ address }) => `${address} up`).sort(),
    ])
  })

  it('a node that leaves hands over what it has and owns nothing', async () => {
    const leaving = nodeAt(0)
    const [reply] = await type(leaving, 'leave')
    expect(reply).to.equal('SUCCESS: Left the ring.')
    expect(await type(leaving, 'get key1')).to.deep.equal(['ERROR: This node was removed from the cluster.'])
    lab.nodes.splice(0, 1)
    await lab.waitForQuiet()
    for (const node of lab.nodes) {
      expect(await ownedBy(node, leaving), node.address).to.deep.equal([])
      await expectAllReadable(node)
    }
    await leaving.node.stop()
  })

  it('is said from elsewhere with add-node and remove-node', async () => {
    const added = await lab.startAnother()
    const [asked] = lab.nodes
    if (asked === undefined) throw new Error('a ring has nodes')
    expect(await type(asked, `add-node ${added.address}`)).to.deep.equal([
      `SUCCESS: Node ${added.address} added to cluster.`,
    ])
    expect(await type(asked, `add-node ${added.address}`)).to.deep.equal([
      `ERROR: Node ${added.address} already exists in cluster.`,
    ])
    await lab.waitForQuiet()
    await expectAllReadable(added)
    expect(await type(asked, `remove-node ${added.address}`)).to.deep.equal([
      `SUCCESS: Node ${added.address} removed from cluster.`,
    ])
    await waitFor(
      async () => (await type(added, 'get key1'))[0] === 'ERROR: This node was removed from the cluster.',
      patienceMs,
      'the removed node to know',
    )
    lab.nodes.splice(lab.nodes.indexOf(added), 1)
    await lab.waitForQuiet()
    await expectAllReadable(asked)
    expect(await type(asked, 'remove-node 127.0.0.1:1')).to.deep.equal([
      'ERROR: Node 127.0.0.1:1 does not exist in cluster.',
    ])
  })

  it('is refused to a node of a ring, by its own name, and after it has left, each with the reason once', async () => {
    const [member, other] = [nodeAt(0), nodeAt(1)]
    expect(await type(member, `join ${other.address}`)).to.deep.equal([
      'ERROR: This node did not join: it belongs to a ring already.',
    ])
    const unlike = await lab.startAnother(['--replication-factor=2'])
    expect(await type(unlike, `join ${member.address}`)).to.deep.equal([
      'ERROR: This node did not join: it was started with --replication-factor 2, and this ring has 3.',
    ])
    lab.nodes.splice(lab.nodes.indexOf(unlike), 1)
    await unlike.node.stop()
    const alone = await lab.startAnother()
    expect(await type(alone, `join ${alone.address}`)).to.deep.equal([
      'ERROR: This node did not join: that is this node itself. Name a member of the ring.',
    ])
    expect(await type(alone, JSON.stringify({ id: 1, op: 'join', node: member.address }))).to.deep.equal([
      '{"id":1,"ok":true}',
    ])
    expect(await type(alone, 'leave')).to.deep.equal(['SUCCESS: Left the ring.'])
    await waitFor(
      async () => !(await type(member, 'members')).some(line => line.startsWith(alone.address)),
      patienceMs,
      'the members to hear that it has left',
    )
    expect(await type(member, `add-node ${alone.address}`)).to.deep.equal([
      `ERROR: Node ${alone.address} cannot be added: it was removed from its cluster. ` +
        'Empty its data directory and start it again.',
    ])
    lab.nodes.splice(lab.nodes.indexOf(alone), 1)
    await alone.node.stop()
  })

  it('a dead node can be removed, and the others take over its share', async () => {
    const dead = nodeAt(2)
    await dead.node.kill()
    lab.nodes.splice(2, 1)
    expect(await type(nodeAt(0), `remove-node ${dead.address}`)).to.deep.equal([
      `SUCCESS: Node ${dead.address} removed from cluster.`,
    ])
    await lab.waitForQuiet()
    for (const node of lab.nodes) await expectAllReadable(node)
  })

  it('a node whose data directory is gone says so, and comes back once it is removed and added', async () => {
    const [asked, wiped] = [nodeAt(0), nodeAt(1)]
    await wiped.node.kill()
    rmSync(wiped.node.dataDirectory, { recursive: true })
    await wiped.node.start(['--engine=ring', `--advertise=${wiped.address}`])
    await waitFor(
      async () => (await type(wiped, 'get key1'))[0]?.startsWith('ERROR: This node lost its data directory'),
      patienceMs,
      'the wiped node to hear from its ring',
    )
    for (const verb of ['remove-node', 'add-node']) {
      expect((await type(asked, `${verb} ${wiped.address}`))[0]).to.match(/^SUCCESS/)
    }
    await lab.waitForQuiet()
    await expectAllReadable(wiped)
  })

  it('a node that was started with --join becomes a member, unless it was started otherwise than the ring', async () => {
    const joined = await lab.startAnother([`--join=${nodeAt(0).address}`, '--replication-factor=3'])
    await lab.waitForQuiet()
    await expectAllReadable(joined)
    const flags = ['--engine=ring', '--replication-factor=2', `--join=${nodeAt(0).address}`]
    const misfit = new TestNode({ ...(await freePortPair()), flags })
    expect((await misfit.launch().waitForExit()).code).to.equal(1)
    expect(misfit.process.output).to.include(
      'it was started with --replication-factor 2, and this ring has 3.',
    )
    const consensus = await startNode()
    expect(await type(nodeAt(0), `add-node ${consensus.address}`)).to.deep.equal([
      `ERROR: Node ${consensus.address} cannot be added: it runs the raft engine, and this cluster the ring engine.`,
    ])
  })
})
