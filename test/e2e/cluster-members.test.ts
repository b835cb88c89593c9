/** Members come and go while clients write, and what cannot be is refused with the reason. */
import { expect } from 'chai'
import { startCluster, startNode, stopAll, type TestNode, waitFor } from '../support/processes.js'
import { brokenPromises, PutLoad } from './cluster-puts.js'
import {
  hasLogged,
  leaderShownBy,
  patienceMs,
  rolesOf,
  syncStatusOf,
  waitForCopies,
  waitForSync,
} from './cluster-state.js'

/** Types one line at a node. */
async function type(node: TestNode, line: string): Promise<string> {
  const client = await node.connect()
  const reply = await client.ask(line)
  client.close()
  return reply
}

describe('Adding and removing nodes', () => {
  let nodes: TestNode[]
  let added: TestNode

  before(async () => {
    nodes = await startCluster(3)
  })
  after(stopAll)

  it('an added node has a full copy by the time it votes, while clients write', async () => {
    const { leader, followers } = await rolesOf(nodes)
    const [asked] = followers
    if (asked === undefined) throw new Error('the leader has followers')
    const load = new PutLoad({ addresses: nodes.map(({ address }) => address) })
    await load.waitForMore(200)
    added = await startNode()
    const before = [...load.puts]
    expect(await type(asked, `add-node ${added.address}`)).to.equal(
      `SUCCESS: Node ${added.address} added to cluster.`,
    )
    expect(await brokenPromises(added.address, before, 'local')).to.deep.equal([])
    await load.waitForMore(20)
    await load.stop()
    expect(load.failed).to.deep.equal([])
    nodes = [...nodes, added]
    await waitForCopies(leader, nodes)
    await waitForSync(added)
    expect(added.process.output, 'the log of the added node').not.to.match(/Leader is [0-9a-f]{8}-/)
    expect(added.process.output).to.include(`Leader is ${leader.address} (term `)
    const said = await added.status()
    const active = `Active Nodes: [${nodes.map(({ address }) => address).join(', ')}]`
    expect(said.kind === 'status' && said.text).to.include(active)
    expect(await brokenPromises(added.address, load.puts, 'local')).to.deep.equal([])
  })

  it('removing the leader under load costs no acknowledged write, and the removed node says so', async () => {
    const { leader, followers } = await rolesOf(nodes)
    const [asked] = followers
    if (asked === undefined) throw new Error('the leader has followers')
    const load = new PutLoad({ addresses: followers.map(({ address }) => address) })
    await load.waitForMore(50)
    expect(await type(asked, `remove-node ${leader.address}`)).to.equal(
      `SUCCESS: Node ${leader.address} removed from cluster.`,
    )
    await load.waitForMore(50)
    await load.stop()
    expect(load.failed).to.deep.equal([])
    expect(await brokenPromises(asked.address, load.puts)).to.deep.equal([])
    expect(await membersShownBy(asked)).not.to.include(leader.address)
    await expectRemoved(leader)
    await leader.stop()
    await leader.start()
    await expectRemoved(leader)
    nodes = [...followers]
  })

  it('a node that was removed while it was away learns of it when it returns', async () => {
    const { leader, followers } = await rolesOf(nodes)
    const away = followers.at(-1)
    if (away === undefined) throw new Error('the leader has followers')
    await away.kill()
    expect(await type(leader, `remove-node ${away.address}`)).to.equal(
      `SUCCESS: Node ${away.address} removed from cluster.`,
    )
    await away.start()
    await waitFor(() => hasLogged(away, 'removed'), patienceMs, 'the removed node to learn of it')
    await expectRemoved(away)
    nodes = nodes.filter(node => node !== away)
    await waitForSync(leader)
  })

  it('a node whose loss would leave no living majority cannot be removed', async () => {
    const { leader, followers } = await rolesOf(nodes)
    const [away] = followers
    if (away === undefined || nodes.length !== 2) throw new Error('two nodes are left')
    const third = await startNode()
    expect(await type(leader, `add-node ${third.address}`)).to.equal(
      `SUCCESS: Node ${third.address} added to cluster.`,
    )
    await away.kill()
    let shown = ''
    await waitFor(
      async () => {
        shown = await syncStatusOf(leader)
        return shown.includes('out of sync')
      },
      patienceMs,
      () => `the loss to show; what shows is '${shown}'`,
    )
    expect(await type(leader, `remove-node ${third.address}`)).to.equal(
      `ERROR: Node ${third.address} cannot be removed: only 1 of the 2 voters that would be left can be reached.`,
    )
    expect(await type(leader, `remove-node ${away.address}`)).to.equal(
      `SUCCESS: Node ${away.address} removed from cluster.`,
    )
    await waitForSync(leader)
  })
})

describe('A node that is asked itself to be removed', () => {
  after(stopAll)

  it('says that it was, as a follower and as the leader', async () => {
    const nodes = await startCluster(3)
    const { leader, followers } = await rolesOf(nodes)
    const [follower, last] = followers
    if (follower === undefined || last === undefined) throw new Error('the leader has two followers')
    for (const gone of [follower, leader]) {
      expect(await type(gone, `remove-node ${gone.address}`)).to.equal(
        `SUCCESS: Node ${gone.address} removed from cluster.`,
      )
      await expectRemoved(gone)
    }
    expect(await membersShownBy(last)).not.to.include(leader.address)
  })
})

