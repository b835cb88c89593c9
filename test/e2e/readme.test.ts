/**
 * What the README shows, done: its transcripts are replayed at three real processes, byte for byte.
 *
 * Two things in the answers are put back to what the page has, because they differ from run to run: the addresses
 * (the page has those of `npm start`, the test takes free ports), and the versions. These are positions in the
 * log, so what was written before makes all of them later by one and the same number.
 */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { flags } from '../../src/node/flags.js'
import { startCluster, stopAll, type TestNode, waitFor } from '../support/processes.js'
import { leaderShownBy, patienceMs, waitForSync } from './cluster-state.js'

/** The source checkout: the compiled test stands in dist/test/e2e. */
const checkout = fileURLToPath(new URL('../../../', import.meta.url))
const readme = readFileSync(`${checkout}README.md`, 'utf8')
/** The nodes of `npm start`, as they are shown: the first one has the port that is left out. */
const addressesShown = ['127.0.0.1', '127.0.0.1:5001', '127.0.0.1:5002']

describe('the transcript of the README', () => {
  let nodes: TestNode[]

  before(async () => {
    nodes = await startCluster(3)
    const [first] = nodes
    if (first === undefined) throw new Error('a cluster has nodes')
    const client = await first.connect()
    expect(await client.ask(`transfer-leader ${first.address}`)).to.match(/^SUCCESS/)
    client.close()
    await waitFor(async () => (await leaderShownBy(first)) === first.address, patienceMs, 'the first to lead')
  })
  beforeEach(async () => {
    await Promise.all(nodes.map(waitForSync))
    for (const key of ['key1', 'key2', 'key3']) await type(nodes[0], `delete ${key}\n`)
  })
  after(stopAll)

  /** What a node answers to a text, as the page would show it. */
  async function type(node: TestNode | undefined, text: string): Promise<string> {
    if (node === undefined) throw new Error('a cluster of three has three nodes')
    const client = await node.connect()
    client.send(text)
    client.end()
    const lines = await client.rest()
    return nodes.reduce(
      (shown, { address }, at) => shown.replaceAll(address, addressesShown[at] ?? ''),
      lines.map(line => `${line}\n`).join(''),
    )
  }

  for (const [at, who] of ['the leader', 'a follower', 'another follower'].entries()) {
    it(`is what ${who} answers`, async () => {
      const shift = new VersionShift()
      expect(shift.undo(await type(nodes[at], block('typed')), block('answered'))).to.equal(block('answered'))
      const [, request = '', answer = ''] = /^\$ printf '(.*)' \|.*\n(.*\n)$/.exec(block('program')) ?? []
      expect(shift.undo(await type(nodes[at], request), answer)).to.equal(answer)
    })
  }
})

describe('the README', () => {
  it('names commands that there are', () => {
    // Our own file, whose shape npm fixes.
    const { scripts, bin } = JSON.parse(readFileSync(`${checkout}package.json`, 'utf8')) as {
      scripts: Record<string, string>
      bin: Record<string, string>
    }
    for (const name of ['start', 'build', 'test']) expect(scripts).to.have.property(name)
    expect(Object.keys(bin)).to.include.members(['quorate', 'quorate-cluster'])
  })

  it('names flags that there are', () => {
    const named = [...readme.matchAll(/^quorate (--.*)$/gm)].flatMap(([, words = '']) =>
      words.match(/--[\w-]+/g),
    )
    expect(named.length).to.be.above(3)
    for (const flag of named) expect(Object.keys(flags).map(name => `--${name}`)).to.include(flag)
  })

  it('leads to pages that there are', () => {
    const links = [...readme.matchAll(/\]\(([^)]+)\)/g)].map(([, path = '']) => path)
    expect(links.length).to.be.above(3)
    for (const path of links) expect(existsSync(checkout + path), path).to.equal(true)
  })
})

/** The code block behind the mark, with its last newline. */
function block(name: string): string {
  const found = new RegExp(`<!-- transcript: ${name} -->\n\`\`\`\n([\\s\\S]*?)\`\`\``).exec(readme)?.[1]
  if (found === undefined) throw new Error(`the README has no transcript marked '${name}'`)
  return found
}

/** Takes off the versions that are heard by how much the first of them is later than on the page. */
class VersionShift {
  static readonly #version = /(?<=\((?:version|current) |"version":)\d+/g
  #shift: number | undefined

  undo(heard: string, shown: string): string {
    const [first] = heard.match(VersionShift.#version) ?? []
    const [firstShown] = shown.match(VersionShift.#version) ?? []
    this.#shift ??= Number(first) - Number(firstShown)
    const shift = this.#shift
    return heard.replace(VersionShift.#version, version => String(Number(version) - shift))
  }
}
