/** Libraries that keep something in Redis, unchanged, on three real nodes: sessions of a web server, and a cache. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import KeyvRedis from '@keyv/redis'
import { expect } from 'chai'
import { RedisStore } from 'connect-redis'
import session, { type SessionData } from 'express-session'
import { Keyv } from 'keyv'
import { createClient } from 'node-redis'
import { startCluster, type TestNode, waitFor } from '../support/processes.js'
import { patienceMs, rolesOf } from './cluster-state.js'
import { endLater, stopAllWithClients } from './redis-harness.js'

describe('Libraries that keep something in Redis', () => {
  let nodes: TestNode[]
  before(async () => {
    nodes = await startCluster(3)
  })
  after(stopAllWithClients)

  describe('connect-redis with express-session', () => {
    it('counts the visits of each session, whichever node its web server talks to', async () => {
      const addresses = await Promise.all(nodes.map(node => webServer(node)))
      const [first = '', ...others] = addresses
      const greeting = await fetch(first)
      const cookie = greeting.headers.get('set-cookie')?.split(';')[0] ?? ''
      expect(cookie).to.match(/^connect\.sid=/)
      expect(await greeting.text()).to.equal('visit 1')
      const visit = async (address: string) => (await fetch(address, { headers: { cookie } })).text()
      for (const [at, address] of [...others, first].entries()) {
        expect(await visit(address)).to.equal(`visit ${at + 2}`)
      }
      expect(await (await fetch(first)).text()).to.equal('visit 1')
    })

    it('lists, counts and destroys sessions, and has them expire', async () => {
      const [node] = nodes
      if (node === undefined) throw new Error('a cluster has nodes')
      const client = await connect(node)
      const store = new RedisStore({ client, prefix: 'listed:', ttl: 1000 })
      const data: SessionData = { cookie: { originalMaxAge: null }, visits: 3 }
      for (let count = 0; count < 25; count++) await store.set(`id${count}`, data)
      expect(await store.length()).to.equal(25)
      expect(await store.ids()).to.have.members(Array.from({ length: 25 }, (_, at) => `id${at}`))
      expect(await store.get('id7')).to.deep.equal(data)
      expect(await client.ttl('listed:id7')).to.be.within(900, 1000)
      await store.destroy('id7')
      expect(await store.get('id7')).to.equal(null)
      await client.pExpire('listed:id8', 1)
      await waitFor(async () => (await store.get('id8')) === null, patienceMs, 'a session to expire')
      await store.clear()
      expect(await store.length()).to.equal(0)
    })
  })

  describe('@keyv/redis', () => {
    it('caches values, has them expire, and clears its own ones only', async () => {
      const { followers } = await rolesOf(nodes)
      const [node] = followers
      if (node === undefined) throw new Error('a leader of three has followers')
      const adapter = new KeyvRedis(`redis://${node.address}`)
      endLater(() => void adapter.disconnect(true))
      const cache = new Keyv({ store: adapter, namespace: 'cache', useKeyPrefix: false })
      const other = await connect(node)
      await other.set('cached-by-others', 'stays')
      const value = { name: 'Blåbär', list: [1, 2, 3], nothing: null }
      expect(await cache.set('object', value, 60_000)).to.equal(true)
      expect(await cache.get('object')).to.deep.equal(value)
      expect(await cache.get('none')).to.equal(undefined)
      expect(await cache.has('object')).to.equal(true)
      await cache.set('short', 'gone soon', 1)
      await waitFor(async () => (await cache.get('short')) === undefined, patienceMs, 'a value to expire')
      expect(await cache.getMany(['object', 'none'])).to.deep.equal([value, undefined])
      expect(await cache.delete('object')).to.equal(true)
      expect(await cache.delete('object')).to.equal(false)
      for (let count = 0; count < 20; count++) await cache.set(`many${count}`, count)
      await cache.clear()
      expect(await cache.getMany(['many0', 'many19'])).to.deep.equal([undefined, undefined])
      expect(await other.get('cached-by-others')).to.equal('stays')
    })
  })

  async function connect({ host, port }: TestNode) {
    const client = createClient({ socket: { host, port } })
    client.on('error', () => {})
    await client.connect()
    endLater(() => client.destroy())
    return client
  }

  /** A web server that counts visits in a session kept at that node. */
  async function webServer(node: TestNode): Promise<string> {
    const store = new RedisStore({ client: await connect(node) })
    const middleware = session({
      store,
      secret: 'a secret of this test',
      resave: false,
      saveUninitialized: true,
      cookie: { maxAge: 600_000 },
    })
    const server: Server = createServer((request, response) => {
      middleware(request, response, error => {
        if (error !== undefined) {
          response.writeHead(500).end(String(error))
          return
        }
        const { session: own } = request as IncomingMessage & { session: SessionData }
        own.visits = (own.visits ?? 0) + 1
        response.end(`visit ${own.visits}`)
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    endLater(() => {
      server.closeAllConnections()
      server.close()
    })
    const address = server.address()
    if (typeof address !== 'object' || address === null)
      throw new Error('the server does not listen on a port')
    return `http://127.0.0.1:${address.port}/`
  }
})