describe('A change of members is refused, and changes nothing,', () => {
  let nodes: TestNode[]
  let asked: TestNode
  let statusBefore: string

  before(async () => {
    nodes = await startCluster(2)
    const { followers } = await rolesOf(nodes)
    const [one] = followers
    if (one === undefined) throw new Error('the leader has followers')
    asked = one
    statusBefore = await membersShownBy(asked)
  })
  after(stopAll)
  afterEach(async () => {
    expect(await membersShownBy(asked)).to.equal(statusBefore)
  })

  it('for a member', async () => {
    for (const { address } of nodes) {
      const reply = `ERROR: Node ${address} already exists in cluster.`
      expect(await type(asked, `add-node ${address}`)).to.equal(reply)
    }
  })

  it('for an address at which nobody listens', async () => {
    const gone = await startNode()
    await gone.kill()
    expect(await type(asked, `add-node ${gone.address}`)).to.equal(
      `ERROR: Node ${gone.address} cannot be added: ${gone.address} could not be reached: nothing listens there.`,
    )
  })

  it('for a node that does not answer', async () => {
    const silent = await startNode()
    silent.process.pause()
    expect(await type(asked, `add-node ${silent.address}`)).to.match(
      /^ERROR: Node .* cannot be added: .* did not answer within \d+ ms\.$/,
    )
    silent.process.resume()
  })

  it('for a node that holds data, which keeps it', async () => {
    const used = await startNode()
    expect(await type(used, 'put its own')).to.equal('SUCCESS: its -> own added.')
    expect(await type(asked, `add-node ${used.address}`)).to.equal(
      `ERROR: Node ${used.address} cannot be added: it holds data. ` +
        'Empty its data directory and start it again, or keep it as it is.',
    )
    expect(await type(used, 'get its')).to.equal('its -> own')
  })

  it('for a node that held data which was deleted', async () => {
    const used = await startNode()
    await type(used, 'put its own')
    await type(used, 'delete its')
    expect(await type(asked, `add-node ${used.address}`)).to.include('it holds data')
  })

  it('for a node of another cluster, which goes on', async () => {
    const others = await startCluster(2)
    const [one] = others
    if (one === undefined) throw new Error('a cluster has nodes')
    expect(await type(asked, `add-node ${one.address}`)).to.equal(
      `ERROR: Node ${one.address} cannot be added: it belongs to another cluster.`,
    )
    expect(await type(one, 'put its own')).to.equal('SUCCESS: its -> own added.')
  })

  it('for the removal of a stranger', async () => {
    expect(await type(asked, 'remove-node 127.0.0.1:9')).to.equal(
      'ERROR: Node 127.0.0.1:9 does not exist in cluster.',
    )
  })

  it('for the removal of the last voter', async () => {
    const alone = await startNode()
    expect(await type(alone, `remove-node ${alone.address}`)).to.equal(
      `ERROR: Node ${alone.address} cannot be removed: it is the last voter.`,
    )
    expect(await type(alone, 'set still working')).to.equal('SUCCESS: still -> working set.')
  })
})

describe('A removal that was asked for and never decided', () => {
  after(stopAll)

  it('removes nobody: a node that the leader wanted to remove still decides with the others', async () => {
    // Long enough that a member that died a moment ago still counts as living when the removal begins.
    const nodes = await startCluster(3, { flags: ['--election-timeout=2000'] })
    const { leader, followers } = await rolesOf(nodes)
    const [absent, spared] = followers
    if (absent === undefined || spared === undefined) throw new Error('the leader has two followers')
    expect(await type(leader, 'put kept here')).to.equal('SUCCESS: kept -> here added.')
    await Promise.all([absent.kill(), spared.kill()])
    const asker = await leader.connect()
    asker.send(`remove-node ${spared.address}\n`)
    await waitFor(
      async () => !(await membersShownBy(leader)).includes(spared.address),
      patienceMs,
      'the removal to begin',
    )
    await waitFor(
      async () => (await leaderShownBy(leader)) === undefined,
      patienceMs,
      'the leader to give up',
    )

    await spared.start()
    await waitFor(
      async () => {
        const said = await spared.status()
        return said.kind === 'error' || (said.kind === 'status' && /Active .*, /.test(said.text))
      },
      patienceMs,
      'the node to hear from the one that wanted to remove it',
    )
    await leader.kill()
    await absent.start()
    await waitFor(
      async () => (await type(spared, 'get kept')) === 'kept -> here',
      patienceMs,
      () => `${spared.address} to serve; it said:\n${spared.process.output}`,
    )
    expect(await type(spared, 'put another one')).to.equal('SUCCESS: another -> one added.')
    await leader.start()
    await waitForSync(spared)
    await waitForCopies(spared, nodes)
    expect(await membersShownBy(leader)).to.equal(nodes.map(({ address }) => address).join(', '))
  })
})

async function expectRemoved(node: TestNode): Promise<void> {
  await waitFor(
    async () => (await type(node, 'get a')) === 'ERROR: This node was removed from the cluster.',
    patienceMs,
    'the removed node to say so',
  )
  for (const line of ['put a 1', 'status', 'keys', 'get --local a', 'add-node 127.0.0.1:9']) {
    expect(await type(node, line), line).to.equal('ERROR: This node was removed from the cluster.')
  }
}

/** The members, as the node tells them in `status --verbose`. */
async function membersShownBy(node: TestNode): Promise<string> {
  const client = await node.connect()
  client.send('status --verbose\n')
  const head = await client.lines(6)
  const count = Number(head[5]?.replace('Members: ', ''))
  const members = await client.lines(count)
  client.close()
  return members.map(line => line.slice(0, line.indexOf(': '))).join(', ')
}
