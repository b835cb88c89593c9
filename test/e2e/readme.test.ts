/** The transcript of the README, replayed against real processes, byte for byte. */
import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { startCluster, stopAll, type TestNode, textClient, waitFor } from '../support/processes.js'
import { leaderShownBy, patienceMs, waitForSync } from './cluster-state.js'

const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')

/** The code block behind the mark, with its last newline. */
function block(name: string): string {
  const found = new RegExp(`<!-- transcript: ${name} -->\n\`\`\`\n([^]*?)\`\`\``).exec(readme)
  if (found?.[1] === undefined) throw new Error(`the README has no transcript marked '${name}'`)
  return found[1]
}

describe('The transcript of the README', () => {
  let nodes: TestNode[]

  before(async function () {
    this.timeout(2 * patienceMs)
    nodes = await startCluster(3)
    const [first] = nodes
    if (first === undefined) throw new Error('a cluster has nodes')
    const client = await textClient(first.address)
    await client.ask(`transfer-leader ${first.address}`)
    client.close()
    await waitFor(async () => (await leaderShownBy(first)) === first.address, patienceMs, 'the first to lead')
  })
  after(stopAll)

  /** Types the README's lines at one node; what came back, with the README's addresses in the place of ours. */
  async function replay(node: TestNode): Promise<string> {
    await Promise.all(nodes.map(waitForSync))
    const client = await textClient(node.address)
    client.send(block('typed'))
    client.end()
    const lines = await client.rest()
    const text = lines.map(line => `${line}\n`).join('')
    // The README's cluster has the ports 5000 to 5002, of which the first is not shown.
    const shown = ['127.0.0.1', '127.0.0.1:5001', '127.0.0.1:5002']
    return nodes.reduce((so, { address }, at) => so.replaceAll(address, shown[at] ?? ''), text)
  }

  async function forget(node: TestNode): Promise<void> {
    const client = await textClient(node.address)
    await client.ask('delete key1')
    await client.ask('delete key2')
    client.close()
  }

  for (const [at, who] of ['the leader', 'a follower', 'another follower'].entries()) {
    it(`is what ${who} answers`, async () => {
      const node = nodes[at]
      if (node === undefined) throw new Error('a cluster has nodes')
      await forget(node)
      expect(await replay(node)).to.equal(block('answered'))
    })
  }
})
