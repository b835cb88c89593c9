/** What people have in their hands: netcat in its three kinds, against nodes that really run. */
import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { expect } from 'chai'
import { startCluster, startNode, stopAll, type TestNode, waitFor } from '../support/processes.js'
import { type Requirement, requires } from '../support/requirements.js'

/** How each kind is told to close its side at the end of the input and to wait for the replies. */
const kinds = {
  nc: node => ['-N', node.host, String(node.port)],
  ncat: node => [node.host, String(node.port)],
  // After the end of the input it waits half a second for the rest unless told otherwise.
  socat: node => ['-t', '15', '-', `TCP:${node.host}:${node.port}`],
} as const satisfies Partial<Record<Requirement, (node: TestNode) => string[]>>

/** Runs a program with this input; everything it printed, once it has ended by itself. */
function run(program: string, words: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'], timeout: 20_000 })
    const printed = collect(child.stdout)
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (signal === null) resolve(printed.text)
      else
        reject(
          new Error(`${program} did not end by itself (${code ?? signal}); it printed:\n${printed.text}`),
        )
    })
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}

describe('netcat', () => {
  describe('of each kind', () => {
    let node: TestNode

    before(async () => {
      node = await startNode()
    })
    after(stopAll)

    for (const kind of ['nc', 'ncat', 'socat'] as const) {
      it(`gets every reply with ${kind}, though the last line has no newline`, async function () {
        requires(this, kind)
        const key = `of-${kind}`
        const printed = await run(kind, kinds[kind](node), `put ${key} 1\nget ${key}`)
        expect(printed).to.equal(`SUCCESS: ${key} -> 1 added.\n${key} -> 1\n`)
      })

      it(`gets a thousand replies in order with ${kind}`, async function () {
        requires(this, kind)
        const numbers = Array.from({ length: 1000 }, (_, at) => at)
        const printed = await run(kind, kinds[kind](node), numbers.map(at => `set ${kind} ${at}\n`).join(''))
        expect(printed).to.equal(numbers.map(at => `SUCCESS: ${kind} -> ${at} set.\n`).join(''))
      })
    }

    it('may send lines that end as on Windows', async function () {
      requires(this, 'nc')
      const printed = await run('nc', kinds.nc(node), 'set windows 1\r\n\r\nget windows\r\nGET windows\r')
      expect(printed).to.equal('SUCCESS: windows -> 1 set.\nwindows -> 1\nwindows -> 1\n')
    })

    it('is let go by quit, which is the last line that is carried out', async function () {
      requires(this, 'nc')
      const printed = await run('nc', kinds.nc(node), 'set left 1\nquit\nset left 2\n')
      expect(printed).to.equal('SUCCESS: left -> 1 set.\n')
      expect(await run('nc', kinds.nc(node), 'get left')).to.equal('left -> 1\n')
    })

    it('is let go by quit while its own side is still open', async () => {
      const client = await node.connect()
      client.send('quit\n')
      expect(await client.rest()).to.deep.equal([])
    })

    it('reads a value of several lines with --raw, and as many bytes as were announced', async function () {
      requires(this, 'nc')
      const json = '{"id":1,"op":"set","key":"lines","value":"two\\nlines"}'
      const printed = await run('nc', kinds.nc(node), `${json}\nget lines\nget --raw lines`)
      expect(printed).to.match(
        /^\{"id":1,"ok":true,"version":\d+,"existed":false,"copies":1\}\nERROR: Value is not one line of text \(9 bytes\)\. Use get --raw\.\nlines -> 9 bytes\ntwo\nlines\n$/,
      )
    })
  })

  describe('and a banner', () => {
    after(stopAll)

    it('is greeted with it, and only where there is one', async () => {
      const greeting = await startNode({ flags: ['--banner=Quorate on a test machine'] })
      const client = await greeting.connect()
      expect(await client.line()).to.equal('Quorate on a test machine')
      expect(await client.ask('get nothing')).to.equal('ERROR: Key not found.')
      client.end()
      expect(await client.rest()).to.deep.equal([])
    })
  })

  describe('left open with watch --cluster', () => {
    afterEach(stopAll)

    it('is told when a node dies, who leads then, and when the node is back', async function () {
      requires(this, 'nc')
      const nodes = await startCluster(3)
      const shown = await first(nodes).waitForLeader()
      const leader = first(nodes.filter(node => node.address === shown))
      const [watching, other] = nodes.filter(node => node !== leader)
      if (watching === undefined || other === undefined) throw new Error('three nodes have two followers')
      // Typed, with the keyboard still at hand: the input does not end.
      const netcat = spawn('nc', [watching.host, String(watching.port)])
      const printed = collect(netcat.stdout)
      const told = (line: string) =>
        waitFor(
          () => printed.text.includes(`${line}\n`),
          20_000,
          () => `'${line}'; it printed:\n${printed.text}`,
        )
      try {
        netcat.stdin.write('watch --cluster\n')
        await told('SUCCESS: Watching the cluster.')

        await other.kill()
        await told(`WARNING: Node ${other.address} out of sync.`)
        await other.start()
        await told(`INFO: Node ${other.address} in sync.`)

        await leader.kill()
        await told('WARNING: no leader.')
        await told(`WARNING: Node ${leader.address} out of sync.`)
        await leader.start()
        await told(`INFO: Node ${leader.address} in sync.`)
        // One of the two that remained.
        const elected = /^INFO: Leader is (.+)\.$/m.exec(printed.text)?.[1]
        expect([watching.address, other.address]).to.include(elected)
      } finally {
        netcat.kill()
      }
    })
  })
})

function first(nodes: readonly TestNode[]): TestNode {
  const [node] = nodes
  if (node === undefined) throw new Error('there is no such node')
  return node
}

/** Everything that a stream has given so far. */
function collect(stream: Readable): { readonly text: string } {
  const collected = { text: '' }
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    collected.text += chunk
  })
  return collected
}
