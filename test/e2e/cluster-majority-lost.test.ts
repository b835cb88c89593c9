/** Two of three nodes are gone: nothing is decided, everything is said clearly, and nothing is lost. */
import { expect } from 'chai'
import { startCluster, stopAll, type TestNode, waitFor } from '../support/processes.js'
import { brokenPromises, PutLoad } from './cluster-puts.js'
import { leaderShownBy, patienceMs, rolesOf, waitForCopies } from './cluster-state.js'

const requestTimeoutMs = 500
const unavailable = 'ERROR: Leader unavailable. Retrying...'
const unknown = 'ERROR: Outcome unknown. The write may have happened.'

for (const survivor of ['leader', 'follower'] as const) {
  describe(`When only the ${survivor} of three nodes is left`, () => {
    let left: TestNode
    let lost: readonly TestNode[]
    let load: PutLoad

    before(async () => {
      const nodes = await startCluster(3, { flags: [`--request-timeout=${requestTimeoutMs}ms`] })
      const { leader, followers } = await rolesOf(nodes)
      const [one] = followers
      if (one === undefined) throw new Error('the leader has followers')
      left = survivor === 'leader' ? leader : one
      lost = nodes.filter(node => node !== left)
      const client = await left.connect()
      expect(await client.ask('put kept here')).to.equal('SUCCESS: kept -> here added.')
      client.close()
      load = new PutLoad({ addresses: [left.address], clients: 4 })
      await load.waitForMore(10)
      await Promise.all(lost.map(node => node.kill()))
    })
    after(stopAll)

    it('writes are answered with an error after the request timeout: the first perhaps unknown, later ones not done', async () => {
      await waitFor(() => load.puts.at(-1)?.reply === unavailable, patienceMs, 'a write to be refused')
      const from = load.puts.length
      await waitFor(() => load.puts.length > from + 8, patienceMs, 'more writes to be refused')
      const failed = load.failed
      expect(failed.map(({ reply }) => reply)).to.include(unavailable)
      // Writes that were asked for when nobody was known to lead any more were sent to nobody.
      const [firstRefused] = failed.filter(({ reply }) => reply === unavailable)
      const later = failed.filter(put => put.sentAtMs > (firstRefused?.answeredAtMs ?? 0))
      expect(later.length).to.be.greaterThan(0)
      for (const { reply, sentAtMs, answeredAtMs } of failed) {
        expect(reply).to.be.oneOf([unavailable, unknown])
        expect(answeredAtMs - sentAtMs).to.be.greaterThan(requestTimeoutMs * 0.9)
      }
      for (const { reply } of later) expect(reply).to.equal(unavailable)
    })

    it('linearizable reads are refused after the request timeout, local ones are answered at once', async () => {
      const client = await left.connect()
      const askedAtMs = performance.now()
      expect(await client.ask('get kept')).to.equal(unavailable)
      expect(performance.now() - askedAtMs).to.be.greaterThan(requestTimeoutMs * 0.9)
      expect(await client.ask('keys')).to.equal(unavailable)
      expect(await client.ask('get --local kept')).to.equal('kept -> here')
      client.close()
    })

    it('status says that there is no leader', async () => {
      await waitFor(async () => (await leaderShownBy(left)) === undefined, patienceMs, 'the loss to show')
      const said = await left.status()
      expect(said.kind === 'status' && said.text).to.match(
        /^Leader: none\n.*\nSync Status: WARNING: no leader\.$/m,
      )
    })

    it('everything works again, with all that was acknowledged, when a second node returns', async () => {
      const [second] = lost
      if (second === undefined) throw new Error('two nodes were lost')
      await second.start()
      await load.waitForMore(10)
      await load.stop()
      await waitForCopies(left, [left, second])
      expect(await brokenPromises(left.address, load.puts)).to.deep.equal([])
      expect(await brokenPromises(second.address, load.puts, 'local')).to.deep.equal([])
    })
  })
}
