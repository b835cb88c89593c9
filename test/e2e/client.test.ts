/** The client library against real nodes that are killed, stopped and held still. */
import { expect } from 'chai'
import { Client, QuorateError } from '../../src/client/index.js'
import { startCluster, stopAll, type TestNode, waitFor } from '../support/processes.js'
import { patienceMs, rolesOf, waitForSync } from './cluster-state.js'

describe('The client library', () => {
  let nodes: TestNode[]
  let client: Client

  before(async () => {
    nodes = await startCluster(3)
    client = await Client.connect(
      nodes.map(({ address }) => address),
      { timeoutMs: 60_000 },
    )
  })
  after(async function () {
    client.close()
    await stopAll.call(this)
  })

  /** The node that the client talks to. */
  function current(): TestNode {
    const node = nodes.find(({ address }) => address === client.address)
    if (node === undefined) throw new Error(`the client talks to ${client.address}`)
    return node
  }

  it('goes to the leader', async () => {
    const { leader } = await rolesOf(nodes)
    await waitFor(() => client.address === leader.address, patienceMs, 'the client to be at the leader')
    expect(client.placement('k')).to.deep.equal(client.nodes)
  })

  it('says at once that a value is too long for the nodes', async () => {
    const error = await client.set('large', 'v'.repeat(2 * 1024 * 1024)).catch((thrown: unknown) => thrown)
    expect(error).to.be.instanceOf(QuorateError)
    expect(error).to.deep.include({ code: 'LINE_TOO_LONG', definite: true })
  })

  for (const [what, end, comeBack] of [
    ['killed', (node: TestNode) => node.kill(), (node: TestNode) => node.start()],
    ['stopped', (node: TestNode) => node.stop(), (node: TestNode) => node.start()],
    [
      'held still, so that its connections stay and say nothing',
      async (node: TestNode) => node.process.pause(),
      async (node: TestNode) => node.process.resume(),
    ],
  ] as const) {
    it(`carries out each write once while its node is ${what}`, async () => {
      const run = what.slice(0, 4)
      const victim = current()
      let isOver = false
      let count = 0
      // Every key is new: a write that was carried out twice would find it there.
      const writers = Array.from({ length: 8 }, async (_, writer) => {
        for (let turn = 0; !isOver; turn++) {
          await client.put(`${run}:${writer}:${turn}`, String(turn))
          count++
        }
      })
      await waitFor(() => count > 50, patienceMs, 'some writes')
      const endedAtMs = performance.now()
      await end(victim)
      await waitFor(
        () => client.address !== undefined && client.address !== victim.address,
        patienceMs,
        'the client to be elsewhere',
      )
      const countThen = count
      await waitFor(() => count > countThen + 50, patienceMs, 'writes at another node')
      console.log(`      wrote elsewhere after ${(performance.now() - endedAtMs).toFixed(0)} ms`)
      isOver = true
      await Promise.all(writers)
      const keys: string[] = []
      for await (const key of client.allKeys({ prefix: `${run}:` })) keys.push(key)
      expect(keys).to.have.length(count)
      await comeBack(victim)
      await Promise.all(nodes.map(waitForSync))
    })
  }

  it('says without a majority that nothing was done', async () => {
    const { leader, followers } = await rolesOf(nodes)
    await Promise.all([leader, followers[0]].map(node => node?.kill()))
    const survivor = followers[1]
    await waitFor(() => client.address === survivor?.address, patienceMs, 'the client to be at the survivor')
    const error = await client.put('k', 'v', { timeoutMs: 7000 }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).to.be.instanceOf(QuorateError)
    expect(error).to.deep.include({ code: 'LEADER_UNAVAILABLE', definite: true })
  })
})
