/** The Redis client libraries that programs use, against three real nodes. */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { expect } from 'chai'
import { Cluster } from 'ioredis'
import { startCluster, type TestNode, waitFor } from '../support/processes.js'
import { patienceMs, rolesOf, waitForCopies, waitForSync } from './cluster-state.js'
import { libraries, type RedisClient, stopAllWithClients, textOf, type Words } from './redis-harness.js'

describe('Redis client libraries', () => {
  let nodes: TestNode[]
  let leader: TestNode
  let follower: TestNode

  before(async () => {
    nodes = await startCluster(3)
    const roles = await rolesOf(nodes)
    leader = roles.leader
    const [first] = roles.followers
    if (first === undefined) throw new Error('a leader of three has followers')
    follower = first
  })
  after(stopAllWithClients)

  for (const library of libraries) {
    describe(library.name, () => {
      const own = (key: string): string => `${library.name.replaceAll(' ', '-')}:${key}`
      let client: RedisClient

      before(async () => {
        client = await library.connect(follower)
      })

      it('reads and writes through a follower', async () => {
        expect(textOf(await client.call('SET', own('a'), 'value1'))).to.equal('OK')
        expect(textOf(await client.call('GET', own('a')))).to.equal('value1')
        expect(textOf(await client.call('GET', own('none')))).to.equal(null)
        expect(textOf(await client.call('MGET', own('a'), own('none')))).to.deep.equal(['value1', null])
        const other = await library.connect(leader)
        expect(textOf(await other.call('GETDEL', own('a')))).to.equal('value1')
        expect(textOf(await client.call('EXISTS', own('a')))).to.equal(0)
      })

      it('gets Redis errors as errors', async () => {
        await client.call('SET', own('text'), 'no number')
        const wrong = (...words: Words) =>
          client.call(...words).then(textOf, (error: Error) => `threw ${error.message}`)
        expect(await wrong('INCR', own('text'))).to.equal('threw ERR value is not an integer or out of range')
        expect(await wrong('LPUSH', own('list'), 'a')).to.match(/^threw ERR unknown command 'LPUSH'/i)
      })

      it('pipelines hundreds of commands, answered in order', async () => {
        const count = 500
        const commands = Array.from(
          { length: count },
          (_, at): Words => (at === 250 ? ['INCRBY', own('counter'), 'x'] : ['INCR', own('counter')]),
        )
        const replies = (await client.pipeline(commands)).map(textOf)
        expect(replies[250]).to.equal('ERR value is not an integer or out of range')
        const counted = replies.filter((_, at) => at !== 250)
        expect(counted).to.deep.equal(Array.from({ length: count - 1 }, (_, at) => at + 1))
      })

      it('carries transactions out as one, and not at all when a watched key has changed', async () => {
        const commands: Words[] = [
          ['SET', own('m'), '1'],
          ['INCR', own('m')],
          ['GET', own('m')],
        ]
        expect((await client.multi(commands))?.map(textOf)).to.deep.equal(['OK', 2, '2'])
        const other = await library.connect(leader)
        await client.call('WATCH', own('m'))
        await other.call('SET', own('m'), '7')
        expect(await client.multi(commands)).to.equal(null)
        expect(textOf(await client.call('GET', own('m')))).to.equal('7')
        await client.call('WATCH', own('m'))
        expect((await client.multi(commands))?.map(textOf)).to.deep.equal(['OK', 2, '2'])
      })

      it('keeps all bytes from 0 to 255, and a value of 1 MB', async () => {
        const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
        const large = randomBytes(1024 * 1024)
        for (const value of [bytes, Buffer.alloc(0), Buffer.from('\r\n$3\r\n'), large]) {
          await client.call('SET', own('bytes'), value)
          const read = await client.call('GET', own('bytes'))
          expect(Buffer.isBuffer(read) && read.equals(value), `${value.length} bytes`).to.equal(true)
        }
        const other = await library.connect(leader)
        const read = await other.call('GETRANGE', own('bytes'), '1048000', '-1')
        expect(Buffer.isBuffer(read) && read.equals(large.subarray(1048000))).to.equal(true)
      })

      it('finds the leader as a cluster client, from any node', async () => {
        const cluster = await library.connectCluster([follower])
        const keys = Array.from({ length: 50 }, (_, at) => own(`cluster:${at}`))
        await Promise.all(keys.map(key => cluster.call('SET', key, key)))
        const read = await Promise.all(keys.map(key => cluster.call('GET', key)))
        expect(read.map(textOf)).to.deep.equal(keys)
      })
    })
  }

  it('are answered everything when they close their side, and nothing to half a request', async () => {
    const socket = connect({ host: follower.host, port: follower.port, allowHalfOpen: true })
    socket.end('*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$1\r\n1\r\n*2\r\n$3\r\nGET\r\n$4\r\nhalf\r\n*2\r\n$3\r\nDEL')
    expect(await everythingFrom(socket)).to.equal('+OK\r\n$1\r\n1\r\n')
    const client = await follower.connect()
    expect(await client.ask('get half')).to.equal('half -> 1')
  })

  it('do no harm when they send garbage', async () => {
    for (let round = 0; round < 20; round++) {
      const socket = connect({ host: follower.host, port: follower.port, allowHalfOpen: true })
      const said = everythingFrom(socket)
      socket.end(Buffer.concat([Buffer.from('*2\r\n$3\r\n'), randomBytes(1000 * round)]))
      expect(await said).to.match(/^(?:-ERR Protocol error: .*\r\n)?$/)
    }
    const client = await follower.connect()
    expect(await client.ask('get no-such-key')).to.equal('ERROR: Key not found.')
  })

  it('read from replicas where they ask for it, each of which catches up', async () => {
    const { leader } = await rolesOf(nodes)
    await waitForSync(leader)
    const cluster = new Cluster([{ host: leader.host, port: leader.port }], { scaleReads: 'slave' })
    try {
      await cluster.set('replicated', 'here')
      await waitForCopies(leader, nodes)
      expect(cluster.nodes('master').map(({ options }) => options.port)).to.deep.equal([leader.port])
      expect(cluster.nodes('slave')).to.have.length(2)
      await waitFor(
        async () => (await cluster.get('replicated')) === 'here',
        patienceMs,
        'the copy of a replica',
      )
    } finally {
      cluster.disconnect()
    }
  })
})

/** What a node sends until it ends the connection. */
async function everythingFrom(socket: Socket): Promise<string> {
  let said = ''
  socket.setEncoding('latin1')
  socket.on('error', () => {})
  socket.on('data', (text: string) => {
    said += text
  })
  await new Promise(resolve => socket.once('close', resolve))
  return said
}
