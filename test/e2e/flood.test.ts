/**
 * Clients that mean ill or know no better, at nodes that really run: noise, half commands, idle connections,
 * endless lines, answers that nobody reads. The node lives, its memory stays bounded, and another client of the
 * same node, who asks all the while, gets every answer.
 */
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { expect } from 'chai'
import { type Random, seededRandom } from '../../src/base/random.js'
import { startCluster, startNode, stopAll, type TestNode, textClient, waitFor } from '../support/processes.js'
import { Bystander, countAll, hearSomething, open, readAll, send } from './flood-clients.js'

/** What a request in the Redis protocol begins with: `*`. */
const redisMark = 0x2a
/** How far the resident memory of a node may rise above its resting memory, over all floods of requests, in MiB. */
const growthMaxMib = 150
/**
 * The same once 25 clients have asked for 900 kB forty times each. Before anything is known of the size of its answers, a
 * client may have four requests under way, and on a busy machine, where the follower's copy comes too late, the leader
 * answers them: 90 MB, as text and as bytes at once. All that was asked for would be ten times that.
 */
const largeGrowthMaxMib = 300
/** The same under a flood of writes: the log and the table keep recent writes in memory, up to their own bounds. */
const growthOfWritesMaxMib = 400

describe('a cluster under a flood', () => {
  let nodes: readonly TestNode[]
  /** The one that is flooded: a follower, because it has to ask another node for everything. */
  let node: TestNode
  let bystander: Bystander
  let leader: string
  let growth: Growth

  before(async () => {
    // Many times what the leader may be busy with something else: who is silent for that long has been harmed.
    nodes = await startCluster(3, { flags: ['--election-timeout=5000'] })
    leader = await first(nodes).waitForLeader()
    node = first(nodes.filter(each => each.address !== leader))
    growth = new Growth(nodes)
  })
  beforeEach(async () => {
    bystander = await Bystander.at(node)
  })
  after(stopAll)

  /** What must hold after each flood; also that the leader was never taken for dead. */
  async function expectUnharmed(mibMax = growthMaxMib): Promise<void> {
    await bystander.finish()
    for (const each of nodes) {
      expect(each.process.isRunning, each.address).to.equal(true)
      expect(await each.waitForLeader()).to.equal(leader)
    }
    growth.expectBelow(mibMax)
  }

  it('of 100,000 random bytes, answers each line with an error', async () => {
    const random = announcedRandom()
    const socket = await open(node.host, node.port)
    const replies = readAll(socket)
    for (let left = 100_000; left > 0; ) {
      const chunk = randomBytes(random, Math.min(left, random.between(1, 4000)))
      // With one of these a line would begin in the Redis protocol, which has no lines to go on with: see below.
      chunk.forEach((byte, at) => {
        if (byte === redisMark) chunk[at] = redisMark + 1
      })
      left -= chunk.length
      await send(socket, chunk)
    }
    socket.end()
    const lines = (await replies).split('\n')
    expect(lines.pop()).to.equal('')
    expect(lines.length).to.be.above(100)
    for (const line of lines) expect(line).to.match(/^ERROR: |^\{.*"ok":false/)
    await expectUnharmed()
  })

  it('of random bytes behind the mark of the Redis protocol, says so and hangs up', async () => {
    const random = announcedRandom()
    for (let connection = 0; connection < 50; connection++) {
      const socket = await open(node.host, node.port)
      const replies = readAll(socket)
      socket.write(Buffer.concat([Buffer.from('*'), randomBytes(random, random.between(1, 4000))]))
      socket.end('\r\n')
      expect(await replies).to.match(/^(-ERR Protocol error: [^\r\n]*\r\n)?$/)
    }
    await expectUnharmed()
  })

  it('of half commands, carries out the whole ones before them', async () => {
    const random = announcedRandom()
    const words = [
      'put',
      'get',
      'set',
      'cas',
      'status',
      '--version',
      '--',
      'key',
      '7',
      '{"op":',
      '"é',
      '\r',
      '\t',
      '\n',
    ]
    const connections = Array.from({ length: 200 }, async (_, at) => {
      const whole = `set half-${at} whole\n`
      const noise = Buffer.from(
        Array.from({ length: random.between(1, 30) }, () => random.pick(words)).join(' '),
      )
      const socket = await open(node.host, node.port)
      await send(socket, whole)
      await send(socket, noise.subarray(0, random.between(1, noise.length)))
      await hearSomething(socket)
      // Some are polite, some are simply gone.
      if (at % 2 === 0) await hangUp(socket)
      else socket.resetAndDestroy()
    })
    await Promise.all(connections)
    const client = await node.connect()
    const read = await Promise.all(connections.map((_, at) => client.ask(`get half-${at}`)))
    expect(read).to.deep.equal(connections.map((_, at) => `half-${at} -> whole`))
    await expectUnharmed()
  })

  it('of 1,000 connections that say nothing, serves whoever speaks', async () => {
    const idle = await Promise.all(Array.from({ length: 1000 }, () => open(node.host, node.port)))
    await bystander.rounds(50)
    const isOpen = idle.filter(socket => !socket.destroyed && socket.readable)
    expect(isOpen.length).to.equal(1000)
    // Each is still good for a request.
    const answers = await Promise.all(
      idle.map(socket => {
        const answer = readAll(socket)
        socket.end('get --local idle')
        return answer
      }),
    )
    expect(new Set(answers)).to.deep.equal(new Set(['ERROR: Key not found.\n']))
    await expectUnharmed()
  })

  it('of a line of 100 MB, says that it is too long and takes the next one', async () => {
    const socket = await open(node.host, node.port)
    const replies = readAll(socket)
    const piece = Buffer.alloc(1_000_000, 'x')
    for (let sent = 0; sent < 100; sent++) await send(socket, piece)
    socket.end('\nset after-it 1\n')
    expect(await replies).to.equal(
      'ERROR: Line too long (limit 1048576 bytes).\nSUCCESS: after-it -> 1 set.\n',
    )
    await expectUnharmed()
  })

  it('of clients that ask for large values and do not read them, holds few of them in memory', async () => {
    const value = 'v'.repeat(900_000)
    const client = await node.connect()
    expect(await client.ask(`set large ${value}`)).to.equal(`SUCCESS: large -> ${value} set.`)
    const slow = await Promise.all(Array.from({ length: 25 }, () => open(node.host, node.port)))
    for (const socket of slow) await send(socket, 'get large\n'.repeat(40))
    await bystander.rounds(100)
    // None was given up: whoever begins to read gets everything.
    const [late] = slow
    if (late === undefined) throw new Error('there are many')
    const received = countAll(late)
    late.end()
    expect(await received).to.equal(40 * `large -> ${value}\n`.length)
    for (const socket of slow) socket.destroy()
    await expectUnharmed(largeGrowthMaxMib)
  })

  it('of noise on the peer port, goes on as before', async () => {
    const random = announcedRandom()
    const strangers = await Promise.all(
      nodes.flatMap(({ host, peerPort }) => Array.from({ length: 60 }, () => open(host, peerPort))),
    )
    const gone = strangers.map(async (socket, at) => {
      const replies = readAll(socket)
      if (at % 4 === 0) await send(socket, randomBytes(random, 100_000))
      if (at % 4 === 1) await send(socket, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
      if (at % 4 === 2) await send(socket, `{"hello":{"protocol":1,"cluster":"none","node":"none"}}\n`)
      // The others say nothing.
      if (at % 4 === 3) socket.end()
      return replies
    })
    for (const said of await Promise.all(gone)) expect(said).to.match(/^$|^\{"refused":"malformed"/)
    const status = await node.status()
    expect(status).to.have.property('text').that.contains('Sync Status: All nodes in sync.')
    await expectUnharmed(largeGrowthMaxMib)
  })
})

describe('a node under a flood of writes', () => {
  after(stopAll)

  it('takes only what it can hold, and serves whoever waits for his replies', async () => {
    const node = await startNode()
    const growth = new Growth([node])
    const bystander = await Bystander.at(node)
    const line = `set written ${'w'.repeat(900_000)}\n`
    const greedy = await Promise.all(Array.from({ length: 20 }, () => open(node.host, node.port)))
    // The replies repeat the values, and nobody reads them: these connections come to be held up.
    for (const socket of greedy) for (let sent = 0; sent < 20; sent++) socket.write(line)
    await bystander.rounds(50)
    for (const socket of greedy) socket.destroy()
    await bystander.finish()
    growth.expectBelow(growthOfWritesMaxMib)
  })
})

describe('a browser', () => {
  after(stopAll)

  it('is hung up on before anything is carried out', async () => {
    const node = await startNode()
    const attempts = [
      'POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nset stolen 1\n',
      'GET /set HTTP/1.1\r\nset stolen 2\n',
      'Host: 127.0.0.1\r\nset stolen 3\n',
      `GET /${'a'.repeat(2_000_000)} HTTP/1.0\r\nset stolen 4\n`,
    ]
    for (const attempt of attempts) {
      const socket = await open(node.host, node.port)
      const replies = readAll(socket)
      await send(socket, attempt)
      expect(await replies).to.equal('')
    }
    const client = await node.connect()
    expect(await client.ask('get stolen')).to.equal('ERROR: Key not found.')
  })
})

describe('a node with --max-connections', () => {
  after(stopAll)

  it('refuses one more with a reason, and takes it when there is room again', async () => {
    const node = await startNode({ flags: ['--max-connections=3'] })
    const clients = await Promise.all([node.connect(), node.connect(), node.connect()])
    for (const client of clients) expect(await client.ask('get a')).to.equal('ERROR: Key not found.')
    const refused = await node.connect()
    expect(await refused.rest()).to.deep.equal(['ERROR: Too many connections (limit 3).'])
    clients[0]?.close()
    await waitFor(
      async () => {
        const next = await textClient(node.address)
        const answer = await next.ask('get a').finally(() => next.close())
        return answer === 'ERROR: Key not found.'
      },
      10_000,
      'a place that became free to be given away',
    )
    expect(await clients[1]?.ask('get a')).to.equal('ERROR: Key not found.')
  })
})

/** Chance for one test; the line it prints repeats it. */
function announcedRandom(): Random {
  const seed = process.env['QUORATE_TEST_SEED'] ?? String(Date.now())
  console.log(`      seed ${seed} (QUORATE_TEST_SEED=${seed} repeats it)`)
  return seededRandom(seed)
}

function randomBytes(random: Random, count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, () => random.below(256)))
}

/** Closes our side first, and reads what still comes. */
async function hangUp(socket: Socket): Promise<void> {
  const rest = readAll(socket)
  socket.end()
  await rest
}

/** How far the memory of nodes has risen above what it was when this was made. */
class Growth {
  readonly #resting: readonly { readonly node: TestNode; readonly mib: number }[]

  constructor(nodes: readonly TestNode[]) {
    this.#resting = nodes.map(node => ({ node, mib: memoryMib(node, 'VmRSS') }))
  }

  expectBelow(mibMax: number): void {
    const grown = this.#resting.map(({ node, mib }) => Math.round(memoryMib(node, 'VmHWM') - mib))
    console.log(`      memory rose by at most ${grown.join(', ')} MiB so far`)
    expect(Math.max(...grown), 'growth of the memory in MiB').to.be.below(mibMax)
  }
}

/** From /proc/<pid>/status, in MiB: `VmRSS` is the resident memory now, `VmHWM` its highest so far. */
function memoryMib(node: TestNode, line: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${node.process.pid}/status`, 'utf8')
  const kib = new RegExp(`^${line}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]
  if (kib === undefined) throw new Error(`/proc says nothing of ${line}`)
  return Number(kib) / 1024
}

function first(nodes: readonly TestNode[]): TestNode {
  const [node] = nodes
  if (node === undefined) throw new Error('there is no such node')
  return node
}
