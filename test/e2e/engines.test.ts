/**
 * What docs/engines.md shows of the two engines, done: its session is replayed at three real processes of each.
 *
 * Put back to what the page has, because it differs from run to run: the addresses, the contexts (in the order in
 * which they come), and the order of versions beside each other and of the owners of a key.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { startCluster, stopAll, type TestNode, waitFor } from '../support/processes.js'
import { leaderShownBy, patienceMs, waitForSync } from './cluster-state.js'

/** The source checkout: the compiled test stands in dist/test/e2e. */
const page = readFileSync(fileURLToPath(new URL('../../../docs/engines.md', import.meta.url)), 'utf8')
const addressesShown = ['127.0.0.1', '127.0.0.1:5001', '127.0.0.1:5002']

describe('the page about the two engines', () => {
  let nodes: TestNode[]
  afterEach(stopAll)

  for (const engine of ['raft', 'ring'] as const) {
    it(`shows what ${engine} answers, with all nodes and with one`, async () => {
      nodes = await startCluster(3, { flags: [`--engine=${engine}`, '--request-timeout=800'] })
      await Promise.all(nodes.map(waitForSync))
      const [first, ...others] = nodes
      if (first === undefined) throw new Error('a cluster has nodes')
      if (engine === 'raft') await lead(first)
      expect(normal(await type(first, block('typed')))).to.equal(normal(block(engine)))
      await Promise.all(others.map(node => node.kill()))
      await waitFor(async () => (await activeAt(first)) === 1, patienceMs, 'the last one to know that it is')
      const alone = normal(await type(first, block('alone, typed')))
      expect(alone).to.equal(normal(block(`alone, ${engine}`)))
    })
  }

  async function lead(node: TestNode): Promise<void> {
    const client = await node.connect()
    expect(await client.ask(`transfer-leader ${node.address}`)).to.match(/^SUCCESS/)
    client.close()
    await waitFor(async () => (await leaderShownBy(node)) === node.address, patienceMs, 'the first to lead')
    await Promise.all(nodes.map(waitForSync))
  }

  /** What a node answers to a text, as the page would show it. */
  async function type(node: TestNode, text: string): Promise<string> {
    const client = await node.connect()
    client.send(text)
    client.end()
    const said = (await client.rest()).map(line => `${line}\n`).join('')
    return nodes.reduce((shown, { address }, at) => shown.replaceAll(address, addressesShown[at] ?? ''), said)
  }
})

async function activeAt(node: TestNode): Promise<number> {
  const said = await node.status()
  const [, active = ''] = said.kind === 'status' ? (/^Active Nodes: \[(.*)\]$/m.exec(said.text) ?? []) : []
  return active.split(', ').length
}

/** The code block behind the mark, with its last newline. */
function block(name: string): string {
  const found = new RegExp(`<!-- transcript: ${name} -->\n\`\`\`\n([\\s\\S]*?)\`\`\``).exec(page)?.[1]
  if (found === undefined) throw new Error(`the page has no transcript marked '${name}'`)
  return found
}

/** The text with what differs from run to run named instead: contexts by the order in which they come. */
function normal(text: string): string {
  const names = new Map<string, string>()
  return text
    .replace(/(?<=Context: )\S+/g, context => {
      const name = names.get(context) ?? `context ${names.size + 1}`
      names.set(context, name)
      return name
    })
    .replace(/(?<=^CONFLICT: .*\n)(motto -> .*\n){2}/gm, lines => lines.split('\n').sort().join('\n'))
    .replace(/(?<=\(version )\d+/g, 'n')
    .replace(/(?<=^motto: )127.*$/gm, owners => owners.split(', ').sort().join(', '))
}
