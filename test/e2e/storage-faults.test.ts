/** What a node says, and does, when its data directory or its ports are not as they should be. */
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'
import { freePortPair } from '../support/ports.js'
import { startNode, stopAll, TestNode, temporaryDirectory } from '../support/processes.js'
import { nobody, requires } from '../support/requirements.js'
import { brokenPromises, PutLoad } from './cluster-puts.js'

/** Types lines at a node, one after the other. */
async function type(node: TestNode, ...lines: readonly string[]): Promise<string[]> {
  const client = await node.connect()
  const replies: string[] = []
  for (const line of lines) replies.push(await client.ask(line))
  client.close()
  return replies
}

/** The journal file that was written to last, and what it holds up to its last byte that is not zero. */
function journalOf(node: TestNode): { readonly path: string; readonly name: string; readonly used: Buffer } {
  const inside = readdirSync(node.dataDirectory).find(name => name.startsWith('node-')) ?? ''
  const directory = join(node.dataDirectory, inside)
  const names = readdirSync(directory).filter(name => /^journal\.\d+$/.test(name))
  for (const name of names.sort().reverse()) {
    const path = join(directory, name)
    const used = withoutZerosAtEnd(readFileSync(path))
    if (used.length > 0) return { path, name, used }
  }
  throw new Error(`${directory} holds no journal`)
}

function withoutZerosAtEnd(bytes: Buffer): Buffer {
  const zeros = Buffer.alloc(4096)
  let end = bytes.length
  while (end >= zeros.length && bytes.subarray(end - zeros.length, end).equals(zeros)) end -= zeros.length
  while (end > 0 && bytes[end - 1] === 0) end--
  return bytes.subarray(0, end)
}

describe('A node that finds its data directory', () => {
  afterEach(stopAll)

  it('closed to it says so, whose it is, and ends with code 1', async function () {
    requires(this, 'unprivileged')
    const top = temporaryDirectory()
    const dataDirectory = join(top, 'data')
    const isRoot = process.getuid?.() === 0
    chmodSync(top, 0o755)
    mkdirSync(dataDirectory, { mode: isRoot ? 0o700 : 0o000 })
    const said = await failingNode({ dataDirectory, ...(isRoot ? { user: nobody } : {}) })
    expect(said).to.include(`Cannot use the data directory ${dataDirectory}: permission denied.`)
    expect(said).to.match(/belongs to user \d+, and this program runs as user \d+/)
  })

  it('in use by another process says so, and leaves that one alone', async () => {
    const first = await startNode()
    await type(first, 'put a 1')
    const said = await failingNode({ dataDirectory: first.dataDirectory })
    expect(said).to.include(
      `Cannot use the data directory ${first.dataDirectory}: another process is using it. Stop that one first`,
    )
    expect(await type(first, 'get a')).to.deep.equal(['a -> 1'])
  })

  it('left by a killed process takes it over at once', async () => {
    const node = await startNode()
    await type(node, 'put a 1')
    await node.kill()
    await node.start()
    expect(await type(node, 'get a')).to.deep.equal(['a -> 1'])
  })

  it('with a damaged byte in the middle of the journal names file and offset, and serves nothing', async () => {
    const node = await startNode()
    const load = new PutLoad({ addresses: [node.address] })
    await load.waitForMore(100)
    await load.stop()
    await node.kill()
    const { path, name, used } = journalOf(node)
    const middle = Math.floor(used.length / 2)
    // One that is not zero, because between two records there may be zeros that mean nothing.
    const damaged = used.findIndex((byte, at) => at >= middle && byte !== 0)
    flipByte(path, damaged)
    const process = node.launch()
    expect(await process.waitForExit()).to.deep.equal({ code: 1, signal: null })
    const [, offset] = /file \S*journal\.\d+, offset (\d+)/.exec(process.output) ?? []
    expect(process.output).to.include(name)
    expect(Number(offset)).to.be.within(1, damaged)

    flipByte(path, damaged)
    await node.start()
    expect(await brokenPromises(node.address, load.puts)).to.deep.equal([])
  })

  it('with a torn end of the journal starts without the write that was cut short, and with all before it', async () => {
    const node = await startNode()
    const load = new PutLoad({ addresses: [node.address] })
    await load.waitForMore(20)
    await load.stop()
    await type(node, 'put cut short')
    await node.kill()
    const { path, used } = journalOf(node)
    truncateSync(path, used.length - 3)
    await node.start()
    await node.waitForLeader()
    expect(await type(node, 'get cut')).to.deep.equal(['ERROR: Key not found.'])
    expect(await brokenPromises(node.address, load.puts)).to.deep.equal([])
    expect(await type(node, 'put cut again')).to.deep.equal(['SUCCESS: cut -> again added.'])
    await node.kill()
    await node.start()
    expect(await type(node, 'get cut')).to.deep.equal(['cut -> again'])
    expect(await brokenPromises(node.address, load.puts)).to.deep.equal([])
  })
})

describe('A node that finds a port in use', () => {
  let server: Server | undefined
  afterEach(async function () {
    await stopAll.call(this)
    server?.close()
  })

  for (const which of ['port', 'peerPort'] as const) {
    it(`its ${which === 'port' ? 'client port' : 'peer port'}, names it and says what to do`, async () => {
      const node = await startNode()
      await node.kill()
      server = createServer()
      const listening = server
      await new Promise<void>(resolve => listening.listen(node[which], node.host, resolve))
      const process = node.launch()
      expect(await process.waitForExit()).to.deep.equal({ code: 1, signal: null })
      expect(process.output).to.include(
        `cannot listen on ${node.host}:${node[which]}: the port is in use. Stop what uses it, or choose another`,
      )
      await new Promise(resolve => listening.close(resolve))
      await node.start()
    })
  }
})

/** Starts a node that must end at once with code 1, and returns what it said. */
async function failingNode(options: {
  readonly dataDirectory: string
  readonly user?: number
}): Promise<string> {
  const process = new TestNode({ ...(await freePortPair()), ...options }).launch()
  expect(await process.waitForExit()).to.deep.equal({ code: 1, signal: null })
  return process.output
}

function flipByte(path: string, offset: number): void {
  const file = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, offset)
  byte.writeUInt8(byte.readUInt8() ^ 0xff)
  writeSync(file, byte, 0, 1, offset)
  closeSync(file)
}
